use std::fmt;
#[cfg(feature = "tokio")]
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::beside::{Beside, beside_guard, lock_faces};
use crate::shm::{Locked, Plain};
use crate::sync::{AioLock, AioLockGuard, CreateError, SetError, SetTimeoutError, TrySetError};

/// An array in shared memory with a lock of its own: Python's `multiprocessing.Array`.
///
/// A clone names the same array, and so does a handle that travelled to another process as an argument of
/// [`spawn`](crate::AioProcess::spawn) or in a message. The elements are [plain data](Plain), the length is fixed.
/// [`lock`](Self::lock) gives the whole array as a slice, in place; [`get`](Self::get) and [`set`](Self::set) are for single
/// elements.
///
/// # If a process dies
///
/// The lock of a holder that dies goes to the next who asks, as [`AcquireError::OwnerDied`](crate::AcquireError::OwnerDied): the
/// array may be half-written.
///
/// # Examples
///
/// ```
/// let array = aioprocessing::AioArray::from_slice(&[3, 1, 2])?;
/// array.lock()?.sort();
/// array.set(0, 7)?;
/// assert_eq!(*array.lock()?, [7, 2, 3]);
/// assert_eq!(array.get(3), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "RawArray")]
pub struct AioArray<T> {
    inner: Beside<T>,
}

impl<T: Plain> AioArray<T> {
    /// Makes an array of copies of these values.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if the system has no memory or no descriptors left; an array takes two descriptors in each process.
    pub fn from_slice(values: &[T]) -> Result<Self, CreateError> {
        Ok(Self { inner: Beside::new(values)? })
    }

    /// Makes an array of `length` elements whose bytes are all zero.
    ///
    /// # Errors
    ///
    /// As [`from_slice`](Self::from_slice).
    pub fn zeroed(length: usize) -> Result<Self, CreateError> {
        Ok(Self { inner: Beside::zeroed(length)? })
    }

    /// How many elements it has.
    pub fn len(&self) -> usize {
        self.inner.cells.len()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of one element; `None` behind the end of the array.
    ///
    /// Takes no lock and never waits: while somebody writes to the array this may be the element before or after, or, if it is larger
    /// than eight bytes, a part of each. Costs a system call; [`lock`](Self::lock) the array to read much of it.
    pub fn get(&self, index: usize) -> Option<T> {
        self.inner.cells.copy(index)
    }

    fn wrap(&self, guard: AioLockGuard) -> AioArrayGuard<T> {
        AioArrayGuard { locked: self.inner.locked(guard) }
    }

    /// Waits until nobody holds the array, and writes one element.
    ///
    /// [`try_set`](Self::try_set) does not wait, [`set_timeout`](Self::set_timeout) gives up after a time, and
    /// [`coro_set`](Self::coro_set) suspends the task instead of the thread.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; needs no runtime.
    ///
    /// # Errors
    ///
    /// [`SetError::OutOfRange`] behind the end of the array. [`SetError::OwnerDied`] holds the guard of the array, which may be
    /// half-written; nothing is set.
    #[track_caller]
    pub fn set(&self, index: usize, value: T) -> Result<(), SetError<T>> {
        self.check(index)?;
        self.lock()?[index] = value;
        Ok(())
    }

    /// [`set`](Self::set), now or never.
    ///
    /// # Errors
    ///
    /// [`TrySetError::WouldBlock`] if somebody holds the array; otherwise as [`set`](Self::set).
    #[track_caller]
    pub fn try_set(&self, index: usize, value: T) -> Result<(), TrySetError<T>> {
        self.check(index)?;
        self.try_lock()?[index] = value;
        Ok(())
    }

    /// [`set`](Self::set) for `timeout` at the longest; zero tries once.
    ///
    /// # Errors
    ///
    /// [`SetTimeoutError::Timeout`] says who holds the array; otherwise as [`set`](Self::set).
    #[track_caller]
    pub fn set_timeout(&self, index: usize, value: T, timeout: Duration) -> Result<(), SetTimeoutError<T>> {
        self.check(index)?;
        self.lock_timeout(timeout)?[index] = value;
        Ok(())
    }

    /// [`set`](Self::set), suspending the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it has set nothing.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    ///
    /// # Panics
    ///
    /// As [`coro_lock`](Self::coro_lock).
    #[cfg(feature = "tokio")]
    #[track_caller]
    pub fn coro_set(&self, index: usize, value: T) -> impl Future<Output = Result<(), SetError<T>>> + Send {
        let locked = self.coro_lock();
        async move {
            self.check(index)?;
            locked.await?[index] = value;
            Ok(())
        }
    }

    fn check(&self, index: usize) -> Result<(), OutOfRange> {
        let length = self.len();
        if index < length { Ok(()) } else { Err(OutOfRange { index, length }) }
    }

    lock_faces!(AioArrayGuard, "array");
}

/// Why there is no such element.
pub(super) struct OutOfRange {
    pub(super) index: usize,
    pub(super) length: usize,
}

impl<T> Clone for AioArray<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<T: Plain> Serialize for AioArray<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.inner.lock.serialize(serializer)
    }
}

impl<'de, T: Plain> Deserialize<'de> for AioArray<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let inner = Beside::open(AioLock::deserialize(deserializer)?).map_err(de::Error::custom)?;
        Ok(Self { inner })
    }
}

impl<T> fmt::Debug for AioArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioArray")
            .field("len", &self.inner.cells.len())
            .field("lock", &self.inner.lock)
            .finish()
    }
}

/// An array that is held, as a slice; dropping the guard lets go of it, on whichever thread.
///
/// It gives access to the shared memory itself: what is written is there at once, also if this process dies.
#[must_use = "the array is let go when the guard is dropped"]
pub struct AioArrayGuard<T> {
    locked: Locked<T, AioLockGuard>,
}

beside_guard!(AioArrayGuard);

impl<T: Plain> Deref for AioArrayGuard<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.locked
    }
}

impl<T: Plain> DerefMut for AioArrayGuard<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.locked
    }
}
