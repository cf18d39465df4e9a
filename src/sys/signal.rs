//! `sigaction(2)` and the owner of a pipe (`F_SETOWN`, `F_SETSIG`, `O_ASYNC`).

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Signal, getpid, kill_process};
use rustix::time::Timespec;

/// The number that Linux gives it on all machines that Rust runs on with std; the libc crate has none.
const F_SETSIG: c_int = 10;

/// Ignores SIGPIPE, as std does before `main`: a write to a pipe without readers is an error and not the end.
pub(crate) fn ignore_pipe() {
    // SAFETY: SIGPIPE is a signal, and ignoring it runs no code.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// Ignores SIGINT: Ctrl-C in a terminal reaches every process of its group, and not all are to end by it.
pub(crate) fn ignore_interrupt() {
    // SAFETY: SIGINT is a signal, and ignoring it runs no code.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
}

/// Ignores the signals by which terminals and people end what they don't know: SIGINT, SIGTERM and SIGHUP.
pub(crate) fn ignore_endings() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: these are signals, and ignoring them runs no code.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Ignores SIGHUP: a terminal that closes sends it to every process of its group.
#[cfg(feature = "tokio")]
pub(crate) fn ignore_hangup() {
    // SAFETY: SIGHUP is a signal, and ignoring it runs no code.
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
}

/// Asks for SIGKILL when the last write end of this pipe goes, by whatever death. What went before is not told again: see
/// [`die_if_orphaned`].
pub(crate) fn die_with(pipe: impl AsFd) -> io::Result<()> {
    set(&pipe, F_SETSIG, libc::SIGKILL)?;
    set(&pipe, libc::F_SETOWN, getpid().as_raw_nonzero().get())?;
    let flags = fcntl_getfl(&pipe)?;
    // rustix names it by its older name, FASYNC.
    Ok(fcntl_setfl(&pipe, flags | OFlags::from_bits_retain(libc::O_ASYNC.cast_unsigned()))?)
}

/// Kills this process if the last write end has gone already. Called after [`die_with`]: a writer that goes between the
/// two is told of twice, and none is missed.
pub(crate) fn die_if_orphaned(pipe: impl AsFd) {
    let mut fds = [PollFd::new(&pipe, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    if rustix::io::retry_on_intr(|| poll(&mut fds, Some(&now))) == Ok(1) {
        let _ = kill_process(getpid(), Signal::KILL);
    }
}

fn set(fd: &impl AsFd, command: c_int, value: c_int) -> io::Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: both commands take an integer and touch no memory of ours.
    let done = unsafe { libc::fcntl(fd, command, value) };
    if done == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
