//! Prompt notice of a death, without a thread.
//!
//! Each process has one inotify descriptor with a watch on every region that it waits in for long. It fires when any
//! holder's own description closes, which death and exec do. Whoever of this process is waiting then reads it and looks
//! at the region's slots; the first to find a death rings the region's bells, and that wakes everybody else.

use std::collections::HashMap;
use std::os::fd::AsFd as _;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use super::Region;
use crate::planted::planted;
use crate::sys::inotify::{self, Closed};
use crate::sys::{Source, memfd};

struct Notices {
    inotify: Source,
    watched: Mutex<HashMap<i32, Weak<Region>>>,
}

static NOTICES: OnceLock<Notices> = OnceLock::new();

/// `None`: the system refuses inotify instances at present, and waiters fall back on their bounded sleeps.
fn notices() -> Option<&'static Notices> {
    if let Some(known) = NOTICES.get() {
        return Some(known);
    }
    let made = Notices { inotify: Source::new(inotify::create().ok()?), watched: Mutex::default() };
    // Another thread may have been first; then this one's goes again.
    Some(NOTICES.get_or_init(|| made))
}

/// Begins to watch `region`, once. What it gives becomes readable when somebody who held a watched region closed it.
pub(crate) fn watch(region: &Arc<Region>) -> Option<&'static Source> {
    let notices = notices()?;
    let ask = || {
        // The lock spans both steps, so that an event can't find its watch missing from the table.
        let mut watched = notices.watched.lock();
        let number = inotify::watch_closes(&notices.inotify, &memfd::path(region.fd())).ok()?;
        watched.insert(number, Arc::downgrade(region));
        Some(number)
    };
    planted!("no-death-notice", region.watch(ask), None).map(|_: i32| &notices.inotify)
}

/// Takes pending notices and looks at the slots of the regions they name.
///
/// The kernel tells of a close just before it frees the byte, so a first look may come too early: callers look again
/// after a short while.
pub(crate) fn look() {
    let Some(notices) = NOTICES.get() else { return };
    let mut suspects: Vec<Weak<Region>> = Vec::new();
    inotify::drain(notices.inotify.as_fd(), |closed| {
        let watched = notices.watched.lock();
        match closed {
            Closed::Watched(number) => suspects.extend(watched.get(&number).cloned()),
            Closed::Any => suspects.extend(watched.values().cloned()),
        }
    });
    for region in suspects.iter().filter_map(Weak::upgrade) {
        region.look_for_deaths();
    }
}

/// Ends a watch, with its region.
pub(super) fn forget(number: i32) {
    if let Some(notices) = NOTICES.get() {
        let mut watched = notices.watched.lock();
        // The number may mean another region by now, if this one's file was attached again meanwhile.
        if watched.get(&number).is_some_and(|region| region.strong_count() == 0) {
            watched.remove(&number);
            inotify::unwatch(&notices.inotify, number);
        }
    }
}
