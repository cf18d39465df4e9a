//! `sendmsg(2)` and `recv(2)` on sockets without messages. Nothing here waits.

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::{set_tcp_nodelay, socket_type};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, SocketType, recv, sendmsg};

/// Sends what there is room for, at least one byte; `AGAIN` where there is none, and no SIGPIPE where the peer is gone.
pub(crate) fn send(socket: BorrowedFd<'_>, parts: &[IoSlice<'_>]) -> Result<usize, Errno> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    retry_on_intr(|| sendmsg(socket, parts, &mut SendAncillaryBuffer::default(), flags))
}

/// Appends at most `most` bytes; `AGAIN` where there are none, 0 at the end. Descriptors that come along are closed by the kernel.
pub(crate) fn receive(socket: BorrowedFd<'_>, into: &mut Vec<u8>, most: u64) -> Result<usize, Errno> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    into.try_reserve(most).map_err(|_| Errno::NOMEM)?;
    let begin = into.len();
    into.resize(begin + most, 0);
    let received = retry_on_intr(|| recv(socket, &mut into[begin..], RecvFlags::DONTWAIT));
    let (_, length) = received.as_ref().copied().unwrap_or_default();
    into.truncate(begin + length);
    received.map(|(_, length)| length)
}

/// Whether it is a socket on which messages run together.
pub(crate) fn is_one(socket: impl AsFd) -> bool {
    socket_type(&socket) == Ok(SocketType::STREAM)
}

/// Small messages leave at once. Of no effect on local sockets.
pub(crate) fn send_at_once(socket: &OwnedFd) {
    let _ = set_tcp_nodelay(socket, true);
}
