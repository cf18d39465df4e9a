//! `socketpair(2)` of SOCK_SEQPACKET, `sendmsg(2)` and `recvmsg(2)` with `SCM_RIGHTS`, and `send(2)` and `recv(2)` without. Nothing here waits.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::cmsg_space;
use rustix::net::sockopt::{socket_domain, socket_type};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, recvmsg, sendmsg, socketpair,
};

use crate::planted::planted;

/// `SCM_MAX_FD`: the kernel takes no more descriptors than that in one message.
pub(crate) const MOST_DESCRIPTORS: usize = 253;

const SPACE: usize = cmsg_space!(ScmRights(MOST_DESCRIPTORS));

/// Two ends of a connection that keeps messages apart.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = planted!("sockets-survive-exec", SocketFlags::CLOEXEC, SocketFlags::empty());
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

/// Sends one packet, whole or not at all. `WouldBlock` where the buffer is full, and no SIGPIPE where the peer is gone.
pub(crate) fn send(
    socket: impl AsFd,
    parts: &[IoSlice<'_>],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::ArgumentListTooLong.into());
    }
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    rustix::io::retry_on_intr(|| sendmsg(&socket, parts, &mut ancillary, flags))?;
    Ok(())
}

/// [`send`] without descriptors, for which the kernel has less to do.
pub(crate) fn send_bytes(socket: impl AsFd, bytes: &[u8]) -> io::Result<()> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    rustix::io::retry_on_intr(|| rustix::net::send(&socket, bytes, flags))?;
    Ok(())
}

/// One packet as it came.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) length: usize,
    pub(crate) descriptors: Vec<OwnedFd>,
    /// The packet was longer than the buffer.
    pub(crate) bytes_lost: bool,
    /// The packet held descriptors for which this process had no room.
    pub(crate) descriptors_lost: bool,
}

/// Takes one packet; `WouldBlock` where there is none, length 0 at the end.
pub(crate) fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<Packet> {
    receive_with(socket, buffer, RecvFlags::empty())
}

/// [`receive`] of a packet without descriptors, for which the kernel has less to do. It drops those that are there.
#[inline]
pub(crate) fn receive_bytes(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<Packet> {
    let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
    let (length, whole) = rustix::io::retry_on_intr(|| recv(&socket, &mut *buffer, flags))?;
    Ok(Packet { length, descriptors: Vec::new(), bytes_lost: whole > length, descriptors_lost: false })
}

/// The next packet, which stays where it is. Its descriptors come too, as new ones.
pub(crate) fn peek(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<Packet> {
    receive_with(socket, buffer, RecvFlags::PEEK)
}

/// Takes the next packet away and closes what was in it.
pub(crate) fn discard(socket: impl AsFd) {
    // Without room for them, the kernel drops the descriptors itself.
    let mut ancillary = RecvAncillaryBuffer::default();
    let flags = RecvFlags::DONTWAIT;
    let _ = rustix::io::retry_on_intr(|| {
        recvmsg(&socket, &mut [IoSliceMut::new(&mut [0; 8])], &mut ancillary, flags)
    });
}

/// How long the next packet is, which stays where it is, and its first bytes: zero at the end.
#[inline]
pub(crate) fn peek_bytes(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let how = RecvFlags::DONTWAIT | RecvFlags::PEEK | RecvFlags::TRUNC;
    let (_, length) = rustix::io::retry_on_intr(|| recv(&socket, &mut *buffer, how))?;
    Ok(length)
}

/// The first byte of the next packet, which stays where it is; `None` at the end.
pub(crate) fn peek_byte(socket: impl AsFd) -> io::Result<Option<u8>> {
    peek_byte_with(socket, RecvFlags::DONTWAIT)
}

/// The same, and blocks the thread until there is one, unless somebody else made the socket non-blocking.
pub(crate) fn wait_for_byte(socket: impl AsFd) -> io::Result<Option<u8>> {
    peek_byte_with(socket, RecvFlags::empty())
}

fn peek_byte_with(socket: impl AsFd, how: RecvFlags) -> io::Result<Option<u8>> {
    let mut byte = [0];
    let (_, length) = rustix::io::retry_on_intr(|| recv(&socket, &mut byte, how | RecvFlags::PEEK))?;
    Ok((length > 0).then_some(byte[0]))
}

/// Whether this is a socket of the kind that [`pair`] makes.
pub(crate) fn keeps_packets(socket: impl AsFd) -> bool {
    socket_type(&socket) == Ok(SocketType::SEQPACKET) && socket_domain(&socket) == Ok(AddressFamily::UNIX)
}

fn receive_with(socket: impl AsFd, buffer: &mut [u8], how: RecvFlags) -> io::Result<Packet> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC | how;
    let message = rustix::io::retry_on_intr(|| {
        recvmsg(&socket, &mut [IoSliceMut::new(buffer)], &mut ancillary, flags)
    })?;
    let mut descriptors = Vec::new();
    for part in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = part {
            descriptors.extend(rights);
        }
    }
    Ok(Packet {
        length: message.bytes,
        descriptors,
        bytes_lost: message.flags.contains(ReturnFlags::TRUNC),
        descriptors_lost: message.flags.contains(ReturnFlags::CTRUNC),
    })
}
