//! The tracker: a process that waits for the end of this one, in whichever way, removes the names that it had given and nobody
//! has taken back, and ends.
//!
//! It is started with the first block that a process creates, and holds nothing but the [ledger](super::ledger) and a pidfd. If
//! it is killed itself, the next block starts another, which knows of all.

use std::io;
use std::os::fd::OwnedFd;

use parking_lot::Mutex;

use super::ledger::{self, Ledger};
use crate::planted::planted;
use crate::sys::named::{self, FileId};
use crate::sys::{Source, forked, pidfd, signal};
use crate::wait::{Park, Ready, Waiter, blocking, never};
use crate::{AioProcess, Passed, SpawnError, Stdio};

/// What this process has created, and who sees to it. Forked copies of this process use neither.
static TRACKER: Mutex<Option<Tracker>> = Mutex::new(None);

#[derive(Debug)]
struct Tracker {
    ledger: Ledger,
    process: AioProcess<()>,
}

/// Why a name can't be tracked.
#[derive(Debug)]
pub(super) enum TrackError {
    Forked,
    Io(io::Error),
    Spawn(SpawnError),
}

impl From<io::Error> for TrackError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The name goes with this process, if it is still that file's then. To be called before the file gets it.
pub(super) fn track(name: &str, file: FileId) -> Result<(), TrackError> {
    if forked::is_fork() {
        return Err(TrackError::Forked);
    }
    let mut tracker = TRACKER.lock();
    let tracker = match &mut *tracker {
        None => {
            // From here on a fork is noticed.
            forked::watch();
            let ledger = Ledger::new()?;
            let process = start(&ledger)?;
            tracker.insert(Tracker { ledger, process })
        }
        Some(tracker) => {
            if planted!("a-killed-tracker-stays-dead", !tracker.process.is_alive(), false) {
                tracker.process = start(&tracker.ledger)?;
            }
            tracker
        }
    };
    Ok(tracker.ledger.enter(name, file)?)
}

/// That file has lost its name.
pub(super) fn forget(file: FileId) {
    if !forked::is_fork()
        && let Some(tracker) = &mut *TRACKER.lock()
    {
        tracker.ledger.strike(file);
    }
}

/// Ends the tracker, if no name is left for it. The next block starts another.
#[cfg(feature = "fixture")]
pub(crate) fn rest() {
    let mut tracker = TRACKER.lock();
    if !forked::is_fork()
        && let Some(Tracker { process, .. }) = tracker.take_if(|tracker| tracker.ledger.is_done())
    {
        let _ = process.kill();
        let _ = process.join();
    }
}

fn start(ledger: &Ledger) -> Result<AioProcess<()>, TrackError> {
    let creator = pidfd::open(std::process::id())?;
    let builder = AioProcess::builder().name("MemoryTracker").unlisted().current_dir("/");
    // A signal to the group of this process, Ctrl-C or SIGKILL, is not meant for the one that cleans up after it.
    planted!("the-tracker-shares-its-creators-group", builder.process_group(0), builder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn(attend, (Passed::new(creator), Passed::new(ledger.descriptor()?)))
        .map_err(TrackError::Spawn)
}

/// What the tracker does.
fn attend(creator: Passed<OwnedFd>, ledger: Passed<OwnedFd>) {
    signal::ignore_endings();
    let creator = Source::new(creator.into_inner());
    let has_ended = || pidfd::has_ended(&creator).then_some(());
    never(blocking(Park::new().on_fd(&creator, Ready::Read, has_ended)));
    for (name, file) in planted!("the-tracker-removes-nothing", ledger::read(&ledger), Vec::new()) {
        // Refused, there is nobody left to be told.
        let _ = named::unlink(&name, file);
    }
}
