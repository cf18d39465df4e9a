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

/// How much memory the regions of this process take up, in KiB: by the blocks of their files, mapped here or not. What `smaps`
/// says is mapped of them is a part of that.
fn memory() -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let regions = kit::descriptors().into_iter().filter_map(|number| {
        let path = format!("/proc/self/fd/{number}");
        let name = std::fs::read_link(&path).ok()?;
        name.to_str()?.starts_with("/memfd:aioprocessing").then(|| std::fs::metadata(&path).unwrap())
    });
    let blocks = regions
        .map(|meta| (meta.ino(), meta.blocks() / 2))
        .collect::<std::collections::BTreeMap<_, _>>()
        .values()
        .sum();
    assert!(mapped() <= blocks, "more is mapped than there is");
    blocks
}

/// The `Rss` of the regions in `smaps`, in KiB.
fn mapped() -> u64 {
    let (mut is_region, mut sum) = (false, 0);
    for line in std::fs::read_to_string("/proc/self/smaps").unwrap().lines() {
        match line.split_once(':') {
            Some(("Rss", kib)) if is_region => {
                sum += kib.trim().trim_end_matches(" kB").parse::<u64>().unwrap();
            }
            Some((name, _)) if !name.contains(' ') => {}
            // The head of a stretch: addresses, rights, and whose it is.
            _ => is_region = line.contains("/memfd:aioprocessing"),
        }
    }
    sum
}

fn fill_and_drain(size: usize, total: usize) -> (u64, u64) {
    let queue = AioQueue::unbounded().unwrap();
    for _ in 0..total / size {
        queue.put(vec![5_u8; size]).unwrap();
    }
    let full = memory();
    assert!(mapped() as usize * 1024 >= total, "what was written is mapped");
    for _ in 0..total / size {
        assert_eq!(queue.get().unwrap().len(), size);
    }
    assert!(queue.is_empty());
    (full, memory())
}

fn gives_back(total: usize) {
    let _watchdog = Watchdog::new("fill_and_drain");
    for size in [1000, 20_000, 65_536, 1 << 20] {
        // In a process of its own, where no other test has regions.
        let child = daemon().spawn(fill_and_drain, (size, total)).unwrap();
        let (full, drained) = child.join().unwrap();
        println!("{size} bytes: {full} KiB when full, {drained} KiB drained");
        assert!(full as usize * 1024 >= total, "{size}: {full} KiB when full");
        assert!(drained < 4096, "{size}: {drained} KiB are kept");
    }
}

fn daemon() -> aioprocessing::ProcessBuilder {
    aioprocessing::AioProcess::builder().daemon(true)
}

#[test]
fn what_was_filled_and_drained_gives_its_memory_back() {
    gives_back(128 << 20);
}

#[test]
#[ignore = "2 GiB of memory"]
fn a_backlog_of_a_gibibyte_gives_its_memory_back() {
    gives_back((1 << 30) - (1 << 20));
}

#[test]
#[ignore = "3 GiB of memory"]
fn case_41_an_item_of_a_gibibyte() {
    let _watchdog = Watchdog::new("case_41_gibibyte");
    let queue = AioQueue::unbounded().unwrap();
    let putter = daemon().spawn(put_pattern, (queue.clone(), 1 << 30)).unwrap();
    let item = queue.get().unwrap();
    putter.join().unwrap();
    assert_eq!(item.len(), 1 << 30);
    assert!(item.iter().enumerate().all(|(at, &byte)| byte == (at ^ (at >> 8) ^ (at >> 16)) as u8));
}

/// Puts all before any is got; tells how much memory there was then and afterwards.
fn pile_up(count: u64) -> (u64, u64) {
    let queue = AioQueue::unbounded().unwrap();
    for item in 0..count {
        queue.put(item).unwrap();
    }
    assert_eq!(queue.len() as u64, count);
    let full = memory();
    for item in 0..count {
        assert_eq!(queue.get().unwrap(), item);
    }
    (full, memory())
}

fn small_items(count: u64) {
    let _watchdog = Watchdog::new("small_items");
    let (full, drained) = daemon().spawn(pile_up, (count,)).unwrap().join().unwrap();
    println!("{count} items: {full} KiB when full, {drained} KiB drained");
    assert!(full * 1024 < count * 72, "{full} KiB for {count} items");
    assert!(drained < 4096, "{drained} KiB are kept");
}

#[test]
fn case_38_hundreds_of_thousands_of_small_items() {
    small_items(300_000);
}

#[test]
#[ignore = "640 MB of memory"]
fn case_38_ten_million_small_items() {
    small_items(10_000_000);
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

fn keep_up_in_batches(size: usize, count: usize) -> u64 {
    let queue = AioQueue::unbounded().unwrap();
    let mut most = 0;
    for turn in 0..count {
        assert_eq!(queue.put_many((0..20).map(|_| vec![5_u8; size])).unwrap(), 20);
        assert_eq!(queue.get_many(20).unwrap(), vec![vec![5_u8; size]; 20]);
        if turn % 100 == 0 {
            most = most.max(memory());
        }
    }
    most
}

/// A batch may leave several blocks at once.
#[test]
fn batches_that_keep_up_use_little_memory() {
    let _watchdog = Watchdog::new("keep_up_in_batches");
    for (size, count) in [(8, 20_000), (1000, 3000), (30_000, 500), (100_000, 100)] {
        let child = aioprocessing::AioProcess::spawn(keep_up_in_batches, (size, count)).unwrap();
        let most = child.join().unwrap();
        assert!(most < 6144, "{size} bytes: {most} KiB");
    }
}

/// Puts for so long, and never gets far ahead.
fn put_for(queue: AioQueue<Vec<u8>>, size: usize, time: std::time::Duration) -> u64 {
    let begun = std::time::Instant::now();
    let mut count = 0;
    while begun.elapsed() < time {
        queue.put(vec![7; size]).unwrap();
        count += 1;
        while queue.len() > 8 {
            std::thread::yield_now();
        }
    }
    queue.close();
    count
}

fn keeps_up_for(time: std::time::Duration) {
    /// Gets all, and says how many they were and the most memory that they took.
    fn get_all(queue: AioQueue<Vec<u8>>) -> (u64, u64) {
        let (mut count, mut most) = (0, 0);
        while queue.get().is_ok() {
            count += 1;
            if count % 1000 == 1 {
                most = most.max(memory());
            }
        }
        (count, most)
    }
    for size in [8, 1000, 20_000] {
        let _watchdog = Watchdog::new("keeps_up_for");
        let queue = AioQueue::unbounded().unwrap();
        let getter = daemon().spawn(get_all, (queue.clone(),)).unwrap();
        let put = daemon().spawn(put_for, (queue.clone(), size, time)).unwrap().join().unwrap();
        let (count, most) = getter.join().unwrap();
        println!("{size} bytes, {time:?}: {count} items, {most} KiB at most");
        assert_eq!(count, put);
        assert!(most < 1024, "{size} bytes: {most} KiB");
    }
}

#[test]
fn a_consumer_that_keeps_up_for_a_while_uses_little_memory() {
    keeps_up_for(std::time::Duration::from_millis(200));
}

#[test]
#[ignore = "a minute for each size"]
fn a_consumer_that_keeps_up_for_a_minute_uses_little_memory() {
    keeps_up_for(std::time::Duration::from_secs(60));
}
