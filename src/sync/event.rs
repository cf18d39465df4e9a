use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::planted::planted;
use crate::raw::{EventWords, Party};
use crate::shm::{Plan, Ref, Region};
use crate::sync::CreateError;
use crate::wait::{AnyWaiter, Bell, Deadline, Park, ParkUntil, Readiness, Waitable, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};
use crate::wire::handle;

/// A flag that any number of processes, threads and tasks wait for: Python's `multiprocessing.Event`.
///
/// A clone names the same event, and so does a handle that travelled to another process as an argument of
/// [`spawn`](crate::AioProcess::spawn) or in a message.
///
/// # If a process dies
///
/// Nothing happens to the event. [`set`](Self::set) never waits for a waiter, so a dead or a stopped one holds nobody up.
///
/// # Examples
///
/// ```
/// let event = aioprocessing::AioEvent::new()?;
/// assert!(!event.is_set());
/// event.set();
/// event.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
pub struct AioEvent {
    #[serde(with = "handle")]
    words: Ref<EventWords>,
}

/// Why a wait for an event ended without it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// This process was forked, without exec, from the one that opened the event.
    #[error(
        "this process is a fork of the one that opened the event; start processes with `AioProcess::spawn`"
    )]
    Forked,
}

/// Why a look at an event found nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TryWaitError {
    /// The event is not set.
    #[error("the event is not set")]
    NotSet,
    /// This process was forked, without exec, from the one that opened the event.
    #[error(
        "this process is a fork of the one that opened the event; start processes with `AioProcess::spawn`"
    )]
    Forked,
}

impl TryWaitError {
    /// Whether the event was not set.
    pub fn is_not_set(&self) -> bool {
        matches!(self, Self::NotSet)
    }
}

/// Why a bounded wait for an event ended without it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitTimeoutError {
    /// The time is over and the event was not set.
    #[error("the event was not set in time")]
    Timeout,
    /// This process was forked, without exec, from the one that opened the event.
    #[error(
        "this process is a fork of the one that opened the event; start processes with `AioProcess::spawn`"
    )]
    Forked,
}

impl WaitTimeoutError {
    /// Whether the time was over.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout)
    }
}

impl AioEvent {
    /// Makes an event that is not set.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if the system has no memory or no descriptors left; an event takes two descriptors in each process.
    pub fn new() -> Result<Self, CreateError> {
        let mut plan = Plan::new(1);
        let offset = plan.place::<EventWords>(1);
        Ok(Self { words: plan.create()?.object(offset)? })
    }

    fn party(&self) -> Party<'_, Region> {
        let region = self.words.region();
        Party { me: region.me(), alive: region, bell: Bell::new(region, 0) }
    }

    fn is_ours(&self) -> bool {
        self.words.region().is_ours()
    }

    /// Sets the event and wakes all who wait. It stays set until [`clear`](Self::clear).
    ///
    /// Never blocks, takes no lock and is async-signal-safe: it may be called from a signal handler. In a process that was
    /// forked without exec it does nothing.
    pub fn set(&self) {
        if self.is_ours() {
            planted!("set-takes-a-lock", {
                static LOCK: parking_lot::Mutex<u32> = parking_lot::Mutex::new(0);
                // Long enough for a signal to find it taken.
                (0..1000).for_each(|_| *LOCK.lock() += 1);
            });
            self.words.set(self.party());
        }
    }

    /// Takes the flag down. Those who waited before a [`set`](Self::set) that came first are woken all the same.
    pub fn clear(&self) {
        if self.is_ours() {
            self.words.clear();
        }
    }

    /// Whether the event is set at this moment.
    pub fn is_set(&self) -> bool {
        self.words.is_set()
    }

    /// Waits until the event is set: at once if it is already, and also if a set came after the call began and a clear
    /// right behind it.
    ///
    /// [`wait_timeout`](Self::wait_timeout) gives up after a time, [`coro_wait`](Self::coro_wait) suspends the task
    /// instead of the thread, and [`try_wait`](Self::try_wait) does not wait.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; needs no runtime.
    ///
    /// # Errors
    ///
    /// [`WaitError::Forked`] in a process that was forked without exec.
    pub fn wait(&self) -> Result<(), WaitError> {
        if !self.is_ours() {
            return Err(WaitError::Forked);
        }
        if !self.is_set() {
            never(blocking(self.words.wait(&mut Park::new(), self.party())));
        }
        Ok(())
    }

    /// [`wait`](Self::wait), now or never.
    ///
    /// # Errors
    ///
    /// [`TryWaitError::NotSet`] if the event is not set, [`TryWaitError::Forked`] as for `wait`.
    pub fn try_wait(&self) -> Result<(), TryWaitError> {
        match (self.is_ours(), self.is_set()) {
            (false, _) => Err(TryWaitError::Forked),
            (true, false) => Err(TryWaitError::NotSet),
            (true, true) => Ok(()),
        }
    }

    /// [`wait`](Self::wait) for `timeout` at the longest; zero looks once.
    ///
    /// # Errors
    ///
    /// [`WaitTimeoutError::Timeout`] if the time was over first, [`WaitTimeoutError::Forked`] as for `wait`.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), WaitTimeoutError> {
        if !self.is_ours() {
            return Err(WaitTimeoutError::Forked);
        }
        let mut waiter = ParkUntil::new(Deadline::after(timeout));
        blocking(self.words.wait(&mut waiter, self.party())).map_err(|_| WaitTimeoutError::Timeout)
    }

    /// [`wait`](Self::wait), suspending the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has had no effect.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without I/O or time enabled, when it has to wait.
    #[cfg(feature = "tokio")]
    pub async fn coro_wait(&self) -> Result<(), WaitError> {
        if !self.is_ours() {
            return Err(WaitError::Forked);
        }
        never(suspended(self.words.wait(&mut Suspend::new(), self.party())).await);
        Ok(())
    }
}

/// Ready when it is set.
impl Waitable for AioEvent {
    fn until_ready<'a>(&'a self, mut waiter: AnyWaiter<'a>) -> Readiness<'a> {
        Box::pin(async move {
            if self.is_ours() {
                never(self.words.wait(&mut waiter, self.party()).await);
            }
            Ok(())
        })
    }
}

impl fmt::Debug for AioEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioEvent")
            .field("is_set", &self.is_set())
            .field("waiters", &self.words.waiters())
            .finish()
    }
}
