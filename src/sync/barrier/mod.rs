mod action;
mod builder;
mod error;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use action::{Action, Travelling};
pub use builder::BarrierBuilder;
pub use error::{BarrierError, BarrierTimeoutError, TryBarrierError};

use crate::raw::{Barrier, BarrierSlot, BarrierWords, Party};
use crate::shm::{AttachError, Ref, Region, Row};
use crate::sync::CreateError;
use crate::wait::{Bell, Deadline, Park, ParkUntil, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, SuspendUntil, suspended};
use crate::wire::handle;

/// Where the slots stand, as seen from the words.
const SLOTS: u64 = size_of::<BarrierWords>() as u64;

/// A meeting of a fixed number of processes, threads and tasks, again and again: Python's `multiprocessing.Barrier`.
///
/// A clone names the same barrier, and so does a handle that travelled to another process as an argument of
/// [`spawn`](crate::AioProcess::spawn) or in a message.
///
/// # If a process dies
///
/// The barrier is broken for all if the process was waiting in it: the others get [`BarrierError::Broken`] within a few
/// milliseconds, and so does who comes later, until somebody [resets](Self::reset) it.
///
/// # Examples
///
/// ```
/// let barrier = aioprocessing::AioBarrier::new(2)?;
/// let theirs = barrier.clone();
/// let other = std::thread::spawn(move || theirs.wait().unwrap().is_leader());
/// let met = barrier.wait()?;
/// assert!(met.is_leader() != other.join().unwrap());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AioBarrier {
    inner: Arc<Inner>,
    action: Option<Action>,
}

struct Inner {
    words: Ref<BarrierWords>,
    slots: Row<BarrierSlot>,
}

/// A meeting: what [`AioBarrier::wait`] gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Met {
    index: usize,
}

impl Met {
    pub(crate) fn at(index: usize) -> Self {
        Self { index }
    }

    /// Which of the parties the caller was: a number from 0 up to, and without, how many there are. Each party has another one.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether the caller is the one with index 0. If the barrier has an action, it was this one that ran it.
    pub fn is_leader(&self) -> bool {
        self.index == 0
    }
}

impl Inner {
    fn open(words: Ref<BarrierWords>) -> Result<Self, AttachError> {
        let slots = Row::open(words.region(), words.offset() + SLOTS)?;
        Ok(Self { words, slots })
    }

    fn raw(&self) -> Barrier<'_> {
        Barrier { words: &self.words, slots: &self.slots }
    }

    fn party(&self) -> Party<'_, Region> {
        let region = self.words.region();
        Party { me: region.me(), alive: region, bell: Bell::new(region, 0) }
    }

    fn is_ours(&self) -> bool {
        self.words.region().is_ours()
    }

    /// The barrier's own deadline, from now on.
    fn deadline(&self) -> Option<Deadline> {
        let nanos = self.raw().timeout();
        (nanos > 0).then(|| Deadline::after(Duration::from_nanos(nanos)))
    }
}

fn met(index: u32) -> Met {
    Met { index: usize::try_from(index).unwrap_or(usize::MAX) }
}

impl AioBarrier {
    /// Makes a barrier for so many parties.
    ///
    /// # Errors
    ///
    /// As [`BarrierBuilder::build`].
    pub fn new(parties: usize) -> Result<Self, CreateError> {
        Self::builder(parties).build()
    }

    /// A barrier for so many parties, with an action or a timeout.
    pub fn builder(parties: usize) -> BarrierBuilder {
        BarrierBuilder { parties, action: None, timeout: None }
    }

    fn function(&self) -> Option<&(dyn Fn() + Send + Sync)> {
        self.action.as_ref().map(Action::function)
    }

    /// Waits until as many as the barrier has parties have called this.
    ///
    /// [`try_wait`](Self::try_wait) does not wait, [`wait_timeout`](Self::wait_timeout) gives up after a time, and
    /// [`coro_wait`](Self::coro_wait) suspends the task instead of the thread.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; needs no runtime.
    ///
    /// # If a process dies
    ///
    /// The barrier is broken for all if it was waiting in it.
    ///
    /// # Errors
    ///
    /// [`BarrierError::Broken`] if the barrier is broken or breaks meanwhile, also by its own
    /// [timeout](BarrierBuilder::timeout); [`BarrierError::NoAction`] if all have come and none of them has the action;
    /// [`BarrierError::Forked`] in a process that was forked without exec.
    ///
    /// # Panics
    ///
    /// If this call runs the barrier's action and that panics.
    pub fn wait(&self) -> Result<Met, BarrierError> {
        let inner = &self.inner;
        if !inner.is_ours() {
            return Err(BarrierError::Forked);
        }
        let (raw, party, action) = (inner.raw(), inner.party(), self.function());
        let out = match inner.deadline() {
            None => never(blocking(raw.wait(&mut Park::new(), party, action))),
            Some(deadline) => match blocking(raw.wait(&mut ParkUntil::new(deadline), party, action)) {
                Ok(out) => out,
                Err(_) => return Err(BarrierError::Broken),
            },
        };
        Ok(met(out?))
    }

    /// Meets the others if the caller is the last of them to come, now or never.
    ///
    /// # Errors
    ///
    /// [`TryBarrierError::WouldBlock`] if others are still to come; otherwise as [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    pub fn try_wait(&self) -> Result<Met, TryBarrierError> {
        let inner = &self.inner;
        if !inner.is_ours() {
            return Err(TryBarrierError::Forked);
        }
        Ok(met(inner.raw().try_wait(inner.party(), self.function())?))
    }

    /// [`wait`](Self::wait) for `timeout` at the longest, whatever the barrier's own. When the time is over the barrier is broken
    /// for all.
    ///
    /// # Errors
    ///
    /// [`BarrierTimeoutError::Timeout`] if the time was over first; otherwise as [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<Met, BarrierTimeoutError> {
        let inner = &self.inner;
        if !inner.is_ours() {
            return Err(BarrierTimeoutError::Forked);
        }
        let mut waiter = ParkUntil::new(Deadline::after(timeout));
        match blocking(inner.raw().wait(&mut waiter, inner.party(), self.function())) {
            Ok(out) => Ok(met(out?)),
            Err(_) => Err(BarrierTimeoutError::Timeout),
        }
    }

    /// [`wait`](Self::wait), suspending the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped before all have come, it has not arrived: the others wait for another. If the barrier has tripped, it has, and
    /// the others go on. So it is no good in a `tokio::time::timeout` that is to break the barrier: use
    /// [`BarrierBuilder::timeout`], or call [`abort`](Self::abort).
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait), and outside of a tokio runtime, or in one without I/O or time enabled, when it has to wait.
    #[cfg(feature = "tokio")]
    pub async fn coro_wait(&self) -> Result<Met, BarrierError> {
        let inner = &self.inner;
        if !inner.is_ours() {
            return Err(BarrierError::Forked);
        }
        let (raw, party, action) = (inner.raw(), inner.party(), self.function());
        let out = match inner.deadline() {
            None => never(suspended(raw.wait(&mut Suspend::new(), party, action)).await),
            Some(deadline) => {
                match suspended(raw.wait(&mut SuspendUntil::new(deadline), party, action)).await {
                    Ok(out) => out,
                    Err(_) => return Err(BarrierError::Broken),
                }
            }
        };
        Ok(met(out?))
    }

    /// Breaks the barrier: those who wait, and those who come, get [`BarrierError::Broken`] until it is
    /// [reset](Self::reset). Never waits.
    pub fn abort(&self) {
        if self.inner.is_ours() {
            self.inner.raw().abort(self.inner.party());
        }
    }

    /// Makes the barrier as new: those who wait get [`BarrierError::Broken`], those who come meet as before. Never waits.
    pub fn reset(&self) {
        if self.inner.is_ours() {
            self.inner.raw().reset(self.inner.party());
        }
    }

    /// How many parties it takes.
    pub fn parties(&self) -> usize {
        usize::try_from(self.inner.raw().parties()).unwrap_or(usize::MAX)
    }

    /// How many wait at this moment.
    pub fn n_waiting(&self) -> usize {
        self.look_for_the_dead();
        usize::try_from(self.inner.raw().waiting()).unwrap_or(usize::MAX)
    }

    /// Whether it is broken.
    #[doc(alias = "broken")]
    pub fn is_broken(&self) -> bool {
        self.look_for_the_dead();
        self.inner.raw().is_broken()
    }

    fn look_for_the_dead(&self) {
        if self.inner.is_ours() {
            self.inner.raw().look_for_the_dead(self.inner.party());
        }
    }
}

/// A barrier as it travels.
#[derive(Serialize, Deserialize)]
struct Parts {
    #[serde(with = "handle")]
    words: Ref<BarrierWords>,
    action: Travelling,
}

impl Serialize for AioBarrier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let action = Action::place(self.action.as_ref());
        Parts { words: self.inner.words.clone(), action }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AioBarrier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Parts { words, action } = Parts::deserialize(deserializer)?;
        let inner = Inner::open(words).map_err(de::Error::custom)?;
        Ok(Self { inner: Arc::new(inner), action: action.arrive()? })
    }
}

impl fmt::Debug for AioBarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let raw = self.inner.raw();
        f.debug_struct("AioBarrier")
            .field("parties", &self.parties())
            .field("n_waiting", &raw.waiting())
            .field("is_broken", &raw.is_broken())
            .finish()
    }
}
