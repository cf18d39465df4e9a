//! A peer that scribbles: random words all over the shared memory, while others use it.
//!
//! They may get errors, and wrong items. They must not crash, panic, or wait past a deadline.
//! `AIOPROCESSING_SCRIBBLE=10 cargo test --release --test scribble -- --nocapture` scribbles for ten seconds.
#![allow(unsafe_code, missing_docs)]

use std::time::{Duration, Instant};

use aioprocessing::{AioEvent, AioLock, AioProcess, AioQueue, AioSemaphore};
use serde::{Deserialize, Serialize};

aioprocessing::test_support!();

const LIMIT: Duration = Duration::from_millis(10);

#[derive(Clone, Serialize, Deserialize)]
struct Objects {
    lock: AioLock,
    event: AioEvent,
    semaphore: AioSemaphore,
    queue: AioQueue<Vec<u64>>,
    bounded: AioQueue<String>,
}

impl Objects {
    fn new() -> Self {
        Self {
            lock: AioLock::new().unwrap(),
            event: AioEvent::new().unwrap(),
            semaphore: AioSemaphore::new(3).unwrap(),
            queue: AioQueue::unbounded().unwrap(),
            bounded: AioQueue::bounded(4).unwrap(),
        }
    }
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Every region that this process maps, as (address, words).
fn regions() -> Vec<(usize, usize)> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let ours = maps.lines().filter(|line| line.contains("/memfd:aioprocessing"));
    ours.filter_map(|line| {
        let (range, _) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        let (from, to) = (usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(to, 16).ok()?);
        Some((from, (to - from) / 8))
    })
    .collect()
}

/// How much of each mapping there is memory behind: what lies after it would be a SIGBUS of the scribbler's own.
fn sizes() -> Vec<u64> {
    let mut sizes: Vec<_> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = std::fs::read_link(&path).ok()?;
            let is_ours = name.to_str()?.starts_with("/memfd:aioprocessing");
            is_ours.then(|| std::fs::metadata(&path).map_or(0, |data| data.len()))
        })
        .collect();
    sizes.sort_unstable();
    sizes
}

fn scribble(_objects: Objects, seed: u64, headers_too: bool) {
    let mut dice = Dice(seed | 1);
    let least = sizes().first().copied().unwrap_or(0) as usize / 8;
    let regions = regions();
    assert!(regions.len() >= 5 && least > 1000, "{regions:?}");
    loop {
        let (base, words) = regions[(dice.roll() % regions.len() as u64) as usize];
        let words = words.min(least);
        // Half of them where the slots end and the objects begin.
        let first = if headers_too { 0 } else { 135_168 / 8 };
        let span = (words - first) as u64;
        let at = first
            + if dice.roll().is_multiple_of(2) { dice.roll() % span } else { dice.roll() % span.min(512) }
                as usize;
        let word = match dice.roll() % 4 {
            0 => 0,
            1 => u64::MAX,
            2 => dice.roll() % 64,
            _ => dice.roll(),
        };
        // SAFETY: within a mapping of this process, before the end of its file; others only use atomics there.
        unsafe { std::ptr::with_exposed_provenance_mut::<u64>(base + at * 8).write_volatile(word) };
        if dice.roll().is_multiple_of(64) {
            std::thread::yield_now();
        }
    }
}

/// Uses everything for a time; gives (calls, errors, the longest call).
fn use_everything(
    objects: Objects,
    attached: AioSemaphore,
    seed: u64,
    time: Duration,
) -> (u64, u64, Duration) {
    attached.release(1).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (begun, mut dice, mut calls, mut errors) = (Instant::now(), Dice(seed | 1), 0, 0);
    let mut longest = Duration::ZERO;
    while begun.elapsed() < time {
        let asked = Instant::now();
        let Objects { lock, event, semaphore, queue, bounded } = &objects;
        let length = (dice.roll() % 4 * 6_000) as usize;
        let ok = match dice.roll() % 16 {
            0 => lock.acquire_timeout(LIMIT).is_ok(),
            1 => lock.try_acquire().is_ok(),
            2 => format!("{lock:?} {event:?} {semaphore:?} {queue:?} {bounded:?}").len() > 1,
            3 => event.wait_timeout(LIMIT).is_ok(),
            4 => {
                event.set();
                event.clear();
                true
            }
            5 => semaphore.acquire_timeout(LIMIT).is_ok(),
            6 => semaphore.release(1).is_ok(),
            7 => queue.put_timeout(vec![dice.roll(); length], LIMIT).is_ok(),
            8 => queue.get_timeout(LIMIT).is_ok(),
            9 => queue.try_put(vec![dice.roll(); length]).is_ok(),
            10 => queue.try_get().is_ok(),
            11 => bounded.put_timeout("x".repeat(length), LIMIT).is_ok(),
            12 => bounded.get_timeout(LIMIT).is_ok(),
            13 => runtime.block_on(async {
                let all = async { lock.coro_acquire().await.is_ok() && queue.coro_get().await.is_ok() };
                tokio::time::timeout(LIMIT, all).await == Ok(true)
            }),
            14 => runtime.block_on(async {
                let all = async {
                    event.coro_wait().await.is_ok() && bounded.coro_put(String::new()).await.is_ok()
                };
                tokio::time::timeout(LIMIT, all).await == Ok(true)
            }),
            _ => queue.len() + bounded.len() + usize::from(lock.is_locked()) > 0,
        };
        calls += 1;
        errors += u64::from(!ok);
        longest = longest.max(asked.elapsed());
    }
    (calls, errors, longest)
}

fn scribbled(headers_too: bool) {
    let seconds =
        std::env::var("AIOPROCESSING_SCRIBBLE").ok().and_then(|text| text.parse().ok()).unwrap_or(2.0);
    let round = Duration::from_millis(500);
    let (mut calls, mut errors, mut longest) = (0, 0, Duration::ZERO);
    for seed in 1..=(seconds / round.as_secs_f64()) as u64 {
        // New ones each time: what has been written over for long does nothing but fail.
        let objects = Objects::new();
        let attached = AioSemaphore::new(0).unwrap();
        let users: Vec<_> = (0..2)
            .map(|user| {
                let args = (objects.clone(), attached.clone(), seed * 8 + user, round);
                AioProcess::builder().daemon(true).spawn(use_everything, args).unwrap()
            })
            .collect();
        // Who comes later finds headers that are none, and is told so.
        for _ in &users {
            attached.acquire().unwrap().forget();
        }
        let vandal = AioProcess::builder().daemon(true);
        let vandal = vandal.spawn(scribble, (objects.clone(), seed, headers_too)).unwrap();
        for user in users {
            match user.join_timeout(round + Duration::from_secs(20)) {
                Ok((more, wrong, slow)) => {
                    calls += more;
                    errors += wrong;
                    longest = longest.max(slow);
                }
                Err(error) => {
                    let hung = format!("/proc/{}/stack", user.pid());
                    let stack = std::fs::read_to_string(hung).unwrap_or_default();
                    let _ = user.kill();
                    panic!("seed {seed}: {error} {stack}");
                }
            }
        }
        assert!(vandal.is_alive(), "the scribbler ended by itself: {:?}", vandal.join());
        vandal.kill().unwrap();
        let _ = vandal.join();
    }
    println!(
        "scribble: {calls} calls, {errors} gave errors, the longest took {longest:.1?}, none crashed or hung"
    );
}

#[test]
fn objects_scribbled_over() {
    scribbled(false);
}

#[test]
fn headers_and_slots_scribbled_over() {
    scribbled(true);
}
