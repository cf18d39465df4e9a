//! Two futex words: the least that sleeping and waking between processes costs.

use std::sync::atomic::{AtomicU32, Ordering};

use super::shared::Shared;
use super::{Measure, Peer, fork_off, here};
use crate::measure::{Setting, Trips};

const NAME: &str = "bare futex";

pub const FUTEX: Peer = Peer {
    name: NAME,
    check: here,
    measures: &[
        ("round_trip", |setting| trip(setting)),
        ("event", (|setting| trip(setting) / 2.0) as Measure),
    ],
    except: &[],
    child: Some(other_side),
};

fn wait(word: &AtomicU32, seen: u32) {
    while word.load(Ordering::Acquire) == seen {
        // SAFETY: the word is mapped for as long as the process lives; no timeout.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, seen, 0, 0, 0) };
    }
}

fn post(word: &AtomicU32) {
    word.fetch_add(1, Ordering::Release);
    // SAFETY: as above.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1, 0, 0, 0) };
}

fn words(shared: &Shared) -> (&'static AtomicU32, &'static AtomicU32) {
    (shared.object(0), shared.object(128))
}

fn other_side(_: &Setting) {
    let shared = Shared::of_parent(4096);
    let (there, back) = words(&shared);
    for seen in 0.. {
        wait(there, seen);
        post(back);
    }
}

fn trip(setting: &Setting) -> f64 {
    let shared = Shared::create(4096);
    let (there, back) = words(&shared);
    let _other = fork_off(NAME, setting, shared.fd());
    let mut trips = Trips::new(setting.time);
    for seen in 0.. {
        post(there);
        wait(back, seen);
        if let Some(median) = trips.end() {
            return median;
        }
    }
    unreachable!()
}
