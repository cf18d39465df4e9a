//! Why an item was not put.

use std::fmt;
use std::io;

use crate::raw::queue::Refused;
use crate::wire::EncodeError;

/// Why an item was not put, whichever way it was tried.
pub(super) enum Failure {
    Closed,
    /// No room: now, or until the time was over.
    NoRoom,
    Encode(EncodeError),
    TooLarge {
        length: usize,
        limit: u64,
    },
    Corrupt,
    Io(io::Error),
    Forked,
}

impl Failure {
    pub(super) fn new(refused: Refused, length: usize, limit: u64) -> Self {
        match refused {
            Refused::Closed => Self::Closed,
            Refused::Full => Self::NoRoom,
            Refused::TooLarge => Self::TooLarge { length, limit },
            Refused::Corrupt => Self::Corrupt,
            Refused::Io(error) => Self::Io(error),
        }
    }
}

/// The errors of the forms of `put` differ in one variant.
macro_rules! put_error {
    (
        $(#[$meta:meta])* $name:ident, no_room: $no_room:expr
        $( ; $(#[$extra_meta:meta])* $extra:ident = $text:literal, $predicate:ident )?
    ) => {
        $(#[$meta])*
        #[derive(thiserror::Error)]
        #[non_exhaustive]
        pub enum $name<T> {
            $( $(#[$extra_meta])* #[error($text)] $extra(T), )?
            /// The queue is closed: nothing more can be put.
            #[error("the queue is closed")]
            Closed(T),
            /// The item can't be written as a message. Nothing was put.
            #[error("{source}")]
            Encode {
                /// The item.
                value: T,
                /// What the codec said.
                source: EncodeError,
            },
            /// The item is longer than the queue's memory limit.
            #[error("the item takes {length} bytes and the queue's limit is {limit}: build the queue with a higher `memory_limit`")]
            TooLarge {
                /// The item.
                value: T,
                /// How many bytes it takes.
                length: usize,
                /// How many an item of this queue may take.
                limit: u64,
            },
            /// The system has no memory for the item, or `ulimit -f` forbids it.
            #[error("the system refused memory for the item ({source}); free memory or raise the limit (`ulimit -f`, the memory limit of the container)")]
            Io {
                /// The item.
                value: T,
                /// What the system said.
                source: io::Error,
            },
            /// A process wrote over the queue's memory.
            #[error("the queue's memory was written over by a process that does not keep to the protocol; make a new queue")]
            Corrupt(T),
            /// This process was forked, without exec, from the one that opened the queue.
            #[error("this process is a fork of the one that opened the queue; start processes with `AioProcess::spawn`")]
            Forked(T),
        }

        impl<T> $name<T> {
            pub(super) fn new(failure: Failure, value: T) -> Self {
                match failure {
                    Failure::Closed => Self::Closed(value),
                    Failure::NoRoom => $no_room(value),
                    Failure::Encode(source) => Self::Encode { value, source },
                    Failure::TooLarge { length, limit } => Self::TooLarge { value, length, limit },
                    Failure::Corrupt => Self::Corrupt(value),
                    Failure::Io(source) => Self::Io { value, source },
                    Failure::Forked => Self::Forked(value),
                }
            }

            /// The item that was not put.
            pub fn into_inner(self) -> T {
                match self {
                    $( Self::$extra(value) => value, )?
                    Self::Closed(value)
                    | Self::Encode { value, .. }
                    | Self::TooLarge { value, .. }
                    | Self::Io { value, .. }
                    | Self::Corrupt(value)
                    | Self::Forked(value) => value,
                }
            }

            /// Whether the queue is closed.
            pub fn is_closed(&self) -> bool {
                matches!(self, Self::Closed(_))
            }

            $(
                /// Whether that is the reason.
                pub fn $predicate(&self) -> bool {
                    matches!(self, Self::$extra(_))
                }
            )?
        }

        // By hand: the item need not be `Debug`.
        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

put_error! {
    /// Why [`AioQueue::put`](crate::AioQueue::put) put nothing. [`into_inner`](Self::into_inner) gives the item back.
    // It waits for room, so that reason can't come.
    PutError, no_room: Self::Closed
}

put_error! {
    /// Why [`AioQueue::put_timeout`](crate::AioQueue::put_timeout) put nothing. [`into_inner`](Self::into_inner) gives the item back.
    PutTimeoutError, no_room: Self::Timeout;
    /// The time is over and the queue is full still.
    Timeout = "the queue was full for all of the time", is_timeout
}

put_error! {
    /// Why [`AioQueue::try_put`](crate::AioQueue::try_put) put nothing. [`into_inner`](Self::into_inner) gives the item back.
    TryPutError, no_room: Self::Full;
    /// The queue holds as many items as it may, or as much memory.
    Full = "the queue is full", is_full
}

/// Why a batch was not put whole, whichever way it was tried.
pub(super) struct Stopped<T> {
    pub(super) put: usize,
    pub(super) left: Vec<T>,
    pub(super) failure: Failure,
}

impl<T> Stopped<T> {
    /// With those that nobody has asked for yet.
    pub(super) fn with_all(mut self, rest: impl Iterator<Item = T>) -> Self {
        self.left.extend(rest);
        self
    }
}

/// The errors of the forms of `put_many` differ in their reasons.
macro_rules! put_many_error {
    (
        $(#[$meta:meta])* $name:ident of $reason:ident,
        $(#[$left_meta:meta])* into_inner
        $( ; $(#[$extra_meta:meta])* $predicate:ident )?
    ) => {
        $(#[$meta])*
        #[derive(thiserror::Error)]
        #[error("{put} items were put, and the next was not: {reason}")]
        pub struct $name<T> {
            put: usize,
            left: Vec<T>,
            reason: $reason<()>,
        }

        impl<T> $name<T> {
            /// How many items were put.
            pub fn put(&self) -> usize {
                self.put
            }

            /// Why the next was not.
            pub fn reason(&self) -> &$reason<()> {
                &self.reason
            }

            $(#[$left_meta])*
            pub fn into_inner(self) -> Vec<T> {
                self.left
            }

            /// Whether the queue is closed.
            pub fn is_closed(&self) -> bool {
                self.reason.is_closed()
            }

            $(
                $(#[$extra_meta])*
                pub fn $predicate(&self) -> bool {
                    self.reason.$predicate()
                }
            )?
        }

        impl<T> From<Stopped<T>> for $name<T> {
            fn from(stopped: Stopped<T>) -> Self {
                let Stopped { put, left, failure } = stopped;
                Self { put, left, reason: $reason::new(failure, ()) }
            }
        }

        // By hand: the items need not be `Debug`.
        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

put_many_error! {
    /// Why [`AioQueue::put_many`](crate::AioQueue::put_many) did not put all.
    PutManyError of PutError,
    /// The items that were taken out of the iterator and not put; the first is the one that failed.
    into_inner
}

put_many_error! {
    /// Why [`AioQueue::put_many_timeout`](crate::AioQueue::put_many_timeout) did not put all.
    PutManyTimeoutError of PutTimeoutError,
    /// All items that were not put; the first is the one that failed.
    into_inner;
    /// Whether the time was over.
    is_timeout
}

put_many_error! {
    /// Why [`AioQueue::try_put_many`](crate::AioQueue::try_put_many) did not put all.
    TryPutManyError of TryPutError,
    /// All items that were not put; the first is the one that failed.
    into_inner;
    /// Whether the queue is full.
    is_full
}
