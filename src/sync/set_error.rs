use std::error::Error;
use std::fmt;

use super::array::OutOfRange;
use super::lock::{FORKED, held, owner_died};
use crate::shm::Plain;
use crate::sync::{AcquireError, AcquireTimeoutError, AioArrayGuard, Holder, TryAcquireError};

/// Why [`AioArray::set`](crate::AioArray::set) set nothing.
#[non_exhaustive]
pub enum SetError<T> {
    /// The array has no such element.
    OutOfRange {
        /// Which was asked for.
        index: usize,
        /// How many there are.
        length: usize,
    },
    /// The last holder of the array died with it or panicked, and the array may be half-written. This is its guard.
    OwnerDied(AioArrayGuard<T>),
    /// This process was forked, without exec, from the one that opened the array.
    Forked,
}

/// Why [`AioArray::set_timeout`](crate::AioArray::set_timeout) set nothing.
#[non_exhaustive]
pub enum SetTimeoutError<T> {
    /// The time is over and another holds the array still.
    Timeout {
        /// Who, unless it let go at the last moment.
        holder: Option<Holder>,
    },
    /// As [`SetError::OutOfRange`].
    OutOfRange {
        /// Which was asked for.
        index: usize,
        /// How many there are.
        length: usize,
    },
    /// As [`SetError::OwnerDied`].
    OwnerDied(AioArrayGuard<T>),
    /// As [`SetError::Forked`].
    Forked,
}

/// Why [`AioArray::try_set`](crate::AioArray::try_set) set nothing.
#[non_exhaustive]
pub enum TrySetError<T> {
    /// Another holds the array.
    WouldBlock {
        /// Who, unless it let go at that moment.
        holder: Option<Holder>,
    },
    /// As [`SetError::OutOfRange`].
    OutOfRange {
        /// Which was asked for.
        index: usize,
        /// How many there are.
        length: usize,
    },
    /// As [`SetError::OwnerDied`].
    OwnerDied(AioArrayGuard<T>),
    /// As [`SetError::Forked`].
    Forked,
}

impl<T> SetTimeoutError<T> {
    /// Whether the time was over.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }
}

impl<T> TrySetError<T> {
    /// Whether another holds the array.
    pub fn is_would_block(&self) -> bool {
        matches!(self, Self::WouldBlock { .. })
    }
}

macro_rules! set_errors {
    ($($name:ident)*) => { $(
        impl<T> $name<T> {
            /// Whether the last holder of the array died.
            pub fn is_owner_died(&self) -> bool {
                matches!(self, Self::OwnerDied(_))
            }

            /// Whether the array has no such element.
            pub fn is_out_of_range(&self) -> bool {
                matches!(self, Self::OutOfRange { .. })
            }

            /// The guard of the array, if it was taken after all.
            pub fn into_guard(self) -> Option<AioArrayGuard<T>> {
                match self {
                    Self::OwnerDied(guard) => Some(guard),
                    _ => None,
                }
            }
        }

        impl<T> From<OutOfRange> for $name<T> {
            fn from(OutOfRange { index, length }: OutOfRange) -> Self {
                Self::OutOfRange { index, length }
            }
        }

        impl<T: Plain> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // Not derived: the elements need not be `Debug`.
                f.debug_tuple(stringify!($name)).field(&self.to_string()).finish()
            }
        }

        impl<T: Plain> Error for $name<T> {}
    )* };
}

set_errors!(SetError SetTimeoutError TrySetError);

fn out_of_range(index: usize, length: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "the array has {length} elements, and no element {index}")
}

impl<T> From<AcquireError<AioArrayGuard<T>>> for SetError<T> {
    fn from(error: AcquireError<AioArrayGuard<T>>) -> Self {
        match error {
            AcquireError::OwnerDied(guard) => Self::OwnerDied(guard),
            AcquireError::Forked => Self::Forked,
        }
    }
}

impl<T> From<AcquireTimeoutError<AioArrayGuard<T>>> for SetTimeoutError<T> {
    fn from(error: AcquireTimeoutError<AioArrayGuard<T>>) -> Self {
        match error {
            AcquireTimeoutError::Timeout { holder } => Self::Timeout { holder },
            AcquireTimeoutError::OwnerDied(guard) => Self::OwnerDied(guard),
            AcquireTimeoutError::Forked => Self::Forked,
        }
    }
}

impl<T> From<TryAcquireError<AioArrayGuard<T>>> for TrySetError<T> {
    fn from(error: TryAcquireError<AioArrayGuard<T>>) -> Self {
        match error {
            TryAcquireError::WouldBlock { holder } => Self::WouldBlock { holder },
            TryAcquireError::OwnerDied(guard) => Self::OwnerDied(guard),
            TryAcquireError::Forked => Self::Forked,
        }
    }
}

impl<T: Plain> fmt::Display for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { index, length } => out_of_range(*index, *length, f),
            Self::OwnerDied(guard) => owner_died(guard, f),
            Self::Forked => f.write_str(FORKED),
        }
    }
}

impl<T: Plain> fmt::Display for SetTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout { holder } => held("the array was not free in time", holder.as_ref(), f),
            Self::OutOfRange { index, length } => out_of_range(*index, *length, f),
            Self::OwnerDied(guard) => owner_died(guard, f),
            Self::Forked => f.write_str(FORKED),
        }
    }
}

impl<T: Plain> fmt::Display for TrySetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WouldBlock { holder } => held("the array is held", holder.as_ref(), f),
            Self::OutOfRange { index, length } => out_of_range(*index, *length, f),
            Self::OwnerDied(guard) => owner_died(guard, f),
            Self::Forked => f.write_str(FORKED),
        }
    }
}
