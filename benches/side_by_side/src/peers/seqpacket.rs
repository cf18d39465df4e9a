//! A bare pair of sockets that keep messages apart, with system calls and nothing else.

use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use super::{Measure, Peer, fork_off, given, here};
use crate::measure::{Setting, bounce, consume, produce};

const NAME: &str = "seqpacket socket";

pub const SEQPACKET: Peer = Peer {
    name: NAME,
    check: here,
    measures: &[
        ("throughput", throughput as Measure),
        ("round_trip", round_trip as Measure),
        ("pipe_round_trip", round_trip as Measure),
    ],
    except: &[],
    child: Some(other_side),
};

fn pair(setting: &Setting) -> [OwnedFd; 2] {
    let mut raw = [0; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: the array is valid for two numbers.
    assert_eq!(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, raw.as_mut_ptr()) }, 0);
    // A message must fit into the buffer as a whole.
    let room = (setting.payload * 2 + 4096).max(212_992) as i32;
    raw.map(|raw| {
        // SAFETY: just made, and nobody else's.
        let socket = unsafe { OwnedFd::from_raw_fd(raw) };
        for option in [libc::SO_SNDBUF, libc::SO_SNDBUFFORCE] {
            let length = size_of_val(&room) as libc::socklen_t;
            // SAFETY: the number is valid for the call; where it is refused, a message that is too long fails later.
            unsafe { libc::setsockopt(raw, libc::SOL_SOCKET, option, (&raw const room).cast(), length) };
        }
        socket
    })
}

fn send(socket: &OwnedFd, message: &[u8]) -> bool {
    let (base, length) = (message.as_ptr().cast(), message.len());
    // SAFETY: the bytes are valid for reads.
    let sent = unsafe { libc::send(socket.as_raw_fd(), base, length, libc::MSG_NOSIGNAL) };
    sent == message.len() as isize
}

fn receive(socket: &OwnedFd, length: usize) -> Option<Vec<u8>> {
    let mut message: Vec<u8> = Vec::with_capacity(length);
    // SAFETY: so many bytes were reserved.
    let received = unsafe { libc::recv(socket.as_raw_fd(), message.as_mut_ptr().cast(), length, 0) };
    if received <= 0 {
        return None;
    }
    // SAFETY: so many bytes were written just now.
    unsafe { message.set_len(received as usize) };
    Some(message)
}

fn other_side(setting: &Setting) {
    let socket = given();
    if setting.case == "throughput" {
        return produce(setting, |message| send(&socket, &message));
    }
    while let Some(ball) = receive(&socket, setting.payload) {
        assert!(send(&socket, &ball));
    }
}

fn throughput(setting: &Setting) -> f64 {
    let [ours, theirs] = pair(setting);
    let _other = fork_off(NAME, setting, &theirs);
    drop(theirs);
    consume(setting, || receive(&ours, setting.payload).expect("the message does not fit into a socket"))
}

fn round_trip(setting: &Setting) -> f64 {
    let [ours, theirs] = pair(setting);
    let _other = fork_off(NAME, setting, &theirs);
    bounce(setting, |ball| {
        assert!(send(&ours, &ball));
        receive(&ours, setting.payload).unwrap()
    })
}
