use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::raw::{LockWords, Party, Taken};
use crate::shm::{Owner, Plan, Ref, Region};
use crate::sync::CreateError;
use crate::sys::place;
use crate::wait::{Bell, Deadline, Park, ParkUntil, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};
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
    core: Arc<Core>,
}

/// One process's handle on a lock: the words, and what this process has seen of their owners.
struct Core {
    words: Ref<LockWords>,
    sighting: Mutex<Option<Sighting>>,
}

/// When this process first saw the present owner with the present acquisition.
struct Sighting {
    owner: Owner,
    acquisition: (u32, u32),
    since: Instant,
}

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The name of the process, as [`current_process`](crate::current_process) gives it there.
    pub name: String,
    /// Its number.
    pub pid: u32,
    /// For at least how long it has held the lock: counted by this process, from when it first saw this holder.
    pub held_for: Duration,
    /// The source line that acquired the lock, as `file:line:column`, if it runs the same program as this process.
    pub location: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} (pid {}), for at least {:?}", self.name, self.pid, self.held_for)?;
        match &self.location {
            Some(location) => write!(f, ", acquired at {location}"),
            None => Ok(()),
        }
    }
}

/// Why [`AioLock::acquire`] did not give a clean lock.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcquireError {
    /// The lock is taken, and this is its guard; but its last holder died with it or panicked, so what the lock protects may
    /// be half-written. Check or repair that, then go on with the guard.
    #[error("the last holder of the lock died ({}); the lock is yours, check what it protects", .0.last_holder())]
    OwnerDied(AioLockGuard),
    /// This process was forked, without exec, from the one that opened the lock.
    #[error(
        "this process is a fork of the one that opened the lock; start processes with `AioProcess::spawn`"
    )]
    Forked,
}

impl AcquireError {
    /// Whether the lock is taken and its last holder died.
    pub fn is_owner_died(&self) -> bool {
        matches!(self, Self::OwnerDied(_))
    }

    /// The guard, if the lock was taken after all.
    pub fn into_guard(self) -> Option<AioLockGuard> {
        match self {
            Self::OwnerDied(guard) => Some(guard),
            Self::Forked => None,
        }
    }
}

/// Why [`AioLock::acquire_timeout`] did not give a clean lock.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcquireTimeoutError {
    /// The time is over and another holds the lock still.
    #[error("the lock was not free in time{}", holder_text(.holder.as_ref()))]
    Timeout {
        /// Who, unless it let go at the last moment.
        holder: Option<Holder>,
    },
    /// As [`AcquireError::OwnerDied`].
    #[error("the last holder of the lock died ({}); the lock is yours, check what it protects", .0.last_holder())]
    OwnerDied(AioLockGuard),
    /// As [`AcquireError::Forked`].
    #[error(
        "this process is a fork of the one that opened the lock; start processes with `AioProcess::spawn`"
    )]
    Forked,
}

impl AcquireTimeoutError {
    /// Whether the time was over.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }

    /// Whether the lock is taken and its last holder died.
    pub fn is_owner_died(&self) -> bool {
        matches!(self, Self::OwnerDied(_))
    }

    /// The guard, if the lock was taken after all.
    pub fn into_guard(self) -> Option<AioLockGuard> {
        match self {
            Self::OwnerDied(guard) => Some(guard),
            Self::Timeout { .. } | Self::Forked => None,
        }
    }
}

/// Why [`AioLock::try_acquire`] did not give a clean lock.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TryAcquireError {
    /// Another holds it.
    #[error("the lock is held{}", holder_text(.holder.as_ref()))]
    WouldBlock {
        /// Who, unless it let go at that moment.
        holder: Option<Holder>,
    },
    /// As [`AcquireError::OwnerDied`].
    #[error("the last holder of the lock died ({}); the lock is yours, check what it protects", .0.last_holder())]
    OwnerDied(AioLockGuard),
    /// As [`AcquireError::Forked`].
    #[error(
        "this process is a fork of the one that opened the lock; start processes with `AioProcess::spawn`"
    )]
    Forked,
}

impl TryAcquireError {
    /// Whether another holds the lock.
    pub fn is_would_block(&self) -> bool {
        matches!(self, Self::WouldBlock { .. })
    }

    /// Whether the lock is taken and its last holder died.
    pub fn is_owner_died(&self) -> bool {
        matches!(self, Self::OwnerDied(_))
    }

    /// The guard, if the lock was taken after all.
    pub fn into_guard(self) -> Option<AioLockGuard> {
        match self {
            Self::OwnerDied(guard) => Some(guard),
            Self::WouldBlock { .. } | Self::Forked => None,
        }
    }
}

fn holder_text(holder: Option<&Holder>) -> String {
    holder.map_or_else(String::new, |holder| format!(": held by {holder}"))
}

/// Why [`AioLock::release`] released nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// Nobody holds the lock.
    #[error("the lock is not held by anybody")]
    NotHeld,
    /// Another process holds it.
    #[error("the lock belongs to {0}; only that process can release it")]
    NotOwner(Holder),
    /// A guard of this process holds it.
    #[error("a guard of this process holds the lock; drop the guard, or leak it first")]
    Guarded,
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

    fn over(words: Ref<LockWords>) -> Self {
        Self { core: Arc::new(Core { words, sighting: Mutex::new(None) }) }
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
    /// The death of the holder is noticed within about a millisecond and ends the wait with [`AcquireError::OwnerDied`].
    ///
    /// # Errors
    ///
    /// [`AcquireError::OwnerDied`] holds the guard: the lock is taken. [`AcquireError::Forked`] in a process that was
    /// forked without exec.
    #[track_caller]
    pub fn acquire(&self) -> Result<AioLockGuard, AcquireError> {
        let location = Location::caller();
        if !self.core.is_ours() {
            return Err(AcquireError::Forked);
        }
        let taken = match self.core.take_free() {
            Some(taken) => taken,
            None => never(blocking(self.core.words.acquire(&mut Park::new(), self.core.party()))),
        };
        self.guard(taken, location).map_err(AcquireError::OwnerDied)
    }

    /// Takes the lock if it is free, now or never.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError::WouldBlock`] if a living process holds it; otherwise as [`acquire`](Self::acquire).
    #[track_caller]
    pub fn try_acquire(&self) -> Result<AioLockGuard, TryAcquireError> {
        let location = Location::caller();
        if !self.core.is_ours() {
            return Err(TryAcquireError::Forked);
        }
        match self.core.words.try_acquire(self.core.party()) {
            Some(taken) => self.guard(taken, location).map_err(TryAcquireError::OwnerDied),
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
            Ok(taken) => self.guard(taken, location).map_err(AcquireTimeoutError::OwnerDied),
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
    #[track_caller]
    pub fn coro_acquire(&self) -> impl Future<Output = Result<AioLockGuard, AcquireError>> + Send {
        // Not an `async fn`: that would forget its caller.
        let location = Location::caller();
        async move {
            if !self.core.is_ours() {
                return Err(AcquireError::Forked);
            }
            let taken =
                never(suspended(self.core.words.acquire(&mut Suspend::new(), self.core.party())).await);
            self.guard(taken, location).map_err(AcquireError::OwnerDied)
        }
    }

    /// Whether a living process holds the lock at this moment.
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

    /// The guard of a lock just taken: as an error if its last owner died.
    fn guard(
        &self,
        taken: Taken,
        location: &'static Location<'static>,
    ) -> Result<AioLockGuard, AioLockGuard> {
        let last = match taken {
            Taken::Clean => None,
            Taken::OwnerDied(None) => Some(Box::new(Last::Panicked)),
            Taken::OwnerDied(Some(owner)) => Some(Box::new(Last::Died(self.core.holder(owner)))),
        };
        // After the look at the last holder, whose place this overwrites.
        self.core.words.sign(place::note(location));
        let died = last.is_some();
        let guard =
            AioLockGuard { core: Some(self.core.clone()), was_panicking: std::thread::panicking(), last };
        if died { Err(guard) } else { Ok(guard) }
    }
}

impl Core {
    fn party(&self) -> Party<'_, Region> {
        let region = self.words.region();
        Party { me: region.me(), alive: region, bell: Bell::new(region, 0) }
    }

    #[inline]
    fn is_ours(&self) -> bool {
        self.words.region().is_ours()
    }

    #[inline]
    fn take_free(&self) -> Option<Taken> {
        self.words.take_free(self.words.region().me()).then_some(Taken::Clean)
    }

    fn is_alive(&self, owner: Owner) -> bool {
        crate::shm::Alive::is_alive(&**self.words.region(), owner)
    }

    /// Notes since when the present owner has been seen.
    fn look_at_owner(&self) -> Option<Owner> {
        let owner = self.words.word().owner()?;
        let acquisition = self.words.acquisition();
        let mut sighting = self.sighting.lock();
        if !sighting.as_ref().is_some_and(|seen| seen.owner == owner && seen.acquisition == acquisition) {
            *sighting = Some(Sighting { owner, acquisition, since: Instant::now() });
        }
        Some(owner)
    }

    fn holder(&self, owner: Owner) -> Option<Holder> {
        let tenant = self.words.region().tenant(owner)?;
        let held_for = match &*self.sighting.lock() {
            Some(seen) if seen.owner == owner => seen.since.elapsed(),
            _ => Duration::ZERO,
        };
        let location = place::read(tenant.build, self.words.acquisition().0);
        Some(Holder { name: tenant.name, pid: tenant.pid, held_for, location })
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

/// How the holder before this one went.
#[derive(Debug)]
enum Last {
    Panicked,
    Died(Option<Holder>),
}

/// A lock that is held; dropping it releases the lock, on whichever thread.
///
/// It owns a share of the lock, so it may outlive the handle, move to another thread and be held across an `.await`.
#[must_use = "the lock is released when the guard is dropped"]
pub struct AioLockGuard {
    /// `None` once leaked.
    core: Option<Arc<Core>>,
    was_panicking: bool,
    last: Option<Box<Last>>,
}

impl AioLockGuard {
    /// Keeps the lock without a guard, until [`AioLock::release`] is called in this process or the process ends.
    pub fn leak(mut self) {
        if let Some(core) = self.core.take() {
            core.words.leak();
        }
    }

    /// The holder that died with the lock, if this guard came out of an [`AcquireError::OwnerDied`] and it is known: a holder
    /// that left in a panic is not.
    pub fn dead_holder(&self) -> Option<&Holder> {
        match self.last.as_deref()? {
            Last::Died(holder) => holder.as_ref(),
            Last::Panicked => None,
        }
    }

    fn last_holder(&self) -> String {
        match (self.dead_holder(), self.last.as_deref()) {
            (Some(holder), _) => format!("process {}, pid {}", holder.name, holder.pid),
            (None, Some(Last::Panicked)) => "by a panic".to_owned(),
            (None, _) => "unknown".to_owned(),
        }
    }
}

impl Drop for AioLockGuard {
    fn drop(&mut self) {
        if let Some(core) = &self.core
            && core.is_ours()
        {
            let died = std::thread::panicking() && !self.was_panicking;
            core.words.release(core.party(), died);
        }
    }
}

impl fmt::Debug for AioLockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioLockGuard").field("last", &self.last).finish_non_exhaustive()
    }
}
