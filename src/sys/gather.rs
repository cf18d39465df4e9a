//! `epoll(7)` and `timerfd_create(2)` as one descriptor for many: it is ready when any of those in it is, or when a time has come.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use super::{Source, clock};

/// The descriptor, and its clock.
pub(crate) struct Gather {
    set: Source,
    timer: OwnedFd,
}

impl Gather {
    pub(crate) fn new() -> io::Result<Self> {
        let set = epoll::create(CreateFlags::CLOEXEC)?;
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        let gather = Self { set: Source::new(set), timer };
        gather.add(&gather.timer)?;
        Ok(gather)
    }

    /// What there is to wait on.
    pub(crate) fn source(&self) -> &Source {
        &self.set
    }

    /// It leaves the set when it is closed.
    pub(crate) fn add(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(epoll::add(&self.set, fd, EventData::new_u64(0), EventFlags::IN | EventFlags::ET)?)
    }

    /// The same for one that is to be written to.
    pub(crate) fn add_to_write(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(epoll::add(&self.set, fd, EventData::new_u64(0), EventFlags::OUT | EventFlags::ET)?)
    }

    /// The same, ready when it can be written to as well.
    pub(crate) fn add_duplex(&self, fd: impl std::os::fd::AsFd) -> io::Result<()> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
        Ok(epoll::add(&self.set, fd, EventData::new_u64(0), flags)?)
    }

    /// The same, reported by [`reported`](Self::reported) under a number of its own.
    pub(crate) fn add_duplex_as(&self, fd: impl AsFd, number: u64) -> io::Result<()> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
        Ok(epoll::add(&self.set, fd, EventData::new_u64(number), flags)?)
    }

    /// Takes it out of the set, while it stays open.
    pub(crate) fn remove(&self, fd: impl std::os::fd::AsFd) {
        let _ = epoll::delete(&self.set, fd);
    }

    /// Forgets what has been reported, and says whether anything was. To be called before a look at what is in the set.
    pub(crate) fn drain(&self) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut any = false;
        loop {
            let mut events = Vec::with_capacity(64);
            match epoll::wait(&self.set, spare_capacity(&mut events), Some(&now)) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(count) if count > 0 => any = true,
                _ => return any,
            }
        }
    }

    /// As [`drain`](Self::drain); the numbers of those that were reported, 0 for what has none.
    pub(crate) fn reported(&self) -> Vec<u64> {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut numbers = Vec::new();
        loop {
            let mut events = Vec::with_capacity(64);
            match epoll::wait(&self.set, spare_capacity(&mut events), Some(&now)) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(count) if count > 0 => numbers.extend(events.iter().map(|event| event.data.u64())),
                _ => return numbers,
            }
        }
    }

    /// Ready at `at` (`CLOCK_MONOTONIC`, nanoseconds), in place of the time set before; `None`: at no time.
    pub(crate) fn wake_at(&self, at: Option<u64>) -> io::Result<()> {
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        let value = at.map_or(none, |at| clock::timespec(at.max(1)));
        let setting = Itimerspec { it_interval: none, it_value: value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &setting)?;
        Ok(())
    }
}
