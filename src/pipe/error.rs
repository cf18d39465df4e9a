use std::io;

use crate::wire::forms::errors;
use crate::{DecodeError, EncodeError};

/// Why a pipe could not be made, or an end of it not cloned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipeError {
    /// This end was sent to another process.
    #[error(
        "this end of the pipe was sent away in a message: use it where it arrived, or send a `try_clone` of it"
    )]
    Moved,
    /// A connection over a byte stream can't move to another process while somebody else uses it here.
    #[error(
        "this connection is used by somebody else in this process, and over TCP or with Python only one process can hold it: \
         drop its clones and let operations end before it is sent away"
    )]
    InUse,
    /// The system refused a descriptor.
    #[error(
        "the system refused a descriptor ({0}); close some, or raise the limit of open files (`ulimit -n`)"
    )]
    Io(#[source] io::Error),
}

/// Why nobody can tell whether a message is there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PollError {
    /// This end was sent to another process.
    #[error(
        "this end of the pipe was sent away in a message: use it where it arrived, or send a `try_clone` of it"
    )]
    Moved,
    /// The system refused.
    #[error("the pipe failed: {0}")]
    Io(#[source] io::Error),
}

/// What every error of an end can be asked.
macro_rules! ends {
    ($name:ident) => {
        impl $name {
            /// Whether there is nobody at the other end any more.
            #[must_use]
            pub fn is_closed(&self) -> bool {
                matches!(self, Self::Closed)
            }

            /// Whether this end was sent away.
            #[must_use]
            pub fn is_moved(&self) -> bool {
                matches!(self, Self::Moved)
            }
        }
    };
}

macro_rules! send_errors {
    ($($(#[$doc:meta])* $name:ident $({ $(#[$own_doc:meta])* $own:ident, $is_own:ident })?;)*) => { $(
        ends!($name);
        errors!($(#[$doc])* $name $({ $(#[$own_doc])* $own, $is_own })? => {
            /// Nobody is there to receive: the other end was dropped, or its process died.
            #[error("the pipe is closed: nobody holds its other end any more")]
            Closed,
            /// This end was sent to another process.
            #[error(
                "this end of the pipe was sent away in a message: use it where it arrived, or send a `try_clone` of it"
            )]
            Moved,
            /// The message is longer than the pipe admits.
            #[error("the message has {length} bytes and the pipe admits {limit}: raise `max_length` of its builder")]
            TooLong {
                /// Its length in bytes.
                length: u64,
                /// The most that the pipe admits, in bytes.
                limit: u64,
            },
            /// The value can't become a message.
            #[error("{0}")]
            Encode(#[source] EncodeError),
            /// The system refused: memory, or descriptors under way.
            #[error("the message could not be sent ({0}); free memory, or have messages with descriptors received first")]
            Io(#[source] io::Error),
        });
    )* };
}

send_errors! {
    /// Why a message was not sent. The value stays with the caller, and everything in it usable.
    SendError;
    /// Why a message was not sent at once. The value stays with the caller, and everything in it usable.
    TrySendError {
        /// The pipe is full: the other end has to receive first.
        #[error("the pipe is full; wait with `send`, or receive at the other end")]
        Full,
        is_full
    };
    /// Why a message was not sent in time. The value stays with the caller, and everything in it usable.
    SendTimeoutError {
        /// The time is over, and the pipe was full for all of it.
        #[error("the pipe was full for all of the time")]
        Timeout,
        is_timeout
    };
}

macro_rules! recv_errors {
    ($($(#[$doc:meta])* $name:ident $({ $(#[$own_doc:meta])* $own:ident, $is_own:ident })?;)*) => { $(
        ends!($name);
        errors!($(#[$doc])* $name $({ $(#[$own_doc])* $own, $is_own })? => {
            /// The end of the pipe: nothing is left in it, and the other end was dropped, or its process died.
            #[error("the pipe is closed: nothing is left in it and nobody holds its other end any more")]
            Closed,
            /// This end was sent to another process.
            #[error(
                "this end of the pipe was sent away in a message: use it where it arrived, or send a `try_clone` of it"
            )]
            Moved,
            /// The message holds descriptors and this process has no room for them. It is still there.
            #[error(
                "no room for the descriptors of the message, which is still there: close some and receive again, or raise \
                 the limit of open files (`ulimit -n`)"
            )]
            NoDescriptors,
            /// The message was longer than this end admits, and was thrown away unread. The next one is not touched.
            #[error(
                "a message of {length} bytes was thrown away, this end admits {limit}: raise `max_length` of the builder"
            )]
            TooLong {
                /// Its length in bytes.
                length: u64,
                /// The most that this end admits, in bytes.
                limit: u64,
            },
            /// The message is not one of the expected type. It was taken, and these are its bytes. Not of `recv_bytes`.
            #[error("{error}")]
            Decode {
                /// What the codec said.
                #[source]
                error: DecodeError,
                /// The bytes of the message.
                bytes: Vec<u8>,
            },
            /// The message has more bytes than the buffer. It was taken, and here it is. Only of `recv_bytes_into`.
            #[error("the buffer is too small for a message of {} bytes, which this error holds: take it with `into_bytes`", bytes.len())]
            BufferTooSmall {
                /// The message.
                bytes: Vec<u8>,
            },
            /// What was taken is no message of this crate: another program writes to this pipe.
            #[error("what was received is no message of this crate: {0}")]
            Damaged(&'static str),
            /// The system refused.
            #[error("the message could not be received ({0})")]
            Io(#[source] io::Error),
        });

        impl $name {
            /// Whether this process has no room for the descriptors of the message, which is still there.
            #[must_use]
            pub fn is_no_descriptors(&self) -> bool {
                matches!(self, Self::NoDescriptors)
            }

            /// The bytes of a message that was taken in vain.
            #[must_use]
            pub fn into_bytes(self) -> Option<Vec<u8>> {
                match self {
                    Self::Decode { bytes, .. } | Self::BufferTooSmall { bytes } => Some(bytes),
                    _ => None,
                }
            }
        }
    )* };
}

recv_errors! {
    /// Why no message was received.
    RecvError;
    /// Why no message was received at once.
    TryRecvError {
        /// No message is there.
        #[error("no message is there")]
        Empty,
        is_empty
    };
    /// Why no message was received in time.
    RecvTimeoutError {
        /// The time is over, and no message was there for all of it.
        #[error("no message came in time")]
        Timeout,
        is_timeout
    };
}

macro_rules! from_send_error {
    ($($name:ident)*) => { $(
        impl From<SendError> for $name {
            fn from(error: SendError) -> Self {
                match error {
                    SendError::Closed => Self::Closed,
                    SendError::Moved => Self::Moved,
                    SendError::TooLong { length, limit } => Self::TooLong { length, limit },
                    SendError::Encode(error) => Self::Encode(error),
                    SendError::Io(error) => Self::Io(error),
                }
            }
        }
    )* };
}

macro_rules! from_recv_error {
    ($($name:ident)*) => { $(
        impl From<RecvError> for $name {
            fn from(error: RecvError) -> Self {
                match error {
                    RecvError::Closed => Self::Closed,
                    RecvError::Moved => Self::Moved,
                    RecvError::NoDescriptors => Self::NoDescriptors,
                    RecvError::TooLong { length, limit } => Self::TooLong { length, limit },
                    RecvError::Decode { error, bytes } => Self::Decode { error, bytes },
                    RecvError::BufferTooSmall { bytes } => Self::BufferTooSmall { bytes },
                    RecvError::Damaged(what) => Self::Damaged(what),
                    RecvError::Io(error) => Self::Io(error),
                }
            }
        }
    )* };
}

from_send_error!(TrySendError SendTimeoutError);
from_recv_error!(TryRecvError RecvTimeoutError);
