//! `epoll(7)` and `timerfd_create(2)` as one descriptor for many: it is ready when any of those in it is, or when a time has come.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use super::{Source, clock};

/// So many events are taken at once.
const AT_ONCE: usize = 64;

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

    /// Reported by [`reported`](Self::reported) under a number of its own, each time, for as long as there is something to read.
    pub(crate) fn add_as(&self, fd: impl AsFd, number: u64) -> io::Result<()> {
        Ok(epoll::add(&self.set, fd, EventData::new_u64(number), EventFlags::IN)?)
    }

    /// From here on that one is reported for as long as it can be written to, and not for what there is to read; or the reverse.
    pub(crate) fn turn_as(&self, fd: impl AsFd, number: u64, is_to_write: bool) -> io::Result<()> {
        let flags = if is_to_write { EventFlags::OUT } else { EventFlags::IN };
        Ok(epoll::modify(&self.set, fd, EventData::new_u64(number), flags)?)
    }

    /// Of one in the set: whether it is ready when it can be written to as well. What it is ready for now is reported anew.
    pub(crate) fn turn_duplex(&self, fd: impl AsFd, is_duplex: bool) -> io::Result<()> {
        let also = if is_duplex { EventFlags::OUT } else { EventFlags::empty() };
        let flags = EventFlags::IN | EventFlags::ET | also;
        Ok(epoll::modify(&self.set, fd, EventData::new_u64(0), flags)?)
    }

    /// Takes it out of the set, while it stays open.
    pub(crate) fn remove(&self, fd: impl std::os::fd::AsFd) {
        let _ = epoll::delete(&self.set, fd);
    }

    /// Forgets what has been reported, and says whether anything was. To be called before a look at what is in the set.
    pub(crate) fn drain(&self) -> bool {
        let mut any = false;
        loop {
            let events = self.some();
            any |= !events.is_empty();
            if events.len() < AT_ONCE {
                return any;
            }
        }
    }

    /// As [`drain`](Self::drain), for as many as are told at once; the numbers of those that were reported, 0 for what has none.
    pub(crate) fn reported(&self) -> Vec<u64> {
        self.some().iter().map(|event| event.data.u64()).collect()
    }

    /// Fewer than [`AT_ONCE`] are all that there are.
    fn some(&self) -> Vec<Event> {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut events = Vec::with_capacity(AT_ONCE);
        let told = rustix::io::retry_on_intr(|| {
            events.clear();
            epoll::wait(&self.set, spare_capacity(&mut events), Some(&now))
        });
        // The set is there as long as this is.
        debug_assert!(told.is_ok(), "epoll_wait: {told:?}");
        events
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
