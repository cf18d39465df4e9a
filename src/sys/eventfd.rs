//! `eventfd(2)` as a doorbell: rung, and never read.
//!
//! tokio registers edge-triggered, and every write gives each process that listens an edge of its own. A bell that is
//! read loses its token with a reader that is killed; one that never is has nothing to lose.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

/// A doorbell that is ready from birth, so that a late registration starts with an edge.
pub(crate) fn create() -> io::Result<OwnedFd> {
    Ok(eventfd(1, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

/// What must never be done: takes the ring away from everybody else.
#[cfg(aioprocessing_planted)]
pub(crate) fn silence(bell: impl AsFd) {
    let _ = rustix::io::read(&bell, &mut [0; 8]);
}

/// Gives everybody who listens an edge. Async-signal-safe.
pub(crate) fn ring(bell: impl AsFd) {
    if rustix::io::write(&bell, &1_u64.to_ne_bytes()) == Err(Errno::AGAIN) {
        // Somebody filled the counter. Adding nothing is still an edge.
        let _ = rustix::io::write(&bell, &0_u64.to_ne_bytes());
    }
}
