use std::error::Error;
use std::fmt;

use crate::sync::lock::{FORKED, Guard, held, owner_died};
use crate::sync::{AioConditionGuard, Holder};

/// Why [`AioCondition::wait`](crate::AioCondition::wait) did not come back in order.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConditionWaitError<G = AioConditionGuard> {
    /// The lock is held again, and this is its guard; but its last holder died with it or panicked, so what the lock protects may
    /// be half-written.
    OwnerDied(G),
    /// The guard that was given is of another lock than the condition's. Nothing has happened.
    WrongLock(G),
    /// This process was forked, without exec, from the one that opened the condition.
    Forked,
}

/// Why [`AioCondition::wait_timeout`](crate::AioCondition::wait_timeout) did not come back in order.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConditionWaitTimeoutError<G = AioConditionGuard> {
    /// The time is over and nobody has notified this waiter. The lock is held again, and this is its guard.
    Timeout(G),
    /// The time is over and another holds the lock, for longer than a little patience lasts: this waiter does not hold it any more.
    LockTimeout {
        /// Who, unless it let go at the last moment.
        holder: Option<Holder>,
    },
    /// As [`ConditionWaitError::OwnerDied`].
    OwnerDied(G),
    /// As [`ConditionWaitError::WrongLock`].
    WrongLock(G),
    /// As [`ConditionWaitError::Forked`].
    Forked,
}

impl<G> ConditionWaitError<G> {
    /// Whether the lock is held again and its last holder died.
    pub fn is_owner_died(&self) -> bool {
        matches!(self, Self::OwnerDied(_))
    }

    /// The guard, if the lock is held.
    pub fn into_guard(self) -> Option<G> {
        match self {
            Self::OwnerDied(guard) | Self::WrongLock(guard) => Some(guard),
            Self::Forked => None,
        }
    }
}

impl<G> ConditionWaitTimeoutError<G> {
    /// Whether the time was over.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_) | Self::LockTimeout { .. })
    }

    /// Whether the lock is held again and its last holder died.
    pub fn is_owner_died(&self) -> bool {
        matches!(self, Self::OwnerDied(_))
    }

    /// The guard, if the lock is held.
    pub fn into_guard(self) -> Option<G> {
        match self {
            Self::Timeout(guard) | Self::OwnerDied(guard) | Self::WrongLock(guard) => Some(guard),
            Self::LockTimeout { .. } | Self::Forked => None,
        }
    }
}

impl<G> From<ConditionWaitError<G>> for ConditionWaitTimeoutError<G> {
    fn from(error: ConditionWaitError<G>) -> Self {
        match error {
            ConditionWaitError::OwnerDied(guard) => Self::OwnerDied(guard),
            ConditionWaitError::WrongLock(guard) => Self::WrongLock(guard),
            ConditionWaitError::Forked => Self::Forked,
        }
    }
}

const WRONG_LOCK: &str = "this is the guard of another lock; wait with one of the condition's own lock";

impl<G: Guard> fmt::Display for ConditionWaitError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerDied(guard) => owner_died(guard, f),
            Self::WrongLock(_) => f.write_str(WRONG_LOCK),
            Self::Forked => f.write_str(FORKED),
        }
    }
}

impl<G: Guard> fmt::Display for ConditionWaitTimeoutError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(_) => f.write_str("nobody notified the condition in time; the lock is held again"),
            Self::LockTimeout { holder } => {
                held("the time is over, and the condition's lock was not to be had again", holder.as_ref(), f)
            }
            Self::OwnerDied(guard) => owner_died(guard, f),
            Self::WrongLock(_) => f.write_str(WRONG_LOCK),
            Self::Forked => f.write_str(FORKED),
        }
    }
}

impl<G: Guard + fmt::Debug> Error for ConditionWaitError<G> {}

impl<G: Guard + fmt::Debug> Error for ConditionWaitTimeoutError<G> {}
