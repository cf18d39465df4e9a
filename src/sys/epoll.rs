//! `epoll(7)`, edge-triggered: how a thread waits on a bell that is always ready.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use super::clock;

/// A set of descriptors of one waiting thread; it lasts as long as the wait.
pub(crate) struct Epoll(OwnedFd);

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(epoll::create(CreateFlags::CLOEXEC)?))
    }

    /// Reports each new edge of `fd` as `tag`, and its present readiness as the first one.
    pub(crate) fn add(&self, fd: impl AsFd, tag: u64) -> io::Result<()> {
        Ok(epoll::add(&self.0, fd, EventData::new_u64(tag), EventFlags::IN | EventFlags::ET)?)
    }

    /// Waits for edges until `until` (`CLOCK_MONOTONIC`, nanoseconds); gives the tags, none if the time is over, or a day.
    pub(crate) fn wait(&self, until: u64) -> impl Iterator<Item = u64> {
        // More than 24 days need `epoll_pwait2(2)`, which Linux 5.10 and some sandboxes don't have.
        const DAY: u64 = 24 * 3600 * 1_000_000_000;
        let left = clock::timespec(until.saturating_sub(clock::now()).min(DAY));
        let mut events = Vec::with_capacity(4);
        // EINTR looks like an early end: the caller looks again.
        let _ = epoll::wait(&self.0, spare_capacity(&mut events), Some(&left));
        events.into_iter().map(|event| event.data.u64())
    }
}
