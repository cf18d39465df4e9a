use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::beside::{Beside, beside_guard, lock_faces};
use crate::shm::{Locked, Plain};
use crate::sync::{AioLock, AioLockGuard, CreateError};

/// A value in shared memory that is only reached while its lock is held: Rust's `Mutex`, between processes.
///
/// A clone names the same value, and so does a handle that travelled to another process as an argument of
/// [`spawn`](crate::AioProcess::spawn) or in a message. The value is [plain data](Plain). Like [`AioLock`], it is not
/// re-entrant.
///
/// # If a process dies
///
/// The lock of a holder that dies goes to the next who asks, as [`AcquireError::OwnerDied`](crate::AcquireError::OwnerDied): the
/// value may be half-written.
/// What never can be half-written is an [`AioValue`](crate::AioValue).
///
/// # Examples
///
/// ```
/// let total = aioprocessing::AioMutex::new(0_u64)?;
/// *total.lock()? += 3;
/// assert_eq!(*total.lock()?, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AioMutex<T> {
    inner: Beside<T>,
}

impl<T: Plain> AioMutex<T> {
    /// Makes a mutex that nobody holds, with this value in it.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if the system has no memory or no descriptors left; a mutex takes two descriptors in each process.
    pub fn new(value: T) -> Result<Self, CreateError> {
        Ok(Self { inner: Beside::new(&[value])? })
    }

    fn wrap(&self, guard: AioLockGuard) -> AioMutexGuard<T> {
        AioMutexGuard { locked: self.inner.locked(guard) }
    }

    lock_faces!(AioMutexGuard, "value");
}

impl<T> Clone for AioMutex<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<T: Plain> Serialize for AioMutex<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.inner.lock.serialize(serializer)
    }
}

impl<'de, T: Plain> Deserialize<'de> for AioMutex<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let inner = Beside::open(AioLock::deserialize(deserializer)?).map_err(de::Error::custom)?;
        if inner.cells.len() != 1 {
            return Err(de::Error::custom("this is the handle of an array, not of a mutex"));
        }
        Ok(Self { inner })
    }
}

impl<T> fmt::Debug for AioMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioMutex").field("lock", &self.inner.lock).finish()
    }
}

/// A value that is held; dropping the guard lets go of it, on whichever thread.
///
/// It gives access to the shared memory itself: what is written is there at once, also if this process dies.
#[must_use = "the value is let go when the guard is dropped"]
pub struct AioMutexGuard<T> {
    locked: Locked<T, AioLockGuard>,
}

beside_guard!(AioMutexGuard);

impl<T: Plain> Deref for AioMutexGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.locked[0]
    }
}

impl<T: Plain> DerefMut for AioMutexGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.locked[0]
    }
}
