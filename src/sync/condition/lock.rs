//! A condition's lock, taken through the condition.

#[cfg(feature = "tokio")]
use std::future::Future;
#[cfg(feature = "tokio")]
use std::panic::Location;
use std::time::Duration;

use super::guard::AnyLock;
use super::{AioCondition, AioConditionGuard};
use crate::sync::{AcquireError, AcquireTimeoutError, TryAcquireError};

/// What `$take` gives of the condition's lock, of whichever kind that is, with the condition's guard in it.
macro_rules! through {
    ($condition:expr, $lock:ident => $take:expr) => {
        match &$condition.lock {
            AnyLock::Lock($lock) => {
                let taken = $take.map(AioConditionGuard::lock);
                taken.map_err(|error| error.map(AioConditionGuard::lock))
            }
            AnyLock::RLock($lock) => {
                let taken = $take.map(AioConditionGuard::rlock);
                taken.map_err(|error| error.map(AioConditionGuard::rlock))
            }
        }
    };
}

impl AioCondition {
    /// Waits until nobody holds the condition's lock, and takes it.
    ///
    /// [`try_lock`](Self::try_lock) does not wait, [`lock_timeout`](Self::lock_timeout) gives up after a time, and
    /// [`coro_lock`](Self::coro_lock) suspends the task instead of the thread.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; needs no runtime.
    ///
    /// # Errors
    ///
    /// As [`AioLock::acquire`](crate::AioLock::acquire).
    #[track_caller]
    pub fn lock(&self) -> Result<AioConditionGuard, AcquireError<AioConditionGuard>> {
        through!(self, lock => lock.acquire())
    }

    /// [`lock`](Self::lock), now or never.
    ///
    /// # Errors
    ///
    /// As [`AioLock::try_acquire`](crate::AioLock::try_acquire).
    #[track_caller]
    pub fn try_lock(&self) -> Result<AioConditionGuard, TryAcquireError<AioConditionGuard>> {
        through!(self, lock => lock.try_acquire())
    }

    /// [`lock`](Self::lock) for `timeout` at the longest; zero tries once.
    ///
    /// # Errors
    ///
    /// As [`AioLock::acquire_timeout`](crate::AioLock::acquire_timeout).
    #[track_caller]
    pub fn lock_timeout(
        &self,
        timeout: Duration,
    ) -> Result<AioConditionGuard, AcquireTimeoutError<AioConditionGuard>> {
        through!(self, lock => lock.acquire_timeout(timeout))
    }

    /// [`lock`](Self::lock), suspending the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it has not taken the lock.
    ///
    /// # Errors
    ///
    /// As [`AioLock::acquire`](crate::AioLock::acquire).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without I/O or time enabled, when it has to wait.
    #[cfg(feature = "tokio")]
    #[track_caller]
    pub fn coro_lock(
        &self,
    ) -> impl Future<Output = Result<AioConditionGuard, AcquireError<AioConditionGuard>>> + Send {
        let location = Location::caller();
        async move { through!(self, lock => lock.coro_acquire_at(location).await) }
    }
}
