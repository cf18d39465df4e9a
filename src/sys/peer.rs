//! `SO_PEERCRED`: who was at the other end of a local socket when it was connected, or made.
//!
//! rustix reads the process number as one that can't be zero, and it is zero for a process outside of one's own pid namespace.

#![allow(unsafe_code)]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd};

use rustix::net::AddressFamily;
use rustix::net::sockopt::socket_domain;

/// `struct ucred`, as `(pid, uid, gid)`; `None` where the kernel does not know: the socket is no local one.
pub(crate) fn credentials(socket: impl AsFd) -> io::Result<Option<(u32, u32, u32)>> {
    let socket = socket.as_fd();
    if socket_domain(socket)? != AddressFamily::UNIX {
        return Ok(None);
    }
    let mut seen = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    let number = socket.as_raw_fd();
    let (place, size) = ((&raw mut seen).cast(), &raw mut length);
    // SAFETY: `place` has room for the `length` bytes of a ucred, in which any bytes are valid.
    let answer = unsafe { libc::getsockopt(number, libc::SOL_SOCKET, libc::SO_PEERCRED, place, size) };
    if answer == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(Some((seen.pid.cast_unsigned(), seen.uid, seen.gid)))
}
