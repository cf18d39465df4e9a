//! Items of every size, and the memory behind them: cases 41 and P20, growing and giving back.

mod kit;

use aioprocessing::AioQueue;
use kit::sides::{each, start};
use kit::{Watchdog, sides::Place};

aioprocessing::test_support!();

/// Bytes that tell where they stand.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

/// Where one kind of record ends and the next begins, a byte less and a byte more.
const SIZES: [usize; 22] = [
    0,
    1,
    7,
    8,
    23,
    24,
    25,
    63,
    64,
    65,
    127,
    128,
    129,
    4096,
    32_639,
    32_640,
    32_641,
    65_535,
    65_536,
    65_537,
    200_000,
    1 << 20,
];

#[test]
fn items_of_every_size_arrive_intact() {
    fn echo(from: AioQueue<Vec<u8>>, to: AioQueue<Vec<u8>>) {
        while let Ok(item) = from.get() {
            to.put(item).unwrap();
        }
    }
    each("sizes", |side, place, watchdog| {
        let (there, back) = (AioQueue::unbounded().unwrap(), AioQueue::unbounded().unwrap());
        let other = start!(place, echo, (there, back));
        for size in SIZES {
            watchdog.step(format!("{side:?}, {place:?}, {size} bytes"));
            side.put(&there, pattern(size)).unwrap();
            assert!(side.get(&back).unwrap() == pattern(size), "{size} bytes");
        }
        // All under way at once, so that they lie side by side.
        for _ in 0..3 {
            side.fill(&there, SIZES.map(pattern));
            for size in SIZES {
                assert!(side.get(&back).unwrap() == pattern(size), "{size} bytes");
            }
        }
        there.close();
        other.join();
    });
}

#[test]
fn texts_and_encoded_values_of_every_size() {
    let texts = AioQueue::unbounded().unwrap();
    let numbers = AioQueue::unbounded().unwrap();
    for size in SIZES {
        texts.put("ä".repeat(size)).unwrap();
        numbers.put((size, pattern(size))).unwrap();
    }
    for size in SIZES {
        assert_eq!(texts.get().unwrap().len(), 2 * size);
        assert!(numbers.get().unwrap() == (size, pattern(size)));
    }
}

fn put_pattern(queue: AioQueue<Vec<u8>>, size: usize) {
    queue.put(pattern(size)).unwrap();
}

#[test]
fn case_41_items_of_16_and_64_megabytes() {
    let _watchdog = Watchdog::new("case_41");
    for place in Place::ALL {
        let queue = AioQueue::unbounded().unwrap();
        for size in [16 << 20, 64 << 20] {
            let putter = start!(place, put_pattern, (queue, size));
            assert!(queue.get().unwrap() == pattern(size));
            putter.join();
        }
    }
}

#[test]
fn case_41_an_item_beyond_the_limit_is_an_error_and_one_at_the_limit_is_not() {
    let limit = 1 << 20;
    let queue = AioQueue::builder().memory_limit(limit as u64).build::<Vec<u8>>().unwrap();
    let error = queue.put(vec![1; limit + 1]).unwrap_err();
    assert!(matches!(error, aioprocessing::PutError::TooLarge { .. }), "{error}");
    assert_eq!(error.into_inner().len(), limit + 1);
    for _ in 0..5 {
        queue.put(pattern(limit)).unwrap();
        assert!(queue.get().unwrap() == pattern(limit));
    }
}

#[test]
fn a_queue_full_of_memory_waits_for_it_and_goes_on() {
    fn get_all(queue: AioQueue<Vec<u8>>) -> usize {
        std::iter::from_fn(|| queue.get().ok()).map(|item| item.len()).sum()
    }
    each("memory", |side, place, watchdog| {
        for size in [1000, 30_000, 100_000, 900_000] {
            watchdog.step(format!("{side:?}, {place:?}, {size} bytes"));
            let queue = AioQueue::builder().memory_limit(1 << 20).build::<Vec<u8>>().unwrap();
            let mut count = 0;
            while queue.try_put(pattern(size)).is_ok() {
                count += 1;
            }
            assert!(count > 0 && queue.try_put(pattern(size)).unwrap_err().is_full());
            let getter = start!(place, get_all, (queue));
            for _ in 0..200 {
                side.put(&queue, pattern(size)).unwrap();
            }
            queue.close();
            assert_eq!(getter.join(), (count + 200) * size);
        }
    });
}

/// How much memory the regions of this process take up, in KiB: mapped or not, by the blocks of their files.
fn memory() -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let regions = kit::descriptors().into_iter().filter_map(|number| {
        let path = format!("/proc/self/fd/{number}");
        let name = std::fs::read_link(&path).ok()?;
        name.to_str()?.starts_with("/memfd:aioprocessing").then(|| std::fs::metadata(&path).unwrap())
    });
    regions
        .map(|meta| (meta.ino(), meta.blocks() / 2))
        .collect::<std::collections::BTreeMap<_, _>>()
        .values()
        .sum()
}

fn fill_and_drain(size: usize, total: usize) -> (u64, u64) {
    let queue = AioQueue::unbounded().unwrap();
    for _ in 0..total / size {
        queue.put(vec![5_u8; size]).unwrap();
    }
    let full = memory();
    for _ in 0..total / size {
        assert_eq!(queue.get().unwrap().len(), size);
    }
    assert!(queue.is_empty());
    (full, memory())
}

#[test]
fn what_was_filled_and_drained_gives_its_memory_back() {
    let _watchdog = Watchdog::new("fill_and_drain");
    for size in [1000, 20_000, 65_536, 1 << 20] {
        const TOTAL: usize = 128 << 20;
        // In a process of its own, where no other test has regions.
        let child = aioprocessing::AioProcess::spawn(fill_and_drain, (size, TOTAL)).unwrap();
        let (full, drained) = child.join().unwrap();
        assert!(full as usize * 1024 >= TOTAL, "{size}: {full} KiB when full");
        assert!(drained < 4096, "{size}: {drained} KiB are kept");
    }
}

fn keep_up(size: usize, count: usize) -> u64 {
    let queue = AioQueue::unbounded().unwrap();
    let mut most = 0;
    for turn in 0..count {
        queue.put(vec![5_u8; size]).unwrap();
        queue.put(vec![6_u8; size]).unwrap();
        assert_eq!(queue.get().unwrap().len(), size);
        assert_eq!(queue.get().unwrap().len(), size);
        if turn % 1000 == 0 {
            most = most.max(memory());
        }
    }
    most
}

#[test]
fn a_consumer_that_keeps_up_uses_little_memory() {
    let _watchdog = Watchdog::new("keep_up");
    for (size, count) in [(8, 200_000), (1000, 50_000), (30_000, 5000), (100_000, 2000)] {
        let most = aioprocessing::AioProcess::spawn(keep_up, (size, count)).unwrap().join().unwrap();
        assert!(most < 1024, "{size} bytes: {most} KiB");
    }
}
