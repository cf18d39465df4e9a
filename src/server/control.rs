use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::sys::eventfd;

/// What a worker is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WorkerState {
    /// It has been started and does not accept yet.
    Starting,
    /// It accepts, or takes what it is handed.
    Serving,
    /// It finishes the connections that it has.
    Leaving,
}

/// A row of the table of workers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// Which of the places it has, from 0.
    pub place: usize,
    /// Its number.
    pub pid: u32,
    /// What it is about.
    pub state: WorkerState,
    /// Requests that it has counted, about a second ago.
    pub served: u64,
    /// Connections that it had open then.
    pub open: u32,
    /// Since its start.
    pub age: Duration,
}

/// Asks things of a server that runs, from any thread or task; made by [`Prefork::control`](crate::Prefork::control).
///
/// Other processes use signals: SIGTERM is [`drain`](Self::drain), SIGHUP [`reload`](Self::reload).
#[derive(Clone)]
pub struct PreforkControl(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) bell: OwnedFd,
    drains: AtomicU32,
    reloads: AtomicU32,
    pub(super) table: Mutex<Table>,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) workers: Vec<WorkerInfo>,
    pub(super) started: u64,
    pub(super) last_failure: Option<String>,
}

impl Shared {
    pub(super) fn new() -> std::io::Result<Arc<Self>> {
        let (drains, reloads) = (AtomicU32::new(0), AtomicU32::new(0));
        Ok(Arc::new(Self { bell: eventfd::create()?, drains, reloads, table: Mutex::default() }))
    }

    /// How often each has been asked for since the last look: to end, to reload.
    pub(super) fn take(&self) -> (u32, u32) {
        (self.drains.swap(0, Ordering::AcqRel), self.reloads.swap(0, Ordering::AcqRel))
    }
}

impl PreforkControl {
    /// Asks the server to end: nothing more is accepted, open connections are finished within the builder's
    /// [`grace`](crate::PreforkBuilder::grace), and `serve` returns. Asked again, it ends at once. Never waits.
    pub fn drain(&self) {
        self.0.drains.fetch_add(1, Ordering::AcqRel);
        eventfd::ring(&self.0.bell);
    }

    /// Asks the server to replace its workers, one by one: each new one accepts before an old one stops. Never waits.
    pub fn reload(&self) {
        self.0.reloads.fetch_add(1, Ordering::AcqRel);
        eventfd::ring(&self.0.bell);
    }

    /// The workers, by place; those that leave stand behind those that serve. Empty before `serve`, and after it.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerInfo> {
        self.0.table.lock().workers.clone()
    }

    /// How many workers have been started so far, the first ones included.
    #[must_use]
    pub fn started(&self) -> u64 {
        self.0.table.lock().started
    }

    /// How the last worker ended that did not end by itself.
    #[must_use]
    pub fn last_failure(&self) -> Option<String> {
        self.0.table.lock().last_failure.clone()
    }
}

impl fmt::Debug for PreforkControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.table.lock().fmt(f)
    }
}
