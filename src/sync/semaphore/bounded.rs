use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AioSemaphore, Permit};
use crate::sync::{
    AcquirePermitError, AcquirePermitTimeoutError, CreateError, ReleasePermitsError, TryAcquirePermitError,
};

/// A semaphore that never has more permits than it was made with: Python's `multiprocessing.BoundedSemaphore`.
///
/// Everything else is as with [`AioSemaphore`].
///
/// # Examples
///
/// ```
/// let seats = aioprocessing::AioBoundedSemaphore::new(2)?;
/// seats.acquire()?.forget();
/// seats.release(1)?;
/// assert!(seats.release(1).is_err(), "there are two already");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AioBoundedSemaphore(AioSemaphore);

impl AioBoundedSemaphore {
    /// As [`AioSemaphore::new`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn new(permits: u32) -> Result<Self, CreateError> {
        AioSemaphore::with_limit(permits, permits).map(Self)
    }

    /// As [`AioSemaphore::acquire`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn acquire(&self) -> Result<Permit, AcquirePermitError> {
        self.0.acquire()
    }

    /// As [`AioSemaphore::acquire_many`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn acquire_many(&self, count: u32) -> Result<Permit, AcquirePermitError> {
        self.0.acquire_many(count)
    }

    /// As [`AioSemaphore::try_acquire`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_acquire(&self) -> Result<Permit, TryAcquirePermitError> {
        self.0.try_acquire()
    }

    /// As [`AioSemaphore::try_acquire_many`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_acquire_many(&self, count: u32) -> Result<Permit, TryAcquirePermitError> {
        self.0.try_acquire_many(count)
    }

    /// As [`AioSemaphore::acquire_timeout`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Permit, AcquirePermitTimeoutError> {
        self.0.acquire_timeout(timeout)
    }

    /// As [`AioSemaphore::acquire_many_timeout`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn acquire_many_timeout(
        &self,
        count: u32,
        timeout: Duration,
    ) -> Result<Permit, AcquirePermitTimeoutError> {
        self.0.acquire_many_timeout(count, timeout)
    }

    /// As [`AioSemaphore::coro_acquire`].
    ///
    /// # Cancel safety
    ///
    /// As [`AioSemaphore::coro_acquire`].
    ///
    /// # Errors
    ///
    /// As there.
    #[cfg(feature = "tokio")]
    pub async fn coro_acquire(&self) -> Result<Permit, AcquirePermitError> {
        self.0.coro_acquire().await
    }

    /// As [`AioSemaphore::coro_acquire_many`].
    ///
    /// # Cancel safety
    ///
    /// As [`AioSemaphore::coro_acquire_many`].
    ///
    /// # Errors
    ///
    /// As there.
    #[cfg(feature = "tokio")]
    pub async fn coro_acquire_many(&self, count: u32) -> Result<Permit, AcquirePermitError> {
        self.0.coro_acquire_many(count).await
    }

    /// Gives `count` forgotten permits back. Never waits.
    ///
    /// # Errors
    ///
    /// [`ReleasePermitsError::TooMany`] if there would be more than at first; none is given back.
    pub fn release(&self, count: u32) -> Result<(), ReleasePermitsError> {
        self.0.release(count)
    }

    /// As [`AioSemaphore::permits`].
    #[doc(alias = "get_value")]
    pub fn permits(&self) -> u32 {
        self.0.permits()
    }
}
