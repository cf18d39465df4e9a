//! Two eventfds read through tokio: the plain way to wake a task of another process.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{Measure, Peer, fork_off, here};
use crate::measure::{Setting, Trips, on_one_thread};

const NAME: &str = "eventfd with tokio";

pub const EVENTFD: Peer = Peer {
    name: NAME,
    check: here,
    measures: &[
        ("round_trip", |setting| trip(setting)),
        ("event", (|setting| trip(setting) / 2.0) as Measure),
    ],
    except: &[],
    child: Some(other_side),
};

fn create() -> OwnedFd {
    // Both go on to the child, under their own numbers.
    // SAFETY: takes plain numbers.
    let raw = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK) };
    assert!(raw >= 0, "eventfd");
    // SAFETY: just made, and nobody else's.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

fn registered(event: File) -> AsyncFd<File> {
    // SAFETY: a file keeps its descriptor until it is dropped.
    unsafe { AsyncFd::register_with_interest(event, Interest::READABLE) }.unwrap()
}

async fn take(event: &AsyncFd<File>) {
    loop {
        let mut ready = event.readable().await.unwrap();
        let mut count = [0; 8];
        if ready.try_io(|event| event.get_ref().read(&mut count)).is_ok_and(|read| read.is_ok()) {
            return;
        }
    }
}

fn post(event: &AsyncFd<File>) {
    event.get_ref().write_all(&1_u64.to_ne_bytes()).unwrap();
}

fn other_side(_: &Setting) {
    let mut numbers = [0; 8];
    UnixStream::from(std::os::fd::AsFd::as_fd(&std::io::stdin()).try_clone_to_owned().unwrap())
        .read_exact(&mut numbers)
        .unwrap();
    let number = |at: usize| i32::from_ne_bytes(numbers[at..at + 4].try_into().unwrap());
    // SAFETY: inherited under these numbers, and nobody else's here.
    let [there, back] = [0, 4].map(|at| unsafe { File::from_raw_fd(number(at)) });
    on_one_thread().block_on(async {
        let (there, back) = (registered(there), registered(back));
        loop {
            take(&there).await;
            post(&back);
        }
    });
}

fn trip(setting: &Setting) -> f64 {
    use std::os::fd::AsRawFd as _;
    let (there, back) = (create(), create());
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.write_all(&there.as_raw_fd().to_ne_bytes()).unwrap();
    ours.write_all(&back.as_raw_fd().to_ne_bytes()).unwrap();
    let _other = fork_off(NAME, setting, &theirs);
    on_one_thread().block_on(async {
        let (there, back) = (registered(there.into()), registered(back.into()));
        let mut trips = Trips::new(setting.time);
        loop {
            post(&there);
            take(&back).await;
            if let Some(median) = trips.end() {
                return median;
            }
        }
    })
}
