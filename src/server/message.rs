//! What master and worker say to each other.

use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use crate::pipe::{AioConnection, Passed};

/// To a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// Answer, if your event loop turns.
    Ping,
    /// A connection, in the design where the master accepts.
    Take(Passed<OwnedFd>),
    /// Accept no more, finish what you have, and end.
    Leave {
        /// The server ends: nobody else takes what waits in the listener.
        is_last: bool,
    },
}

/// From a worker.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// It accepts.
    Ready,
    /// The answer to a ping.
    Alive(Counts),
    /// The first of the connections handed to it that it has not told of is its own now.
    Taken,
    /// So many connections more are closed.
    Closed(u32),
    /// It has served its number, or got SIGTERM: it wants to be replaced.
    Leaving(Counts),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) served: u64,
    pub(super) open: u32,
}

/// The master's end of the pipe between the two, and the worker's.
pub(super) type Link = AioConnection<Order, Report>;
pub(super) type WorkerLink = AioConnection<Report, Order>;

/// What a worker is started with.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kit {
    /// `None`: connections are handed to it.
    pub(super) listener: Option<Passed<OwnedFd>>,
    pub(super) link: WorkerLink,
    /// So many requests; 0: any number.
    pub(super) serves: u64,
    /// So many connections at a time.
    pub(super) max_connections: u32,
}
