//! One thread asleep on many descriptors.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use super::Deadline;
use super::bell::Bell;
use super::nap::Nap;
use crate::shm::{Region, notice};
use crate::sys::epoll::Epoll;
use crate::sys::{Source, clock};

const READY: u64 = 0;
const NOTICE: u64 = 1;

/// What the waits of one thread sleep on.
pub(super) struct Gathering {
    epoll: Epoll,
    state: Mutex<State>,
    /// Changes when everything is to be looked at again unasked.
    doubts: AtomicU32,
}

struct State {
    watched: HashSet<RawFd>,
    regions: Vec<Arc<Region>>,
    nap: Nap,
    failed: Option<io::Error>,
}

impl Gathering {
    pub(super) fn new() -> io::Result<Self> {
        let state = State { watched: HashSet::new(), regions: Vec::new(), nap: Nap::new(), failed: None };
        Ok(Self { epoll: Epoll::new()?, state: Mutex::new(state), doubts: AtomicU32::new(0) })
    }

    pub(super) fn doubts(&self) -> u32 {
        self.doubts.load(Ordering::Relaxed)
    }

    /// From here on each edge of `source` ends a sleep, and so does its being ready now.
    pub(super) fn watch(&self, source: &Source) {
        self.add(source, READY);
    }

    /// The same for a bell, and for the deaths in its region.
    pub(super) fn listen(&self, bell: Bell<'_>) {
        self.add(bell.source(), READY);
        if let Some(notices) = notice::watch(bell.region()) {
            self.add(notices, NOTICE);
        }
        let mut state = self.state.lock();
        if !state.regions.iter().any(|known| Arc::ptr_eq(known, bell.region())) {
            state.regions.push(bell.region().clone());
        }
    }

    fn add(&self, source: &Source, tag: u64) {
        let mut state = self.state.lock();
        if state.watched.insert(source.as_fd().as_raw_fd())
            && let Err(error) = self.epoll.add(source, tag)
        {
            state.failed.get_or_insert(error);
        }
    }

    /// Sleeps until something happens, the deadline has come, or it is time to look at everything again.
    pub(super) fn sleep(&self, deadline: Option<Deadline>) -> io::Result<()> {
        let mut state = self.state.lock();
        if let Some(error) = state.failed.take() {
            return Err(error);
        }
        // Descriptors tell of everything themselves: only what stands in shared memory is looked at unasked.
        let nap = if state.regions.is_empty() { u64::MAX } else { state.nap.length() };
        let until = Deadline::or_in(deadline, nap);
        let mut is_over = true;
        for tag in self.epoll.wait(until) {
            is_over = false;
            if tag == NOTICE {
                notice::look();
                state.nap.suspect();
                self.doubt();
            }
        }
        if is_over && clock::now() >= until {
            if state.nap.is_suspicious() {
                state.regions.iter().for_each(|region| region.look_for_deaths());
            }
            if state.nap.becomes_long() {
                state.regions.iter().for_each(|region| region.tell_of_a_long_wait());
            }
            state.nap.grow();
            self.doubt();
        }
        Ok(())
    }

    fn doubt(&self) {
        self.doubts.fetch_add(1, Ordering::Relaxed);
    }
}
