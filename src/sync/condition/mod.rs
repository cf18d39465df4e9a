mod error;
mod guard;
mod inner;
mod lock;

use std::fmt;
#[cfg(feature = "tokio")]
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use error::{ConditionWaitError, ConditionWaitTimeoutError};
pub use guard::{AioConditionGuard, ConditionGuard, ConditionLock};
use guard::{AnyLock, Restore};
use inner::Inner;

use crate::raw::{Acquired, ConditionWords, LockWords, Place};
use crate::shm::{Plan, Ref, Region};
use crate::sync::{AioLock, CreateError};
use crate::wait::{Deadline, Park, ParkUntil, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};
use crate::wire::handle;

/// How long a wait whose time is over asks for its lock before it comes back without.
const GRACE: Duration = Duration::from_millis(100);

/// Waiting, with a lock given up, until somebody notifies: Python's `multiprocessing.Condition`.
///
/// It has a lock of its own, or shares one that exists. A clone names the same condition, and so does a handle that
/// travelled to another process as an argument of [`spawn`](crate::AioProcess::spawn) or in a message.
///
/// A notification reaches exactly as many as it is for, among processes, threads and tasks; those of one process in the order in
/// which they came. One for which nobody waits is forgotten. A waiter may come back unnotified only when a peer writes to
/// the shared memory by other means; wait in a loop, or with [`wait_for`](Self::wait_for), since somebody else may have
/// taken what it was notified for.
///
/// # If a process dies
///
/// Dead waiters are passed over, and [`notify`](Self::notify) never waits for anybody. A notification is lost with a waiter
/// that dies between being notified and coming back. After the death of the lock's holder a wait ends with
/// [`ConditionWaitError::OwnerDied`].
///
/// # Examples
///
/// ```
/// let ready = aioprocessing::AioMutex::new(0_u8)?;
/// let changed = aioprocessing::AioCondition::with_lock(&ready)?;
/// let (theirs, to_tell) = (ready.clone(), changed.clone());
/// let other = std::thread::spawn(move || {
///     *theirs.lock().unwrap() = 1;
///     to_tell.notify(1);
/// });
/// let mut guard = ready.lock()?;
/// while *guard == 0 {
///     guard = changed.wait(guard)?;
/// }
/// # other.join().unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AioCondition {
    lock: AnyLock,
    inner: Arc<Inner>,
}

impl AioCondition {
    /// Makes a condition with an [`AioLock`] of its own.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if the system has no memory or no descriptors left; it takes three descriptors in each process.
    pub fn new() -> Result<Self, CreateError> {
        let mut plan = Plan::new(2);
        let lock = plan.place::<LockWords>(1);
        let words = Inner::plan(&mut plan);
        let region = plan.create()?;
        let inner = Inner::open(region.object(words)?)?;
        Ok(Self { lock: AnyLock::Lock(AioLock::over(region.object(lock)?)), inner: Arc::new(inner) })
    }

    /// Makes a condition with a lock that exists: an [`AioLock`], an [`AioRLock`](crate::AioRLock), or that of an
    /// [`AioMutex`](crate::AioMutex) or an [`AioArray`](crate::AioArray). Several conditions may share one.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); it takes two descriptors beside those of the lock.
    pub fn with_lock<L: ConditionLock>(lock: &L) -> Result<Self, CreateError> {
        let mut plan = Plan::new(1);
        let words = Inner::plan(&mut plan);
        let inner = Inner::open(plan.create()?.object(words)?)?;
        Ok(Self { lock: lock.any(), inner: Arc::new(inner) })
    }

    /// Gives the lock up and begins to wait, in one step as far as notifiers who hold the lock can tell.
    fn begin<G: ConditionGuard>(
        &self,
        guard: G,
    ) -> Result<(Place<'_, Region>, Restore<G>), ConditionWaitError<G>> {
        if !self.inner.is_ours() {
            return Err(ConditionWaitError::Forked);
        }
        if !guard.holds(&self.lock) {
            return Err(ConditionWaitError::WrongLock(guard));
        }
        let place = self.inner.raw().join(self.inner.party());
        match guard.put_down() {
            Ok(restore) => Ok((place, restore)),
            Err(guard) => Err(ConditionWaitError::WrongLock(guard)),
        }
    }

    /// The lock is taken again: as an error if its last holder died.
    fn again<G>(
        &self,
        taken: Acquired,
        location: &'static Location<'static>,
        restore: Restore<G>,
    ) -> Result<G, G> {
        match self.lock.lock().core.guard(taken, location) {
            Ok(guard) => Ok(restore(guard)),
            Err(guard) => Err(restore(guard)),
        }
    }

    /// Gives the lock up, waits until somebody notifies, and takes the lock again. `guard` is one of the condition's lock.
    ///
    /// An [`AioRLock`](crate::AioRLock) is given up however often it is held, and held as often again afterwards.
    ///
    /// [`wait_timeout`](Self::wait_timeout) gives up after a time, and [`coro_wait`](Self::coro_wait) suspends the task
    /// instead of the thread.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; needs no runtime.
    ///
    /// # If a process dies
    ///
    /// Those of other waiters don't matter. That of whoever holds the lock when it is to be taken again ends the wait with
    /// [`ConditionWaitError::OwnerDied`].
    ///
    /// # Errors
    ///
    /// [`ConditionWaitError::OwnerDied`] holds the guard. [`ConditionWaitError::WrongLock`] gives the guard back.
    /// [`ConditionWaitError::Forked`] in a process that was forked without exec.
    #[track_caller]
    pub fn wait<G: ConditionGuard>(&self, guard: G) -> Result<G, ConditionWaitError<G>> {
        let location = Location::caller();
        let (place, restore) = self.begin(guard)?;
        never(blocking(place.wait(&mut Park::new())));
        let core = &self.lock.lock().core;
        let taken = never(blocking(core.words.acquire(&mut Park::new(), core.party())));
        place.settle();
        self.again(taken, location, restore).map_err(ConditionWaitError::OwnerDied)
    }

    /// [`wait`](Self::wait) for `timeout` at the longest. The lock is taken again also when the time is over, if that can be had
    /// within a tenth of a second more.
    ///
    /// # Errors
    ///
    /// [`ConditionWaitTimeoutError::Timeout`] holds the guard, and [`ConditionWaitTimeoutError::LockTimeout`] none; in both
    /// cases no notification was used up. Otherwise as [`wait`](Self::wait).
    #[track_caller]
    pub fn wait_timeout<G: ConditionGuard>(
        &self,
        guard: G,
        timeout: Duration,
    ) -> Result<G, ConditionWaitTimeoutError<G>> {
        self.wait_until(guard, Deadline::after(timeout), Location::caller())
    }

    fn wait_until<G: ConditionGuard>(
        &self,
        guard: G,
        deadline: Deadline,
        location: &'static Location<'static>,
    ) -> Result<G, ConditionWaitTimeoutError<G>> {
        let (mut place, restore) = self.begin(guard)?;
        let waited = blocking(place.wait(&mut ParkUntil::new(deadline)));
        let is_notified = waited.is_ok() || place.leave();
        let core = &self.lock.lock().core;
        core.look_at_owner();
        let mut patience = ParkUntil::new(deadline.max(Deadline::after(GRACE)));
        let Ok(taken) = blocking(core.words.acquire(&mut patience, core.party())) else {
            return Err(ConditionWaitTimeoutError::LockTimeout { holder: self.lock.lock().owner() });
        };
        place.settle();
        match self.again(taken, location, restore) {
            Ok(guard) if is_notified => Ok(guard),
            Ok(guard) => Err(ConditionWaitTimeoutError::Timeout(guard)),
            Err(guard) => Err(ConditionWaitTimeoutError::OwnerDied(guard)),
        }
    }

    /// [`wait`](Self::wait), suspending the task.
    ///
    /// # Cancel safety
    ///
    /// Not without effect: dropped after its first poll, it has given the lock up. It waits no longer, and a
    /// notification that came to it goes on to another.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// As [`coro_lock`](Self::coro_lock).
    #[cfg(feature = "tokio")]
    #[track_caller]
    pub fn coro_wait<G: ConditionGuard>(
        &self,
        guard: G,
    ) -> impl Future<Output = Result<G, ConditionWaitError<G>>> + Send {
        self.coro_wait_at(guard, Location::caller())
    }

    #[cfg(feature = "tokio")]
    async fn coro_wait_at<G: ConditionGuard>(
        &self,
        guard: G,
        location: &'static Location<'static>,
    ) -> Result<G, ConditionWaitError<G>> {
        let (place, restore) = self.begin(guard)?;
        never(suspended(place.wait(&mut Suspend::new())).await);
        let core = &self.lock.lock().core;
        let taken = never(suspended(core.words.acquire(&mut Suspend::new(), core.party())).await);
        place.settle();
        self.again(taken, location, restore).map_err(ConditionWaitError::OwnerDied)
    }

    /// [`wait`](Self::wait) again and again until `is_true`, which is asked while the lock is held, first of all before any wait.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; needs no runtime.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    #[track_caller]
    pub fn wait_for<G: ConditionGuard>(
        &self,
        mut guard: G,
        mut is_true: impl FnMut() -> bool,
    ) -> Result<G, ConditionWaitError<G>> {
        while !is_true() {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// [`wait_for`](Self::wait_for), for `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// [`ConditionWaitTimeoutError::Timeout`] if the time was over first and it is not true then either; otherwise as
    /// [`wait_timeout`](Self::wait_timeout).
    #[track_caller]
    pub fn wait_for_timeout<G: ConditionGuard>(
        &self,
        mut guard: G,
        timeout: Duration,
        mut is_true: impl FnMut() -> bool,
    ) -> Result<G, ConditionWaitTimeoutError<G>> {
        let (deadline, location) = (Deadline::after(timeout), Location::caller());
        while !is_true() {
            guard = match self.wait_until(guard, deadline, location) {
                Ok(guard) => guard,
                Err(ConditionWaitTimeoutError::Timeout(guard)) if is_true() => guard,
                Err(error) => return Err(error),
            };
        }
        Ok(guard)
    }

    /// [`wait_for`](Self::wait_for), suspending the task.
    ///
    /// # Cancel safety
    ///
    /// As [`coro_wait`](Self::coro_wait).
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// As [`coro_lock`](Self::coro_lock).
    #[cfg(feature = "tokio")]
    #[track_caller]
    pub fn coro_wait_for<G: ConditionGuard>(
        &self,
        mut guard: G,
        mut is_true: impl FnMut() -> bool + Send,
    ) -> impl Future<Output = Result<G, ConditionWaitError<G>>> + Send {
        let location = Location::caller();
        async move {
            while !is_true() {
                guard = self.coro_wait_at(guard, location).await?;
            }
            Ok(guard)
        }
    }

    /// Wakes `count` of those who wait now; all of them, if they are fewer. Python's `notify(n)`.
    ///
    /// Takes no lock and never waits, and the caller need not hold the condition's lock. But who changes what others wait for
    /// should do that with the lock held, lest they miss it. In a process that was forked without exec it does
    /// nothing.
    pub fn notify(&self, count: usize) {
        if self.inner.is_ours() {
            self.inner.raw().notify(self.inner.party(), u32::try_from(count).unwrap_or(u32::MAX));
        }
    }

    /// Wakes all who wait now. Otherwise as [`notify`](Self::notify).
    pub fn notify_all(&self) {
        self.notify(usize::MAX);
    }
}

/// A condition as it travels.
#[derive(Serialize, Deserialize)]
struct Parts {
    lock: AnyLock,
    #[serde(with = "handle")]
    words: Ref<ConditionWords>,
}

impl Serialize for AioCondition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Parts { lock: self.lock.clone(), words: self.inner.words.clone() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AioCondition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Parts { lock, words } = Parts::deserialize(deserializer)?;
        let inner = Inner::open(words).map_err(de::Error::custom)?;
        Ok(Self { lock, inner: Arc::new(inner) })
    }
}

impl fmt::Debug for AioCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioCondition")
            .field("lock", &self.lock)
            .field("waiters", &self.inner.raw().waiters())
            .finish()
    }
}
