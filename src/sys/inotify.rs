//! `inotify(7)` for one event: a writer of a watched file closed it, by hand, by exec or by dying.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

pub(crate) fn create() -> io::Result<OwnedFd> {
    Ok(inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?)
}

/// Watches the file at `path`; gives the number that its events carry.
pub(crate) fn watch_closes(inotify: impl AsFd, path: &str) -> io::Result<i32> {
    Ok(inotify::add_watch(inotify, path, WatchFlags::CLOSE_WRITE)?)
}

pub(crate) fn unwatch(inotify: impl AsFd, watch: i32) {
    // The watch may be gone already, with its file.
    let _ = inotify::remove_watch(inotify, watch);
}

/// What a read of pending events told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// A writer of this watch's file closed it.
    Watched(i32),
    /// Events were dropped: it may have been any.
    Any,
}

/// Takes all pending events, without waiting.
pub(crate) fn drain(inotify: impl AsFd, mut tell: impl FnMut(Closed)) {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = Reader::new(inotify, &mut buffer);
    loop {
        match reader.next() {
            Ok(event) if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => tell(Closed::Any),
            Ok(event) if event.events().contains(ReadFlags::CLOSE_WRITE) => tell(Closed::Watched(event.wd())),
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}
