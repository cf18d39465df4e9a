//! What a process finds when it starts: the descriptor that its parent left it, named by an environment variable.

#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, fstat, stat};
use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_getfd, fcntl_setfd};
use rustix::process::getppid;
use rustix::thread::{UnshareFlags, unshare_unsafe};
use rustix::time::Timespec;

use crate::planted::planted;

/// The first number that is not one of the three standard streams.
const FIRST: RawFd = 3;

/// (number, inode) of a socket that a child is to find again.
pub(crate) fn mark(socket: impl AsFd) -> io::Result<(RawFd, u64)> {
    let inode = fstat(&socket)?.st_ino;
    Ok((socket.as_fd().as_raw_fd(), inode))
}

/// Takes the socket of that mark, or nothing if the text means nothing here: the number is something else, or it was left
/// to another process, of which this one is a descendant.
#[inline]
pub(crate) fn take(number: RawFd, inode: u64, parent: u32) -> Option<OwnedFd> {
    if number < FIRST {
        return None;
    }
    // SAFETY: the number is not -1; if it is not open, the calls below say so, and it is used for no longer than them.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let found = fstat(borrowed).ok()?;
    let is_the_socket = found.st_ino == inode && FileType::from_raw_mode(found.st_mode) == FileType::Socket;
    // A descriptor that closes on exec already was opened here.
    let is_inherited = !fcntl_getfd(borrowed).ok()?.contains(FdFlags::CLOEXEC);
    // A parent that has died is nobody's parent any more, and its end of the socket is closed.
    let is_ours = getppid().is_some_and(|pid| pid.as_raw_nonzero().get().cast_unsigned() == parent)
        || planted!("an-orphan-is-no-child", has_hung_up(borrowed), false);
    if !is_the_socket || !is_inherited || !is_ours {
        return None;
    }
    fcntl_setfd(borrowed, FdFlags::CLOEXEC).ok()?;
    // SAFETY: the parent left this open socket to whoever finds its mark, and setting CLOEXEC above makes sure that it is
    // found once.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

#[inline]
fn has_hung_up(socket: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(socket, PollFlags::empty())];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(1)
}

/// The same file under a number that is no standard stream's.
pub(crate) fn clear_of_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() >= FIRST { Ok(fd) } else { Ok(fcntl_dupfd_cloexec(&fd, FIRST)?) }
}

/// Which of the three standard streams a child would find closed, because they are here, or because something else was
/// opened in their place.
pub(crate) fn closed_stdio() -> Vec<RawFd> {
    let is_passed_on = |&number: &RawFd| {
        // SAFETY: the number is not -1, and is used for this one question, which is whether it is open.
        let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
        fcntl_getfd(borrowed).is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC))
    };
    planted!(
        "closed-streams-stay-closed",
        (0..FIRST).filter(|number| !is_passed_on(number)).collect(),
        Vec::new()
    )
}

/// Removes a variable from the environment, but only while nobody else can be reading it: from a process with a single
/// thread. Otherwise it stays.
pub(crate) fn remove_variable(name: impl AsRef<OsStr>) {
    if is_alone() {
        // SAFETY: this is the only thread of the process.
        unsafe { std::env::remove_var(name) };
    }
}

/// Whether this is the only thread of its process.
fn is_alone() -> bool {
    // Does nothing for a single thread, and is refused to one of several. A look into /proc makes entries there that the end of the
    // process has to undo.
    let thread = UnshareFlags::from_bits_retain(libc::CLONE_THREAD.cast_unsigned());
    // SAFETY: nothing that threads share is asked for.
    match unsafe { unshare_unsafe(thread) } {
        Ok(()) => true,
        Err(Errno::INVAL) => planted!("who-has-company-is-alone", false, true),
        // A filter of system calls may refuse it whatever the flags.
        Err(_) => has_one_task(),
    }
}

fn has_one_task() -> bool {
    // A directory has two links and one for each directory in it.
    stat("/proc/self/task").is_ok_and(|stat| stat.st_nlink == 3)
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_of_several_threads_is_not_alone() {
        // It is not the test harness's own.
        let beside = std::thread::spawn(std::thread::park);
        assert!(!super::is_alone());
        assert!(!super::has_one_task());
        beside.thread().unpark();
        beside.join().unwrap();
    }
}
