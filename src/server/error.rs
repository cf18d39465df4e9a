use std::io;
use std::time::Duration;

use crate::process::SpawnError;

/// A server can't listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreforkBindError {
    /// No address was given.
    #[error("a server needs an address: give one to `PreforkBuilder::bind`")]
    NoAddress,
    /// The text is no address, or its name can't be resolved.
    #[error("{text:?} is no address ({source}); write `127.0.0.1:8080`, `unix:/path` or `abstract:name`")]
    #[non_exhaustive]
    Address {
        /// What was given.
        text: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The system refused.
    #[error("cannot listen at {address}: {source}")]
    #[non_exhaustive]
    Listen {
        /// Where.
        address: String,
        /// What the system said: in use, not of this machine, or not allowed.
        source: io::Error,
    },
    /// `reuse_port` is for TCP addresses that the builder binds itself.
    #[error(
        "`reuse_port` needs a TCP address that the server binds itself; leave it out for Unix sockets and listeners"
    )]
    ReusePort,
    /// A setting makes no sense; the text says which.
    #[error("{0}")]
    Invalid(&'static str),
}

impl PreforkBindError {
    /// Whether somebody else listens there.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}

/// A server ended otherwise than by being asked to. Its workers have been killed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// It could not listen.
    #[error(transparent)]
    Bind(#[from] PreforkBindError),
    /// The handler takes another kind of stream than the address gives.
    #[error(
        "the handler takes a {handler} and the address gives {address} streams: take a tokio TcpStream for TCP, a UnixStream for Unix sockets"
    )]
    #[non_exhaustive]
    OtherStream {
        /// The type that it takes.
        handler: &'static str,
        /// TCP or Unix.
        address: &'static str,
    },
    /// A first worker could not be started.
    #[error("cannot start a worker: {0}")]
    Start(#[from] SpawnError),
    /// So many workers in a row died before they served.
    #[error("{workers} workers in a row died within {within:?} before they served; the last one: {last}")]
    #[non_exhaustive]
    Workers {
        /// How many.
        workers: usize,
        /// Within this time.
        within: Duration,
        /// How the last one ended.
        last: String,
    },
    /// The system refused a descriptor or a timer.
    #[error("the system refused what a server needs: {0}")]
    Io(#[from] io::Error),
}
