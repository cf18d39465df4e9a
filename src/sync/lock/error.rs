use std::error::Error;
use std::fmt;

use super::core::Holder;
use super::guard::{AioLockGuard, Guard};

pub(in crate::sync) const FORKED: &str =
    "this process is a fork of the one that opened the lock; start processes with `AioProcess::spawn`";

/// Why a lock was not acquired cleanly: [`AioLock::acquire`](crate::AioLock::acquire) and its like, with the guard that
/// they give.
#[derive(Debug)]
#[non_exhaustive]
pub enum AcquireError<G = AioLockGuard> {
    /// The lock is taken, and this is its guard; but its last holder died with it or panicked, so what the lock protects may
    /// be half-written. Check or repair that, then go on with the guard.
    OwnerDied(G),
    /// This process was forked, without exec, from the one that opened the lock.
    Forked,
}

impl<G> AcquireError<G> {
    /// Whether the lock is taken and its last holder died.
    pub fn is_owner_died(&self) -> bool {
        matches!(self, Self::OwnerDied(_))
    }

    /// The guard, if the lock was taken after all.
    pub fn into_guard(self) -> Option<G> {
        match self {
            Self::OwnerDied(guard) => Some(guard),
            Self::Forked => None,
        }
    }

    pub(in crate::sync) fn map<H>(self, wrap: impl FnOnce(G) -> H) -> AcquireError<H> {
        match self {
            Self::OwnerDied(guard) => AcquireError::OwnerDied(wrap(guard)),
            Self::Forked => AcquireError::Forked,
        }
    }
}

impl<G: Guard> fmt::Display for AcquireError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerDied(guard) => owner_died(guard, f),
            Self::Forked => f.write_str(FORKED),
        }
    }
}

impl<G: Guard + fmt::Debug> Error for AcquireError<G> {}

/// Why a lock was not acquired cleanly within a time.
#[derive(Debug)]
#[non_exhaustive]
pub enum AcquireTimeoutError<G = AioLockGuard> {
    /// The time is over and another holds the lock still.
    Timeout {
        /// Who, unless it let go at the last moment.
        holder: Option<Holder>,
    },
    /// As [`AcquireError::OwnerDied`].
    OwnerDied(G),
    /// As [`AcquireError::Forked`].
    Forked,
}

impl<G> AcquireTimeoutError<G> {
    /// Whether the time was over.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }

    /// Whether the lock is taken and its last holder died.
    pub fn is_owner_died(&self) -> bool {
        matches!(self, Self::OwnerDied(_))
    }

    /// The guard, if the lock was taken after all.
    pub fn into_guard(self) -> Option<G> {
        match self {
            Self::OwnerDied(guard) => Some(guard),
            Self::Timeout { .. } | Self::Forked => None,
        }
    }

    pub(in crate::sync) fn map<H>(self, wrap: impl FnOnce(G) -> H) -> AcquireTimeoutError<H> {
        match self {
            Self::Timeout { holder } => AcquireTimeoutError::Timeout { holder },
            Self::OwnerDied(guard) => AcquireTimeoutError::OwnerDied(wrap(guard)),
            Self::Forked => AcquireTimeoutError::Forked,
        }
    }
}

impl<G: Guard> fmt::Display for AcquireTimeoutError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout { holder } => held("the lock was not free in time", holder.as_ref(), f),
            Self::OwnerDied(guard) => owner_died(guard, f),
            Self::Forked => f.write_str(FORKED),
        }
    }
}

impl<G: Guard + fmt::Debug> Error for AcquireTimeoutError<G> {}

/// Why a lock was not acquired cleanly at once.
#[derive(Debug)]
#[non_exhaustive]
pub enum TryAcquireError<G = AioLockGuard> {
    /// Another holds it.
    WouldBlock {
        /// Who, unless it let go at that moment.
        holder: Option<Holder>,
    },
    /// As [`AcquireError::OwnerDied`].
    OwnerDied(G),
    /// As [`AcquireError::Forked`].
    Forked,
}

impl<G> TryAcquireError<G> {
    /// Whether another holds the lock.
    pub fn is_would_block(&self) -> bool {
        matches!(self, Self::WouldBlock { .. })
    }

    /// Whether the lock is taken and its last holder died.
    pub fn is_owner_died(&self) -> bool {
        matches!(self, Self::OwnerDied(_))
    }

    /// The guard, if the lock was taken after all.
    pub fn into_guard(self) -> Option<G> {
        match self {
            Self::OwnerDied(guard) => Some(guard),
            Self::WouldBlock { .. } | Self::Forked => None,
        }
    }

    pub(in crate::sync) fn map<H>(self, wrap: impl FnOnce(G) -> H) -> TryAcquireError<H> {
        match self {
            Self::WouldBlock { holder } => TryAcquireError::WouldBlock { holder },
            Self::OwnerDied(guard) => TryAcquireError::OwnerDied(wrap(guard)),
            Self::Forked => TryAcquireError::Forked,
        }
    }
}

impl<G: Guard> fmt::Display for TryAcquireError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WouldBlock { holder } => held("the lock is held", holder.as_ref(), f),
            Self::OwnerDied(guard) => owner_died(guard, f),
            Self::Forked => f.write_str(FORKED),
        }
    }
}

impl<G: Guard + fmt::Debug> Error for TryAcquireError<G> {}

pub(in crate::sync) fn owner_died<G: Guard>(guard: &G, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let last = guard.last_holder();
    write!(f, "the last holder of the lock died ({last}); the lock is yours, check what it protects")
}

pub(in crate::sync) fn held(text: &str, holder: Option<&Holder>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match holder {
        Some(holder) => write!(f, "{text}: held by {holder}"),
        None => f.write_str(text),
    }
}

/// Why [`AioLock::release`](crate::AioLock::release) released nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// Nobody holds the lock.
    #[error("the lock is not held by anybody")]
    NotHeld,
    /// Another process holds it, or another thread or task of this one.
    #[error("the lock belongs to {0}; only its holder can release it")]
    NotOwner(Holder),
    /// A guard of this process holds it.
    #[error("a guard of this process holds the lock; drop the guard, or leak it first")]
    Guarded,
}
