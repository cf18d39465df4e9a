//! The children of this process, from their start until their status is taken.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rustix::process::Signal;
use serde::de::DeserializeOwned;

use super::error::{JoinError, SignalError};
use super::outcome::Outcome;
use crate::planted::planted;
use crate::sys::Source;
use crate::sys::pidfd::{self, Ending};
use crate::trace;
use crate::wait::{Ready, Waiter};

/// All that run, or have ended unseen, by number of their start.
static CHILDREN: Mutex<BTreeMap<u64, Arc<Child>>> = Mutex::new(BTreeMap::new());

/// From this number on, children are none of the user's.
pub(super) const FIRST_UNLISTED: u64 = 1 << 32;

/// A child, from both sides of its end.
#[derive(Debug)]
pub(super) struct Child {
    serial: u64,
    pid: u32,
    name: String,
    pidfd: Source,
    state: Mutex<State>,
    outcome: OnceLock<Outcome>,
    /// Nobody will ask for its end.
    is_orphan: AtomicBool,
}

#[derive(Debug)]
struct State {
    ending: Option<Ending>,
    /// Where its outcome lies ready.
    socket: Option<OwnedFd>,
    /// Never written. The child dies when it closes, and until the child has ended it closes only with this process.
    leash: Option<OwnedFd>,
}

impl Child {
    /// Enters a child that has just been started.
    pub(super) fn enter(
        serial: u64,
        pid: u32,
        name: String,
        pidfd: OwnedFd,
        socket: OwnedFd,
        leash: Option<OwnedFd>,
    ) -> Arc<Self> {
        // Someone who waits for any child may have been faster. Then the number may mean somebody else by now.
        let ending = if pidfd::is_child(&pidfd) { None } else { Some(Ending::Elsewhere) };
        let has_ended = ending.is_some();
        let child = Arc::new(Self {
            serial,
            pid,
            name,
            pidfd: Source::new(pidfd),
            state: Mutex::new(State { ending, socket: Some(socket), leash }),
            outcome: OnceLock::new(),
            is_orphan: AtomicBool::new(false),
        });
        if !has_ended {
            CHILDREN.lock().insert(serial, child.clone());
        }
        trace::spawned(pid, child.name());
        if let Some(ending) = ending {
            child.tell_of_its_end(ending);
        }
        child
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn pidfd(&self) -> &Source {
        &self.pidfd
    }

    /// How it ended, or `None` while it runs. Takes its status at the first look after its end.
    pub(super) fn look(&self) -> Option<Ending> {
        let mut state = self.state.lock();
        if state.ending.is_none() {
            // The only errors are of descriptors that are none.
            let ending = pidfd::reap(&self.pidfd).unwrap_or(Some(Ending::Elsewhere))?;
            planted!("an-ending-is-forgotten", state.ending = Some(ending), ());
            state.leash = None;
            drop(state);
            CHILDREN.lock().remove(&self.serial);
            self.tell_of_its_end(ending);
            return Some(ending);
        }
        state.ending
    }

    fn tell_of_its_end(&self, ending: Ending) {
        let (code, signal) = match ending {
            Ending::Exited(code) => (Some(code), None),
            Ending::Signaled { signal, .. } => (None, Some(signal)),
            Ending::Elsewhere => (None, None),
        };
        trace::ended(self.pid, &self.name, code, signal);
    }

    /// Waits for its end.
    pub(super) async fn ended<W: Waiter>(&self, waiter: &mut W) -> Result<Ending, W::GaveUp> {
        waiter.on_fd(&self.pidfd, Ready::Read, || self.look()).await
    }

    /// As Python has it: the code, or the signal as a negative number.
    pub(super) fn exit_code(&self) -> Option<i32> {
        match self.look()? {
            Ending::Exited(code) => Some(code),
            Ending::Signaled { signal, .. } => Some(-signal),
            Ending::Elsewhere => None,
        }
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        // A status that was taken before we could look: that number may have been somebody else's already.
        if self.state.lock().ending.is_some() {
            return Ok(());
        }
        pidfd::send_signal(&self.pidfd, signal).map_err(|source| SignalError {
            name: self.name.clone(),
            pid: self.pid,
            source,
        })
    }

    /// The value, or why there is none, of a child that has ended.
    pub(super) fn result<T: DeserializeOwned>(&self, ending: Ending) -> Result<T, JoinError> {
        let outcome = self.outcome.get_or_init(|| {
            let socket = self.state.lock().socket.take();
            socket.map_or(Outcome::Silent, Outcome::read)
        });
        outcome.value(&self.name, self.pid, ending)
    }

    /// The handle is gone. What the child has to say has no address any more; its end is seen to by whoever looks next.
    pub(super) fn orphan(&self) {
        self.is_orphan.store(true, Ordering::Relaxed);
        {
            let mut state = self.state.lock();
            state.socket = None;
            planted!("the-leash-is-the-handles", drop(state), state.leash = None);
        }
        planted!("a-dropped-handle-reaps-nothing", reap_orphans(), ());
    }
}

/// Takes the status of children that have ended and have no handle any more.
pub(super) fn reap_orphans() {
    let is_orphan = |child: &&Arc<Child>| child.is_orphan.load(Ordering::Relaxed);
    let orphans: Vec<_> = CHILDREN.lock().values().filter(is_orphan).cloned().collect();
    for orphan in orphans {
        orphan.look();
    }
}

/// All of the user's that run, in the order of their start.
pub(super) fn running() -> Vec<Arc<Child>> {
    // Looking takes a child out of the table, so not under its lock.
    let all: Vec<_> = CHILDREN.lock().range(..FIRST_UNLISTED).map(|(_, child)| child.clone()).collect();
    all.into_iter().filter(|child| child.look().is_none()).collect()
}
