use std::fmt;
#[cfg(feature = "tokio")]
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::core::{Core, Holder};
use super::error::{AcquireError, AcquireTimeoutError, ReleaseError, TryAcquireError};
use super::guard::AioLockGuard;
use super::spare;
use crate::raw::LockWords;
use crate::shm::{Plan, Ref};
use crate::sync::CreateError;
#[cfg(feature = "tokio")]
use crate::wait::{Cost, Suspend, at_once_or, suspended};
use crate::wait::{Deadline, Park, ParkUntil, blocking, never};
use crate::wire::handle;

/// Mutual exclusion between processes, threads and tasks: Python's `multiprocessing.Lock`.
///
/// A clone names the same lock, and so does a handle that travelled to another process as an argument of
/// [`spawn`](crate::AioProcess::spawn) or in a message. It is not re-entrant: a thread or a task that acquires it twice waits for
/// itself.
///
/// # Fairness
///
/// A lock that is free goes to whoever comes first, which is the fastest way to share it. Those who wait are woken one at
/// a time, threads and tasks by turns, and look again at least once a second.
///
/// # What it keeps open
///
/// A lock takes two descriptors in each process, for as long as there is a handle or a guard. A thread keeps the one that it used
/// last for longer if the last handle is dropped on another thread: until it uses another lock or ends.
///
/// # If a process dies
///
/// The lock of a holder that dies, in whichever way and at whichever instruction, goes to the next who asks, as
/// [`AcquireError::OwnerDied`]. A holder that is merely stopped keeps it.
///
/// # Examples
///
/// ```
/// let lock = aioprocessing::AioLock::new()?;
/// let guard = lock.acquire()?;
/// assert!(lock.is_locked());
/// drop(guard);
/// assert!(!lock.is_locked());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AioLock {
    pub(in crate::sync) core: Arc<Core>,
}

impl AioLock {
    /// Makes a lock that nobody holds.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if the system has no memory or no descriptors left; a lock takes two descriptors in each process.
    pub fn new() -> Result<Self, CreateError> {
        let mut plan = Plan::new(1);
        let offset = plan.place::<LockWords>(1);
        Ok(Self::over(plan.create()?.object(offset)?))
    }

    /// Makes `count` locks that share their two descriptors.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn many(count: usize) -> Result<Vec<Self>, CreateError> {
        let count =
            u32::try_from(count).map_err(|_| CreateError::Invalid("more than 4,294,967,295 locks"))?;
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut plan = Plan::new(1);
        let first = plan.place::<LockWords>(count);
        let region = plan.create()?;
        let offsets = (0..u64::from(count)).map(|index| first + index * size_of::<LockWords>() as u64);
        offsets.map(|offset| Ok(Self::over(region.object(offset)?))).collect()
    }

    pub(in crate::sync) fn over(words: Ref<LockWords>) -> Self {
        Self { core: Arc::new(Core::new(words)) }
    }

    /// Waits until the lock is free and takes it.
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
    /// The death of the holder is noticed within a few milliseconds and ends the wait with [`AcquireError::OwnerDied`].
    ///
    /// # Errors
    ///
    /// [`AcquireError::OwnerDied`] holds the guard: the lock is taken. [`AcquireError::Forked`] in a process that was
    /// forked without exec.
    #[inline]
    #[track_caller]
    pub fn acquire(&self) -> Result<AioLockGuard, AcquireError> {
        let location = Location::caller();
        match self.core.take_free(location) {
            Some(guard) => Ok(guard),
            None => self.acquire_slowly(location),
        }
    }

    #[cold]
    fn acquire_slowly(&self, location: &'static Location<'static>) -> Result<AioLockGuard, AcquireError> {
        if !self.core.is_ours() {
            return Err(AcquireError::Forked);
        }
        let taken = never(blocking(self.core.words.acquire(&mut Park::new(), self.core.party())));
        self.core.guard(taken, location).map_err(AcquireError::OwnerDied)
    }

    /// Takes the lock if it is free, now or never.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError::WouldBlock`] if a living process holds it; otherwise as [`acquire`](Self::acquire).
    #[inline]
    #[track_caller]
    pub fn try_acquire(&self) -> Result<AioLockGuard, TryAcquireError> {
        let location = Location::caller();
        match self.core.take_free(location) {
            Some(guard) => Ok(guard),
            None => self.try_acquire_slowly(location),
        }
    }

    #[cold]
    fn try_acquire_slowly(
        &self,
        location: &'static Location<'static>,
    ) -> Result<AioLockGuard, TryAcquireError> {
        if !self.core.is_ours() {
            return Err(TryAcquireError::Forked);
        }
        match self.core.words.try_acquire(self.core.party()) {
            Some(taken) => self.core.guard(taken, location).map_err(TryAcquireError::OwnerDied),
            None => Err(TryAcquireError::WouldBlock { holder: self.owner() }),
        }
    }

    /// [`acquire`](Self::acquire) for `timeout` at the longest; zero tries once.
    ///
    /// # Errors
    ///
    /// [`AcquireTimeoutError::Timeout`] says who holds the lock; otherwise as [`acquire`](Self::acquire).
    #[track_caller]
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<AioLockGuard, AcquireTimeoutError> {
        let location = Location::caller();
        if !self.core.is_ours() {
            return Err(AcquireTimeoutError::Forked);
        }
        self.core.look_at_owner();
        let mut waiter = ParkUntil::new(Deadline::after(timeout));
        match blocking(self.core.words.acquire(&mut waiter, self.core.party())) {
            Ok(taken) => self.core.guard(taken, location).map_err(AcquireTimeoutError::OwnerDied),
            Err(_) => Err(AcquireTimeoutError::Timeout { holder: self.owner() }),
        }
    }

    /// [`acquire`](Self::acquire), suspending the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it has not taken the lock, and a wake-up that was meant for it goes to the next waiter.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without I/O or time enabled, when it has to wait.
    #[cfg(feature = "tokio")]
    #[inline]
    #[track_caller]
    pub fn coro_acquire(&self) -> impl Future<Output = Result<AioLockGuard, AcquireError>> + Send {
        // Not an `async fn`: that would forget its caller.
        self.coro_acquire_at(Location::caller())
    }

    #[cfg(feature = "tokio")]
    #[inline]
    pub(in crate::sync) fn coro_acquire_at(
        &self,
        location: &'static Location<'static>,
    ) -> impl Future<Output = Result<AioLockGuard, AcquireError>> + Send {
        let attempt = move || self.core.take_free(location).map(Ok);
        at_once_or(Cost::LOCK, attempt, move || self.coro_acquire_slowly(location))
    }

    #[cfg(feature = "tokio")]
    async fn coro_acquire_slowly(
        &self,
        location: &'static Location<'static>,
    ) -> Result<AioLockGuard, AcquireError> {
        if !self.core.is_ours() {
            return Err(AcquireError::Forked);
        }
        let taken = never(suspended(self.core.words.acquire(&mut Suspend::new(), self.core.party())).await);
        self.core.guard(taken, location).map_err(AcquireError::OwnerDied)
    }

    /// Whether a living process holds the lock at this moment.
    #[doc(alias = "locked")]
    pub fn is_locked(&self) -> bool {
        self.core.words.word().owner().is_some_and(|owner| self.core.is_alive(owner))
    }

    /// Who holds the lock at this moment.
    pub fn owner(&self) -> Option<Holder> {
        let owner = self.core.look_at_owner()?;
        self.core.holder(owner)
    }

    /// Releases a lock whose guard was [leaked](AioLockGuard::leak) in this process, by whichever thread or task.
    ///
    /// # Errors
    ///
    /// [`ReleaseError`] if nobody holds the lock, another process does, or a guard of this one.
    pub fn release(&self) -> Result<(), ReleaseError> {
        let core = &self.core;
        if core.is_ours() && core.words.release_leaked(core.party()) {
            return Ok(());
        }
        match core.words.word().owner() {
            Some(owner) if owner == core.party().me && core.is_ours() => Err(ReleaseError::Guarded),
            Some(_) => {
                self.owner().map_or(Err(ReleaseError::NotHeld), |holder| Err(ReleaseError::NotOwner(holder)))
            }
            None => Err(ReleaseError::NotHeld),
        }
    }
}

impl Drop for AioLock {
    fn drop(&mut self) {
        spare::forget(&self.core);
    }
}

impl Serialize for AioLock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        handle::serialize(&self.core.words, serializer)
    }
}

impl<'de> Deserialize<'de> for AioLock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        handle::deserialize(deserializer).map(Self::over)
    }
}

impl fmt::Debug for AioLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioLock")
            .field("owner", &self.owner())
            .field("waiters", &self.core.words.waiters())
            .finish()
    }
}
