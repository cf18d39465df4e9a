//! Two eventfds: read by threads that sleep in the read, and read through tokio, the plain way to wake a task of another process.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{Measure, Other, Peer, fork_off, given, here};
use crate::measure::{Setting, Trips, on_one_thread};

const NAME: &str = "eventfd with tokio";
const NAME_BLOCKING: &str = "eventfd";

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

pub const BLOCKING: Peer = Peer {
    name: NAME_BLOCKING,
    check: here,
    measures: &[
        ("round_trip", |setting| blocking_trip(setting)),
        ("event", (|setting| blocking_trip(setting) / 2.0) as Measure),
    ],
    except: &[],
    child: Some(blocking_other_side),
};

fn create(flags: i32) -> OwnedFd {
    // Both go on to the child, under their own numbers.
    // SAFETY: takes plain numbers.
    let raw = unsafe { libc::eventfd(0, flags) };
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

/// What the parent wrote: under which numbers the child has inherited both.
fn inherited() -> [File; 2] {
    let mut numbers = [0; 8];
    UnixStream::from(given()).read_exact(&mut numbers).unwrap();
    let number = |at: usize| i32::from_ne_bytes(numbers[at..at + 4].try_into().unwrap());
    // SAFETY: inherited under these numbers, and nobody else's here.
    [0, 4].map(|at| unsafe { File::from_raw_fd(number(at)) })
}

fn other_with(name: &str, setting: &Setting, [there, back]: [&OwnedFd; 2]) -> Other {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.write_all(&there.as_raw_fd().to_ne_bytes()).unwrap();
    ours.write_all(&back.as_raw_fd().to_ne_bytes()).unwrap();
    fork_off(name, setting, &theirs)
}

fn other_side(_: &Setting) {
    let [there, back] = inherited();
    on_one_thread().block_on(async {
        let (there, back) = (registered(there), registered(back));
        loop {
            take(&there).await;
            post(&back);
        }
    });
}

fn trip(setting: &Setting) -> f64 {
    let (there, back) = (create(libc::EFD_NONBLOCK), create(libc::EFD_NONBLOCK));
    let _other = other_with(NAME, setting, [&there, &back]);
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

fn sleep_on(mut event: &File) {
    let mut count = [0; 8];
    event.read_exact(&mut count).unwrap();
    assert_eq!(u64::from_ne_bytes(count), 1, "one was posted");
}

fn blocking_other_side(_: &Setting) {
    let [there, back] = inherited();
    loop {
        sleep_on(&there);
        (&back).write_all(&1_u64.to_ne_bytes()).unwrap();
    }
}

fn blocking_trip(setting: &Setting) -> f64 {
    let (there, back) = (create(0), create(0));
    let _other = other_with(NAME_BLOCKING, setting, [&there, &back]);
    let (there, back) = (File::from(there), File::from(back));
    let mut trips = Trips::new(setting.time);
    loop {
        (&there).write_all(&1_u64.to_ne_bytes()).unwrap();
        sleep_on(&back);
        if let Some(median) = trips.end() {
            return median;
        }
    }
}
