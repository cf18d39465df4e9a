//! A peer that writes anything anywhere in the queue's memory gets errors out of us, and never a crash.
//!
//! The same seeds each time; `AIOPROCESSING_FUZZ_SECONDS=600` goes on from there for as long as one likes.

mod kit;

use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use aioprocessing::{AioProcess, AioQueue};
use kit::Watchdog;

aioprocessing::test_support!();

/// Where objects begin in a region: what is before it is the region's own.
const OBJECTS_AT: u64 = 135_168;

/// xorshift64*: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// The one region that this process has.
fn region() -> std::fs::File {
    let path = kit::descriptors().into_iter().map(|number| format!("/proc/self/fd/{number}")).find(|path| {
        std::fs::read_link(path).is_ok_and(|name| name.to_string_lossy().starts_with("/memfd:aioprocessing"))
    });
    std::fs::OpenOptions::new().read(true).write(true).open(path.unwrap()).unwrap()
}

/// What a word of a queue may be changed to.
fn word(numbers: &mut Numbers, old: u64) -> u64 {
    match numbers.below(8) {
        0 => 0,
        1 => u64::MAX,
        2 => numbers.next(),
        3 => old ^ (1 << numbers.below(64)),
        4 => old.wrapping_add(1),
        5 => old.wrapping_sub(1),
        6 => old.wrapping_mul(64),
        _ => numbers.next() >> numbers.below(64),
    }
}

fn scribble(seed: u64, rounds: u64) {
    let mut numbers = Numbers(seed);
    let queue = AioQueue::builder().max_items(40).memory_limit(4 << 20).build::<Vec<u8>>().unwrap();
    let file = region();
    let short = Duration::from_micros(50);
    for _ in 0..rounds {
        for _ in 0..numbers.below(6) {
            let length = [3, 50, 5000, 100_000][numbers.below(4) as usize];
            drop(queue.put_timeout(vec![7; length], short));
        }
        for _ in 0..1 + numbers.below(4) {
            // Most of it where it hurts: the words at fixed places, the table, the first records.
            let reach = [512, 16 << 10, 300 << 10, 1 << 20][numbers.below(4) as usize];
            let at = OBJECTS_AT + numbers.below(reach) / 8 * 8;
            let mut bytes = [0; 8];
            if file.read_exact_at(&mut bytes, at).is_ok() {
                let new = word(&mut numbers, u64::from_ne_bytes(bytes));
                file.write_all_at(&new.to_ne_bytes(), at).unwrap();
            }
        }
        for _ in 0..numbers.below(6) {
            drop(queue.get_timeout(short));
            drop(queue.try_get());
        }
        drop(queue.try_put(vec![1; 40]));
        drop((queue.len(), queue.is_full(), queue.stats(), format!("{queue:?}")));
    }
}

fn scribble_in_many(first: u64) {
    for seed in first..first + 40 {
        scribble(seed * 2 + 1, 12);
    }
}

/// The seeds of an ordinary run, and more for as long as is asked for.
fn seeds(ordinary: u64, step: usize) -> impl Iterator<Item = u64> {
    let wanted = std::env::var("AIOPROCESSING_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let (begun, time) = (Instant::now(), Duration::from_secs(wanted.unwrap_or(0)));
    (0..).step_by(step).take_while(move |&seed| seed < ordinary || begun.elapsed() < time)
}

#[test]
fn anything_written_anywhere_gives_errors_and_no_crash() {
    for first in seeds(400, 40) {
        let watchdog = Watchdog::new("scribble");
        watchdog.step(format!("from seed {first}"));
        AioProcess::builder().daemon(true).spawn(scribble_in_many, (first,)).unwrap().join().unwrap();
    }
}

fn scribble_over_leases(seed: u64) {
    let mut numbers = Numbers(seed * 2 + 1);
    for _ in 0..25 {
        let queue = AioQueue::builder().lease(3).memory_limit(4 << 20).build::<Vec<u8>>().unwrap();
        let file = region();
        let mut held = Vec::new();
        for _ in 0..15 {
            for _ in 0..3 {
                drop(queue.put_timeout(vec![7; numbers.below(60_000) as usize], Duration::from_micros(50)));
            }
            let reach = [512, 400 << 10][numbers.below(2) as usize];
            let at = OBJECTS_AT + numbers.below(reach) / 8 * 8;
            let mut bytes = [0; 8];
            if file.read_exact_at(&mut bytes, at).is_ok() {
                let new = word(&mut numbers, u64::from_ne_bytes(bytes));
                file.write_all_at(&new.to_ne_bytes(), at).unwrap();
            }
            held.extend(queue.get_timeout(Duration::from_micros(50)));
            held.extend(queue.try_get());
            if held.len() > 3 {
                held.remove(0).ack();
                held.clear();
            }
        }
    }
}

#[test]
fn the_same_over_leases() {
    for seed in seeds(8, 1) {
        let watchdog = Watchdog::new("scribble_leases");
        watchdog.step(format!("seed {seed}"));
        AioProcess::builder().daemon(true).spawn(scribble_over_leases, (seed,)).unwrap().join().unwrap();
    }
}
