mod guard;

use std::fmt;
#[cfg(feature = "tokio")]
use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use guard::AioRLockGuard;

use super::agent;
use crate::raw::{DEEPEST, HoldWords, Left, LockWords, NotAgain, NotLeaked};
use crate::shm::{AttachError, Plan, Ref};
use crate::sync::{
    AcquireError, AcquireTimeoutError, AioLock, AioLockGuard, CreateError, Holder, ReleaseError,
    TryAcquireError,
};

/// Where the hold stands, as seen from the lock.
const DISTANCE: u64 = 128;

/// A lock that its holder may acquire again: Python's `multiprocessing.RLock`.
///
/// It belongs to the thread that acquired it with [`acquire`](Self::acquire) and its like, or to the task that did with
/// [`coro_acquire`](Self::coro_acquire): other tasks of the same thread wait for it. The branches of one `join!` are one
/// task; outside of a task, as in the future given to `block_on`, the thread is the owner. A task that calls a blocking form is
/// not waited for by itself. The lock is free when all guards are dropped, on whichever thread.
///
/// A clone names the same lock, and so does a handle that travelled to another process as an argument of
/// [`spawn`](crate::AioProcess::spawn) or in a message.
///
/// # If a process dies
///
/// As with [`AioLock`]: the next who asks gets the lock, as [`AcquireError::OwnerDied`].
///
/// # Examples
///
/// ```
/// let lock = aioprocessing::AioRLock::new()?;
/// let outer = lock.acquire()?;
/// let inner = lock.acquire()?;
/// drop(outer);
/// assert!(lock.is_locked());
/// drop(inner);
/// assert!(!lock.is_locked());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AioRLock {
    lock: AioLock,
    hold: Ref<HoldWords>,
}

impl AioRLock {
    /// Makes a lock that nobody holds.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if the system has no memory or no descriptors left; a lock takes two descriptors in each process.
    pub fn new() -> Result<Self, CreateError> {
        let mut plan = Plan::new(1);
        let lock = plan.place::<LockWords>(1);
        let hold = plan.place::<HoldWords>(1);
        debug_assert_eq!(hold, lock + DISTANCE);
        Ok(Self::over(AioLock::over(plan.create()?.object(lock)?))?)
    }

    fn over(lock: AioLock) -> Result<Self, AttachError> {
        let words = &lock.core.words;
        let hold = words.region().object(words.offset() + DISTANCE)?;
        Ok(Self { lock, hold })
    }

    /// One more hold of an agent that has one.
    #[track_caller]
    fn again(&self, agent: u32, location: &Location<'_>) -> Option<AioRLockGuard> {
        let core = &self.lock.core;
        if !core.is_ours() || core.words.word().owner() != Some(core.party().me) {
            return None;
        }
        match self.hold.again(agent) {
            Ok(epoch) => Some(AioRLockGuard::new(self, agent, epoch, AioLockGuard::empty())),
            Err(NotAgain::Another) => None,
            Err(NotAgain::TooDeep) => panic!(
                "this lock is held {DEEPEST} times already by the same owner, who wants it again at {location}"
            ),
        }
    }

    /// One more hold of the calling thread, or of the task that it polls.
    #[track_caller]
    fn again_here(&self) -> Option<AioRLockGuard> {
        let location = Location::caller();
        match self.again(agent::thread(), location) {
            None => self.again(agent::task()?, location),
            again => again,
        }
    }

    /// The lock was taken for the first time.
    fn begin(&self, agent: u32, mut guard: AioLockGuard) -> AioRLockGuard {
        let epoch = agent::fresh();
        self.hold.begin(agent, epoch);
        guard.disarm();
        AioRLockGuard::new(self, agent, epoch, guard)
    }

    /// Waits until no other thread or task holds the lock, and takes it.
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
    ///
    /// # Panics
    ///
    /// If the caller holds the lock 32,767 times already.
    #[track_caller]
    pub fn acquire(&self) -> Result<AioRLockGuard, AcquireError<AioRLockGuard>> {
        if let Some(again) = self.again_here() {
            return Ok(again);
        }
        let (taken, agent) = (self.lock.acquire(), agent::thread());
        taken
            .map(|guard| self.begin(agent, guard))
            .map_err(|error| error.map(|guard| self.begin(agent, guard)))
    }

    /// Takes the lock if no other thread or task holds it, now or never.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError::WouldBlock`] if one does; otherwise as [`acquire`](Self::acquire).
    ///
    /// # Panics
    ///
    /// As [`acquire`](Self::acquire).
    #[track_caller]
    pub fn try_acquire(&self) -> Result<AioRLockGuard, TryAcquireError<AioRLockGuard>> {
        if let Some(again) = self.again_here() {
            return Ok(again);
        }
        let (taken, agent) = (self.lock.try_acquire(), agent::thread());
        taken
            .map(|guard| self.begin(agent, guard))
            .map_err(|error| error.map(|guard| self.begin(agent, guard)))
    }

    /// [`acquire`](Self::acquire) for `timeout` at the longest; zero tries once.
    ///
    /// # Errors
    ///
    /// [`AcquireTimeoutError::Timeout`] says who holds the lock; otherwise as [`acquire`](Self::acquire).
    ///
    /// # Panics
    ///
    /// As [`acquire`](Self::acquire).
    #[track_caller]
    pub fn acquire_timeout(
        &self,
        timeout: Duration,
    ) -> Result<AioRLockGuard, AcquireTimeoutError<AioRLockGuard>> {
        if let Some(again) = self.again_here() {
            return Ok(again);
        }
        let (taken, agent) = (self.lock.acquire_timeout(timeout), agent::thread());
        taken
            .map(|guard| self.begin(agent, guard))
            .map_err(|error| error.map(|guard| self.begin(agent, guard)))
    }

    /// [`acquire`](Self::acquire) for the task that first polls it, suspending the task.
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
    /// As [`acquire`](Self::acquire), and outside of a tokio runtime, or in one without I/O or time enabled, when it has to
    /// wait.
    #[cfg(feature = "tokio")]
    #[track_caller]
    pub fn coro_acquire(
        &self,
    ) -> impl Future<Output = Result<AioRLockGuard, AcquireError<AioRLockGuard>>> + Send {
        self.coro_acquire_at(Location::caller())
    }

    #[cfg(feature = "tokio")]
    pub(super) async fn coro_acquire_at(
        &self,
        location: &'static Location<'static>,
    ) -> Result<AioRLockGuard, AcquireError<AioRLockGuard>> {
        let agent = agent::task().unwrap_or_else(agent::thread);
        if let Some(again) = self.again(agent, location) {
            return Ok(again);
        }
        let taken = self.lock.coro_acquire_at(location).await;
        taken
            .map(|guard| self.begin(agent, guard))
            .map_err(|error| error.map(|guard| self.begin(agent, guard)))
    }

    /// Whether a living process holds the lock at this moment.
    pub fn is_locked(&self) -> bool {
        self.lock.is_locked()
    }

    /// Who holds the lock at this moment.
    pub fn owner(&self) -> Option<Holder> {
        self.lock.owner()
    }

    /// Ends one hold of the calling thread, or of the task that it polls, whose guard was [leaked](AioRLockGuard::leak). As many leaks
    /// need as many releases.
    ///
    /// # Errors
    ///
    /// [`ReleaseError`] if nobody holds the lock, another process, thread or task does, or guards do.
    pub fn release(&self) -> Result<(), ReleaseError> {
        let core = &self.lock.core;
        let Some(owner) = core.words.word().owner() else { return Err(ReleaseError::NotHeld) };
        if core.is_ours() && owner == core.party().me {
            for agent in [Some(agent::thread()), agent::task()].into_iter().flatten() {
                match self.hold.release_leaked(agent) {
                    Ok(left) => {
                        self.leave(left);
                        return Ok(());
                    }
                    Err(NotLeaked::Guarded) => return Err(ReleaseError::Guarded),
                    Err(NotLeaked::Another) => {}
                }
            }
        }
        self.owner().map_or(Err(ReleaseError::NotHeld), |holder| Err(ReleaseError::NotOwner(holder)))
    }

    fn leave(&self, left: Left) {
        if let Left::Free(died) = left {
            let core = &self.lock.core;
            core.words.release(core.party(), died);
        }
    }

    pub(super) fn inner_lock(&self) -> &AioLock {
        &self.lock
    }
}

impl Serialize for AioRLock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.lock.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AioRLock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::over(AioLock::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl fmt::Debug for AioRLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioRLock").field("lock", &self.lock).finish()
    }
}
