//! How long after the holder of a lock was killed the next owner follows.
//!
//! `cargo test --release --test holder_killed -- --ignored --nocapture`
#![allow(missing_docs)]

use std::time::{Duration, Instant};

use aioprocessing::{AioEvent, AioLock, AioProcess};

aioprocessing::test_support!();

fn hold(lock: AioLock, held: AioEvent, has_waited: bool) {
    if has_waited {
        // Long enough to have asked for notices of death itself.
        let _ = AioEvent::new().unwrap().wait_timeout(Duration::from_millis(12));
    }
    let _guard = lock.acquire();
    held.set();
    loop {
        std::thread::park();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Face {
    Blocking,
    Async,
}

fn next_owner(lock: &AioLock, face: Face) -> Instant {
    let acquired = match face {
        Face::Blocking => lock.acquire(),
        Face::Async => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(lock.coro_acquire())
        }
    };
    let now = Instant::now();
    assert!(acquired.unwrap_err().is_owner_died());
    now
}

fn measure(face: Face, asleep_for: Duration, has_waited: bool, rounds: u32) {
    let lock = AioLock::new().unwrap();
    let held = AioEvent::new().unwrap();
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            held.clear();
            let child = AioProcess::spawn(hold, (lock.clone(), held.clone(), has_waited)).unwrap();
            held.wait().unwrap();
            let waiter = {
                let lock = lock.clone();
                std::thread::spawn(move || next_owner(&lock, face))
            };
            std::thread::sleep(asleep_for);
            let killed = Instant::now();
            child.kill().unwrap();
            let followed = waiter.join().unwrap();
            child.join().unwrap_err();
            followed.saturating_duration_since(killed)
        })
        .collect();
    times.sort_unstable();
    let at = |hundredths: usize| times[(times.len() - 1) * hundredths / 100];
    let holder = if has_waited { ", holder had waited" } else { "" };
    println!(
        "holder killed to next owner, {face:?}, waiting for {asleep_for:?}{holder}: p50 {:.0?}, p99 {:.0?}, slowest {:.0?} ({} kills)",
        at(50),
        at(99),
        at(100),
        times.len()
    );
}

fn all(rounds: u32) {
    for face in [Face::Blocking, Face::Async] {
        for asleep_for in [1, 15, 60].map(Duration::from_millis) {
            measure(face, asleep_for, false, rounds);
        }
        measure(face, Duration::from_millis(15), true, rounds);
    }
}

#[test]
fn a_next_owner_follows_whoever_waits_for_however_long() {
    all(3);
}

#[test]
#[ignore = "a benchmark"]
fn benchmark() {
    all(300);
}
