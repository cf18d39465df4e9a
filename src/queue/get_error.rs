//! Why nothing was got.

use std::fmt;

use crate::raw::queue::NotTaken;
use crate::wire::DecodeError;

/// Why nothing was got, whichever way it was tried.
pub(super) enum Nothing {
    Closed,
    /// No item: now, or until the time was over.
    NoItem,
    Decode {
        bytes: Vec<u8>,
        source: DecodeError,
    },
    NoDescriptors,
    Corrupt,
    Forked,
}

impl From<NotTaken> for Nothing {
    fn from(not: NotTaken) -> Self {
        match not {
            NotTaken::Closed => Self::Closed,
            NotTaken::Empty => Self::NoItem,
            NotTaken::NoDescriptors => Self::NoDescriptors,
            NotTaken::Corrupt => Self::Corrupt,
        }
    }
}

/// The errors of the forms of `get` differ in one variant.
macro_rules! get_error {
    (
        $(#[$meta:meta])* $name:ident, no_item: $no_item:expr
        $( ; $(#[$extra_meta:meta])* $extra:ident = $text:literal, $predicate:ident )?
    ) => {
        $(#[$meta])*
        #[derive(Debug, thiserror::Error)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$extra_meta])* #[error($text)] $extra, )?
            /// The queue is closed, and all that was put has been got.
            #[error("the queue is closed and empty")]
            Closed,
            /// An item was taken out of the queue, and it is none of the expected type.
            #[error("an item of {} bytes was taken and can't be read: {source}", .bytes.len())]
            Decode {
                /// The message as it came.
                bytes: Vec<u8>,
                /// What the codec said.
                source: DecodeError,
            },
            /// The item holds handles or descriptors, and this process has no room for them. It is in the queue still.
            #[error("no descriptor is free for the item; close some, or raise the limit (`ulimit -n`): the item waits")]
            NoDescriptors,
            /// A process wrote over the queue's memory.
            #[error("the queue's memory was written over by a process that does not keep to the protocol; make a new queue")]
            Corrupt,
            /// This process was forked, without exec, from the one that opened the queue.
            #[error("this process is a fork of the one that opened the queue; start processes with `AioProcess::spawn`")]
            Forked,
        }

        impl $name {
            /// Whether the queue is closed and empty.
            pub fn is_closed(&self) -> bool {
                matches!(self, Self::Closed)
            }

            $(
                /// Whether that is the reason.
                pub fn $predicate(&self) -> bool {
                    matches!(self, Self::$extra)
                }
            )?
        }

        impl From<Nothing> for $name {
            fn from(nothing: Nothing) -> Self {
                match nothing {
                    Nothing::Closed => Self::Closed,
                    Nothing::NoItem => $no_item,
                    Nothing::Decode { bytes, source } => Self::Decode { bytes, source },
                    Nothing::NoDescriptors => Self::NoDescriptors,
                    Nothing::Corrupt => Self::Corrupt,
                    Nothing::Forked => Self::Forked,
                }
            }
        }
    };
}

get_error! {
    /// Why [`AioQueue::get`](crate::AioQueue::get) gave nothing.
    // It waits for an item, so that reason can't come.
    GetError, no_item: Self::Closed
}

get_error! {
    /// Why [`AioQueue::get_timeout`](crate::AioQueue::get_timeout) gave nothing.
    GetTimeoutError, no_item: Self::Timeout;
    /// The time is over and no item came.
    Timeout = "no item came in time", is_timeout
}

get_error! {
    /// Why [`AioQueue::try_get`](crate::AioQueue::try_get) gave nothing.
    TryGetError, no_item: Self::Empty;
    /// There is no item at this moment.
    Empty = "the queue is empty", is_empty
}

fn first(reasons: &[impl ToString]) -> String {
    reasons.first().map_or_else(String::new, ToString::to_string)
}

/// The errors of the forms of `get_many` differ in their reasons.
macro_rules! get_many_error {
    (
        $(#[$meta:meta])* $name:ident of $reason:ident
        $( ; $(#[$extra_meta:meta])* $predicate:ident )?
    ) => {
        $(#[$meta])*
        #[derive(thiserror::Error)]
        #[error("{} items were got, and: {}", .items.len(), first(.reasons))]
        pub struct $name<T> {
            items: Vec<T>,
            /// One at least.
            reasons: Vec<$reason>,
        }

        impl<T> $name<T> {
            /// What went wrong: one for each item that was taken and can't be read, or the one reason why none was taken.
            pub fn reasons(&self) -> &[$reason] {
                &self.reasons
            }

            /// The items that could be read.
            pub fn into_inner(self) -> Vec<T> {
                self.items
            }

            /// Whether the queue is closed and empty.
            pub fn is_closed(&self) -> bool {
                self.reasons.iter().any($reason::is_closed)
            }

            $(
                $(#[$extra_meta])*
                pub fn $predicate(&self) -> bool {
                    self.reasons.iter().any($reason::$predicate)
                }
            )?
        }

        impl<T> From<(Vec<T>, Vec<Nothing>)> for $name<T> {
            fn from((items, reasons): (Vec<T>, Vec<Nothing>)) -> Self {
                Self { items, reasons: reasons.into_iter().map($reason::from).collect() }
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

get_many_error! {
    /// Why [`AioQueue::get_many`](crate::AioQueue::get_many) gave nothing, or not all that it took.
    GetManyError of GetError
}

get_many_error! {
    /// Why [`AioQueue::get_many_timeout`](crate::AioQueue::get_many_timeout) gave nothing, or not all that it took.
    GetManyTimeoutError of GetTimeoutError;
    /// Whether the time was over.
    is_timeout
}

get_many_error! {
    /// Why [`AioQueue::try_get_many`](crate::AioQueue::try_get_many) gave nothing, or not all that it took.
    TryGetManyError of TryGetError;
    /// Whether there was no item.
    is_empty
}
