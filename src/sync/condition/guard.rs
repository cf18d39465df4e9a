//! Which locks a condition can be used with.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::shm::{Locked, Plain};
use crate::sync::lock::Guard;
use crate::sync::{
    AioArray, AioArrayGuard, AioLock, AioLockGuard, AioMutex, AioMutexGuard, AioRLock, AioRLockGuard, Holder,
};

/// Makes the guard of a lock that was given up once more, when the lock is taken again.
pub(super) type Restore<G> = Box<dyn FnOnce(AioLockGuard) -> G + Send>;

/// Which lock in which region.
pub(super) type LockId = ((u64, u64), u64);

pub(super) fn id(lock: &AioLock) -> LockId {
    (lock.core.words.region().id(), lock.core.words.offset())
}

/// A lock that an [`AioCondition`](crate::AioCondition) can be made with: any but [`AioRwLock`](crate::AioRwLock).
pub trait ConditionLock {
    #[doc(hidden)]
    fn any(&self) -> AnyLock;
}

/// The lock of a condition.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum AnyLock {
    /// Also that of a mutex or an array.
    Lock(AioLock),
    RLock(AioRLock),
}

impl AnyLock {
    /// The lock inside of it.
    pub(super) fn lock(&self) -> &AioLock {
        match self {
            Self::Lock(lock) => lock,
            Self::RLock(lock) => lock.inner_lock(),
        }
    }
}

impl ConditionLock for AioLock {
    fn any(&self) -> AnyLock {
        AnyLock::Lock(self.clone())
    }
}

impl ConditionLock for AioRLock {
    fn any(&self) -> AnyLock {
        AnyLock::RLock(self.clone())
    }
}

impl<T: Plain> ConditionLock for AioMutex<T> {
    fn any(&self) -> AnyLock {
        AnyLock::Lock(self.inner_lock().clone())
    }
}

impl<T: Plain> ConditionLock for AioArray<T> {
    fn any(&self) -> AnyLock {
        AnyLock::Lock(self.inner_lock().clone())
    }
}

/// A guard with which one can wait for an [`AioCondition`](crate::AioCondition): that of the lock which the condition was made
/// with, or what [`AioCondition::lock`](crate::AioCondition::lock) gives.
pub trait ConditionGuard: Guard + Sized + Send + 'static {
    #[doc(hidden)]
    fn holds(&self, lock: &AnyLock) -> bool;

    /// Releases the lock, however often it is held. `Err`: it is not.
    #[doc(hidden)]
    fn put_down(self) -> Result<Restore<Self>, Self>;
}

impl ConditionGuard for AioLockGuard {
    fn holds(&self, lock: &AnyLock) -> bool {
        let of = |core: &crate::sync::lock::Core| (core.words.region().id(), core.words.offset());
        self.core().is_some_and(|core| of(core) == id(lock.lock()))
    }

    fn put_down(self) -> Result<Restore<Self>, Self> {
        drop(self);
        Ok(Box::new(|guard| guard))
    }
}

impl ConditionGuard for AioRLockGuard {
    fn holds(&self, lock: &AnyLock) -> bool {
        self.lock().is_some_and(|own| id(own.inner_lock()) == id(lock.lock()))
    }

    fn put_down(self) -> Result<Restore<Self>, Self> {
        let put_down = Self::put_down(self)?;
        Ok(Box::new(|guard| put_down.take_up(guard)))
    }
}

/// Gives up the lock that stands beside values.
fn put_down<T: Plain, G: 'static>(
    locked: Locked<T, AioLockGuard>,
    over: fn(Locked<T, AioLockGuard>) -> G,
) -> Restore<G> {
    let (cells, guard) = locked.into_parts();
    drop(guard);
    Box::new(move |guard| over(Locked::new(cells, guard)))
}

impl<T: Plain> ConditionGuard for AioMutexGuard<T> {
    fn holds(&self, lock: &AnyLock) -> bool {
        self.lock_guard().holds(lock)
    }

    fn put_down(self) -> Result<Restore<Self>, Self> {
        Ok(put_down(self.into_locked(), Self::over))
    }
}

impl<T: Plain> ConditionGuard for AioArrayGuard<T> {
    fn holds(&self, lock: &AnyLock) -> bool {
        self.lock_guard().holds(lock)
    }

    fn put_down(self) -> Result<Restore<Self>, Self> {
        Ok(put_down(self.into_locked(), Self::over))
    }
}

/// The lock of a condition, held through the condition; dropping the guard releases it, on whichever thread.
#[must_use = "the lock is released when the guard is dropped"]
pub struct AioConditionGuard(Held);

enum Held {
    Lock(AioLockGuard),
    RLock(AioRLockGuard),
}

impl AioConditionGuard {
    pub(super) fn lock(guard: AioLockGuard) -> Self {
        Self(Held::Lock(guard))
    }

    pub(super) fn rlock(guard: AioRLockGuard) -> Self {
        Self(Held::RLock(guard))
    }

    /// As [`AioLockGuard::dead_holder`].
    pub fn dead_holder(&self) -> Option<&Holder> {
        self.lock_guard().dead_holder()
    }
}

impl Guard for AioConditionGuard {
    fn lock_guard(&self) -> &AioLockGuard {
        match &self.0 {
            Held::Lock(guard) => guard,
            Held::RLock(guard) => guard.lock_guard(),
        }
    }
}

impl ConditionGuard for AioConditionGuard {
    fn holds(&self, lock: &AnyLock) -> bool {
        match &self.0 {
            Held::Lock(guard) => guard.holds(lock),
            Held::RLock(guard) => guard.holds(lock),
        }
    }

    fn put_down(self) -> Result<Restore<Self>, Self> {
        match self.0 {
            Held::Lock(guard) => {
                drop(guard);
                Ok(Box::new(Self::lock))
            }
            Held::RLock(guard) => {
                let restore = ConditionGuard::put_down(guard).map_err(Self::rlock)?;
                Ok(Box::new(|guard| Self::rlock(restore(guard))))
            }
        }
    }
}

impl fmt::Debug for AioConditionGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AioConditionGuard").field(self.lock_guard()).finish()
    }
}
