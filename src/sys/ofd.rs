//! Open-file-description locks on single bytes: held by a description, freed by the kernel with its last descriptor.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

fn one_byte(kind: i32, byte: u64) -> libc::flock {
    libc::flock {
        l_type: i16::try_from(kind).unwrap_or(libc::F_WRLCK as i16),
        l_whence: libc::SEEK_SET as i16,
        l_start: byte.cast_signed(),
        l_len: 1,
        l_pid: 0,
    }
}

/// `F_OFD_SETLK`: takes the write lock on `byte`; `false` if another description has it.
pub(crate) fn try_lock(fd: impl AsFd, byte: u64) -> io::Result<bool> {
    set(fd, one_byte(libc::F_WRLCK, byte))
}

/// `F_OFD_SETLK`: takes a read lock on `byte`, which any number of descriptions may have; `false` if another has the write lock.
pub(crate) fn try_share(fd: impl AsFd, byte: u64) -> io::Result<bool> {
    set(fd, one_byte(libc::F_RDLCK, byte))
}

/// `F_OFD_SETLK`: gives up what the description has of `byte`.
pub(crate) fn unlock(fd: impl AsFd, byte: u64) -> io::Result<()> {
    set(fd, one_byte(libc::F_UNLCK, byte)).map(drop)
}

fn set(fd: impl AsFd, lock: libc::flock) -> io::Result<bool> {
    // SAFETY: `lock` is a valid `struct flock` that the call only reads.
    let done = unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
    if done == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}

/// `F_OFD_GETLK`: whether another description holds `byte`. The caller's own locks don't show.
pub(crate) fn is_locked_by_another(fd: impl AsFd, byte: u64) -> io::Result<bool> {
    let mut lock = one_byte(libc::F_WRLCK, byte);
    // SAFETY: `lock` is a valid `struct flock` that the call may write to.
    let done = unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    if done == 0 { Ok(i32::from(lock.l_type) != libc::F_UNLCK) } else { Err(io::Error::last_os_error()) }
}
