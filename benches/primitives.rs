//! Uncontended locks and events beside the bare primitives, interleaved in one run: `cargo bench --bench primitives`.
//!
//! Absolute times mean little on a shared machine; what counts is the last column, the ratio to the first line of each group
//! within the same run.

#![allow(unsafe_code, missing_docs, clippy::multiple_unsafe_ops_per_block)]

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use aioprocessing::{AioEvent, AioLock};

const RUNS: usize = 15;
const TURNS: u32 = 1_000_000;

type Case<'a> = (&'a str, Box<dyn FnMut(u32) + 'a>);

/// Medians of interleaved runs, in nanoseconds a turn.
fn compare(title: &str, mut cases: Vec<Case<'_>>) {
    let mut times = vec![Vec::new(); cases.len()];
    for run in 0..RUNS {
        for index in 0..cases.len() {
            // Another order in each run.
            let index = (index + run) % cases.len();
            let begun = Instant::now();
            cases[index].1(TURNS);
            times[index].push(begun.elapsed().as_secs_f64() * 1e9 / f64::from(TURNS));
        }
    }
    println!("{title}");
    let mut base = 0.0;
    for ((name, _), mut times) in cases.into_iter().zip(times) {
        times.sort_by(f64::total_cmp);
        let (min, median, max) = (times[0], times[RUNS / 2], times[RUNS - 1]);
        if base == 0.0 {
            base = median;
        }
        println!("  {name:34} {median:7.1} ns ({min:.1} to {max:.1}), {:5.2}", median / base);
    }
}

/// A robust mutex between processes, as the C library makes it.
struct Robust(Box<libc::pthread_mutex_t>);

impl Robust {
    fn new() -> Self {
        let mut attributes = std::mem::MaybeUninit::uninit();
        let mut mutex = Box::new(libc::PTHREAD_MUTEX_INITIALIZER);
        // SAFETY: the attributes and the mutex live here, and the mutex stays where it is.
        unsafe {
            libc::pthread_mutexattr_init(attributes.as_mut_ptr());
            libc::pthread_mutexattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED);
            libc::pthread_mutexattr_setrobust(attributes.as_mut_ptr(), libc::PTHREAD_MUTEX_ROBUST);
            libc::pthread_mutex_init(&raw mut *mutex, attributes.as_ptr());
        }
        Self(mutex)
    }

    fn pair(&mut self) {
        // SAFETY: an initialised mutex, locked and unlocked by this thread.
        unsafe {
            libc::pthread_mutex_lock(&raw mut *self.0);
            libc::pthread_mutex_unlock(&raw mut *self.0);
        }
    }
}

fn main() {
    // Cargo's own arguments are not ours.
    let lock = AioLock::new().unwrap();
    let (parking, standard, mut robust) =
        (parking_lot::Mutex::new(()), std::sync::Mutex::new(()), Robust::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    compare(
        "lock, free: acquire, guard made and dropped",
        vec![
            (
                "parking_lot::Mutex",
                Box::new(|turns| (0..turns).for_each(|_| drop(black_box(&parking).lock()))),
            ),
            (
                "std::sync::Mutex",
                Box::new(|turns| (0..turns).for_each(|_| drop(black_box(&standard).lock().unwrap()))),
            ),
            ("pthread, robust and shared", Box::new(|turns| (0..turns).for_each(|_| robust.pair()))),
            ("AioLock", Box::new(|turns| (0..turns).for_each(|_| drop(black_box(&lock).acquire().unwrap())))),
            (
                "AioLock, try_acquire",
                Box::new(|turns| (0..turns).for_each(|_| drop(black_box(&lock).try_acquire().unwrap()))),
            ),
            (
                "AioLock, coro_acquire",
                Box::new(|turns| {
                    runtime.block_on(async {
                        for _ in 0..turns {
                            drop(black_box(&lock).coro_acquire().await.unwrap());
                        }
                    });
                }),
            ),
        ],
    );
    let (event, bare) = (AioEvent::new().unwrap(), AtomicU32::new(0));
    compare(
        "event, nobody waits: set, wait for what is set, clear",
        vec![
            (
                "a bare word with a fence",
                Box::new(|turns| {
                    for _ in 0..turns {
                        black_box(&bare).fetch_or(1, Ordering::AcqRel);
                        std::sync::atomic::fence(Ordering::SeqCst);
                        while black_box(&bare).load(Ordering::Acquire) == 0 {}
                        black_box(&bare).fetch_and(0, Ordering::AcqRel);
                    }
                }),
            ),
            (
                "AioEvent",
                Box::new(|turns| {
                    for _ in 0..turns {
                        black_box(&event).set();
                        black_box(&event).wait().unwrap();
                        black_box(&event).clear();
                    }
                }),
            ),
            (
                "AioEvent, coro_wait",
                Box::new(|turns| {
                    runtime.block_on(async {
                        for _ in 0..turns {
                            black_box(&event).set();
                            black_box(&event).coro_wait().await.unwrap();
                            black_box(&event).clear();
                        }
                    });
                }),
            ),
        ],
    );
}
