//! `setuid(2)` and its kin for the whole process. rustix changes the calling thread alone.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;

use rustix::process::geteuid;

fn checked(answer: c_int) -> io::Result<()> {
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Gives up the supplementary groups, if this process may.
pub(crate) fn drop_groups() -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    // SAFETY: an empty list is not read.
    checked(unsafe { libc::setgroups(0, std::ptr::null()) })
}

pub(crate) fn set_gid(gid: u32) -> io::Result<()> {
    // SAFETY: takes an integer and touches no memory of ours.
    checked(unsafe { libc::setgid(gid) })
}

pub(crate) fn set_uid(uid: u32) -> io::Result<()> {
    // SAFETY: takes an integer and touches no memory of ours.
    checked(unsafe { libc::setuid(uid) })
}
