use std::io;
use std::net::SocketAddr;

use super::{Address, AddressError};
use crate::PeerCredentials;
use crate::wire::forms::errors;

/// Why two programs that met did not become connected. Both of them are told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The two sides hold different keys.
    #[error("the two sides hold different keys: give both the same `AuthKey`")]
    WrongKey,
    /// One side holds a key, and the other none.
    #[error(
        "one side holds a key and the other none: give both the same `AuthKey`, or `AuthKey::none()` to both"
    )]
    OneKey,
    /// Without a key, both must run as the same user.
    #[error("the other side runs as another user, and neither holds a key: give both the same `AuthKey`")]
    OtherUser,
    /// The other side is not the process that says so: somebody stands between the two.
    #[error(
        "somebody stands between the two sides: the process at the other end of the socket is not the one that answers"
    )]
    Intruder,
    /// The other side does not speak this protocol.
    #[error(
        "the other side speaks another protocol ({0}); with Python, use `python_compatible()` of the builder"
    )]
    Protocol(&'static str),
    /// It took too long.
    #[error("the other side did not answer in time")]
    TooSlow,
    /// The other side went away.
    #[error("the other side went away before the connection was made")]
    Left,
    /// This process has no room for the connection's descriptor.
    #[error("no room for another descriptor: close some, or raise the limit of open files (`ulimit -n`)")]
    NoDescriptors,
    /// The system refused.
    #[error("the connection failed: {0}")]
    Io(#[source] io::Error),
}

impl HandshakeError {
    /// Whether one side did not prove who it is.
    #[must_use]
    pub fn is_authentication(&self) -> bool {
        matches!(self, Self::WrongKey | Self::OneKey | Self::OtherUser | Self::Intruder)
    }
}

/// A client that was not admitted: [`AioListener::take_refusals`](crate::AioListener::take_refusals).
#[derive(Debug, thiserror::Error)]
#[error("a client was not admitted: {error}")]
#[non_exhaustive]
pub struct Refusal {
    /// Which process it was, over local sockets.
    pub peer: PeerCredentials,
    /// Where it came from, over TCP.
    pub from: Option<SocketAddr>,
    /// Why.
    #[source]
    pub error: HandshakeError,
}

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// It is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Somebody listens there already, or a file that is no socket has that name.
    #[error(
        "{address} is in use: another listener has it, or a file that is no socket; choose another, or end that"
    )]
    InUse {
        /// The address.
        address: Address,
    },
    /// On TCP nobody knows who connects.
    #[error("a listener on TCP needs a key: `AuthKey::none()` admits the same user, whom nobody knows there")]
    KeyNeeded,
    /// The system refused.
    #[error("the listener could not be made at {address} ({error})")]
    Io {
        /// The address.
        address: Address,
        /// What the system said.
        #[source]
        error: io::Error,
    },
}

impl BindError {
    /// Whether somebody listens there already.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::InUse { .. })
    }
}

macro_rules! accept_errors {
    ($($(#[$doc:meta])* $name:ident $({ $(#[$own_doc:meta])* $own:ident, $is_own:ident })?;)*) => { $(
        errors!($(#[$doc])* $name $({ $(#[$own_doc])* $own, $is_own })? => {
            /// The listener was closed.
            #[error("the listener is closed")]
            Closed,
            /// A client was not admitted; accept again for the next one. Only of a listener that was built to report that.
            #[error("{0}")]
            Refused(#[source] Refusal),
            /// The system refused; the clients wait.
            #[error("no connection could be accepted ({0}); close descriptors, or raise the limit of open files (`ulimit -n`), and accept again")]
            Io(#[source] io::Error),
        });

        impl $name {
            /// Whether the listener was closed.
            #[must_use]
            pub fn is_closed(&self) -> bool {
                matches!(self, Self::Closed)
            }

            /// Whether a client did not prove who it is. The next `accept` serves the next client.
            #[must_use]
            pub fn is_authentication(&self) -> bool {
                matches!(self, Self::Refused(refusal) if refusal.error.is_authentication())
            }
        }
    )* };
}

macro_rules! connect_errors {
    ($($(#[$doc:meta])* $name:ident $({ $(#[$own_doc:meta])* $own:ident, $is_own:ident })?;)*) => { $(
        errors!($(#[$doc])* $name $({ $(#[$own_doc])* $own, $is_own })? => {
            /// It is no address.
            #[error("{0}")]
            Address(#[from] AddressError),
            /// Nobody listens there.
            #[error("nobody listens at {address}: start the listener first, or look at its `address()`")]
            NobodyListens {
                /// The address.
                address: Address,
            },
            /// On TCP nobody knows who connects.
            #[error("a connection over TCP needs a key: `AuthKey::none()` is for the same user, whom nobody knows there")]
            KeyNeeded,
            /// The listener and this client did not come to terms.
            #[error("no connection to {address}: {error}")]
            Handshake {
                /// The address.
                address: Address,
                /// Why.
                #[source]
                error: HandshakeError,
            },
            /// The system refused.
            #[error("no connection to {address} ({error})")]
            Io {
                /// The address.
                address: Address,
                /// What the system said.
                #[source]
                error: io::Error,
            },
        });

        impl $name {
            /// Whether one side did not prove who it is.
            #[must_use]
            pub fn is_authentication(&self) -> bool {
                matches!(self, Self::Handshake { error, .. } if error.is_authentication())
            }

            /// Whether nobody listens there.
            #[must_use]
            pub fn is_nobody_listens(&self) -> bool {
                matches!(self, Self::NobodyListens { .. })
            }
        }
    )* };
}

accept_errors! {
    /// Why no connection was accepted.
    AcceptError;
    /// Why no connection was accepted at once.
    TryAcceptError {
        /// No client is there that has proved who it is.
        #[error("no client is there")]
        Empty,
        is_empty
    };
    /// Why no connection was accepted in time.
    AcceptTimeoutError {
        /// The time is over.
        #[error("no client came in time")]
        Timeout,
        is_timeout
    };
}

connect_errors! {
    /// Why there is no connection.
    ConnectError;
    /// Why there is no connection at once.
    TryConnectError {
        /// The listener has not answered yet.
        #[error("the listener has not answered yet: wait with `connect`")]
        NotReady,
        is_not_ready
    };
    /// Why there is no connection in time.
    ConnectTimeoutError {
        /// The listener has not answered in time.
        #[error("the listener has not answered in time: is it in `accept`?")]
        Timeout,
        is_timeout
    };
}

macro_rules! from_accept_error {
    ($($name:ident)*) => { $(
        impl From<AcceptError> for $name {
            fn from(error: AcceptError) -> Self {
                match error {
                    AcceptError::Closed => Self::Closed,
                    AcceptError::Refused(refusal) => Self::Refused(refusal),
                    AcceptError::Io(error) => Self::Io(error),
                }
            }
        }
    )* };
}

macro_rules! from_connect_error {
    ($($name:ident)*) => { $(
        impl From<ConnectError> for $name {
            fn from(error: ConnectError) -> Self {
                match error {
                    ConnectError::Address(error) => Self::Address(error),
                    ConnectError::NobodyListens { address } => Self::NobodyListens { address },
                    ConnectError::KeyNeeded => Self::KeyNeeded,
                    ConnectError::Handshake { address, error } => Self::Handshake { address, error },
                    ConnectError::Io { address, error } => Self::Io { address, error },
                }
            }
        }
    )* };
}

from_accept_error!(TryAcceptError AcceptTimeoutError);
from_connect_error!(TryConnectError ConnectTimeoutError);
