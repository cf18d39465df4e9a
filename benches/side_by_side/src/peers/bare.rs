//! A bare socket of the kind that a manager and its clients talk over, whose other side sends back what comes.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{Measure, Peer, fork_off, here};
use crate::cases::manager_calls::AT_ONCE;
use crate::measure::{Setting, Trips, message, number, on_one_thread, rate};

const NAME: &str = "bare seqpacket socket";
const NAME_TOKIO: &str = "bare seqpacket socket, tokio";

pub const BLOCKING: Peer = Peer {
    name: NAME,
    check: here,
    measures: &[("manager_dict", trips as Measure)],
    except: &[],
    child: Some(echo),
};

pub const TOKIO: Peer = Peer {
    name: NAME_TOKIO,
    check: here,
    measures: &[("manager_dict", coro_trips as Measure), ("manager_calls", coro_many as Measure)],
    except: &[],
    child: Some(echo),
};

/// Read and written as a stream is: the kernel keeps the packets apart.
fn pair() -> (UnixStream, UnixStream) {
    let mut ends = [0; 2];
    // SAFETY: there is room for two numbers.
    let made = unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0, ends.as_mut_ptr()) };
    assert_eq!(made, 0, "socketpair");
    // SAFETY: just made, and nobody else's.
    let [one, other] = ends.map(|end| UnixStream::from(unsafe { OwnedFd::from_raw_fd(end) }));
    (one, other)
}

fn echo(_: &Setting) {
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned().unwrap());
    let mut room = [0; 4096];
    while let Ok(length @ 1..) = socket.read(&mut room) {
        socket.write_all(&room[..length]).unwrap();
    }
}

fn trips(setting: &Setting) -> f64 {
    let (mut ours, theirs) = pair();
    let _other = fork_off(NAME, setting, &theirs);
    let (mut trips, mut room) = (Trips::new(setting.time), [0; 4096]);
    for sequence in 0.. {
        ours.write_all(&message(sequence, setting.payload)).unwrap();
        let length = ours.read(&mut room).unwrap();
        assert_eq!(number(&room[..length], setting.payload), sequence);
        if let Some(median) = trips.end() {
            return median;
        }
    }
    unreachable!()
}

fn in_tokio(socket: UnixStream) -> AsyncFd<UnixStream> {
    socket.set_nonblocking(true).unwrap();
    // SAFETY: a socket keeps its descriptor until it is dropped.
    unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE | Interest::WRITABLE) }.unwrap()
}

async fn send(socket: &AsyncFd<UnixStream>, message: &[u8]) {
    socket.async_io(Interest::WRITABLE, |mut socket| socket.write_all(message)).await.unwrap();
}

async fn receive(socket: &AsyncFd<UnixStream>, room: &mut [u8]) -> usize {
    socket.async_io(Interest::READABLE, |mut socket| socket.read(room)).await.unwrap()
}

fn coro_trips(setting: &Setting) -> f64 {
    let (ours, theirs) = pair();
    let _other = fork_off(NAME_TOKIO, setting, &theirs);
    on_one_thread().block_on(async {
        let (ours, mut trips, mut room) = (in_tokio(ours), Trips::new(setting.time), [0; 4096]);
        for sequence in 0.. {
            send(&ours, &message(sequence, setting.payload)).await;
            let length = receive(&ours, &mut room).await;
            assert_eq!(number(&room[..length], setting.payload), sequence);
            if let Some(median) = trips.end() {
                return median;
            }
        }
        unreachable!()
    })
}

/// As many as the manager's calls are, sent before the first is received.
fn coro_many(setting: &Setting) -> f64 {
    let (ours, theirs) = pair();
    let _other = fork_off(NAME_TOKIO, setting, &theirs);
    let runtime = on_one_thread();
    let ours = runtime.block_on(async { in_tokio(ours) });
    let mut room = [0; 4096];
    let turn = || {
        runtime.block_on(async {
            for sequence in 0..AT_ONCE as u64 {
                send(&ours, &message(sequence, setting.payload)).await;
            }
            for sequence in 0..AT_ONCE as u64 {
                let length = receive(&ours, &mut room).await;
                assert_eq!(number(&room[..length], setting.payload), sequence);
            }
        });
    };
    rate(setting.time, 1, turn) * AT_ONCE as f64
}
