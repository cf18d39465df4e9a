mod guard;

use std::fmt;
#[cfg(feature = "tokio")]
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use guard::{AioRwLockReadGuard, AioRwLockWriteGuard};

use crate::raw::{Acquired, LockWords, Party, RwLock, RwSlot, RwWords};
use crate::shm::{AttachError, Plan, Ref, Region, Row};
use crate::sync::{AcquireError, AcquireTimeoutError, AioLock, CreateError, Holder, TryAcquireError};
use crate::wait::{Deadline, Park, ParkUntil, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};

/// Where the words and the slots stand, as seen from the gate.
const WORDS: u64 = 128;
const SLOTS: u64 = 256;

/// A lock that many may hold to read, or one to write.
///
/// A clone names the same lock, and so does a handle that travelled to another process as an argument of
/// [`spawn`](crate::AioProcess::spawn) or in a message.
///
/// # Fairness
///
/// One who waits to write keeps new readers out until it has written, so that writers are not starved; hence a reader that reads once
/// more while it reads may wait for a writer that waits for it. One who waits to read queues with the writers, so that
/// readers are not starved either.
///
/// # If a process dies
///
/// A dead reader is as one that has left. After a dead writer, the next reader or writer gets the lock as
/// [`AcquireError::OwnerDied`].
///
/// # Examples
///
/// ```
/// let lock = aioprocessing::AioRwLock::new()?;
/// let (one, other) = (lock.read()?, lock.read()?);
/// assert!(lock.try_write().is_err());
/// drop((one, other));
/// let writer = lock.write()?;
/// assert!(lock.try_read().is_err());
/// # drop(writer);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AioRwLock {
    inner: Arc<Inner>,
}

struct Inner {
    gate: AioLock,
    words: Ref<RwWords>,
    slots: Row<RwSlot>,
}

impl Inner {
    fn open(gate: AioLock) -> Result<Self, AttachError> {
        let words = &gate.core.words;
        let (region, offset) = (words.region(), words.offset());
        let (words, slots) = (region.object(offset + WORDS)?, Row::open(region, offset + SLOTS)?);
        Ok(Self { gate, words, slots })
    }

    fn raw(&self) -> RwLock<'_> {
        RwLock { gate: &self.gate.core.words, words: &self.words, slots: &self.slots }
    }

    fn party(&self) -> Party<'_, Region> {
        self.gate.core.party()
    }

    fn is_ours(&self) -> bool {
        self.gate.core.is_ours()
    }
}

impl AioRwLock {
    /// Makes a lock that nobody holds.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if the system has no memory or no descriptors left; a lock takes two descriptors in each process.
    pub fn new() -> Result<Self, CreateError> {
        let mut plan = Plan::new(1);
        let gate = plan.place::<LockWords>(1);
        let words = plan.place::<RwWords>(1);
        let slots = Row::<RwSlot>::plan(&mut plan);
        debug_assert_eq!((words, slots), (gate + WORDS, gate + SLOTS));
        Ok(Self { inner: Arc::new(Inner::open(AioLock::over(plan.create()?.object(gate)?))?) })
    }

    fn reading(&self, taken: Acquired) -> Result<AioRwLockReadGuard, AioRwLockReadGuard> {
        let guard = |last| AioRwLockReadGuard { inner: self.inner.clone(), last };
        self.inner.gate.core.witness(taken).map(guard).map_err(guard)
    }

    fn writing(
        &self,
        taken: Acquired,
        location: &'static Location<'static>,
    ) -> Result<AioRwLockWriteGuard, AioRwLockWriteGuard> {
        let guard = |gate| AioRwLockWriteGuard { inner: self.inner.clone(), gate };
        self.inner.gate.core.guard(taken, location).map(guard).map_err(guard)
    }

    /// Who keeps others from writing.
    fn holder(&self) -> Option<Holder> {
        self.inner.gate.owner().or_else(|| {
            let owner = self.inner.raw().reader(self.inner.party(), false)?;
            let tenant = self.inner.words.region().tenant(owner)?;
            Some(Holder { name: tenant.name, pid: tenant.pid, held_for: Duration::ZERO, location: None })
        })
    }

    /// Waits until nobody writes or waits to, and takes the lock to read.
    ///
    /// [`try_read`](Self::try_read) does not wait, [`read_timeout`](Self::read_timeout) gives up after a time, and
    /// [`coro_read`](Self::coro_read) suspends the task instead of the thread.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; needs no runtime.
    ///
    /// # If a process dies
    ///
    /// The death of a writer is noticed within a few milliseconds and ends the wait with [`AcquireError::OwnerDied`].
    ///
    /// # Errors
    ///
    /// [`AcquireError::OwnerDied`] holds the guard: the lock is taken, and what it protects may be half-written.
    /// [`AcquireError::Forked`] in a process that was forked without exec.
    pub fn read(&self) -> Result<AioRwLockReadGuard, AcquireError<AioRwLockReadGuard>> {
        let inner = &self.inner;
        if !inner.is_ours() {
            return Err(AcquireError::Forked);
        }
        let taken = never(blocking(inner.raw().read(&mut Park::new(), inner.party())));
        self.reading(taken).map_err(AcquireError::OwnerDied)
    }

    /// Takes the lock to read, now or never.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError::WouldBlock`] if somebody writes, or tries to at this moment; otherwise as [`read`](Self::read).
    pub fn try_read(&self) -> Result<AioRwLockReadGuard, TryAcquireError<AioRwLockReadGuard>> {
        let inner = &self.inner;
        if !inner.is_ours() {
            return Err(TryAcquireError::Forked);
        }
        match inner.raw().try_read(inner.party()) {
            Some(taken) => self.reading(taken).map_err(TryAcquireError::OwnerDied),
            None => Err(TryAcquireError::WouldBlock { holder: inner.gate.owner() }),
        }
    }

    /// [`read`](Self::read) for `timeout` at the longest; zero tries once.
    ///
    /// # Errors
    ///
    /// [`AcquireTimeoutError::Timeout`] says who writes, or waits to; otherwise as [`read`](Self::read).
    pub fn read_timeout(
        &self,
        timeout: Duration,
    ) -> Result<AioRwLockReadGuard, AcquireTimeoutError<AioRwLockReadGuard>> {
        let inner = &self.inner;
        if !inner.is_ours() {
            return Err(AcquireTimeoutError::Forked);
        }
        inner.gate.core.look_at_owner();
        let mut waiter = ParkUntil::new(Deadline::after(timeout));
        match blocking(inner.raw().read(&mut waiter, inner.party())) {
            Ok(taken) => self.reading(taken).map_err(AcquireTimeoutError::OwnerDied),
            Err(_) => Err(AcquireTimeoutError::Timeout { holder: inner.gate.owner() }),
        }
    }

    /// [`read`](Self::read), suspending the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it has not taken the lock.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without I/O or time enabled, when it has to wait.
    #[cfg(feature = "tokio")]
    pub async fn coro_read(&self) -> Result<AioRwLockReadGuard, AcquireError<AioRwLockReadGuard>> {
        let inner = &self.inner;
        if !inner.is_ours() {
            return Err(AcquireError::Forked);
        }
        let taken = never(suspended(inner.raw().read(&mut Suspend::new(), inner.party())).await);
        self.reading(taken).map_err(AcquireError::OwnerDied)
    }

    /// Keeps new readers out, waits until nobody reads or writes, and takes the lock to write.
    ///
    /// [`try_write`](Self::try_write) does not wait, [`write_timeout`](Self::write_timeout) gives up after a time, and
    /// [`coro_write`](Self::coro_write) suspends the task instead of the thread.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; needs no runtime.
    ///
    /// # If a process dies
    ///
    /// The death of a writer is noticed within a few milliseconds and ends the wait with [`AcquireError::OwnerDied`]; that of
    /// a reader is as if it had left.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    #[track_caller]
    pub fn write(&self) -> Result<AioRwLockWriteGuard, AcquireError<AioRwLockWriteGuard>> {
        let (inner, location) = (&self.inner, Location::caller());
        if !inner.is_ours() {
            return Err(AcquireError::Forked);
        }
        let taken = never(blocking(inner.raw().write(&mut Park::new(), inner.party())));
        self.writing(taken, location).map_err(AcquireError::OwnerDied)
    }

    /// Takes the lock to write, now or never.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError::WouldBlock`] if somebody reads or writes; otherwise as [`read`](Self::read).
    #[track_caller]
    pub fn try_write(&self) -> Result<AioRwLockWriteGuard, TryAcquireError<AioRwLockWriteGuard>> {
        let (inner, location) = (&self.inner, Location::caller());
        if !inner.is_ours() {
            return Err(TryAcquireError::Forked);
        }
        match inner.raw().try_write(inner.party()) {
            Some(taken) => self.writing(taken, location).map_err(TryAcquireError::OwnerDied),
            None => Err(TryAcquireError::WouldBlock { holder: self.holder() }),
        }
    }

    /// [`write`](Self::write) for `timeout` at the longest; zero tries once.
    ///
    /// # Errors
    ///
    /// [`AcquireTimeoutError::Timeout`] says who writes, or one of those who read; otherwise as [`read`](Self::read).
    #[track_caller]
    pub fn write_timeout(
        &self,
        timeout: Duration,
    ) -> Result<AioRwLockWriteGuard, AcquireTimeoutError<AioRwLockWriteGuard>> {
        let (inner, location) = (&self.inner, Location::caller());
        if !inner.is_ours() {
            return Err(AcquireTimeoutError::Forked);
        }
        inner.gate.core.look_at_owner();
        let mut waiter = ParkUntil::new(Deadline::after(timeout));
        match blocking(inner.raw().write(&mut waiter, inner.party())) {
            Ok(taken) => self.writing(taken, location).map_err(AcquireTimeoutError::OwnerDied),
            Err(_) => Err(AcquireTimeoutError::Timeout { holder: self.holder() }),
        }
    }

    /// [`write`](Self::write), suspending the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it has not taken the lock, and lets the readers in again that it kept out.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Panics
    ///
    /// As [`coro_read`](Self::coro_read).
    #[cfg(feature = "tokio")]
    #[track_caller]
    pub fn coro_write(
        &self,
    ) -> impl Future<Output = Result<AioRwLockWriteGuard, AcquireError<AioRwLockWriteGuard>>> + Send {
        let location = Location::caller();
        async move {
            let inner = &self.inner;
            if !inner.is_ours() {
                return Err(AcquireError::Forked);
            }
            let taken = never(suspended(inner.raw().write(&mut Suspend::new(), inner.party())).await);
            self.writing(taken, location).map_err(AcquireError::OwnerDied)
        }
    }
}

impl Serialize for AioRwLock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.inner.gate.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AioRwLock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let inner = Inner::open(AioLock::deserialize(deserializer)?).map_err(de::Error::custom)?;
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl fmt::Debug for AioRwLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioRwLock")
            .field("gate", &self.inner.gate)
            .field("waiting_readers", &self.inner.raw().waiting_readers())
            .finish()
    }
}
