/// Why [`AioSemaphore::acquire`](crate::AioSemaphore::acquire) took no permit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcquirePermitError {
    /// This process was forked, without exec, from the one that opened the semaphore.
    #[error(
        "this process is a fork of the one that opened the semaphore; start processes with `AioProcess::spawn`"
    )]
    Forked,
}

/// Why [`AioSemaphore::acquire_timeout`](crate::AioSemaphore::acquire_timeout) took no permit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcquirePermitTimeoutError {
    /// The time is over and too few permits were left.
    #[error("no permit of the semaphore was left in time")]
    Timeout,
    /// As [`AcquirePermitError::Forked`].
    #[error(
        "this process is a fork of the one that opened the semaphore; start processes with `AioProcess::spawn`"
    )]
    Forked,
}

impl AcquirePermitTimeoutError {
    /// Whether the time was over.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout)
    }
}

impl From<TryAcquirePermitError> for AcquirePermitTimeoutError {
    fn from(error: TryAcquirePermitError) -> Self {
        match error {
            TryAcquirePermitError::WouldBlock => Self::Timeout,
            TryAcquirePermitError::Forked => Self::Forked,
        }
    }
}

/// Why [`AioSemaphore::try_acquire`](crate::AioSemaphore::try_acquire) took no permit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TryAcquirePermitError {
    /// Too few permits are left.
    #[error("too few permits of the semaphore are left; wait for one with `acquire`")]
    WouldBlock,
    /// As [`AcquirePermitError::Forked`].
    #[error(
        "this process is a fork of the one that opened the semaphore; start processes with `AioProcess::spawn`"
    )]
    Forked,
}

impl TryAcquirePermitError {
    /// Whether too few permits are left.
    pub fn is_would_block(&self) -> bool {
        matches!(self, Self::WouldBlock)
    }
}

/// Why [`AioSemaphore::release`](crate::AioSemaphore::release) added no permit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReleasePermitsError {
    /// There would be more than the semaphore may have.
    #[error("the semaphore would have more permits than it may; release only what was forgotten before")]
    TooMany,
    /// As [`AcquirePermitError::Forked`].
    #[error(
        "this process is a fork of the one that opened the semaphore; start processes with `AioProcess::spawn`"
    )]
    Forked,
}
