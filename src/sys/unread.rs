//! `SIOCOUTQ` and `SO_ERROR`: what a peer on this machine has not read.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::ioctl::{Getter, Opcode, ioctl};
use rustix::net::sockopt::socket_error;

use crate::planted::planted;

/// Whether something that was sent over this local socket lies unread, or did when the peer's end was closed.
///
/// A close is told of once: to this call, or to one that takes a packet, or looks at it, before.
pub(crate) fn peer_left_something_unread(socket: impl AsFd) -> bool {
    // In this order: a close tells of the reset before it throws away what lay unread.
    planted!("who-holds-it-open-has-read-it", unread_bytes(&socket).is_ok_and(|bytes| bytes > 0), false)
        || matches!(socket_error(&socket), Ok(Err(Errno::CONNRESET)))
}

/// What was sent from here and not taken yet by a peer that is open, with what it costs the kernel.
fn unread_bytes(socket: impl AsFd) -> io::Result<c_int> {
    // SAFETY: SIOCOUTQ, which has the number of TIOCOUTQ, writes one int.
    let question = unsafe { Getter::<{ libc::TIOCOUTQ as Opcode }, c_int>::new() };
    // SAFETY: as above, and of other kinds of file at most another int is asked for.
    Ok(unsafe { ioctl(&socket, question) }?)
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use super::peer_left_something_unread;
    use crate::sys::socket;

    #[test]
    fn what_a_peer_has_not_read_is_known_while_it_is_open_and_once_it_is_closed() {
        for is_taken in [true, false] {
            for is_closed in [true, false] {
                let (ours, theirs) = socket::pair().unwrap();
                socket::send_bytes(&ours, b"one").unwrap();
                socket::send_bytes(&ours, b"two").unwrap();
                let taken = if is_taken { 2 } else { 1 };
                for _ in 0..taken {
                    socket::receive(&theirs, &mut [0; 8]).unwrap();
                }
                let held: Option<OwnedFd> = (!is_closed).then_some(theirs);
                let case = format!("taken: {is_taken}, closed: {is_closed}");
                assert_eq!(peer_left_something_unread(&ours), !is_taken, "{case}");
                drop(held);
            }
        }
    }
}
