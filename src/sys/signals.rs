//! `sigaction(2)`: signals as counters and a doorbell, for as long as somebody listens.
//!
//! The handler adds one to a counter and rings an eventfd that is never read and never closed. It may run on any thread, so no
//! mask has to be set in threads that are not ours, and nothing is inherited by children but the default action.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use parking_lot::Mutex;

use super::eventfd;

/// Those that can be listened for.
const SIGNALS: [c_int; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

/// How many of each have come.
static CAME: [AtomicU32; 3] = [const { AtomicU32::new(0) }; 3];
/// The number of the bell, for the handler.
static BELL: AtomicI32 = AtomicI32::new(-1);

/// What stood there before the first listener came; it is put back when the last one goes.
static BEFORE: Mutex<(usize, [Option<libc::sigaction>; 3])> = Mutex::new((0, [None; 3]));

/// Async-signal-safe: an atomic, a write, and errno as it was.
extern "C" fn note(signal: c_int) {
    // SAFETY: always valid, and the thread's own.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: it points to this thread's errno.
    let before = unsafe { *errno };
    if let Some(place) = SIGNALS.iter().position(|&known| known == signal) {
        CAME[place].fetch_add(1, Ordering::Release);
    }
    let bell = BELL.load(Ordering::Acquire);
    if bell >= 0 {
        // SAFETY: a descriptor that was opened before the handler was installed, and is never closed.
        eventfd::ring(unsafe { BorrowedFd::borrow_raw(bell) });
    }
    // SAFETY: as above.
    unsafe { *errno = before };
}

/// What has been asked for since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// SIGTERM and SIGINT.
    pub(crate) ends: u32,
    /// SIGHUP.
    pub(crate) hangups: u32,
}

/// As long as it lives, these signals do nothing else.
#[derive(Debug)]
pub(crate) struct Listening {
    seen: [u32; 3],
}

impl Listening {
    /// A signal that is ignored stays so: whoever started this program with `nohup` meant it.
    pub(crate) fn begin() -> io::Result<Self> {
        let bell = bell()?;
        BELL.store(bell.as_raw_fd(), Ordering::Release);
        let mut before = BEFORE.lock();
        if before.0 == 0 {
            for (place, &signal) in SIGNALS.iter().enumerate() {
                before.1[place] = install(signal)?;
            }
        }
        before.0 += 1;
        Ok(Self { seen: CAME.each_ref().map(|came| came.load(Ordering::Acquire)) })
    }

    /// Rings when one has come. To be listened to by edges: it is never silent.
    pub(crate) fn bell(&self) -> io::Result<OwnedFd> {
        bell()?.try_clone()
    }

    pub(crate) fn take(&mut self) -> Asked {
        let came = CAME.each_ref().map(|came| came.load(Ordering::Acquire));
        let new = |place: usize| came[place].wrapping_sub(self.seen[place]);
        let asked = Asked { ends: new(0).saturating_add(new(1)), hangups: new(2) };
        self.seen = came;
        asked
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut before = BEFORE.lock();
        before.0 -= 1;
        if before.0 == 0 {
            for (place, &signal) in SIGNALS.iter().enumerate() {
                if let Some(action) = before.1[place].take() {
                    // SAFETY: an action that the system gave for this signal.
                    unsafe { libc::sigaction(signal, &raw const action, null_mut()) };
                }
            }
        }
    }
}

fn bell() -> io::Result<&'static OwnedFd> {
    static MADE: OnceLock<OwnedFd> = OnceLock::new();
    if MADE.get().is_none() {
        let made = eventfd::create()?;
        let _ = MADE.set(made);
    }
    MADE.get().ok_or_else(|| io::Error::other("no bell"))
}

/// The action that stood there before; `None` if that was to ignore it, and is so still.
fn install(signal: c_int) -> io::Result<Option<libc::sigaction>> {
    let mut old = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: only asks, and writes to memory of the right size.
    if unsafe { libc::sigaction(signal, null(), old.as_mut_ptr()) } == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call above succeeded and has written it.
    let old = unsafe { old.assume_init() };
    if old.sa_sigaction == libc::SIG_IGN {
        return Ok(None);
    }
    // SAFETY: all zeroes are a valid sigaction.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = note as extern "C" fn(c_int) as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler is async-signal-safe and of the type that an action without SA_SIGINFO has.
    if unsafe { libc::sigaction(signal, &raw const action, null_mut()) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(Some(old))
}
