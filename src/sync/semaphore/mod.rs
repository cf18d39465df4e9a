mod bounded;
mod error;
mod permit;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use bounded::AioBoundedSemaphore;
pub use error::{AcquirePermitError, AcquirePermitTimeoutError, ReleasePermitsError, TryAcquirePermitError};
pub use permit::Permit;

use super::patience;
use crate::raw::{MOST_PERMITS, Party, Semaphore, SemaphoreSlot, SemaphoreWords};
use crate::shm::{AttachError, Plan, Ref, Region, Row};
use crate::sync::CreateError;
use crate::wait::{Bell, Deadline, Park, ParkUntil, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};
use crate::wire::handle;

/// A number of permits that processes, threads and tasks take and give back: Python's `multiprocessing.Semaphore`.
///
/// A clone names the same semaphore, and so does a handle that travelled to another process as an argument of
/// [`spawn`](crate::AioProcess::spawn) or in a message. [`release`](Self::release) may raise the number of permits above
/// what it was at first; an [`AioBoundedSemaphore`] refuses that.
///
/// # Fairness
///
/// A permit goes to whoever comes first, and who wants one may overtake who waits for several.
///
/// # If a process dies
///
/// The permits of a holder that dies, in whichever way and at whichever instruction, come back: those who wait notice within
/// a few milliseconds. Permits that it had [forgotten](Permit::forget) don't.
///
/// # Examples
///
/// ```
/// let seats = aioprocessing::AioSemaphore::new(2)?;
/// let mine = seats.acquire()?;
/// let yours = seats.acquire()?;
/// assert!(seats.try_acquire().is_err());
/// drop(mine);
/// assert_eq!(seats.permits(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AioSemaphore {
    core: Arc<Core>,
}

struct Core {
    words: Ref<SemaphoreWords>,
    slots: Row<SemaphoreSlot>,
}

impl Core {
    fn create(permits: u32, limit: u32) -> Result<Self, CreateError> {
        if permits > MOST_PERMITS {
            return Err(CreateError::Invalid("a semaphore can have 2,147,483,647 permits at the most"));
        }
        let mut plan = Plan::new(1);
        let words = plan.place::<SemaphoreWords>(1);
        let slots = Row::<SemaphoreSlot>::plan(&mut plan);
        debug_assert_eq!(slots, words + size_of::<SemaphoreWords>() as u64);
        let core = Self::open(plan.create()?.object(words)?)?;
        core.raw().begin(permits, limit);
        Ok(core)
    }

    fn open(words: Ref<SemaphoreWords>) -> Result<Self, AttachError> {
        let slots = Row::open(words.region(), words.offset() + size_of::<SemaphoreWords>() as u64)?;
        Ok(Self { words, slots })
    }

    fn raw(&self) -> Semaphore<'_> {
        Semaphore { words: &self.words, slots: &self.slots }
    }

    fn party(&self) -> Party<'_, Region> {
        let region = self.words.region();
        Party { me: region.me(), alive: region, bell: Bell::new(region, 0) }
    }

    fn is_ours(&self) -> bool {
        self.words.region().is_ours()
    }
}

impl AioSemaphore {
    /// Makes a semaphore with this many permits.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if the system has no memory or no descriptors left, or for more than 2,147,483,647 permits; a
    /// semaphore takes two descriptors in each process.
    pub fn new(permits: u32) -> Result<Self, CreateError> {
        Self::with_limit(permits, MOST_PERMITS)
    }

    fn with_limit(permits: u32, limit: u32) -> Result<Self, CreateError> {
        Ok(Self { core: Arc::new(Core::create(permits, limit)?) })
    }

    fn permit(&self, count: u32) -> Permit {
        Permit { core: self.core.clone(), count }
    }

    /// Waits until a permit is left and takes it.
    ///
    /// [`try_acquire`](Self::try_acquire) does not wait, [`acquire_timeout`](Self::acquire_timeout) gives up after a time, and
    /// [`coro_acquire`](Self::coro_acquire) suspends the task instead of the thread.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; needs no runtime.
    ///
    /// # If a process dies
    ///
    /// The death of a holder is noticed within a few milliseconds, and its permits are there to be taken.
    ///
    /// # Errors
    ///
    /// [`AcquirePermitError::Forked`] in a process that was forked without exec.
    pub fn acquire(&self) -> Result<Permit, AcquirePermitError> {
        self.acquire_many(1)
    }

    /// [`acquire`](Self::acquire), `count` permits at once: all of them or none.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    pub fn acquire_many(&self, count: u32) -> Result<Permit, AcquirePermitError> {
        if !self.core.is_ours() {
            return Err(AcquirePermitError::Forked);
        }
        never(blocking(self.core.raw().acquire(&mut Park::new(), self.core.party(), count)));
        Ok(self.permit(count))
    }

    /// Takes a permit if one is left, now or never.
    ///
    /// # Errors
    ///
    /// [`TryAcquirePermitError::WouldBlock`] if none is left; otherwise as [`acquire`](Self::acquire).
    pub fn try_acquire(&self) -> Result<Permit, TryAcquirePermitError> {
        self.try_acquire_many(1)
    }

    /// [`try_acquire`](Self::try_acquire), `count` permits at once: all of them or none.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire).
    pub fn try_acquire_many(&self, count: u32) -> Result<Permit, TryAcquirePermitError> {
        if !self.core.is_ours() {
            return Err(TryAcquirePermitError::Forked);
        }
        if self.core.raw().try_acquire(patience, self.core.party(), count) {
            Ok(self.permit(count))
        } else {
            Err(TryAcquirePermitError::WouldBlock)
        }
    }

    /// [`acquire`](Self::acquire) for `timeout` at the longest; zero tries once.
    ///
    /// # Errors
    ///
    /// [`AcquirePermitTimeoutError::Timeout`] if the time was over first; otherwise as [`acquire`](Self::acquire).
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Permit, AcquirePermitTimeoutError> {
        self.acquire_many_timeout(1, timeout)
    }

    /// [`acquire_timeout`](Self::acquire_timeout), `count` permits at once: all of them or none.
    ///
    /// # Errors
    ///
    /// As [`acquire_timeout`](Self::acquire_timeout).
    pub fn acquire_many_timeout(
        &self,
        count: u32,
        timeout: Duration,
    ) -> Result<Permit, AcquirePermitTimeoutError> {
        if timeout.is_zero() {
            return Ok(self.try_acquire_many(count)?);
        }
        if !self.core.is_ours() {
            return Err(AcquirePermitTimeoutError::Forked);
        }
        let mut waiter = ParkUntil::new(Deadline::after(timeout));
        match blocking(self.core.raw().acquire(&mut waiter, self.core.party(), count)) {
            Ok(()) => Ok(self.permit(count)),
            Err(_) => Err(AcquirePermitTimeoutError::Timeout),
        }
    }

    /// [`acquire`](Self::acquire), suspending the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it has taken no permit, and a wake-up that was meant for it goes to the next waiter.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without I/O or time enabled, when it has to wait.
    #[cfg(feature = "tokio")]
    pub async fn coro_acquire(&self) -> Result<Permit, AcquirePermitError> {
        self.coro_acquire_many(1).await
    }

    /// [`coro_acquire`](Self::coro_acquire), `count` permits at once: all of them or none.
    ///
    /// # Cancel safety
    ///
    /// As [`coro_acquire`](Self::coro_acquire).
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Panics
    ///
    /// As [`coro_acquire`](Self::coro_acquire).
    #[cfg(feature = "tokio")]
    pub async fn coro_acquire_many(&self, count: u32) -> Result<Permit, AcquirePermitError> {
        if !self.core.is_ours() {
            return Err(AcquirePermitError::Forked);
        }
        never(suspended(self.core.raw().acquire(&mut Suspend::new(), self.core.party(), count)).await);
        Ok(self.permit(count))
    }

    /// Adds `count` permits, whoever they belonged to: those that were [forgotten](Permit::forget), or new ones. Never waits.
    ///
    /// # Errors
    ///
    /// [`ReleasePermitsError::TooMany`] if there would be more than 2,147,483,647 then; none is added.
    /// [`ReleasePermitsError::Forked`] in a process that was forked without exec.
    pub fn release(&self, count: u32) -> Result<(), ReleasePermitsError> {
        if !self.core.is_ours() {
            return Err(ReleasePermitsError::Forked);
        }
        self.core.raw().release(self.core.party(), count).map_err(|_| ReleasePermitsError::TooMany)
    }

    /// How many permits are left at this moment.
    #[doc(alias = "get_value")]
    pub fn permits(&self) -> u32 {
        self.core.raw().permits(self.core.party())
    }
}

impl Serialize for AioSemaphore {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        handle::serialize(&self.core.words, serializer)
    }
}

impl<'de> Deserialize<'de> for AioSemaphore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let core = Core::open(handle::deserialize(deserializer)?).map_err(de::Error::custom)?;
        Ok(Self { core: Arc::new(core) })
    }
}

impl fmt::Debug for AioSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioSemaphore")
            .field("permits", &self.permits())
            .field("waiters", &self.core.raw().waiters())
            .finish()
    }
}
