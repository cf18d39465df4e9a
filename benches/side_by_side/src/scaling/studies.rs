//! What is measured, for a number of those who take part: microseconds for each operation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aioprocessing::{AioEvent, AioLock, AioProcess, AioQueue, ProcessFn};

use crate::counted::{self, Counted};
use crate::measure::{message, number, on_one_thread};
use crate::peers::shared::Shared;

const TIME: Duration = Duration::from_millis(250);
const LENGTH: usize = 64;

/// Children that have a piece of shared memory as their standard input, and end with this process.
fn several<F, A, T>(count: usize, f: F, args: &A, shared: &Shared) -> Vec<AioProcess<T>>
where
    F: ProcessFn<A, Output = T> + Copy,
    A: serde::Serialize + serde::de::DeserializeOwned + Clone + 'static,
    T: serde::Serialize + serde::de::DeserializeOwned + 'static,
{
    let start = |_| {
        let builder = AioProcess::builder().daemon(true).kill_on_drop(true);
        let builder = builder.stdin(shared.fd().try_clone_to_owned().unwrap());
        builder.spawn(f, args.clone()).unwrap()
    };
    (0..count).map(start).collect()
}

fn nap() {
    std::thread::sleep(Duration::from_micros(200));
}

fn put_for_ever(queue: AioQueue<Vec<u8>>) {
    let me = u64::from(std::process::id() & MASK) << 32;
    for sequence in 0.. {
        queue.put(message(me | sequence, LENGTH)).unwrap();
    }
}

/// Of a process's number, so much tells one producer from the others.
const MASK: u32 = 0xF_FFFF;

/// All producers are counted in: it begins once as many messages came as there is room for.
pub fn producers(count: usize, _: usize) -> f64 {
    let (queue, shared) = (AioQueue::bounded(1024).unwrap(), Shared::create(counted::LENGTH));
    let _producers = several(count, put_for_ever, &(queue.clone(),), &shared);
    let mut next = vec![0_u64; MASK as usize + 1];
    let mut take = |turns: u64| {
        for _ in 0..turns {
            let number = number(&queue.get().unwrap(), LENGTH);
            let next = &mut next[(number >> 32) as usize];
            assert_eq!(number & u64::from(u32::MAX), *next, "a message is missing, or came twice");
            *next += 1;
        }
    };
    take(2048 + 100 * count as u64);
    let (begun, mut taken) = (Instant::now(), 0);
    while begun.elapsed() < TIME {
        take(64);
        taken += 64;
    }
    begun.elapsed().as_secs_f64() * 1e6 / taken as f64
}

fn get_all(queue: AioQueue<Vec<u8>>, there: AioQueue<()>) -> (u64, u64) {
    there.put(()).unwrap();
    let (mut count, mut sum) = (0, 0);
    while let Ok(message) = queue.get() {
        count += 1;
        sum += number(&message, LENGTH);
    }
    (count, sum)
}

pub fn consumers(count: usize, _: usize) -> f64 {
    let (queue, there) = (AioQueue::bounded(1024).unwrap(), AioQueue::<()>::unbounded().unwrap());
    let shared = Shared::create(counted::LENGTH);
    let consumers = several(count, get_all, &(queue.clone(), there.clone()), &shared);
    (0..count).for_each(|_| there.get().unwrap());
    let (begun, mut put) = (Instant::now(), 0);
    while begun.elapsed() < TIME {
        for _ in 0..64 {
            queue.put(message(put, LENGTH)).unwrap();
            put += 1;
        }
    }
    // All but what there was room for was taken by then.
    let took = begun.elapsed();
    queue.close();
    let taken: Vec<(u64, u64)> = consumers.iter().map(|child| child.join().unwrap()).collect();
    assert_eq!(taken.iter().map(|taken| taken.0).sum::<u64>(), put, "messages are missing, or came twice");
    assert_eq!(taken.iter().map(|taken| taken.1).sum::<u64>(), put * (put - 1) / 2);
    took.as_secs_f64() * 1e6 / put as f64
}

/// Zeroed memory is one in which nothing has happened.
#[repr(C, align(128))]
struct Word(AtomicU64);

#[repr(C)]
struct Words {
    there: Word,
    is_over: Word,
    awake: Word,
}

/// Behind what is counted.
const WORDS: usize = counted::LENGTH;
const ROOM: usize = counted::LENGTH + 4096;

fn contend(lock: AioLock) -> u64 {
    let shared = Shared::of_parent(ROOM);
    let (words, counted) = (shared.object::<Words>(WORDS), Counted::on(&shared));
    words.there.0.fetch_add(1, Ordering::Relaxed);
    let mut turns = 0;
    while !turns_are_over(words, turns) {
        let _guard = lock.acquire().unwrap();
        counted.step();
        turns += 1;
    }
    turns
}

fn turns_are_over(words: &Words, turns: u64) -> bool {
    turns.is_multiple_of(16) && words.is_over.0.load(Ordering::Relaxed) != 0
}

pub fn contenders(count: usize, _: usize) -> f64 {
    let (lock, shared) = (AioLock::new().unwrap(), Shared::create(ROOM));
    let (words, counted) = (shared.object::<Words>(WORDS), Counted::on(&shared));
    let children = several(count, contend, &(lock,), &shared);
    while words.there.0.load(Ordering::Relaxed) < count as u64 {
        nap();
    }
    let (begun, before) = (Instant::now(), counted.count());
    std::thread::sleep(TIME);
    let (took, turns) = (begun.elapsed(), counted.count() - before);
    words.is_over.0.store(1, Ordering::Relaxed);
    let all: u64 = children.iter().map(|child| child.join().unwrap()).sum();
    assert_eq!(all, counted.count(), "two were under the lock at once");
    took.as_secs_f64() * 1e6 / turns as f64
}

fn square(x: u64) -> u64 {
    x * x
}

pub fn children(count: usize, _: usize) -> f64 {
    let round = || {
        let children: Vec<_> = (0..count as u64).map(|x| AioProcess::spawn(square, (x,)).unwrap()).collect();
        children.iter().zip(0..).for_each(|(child, x)| assert_eq!(child.join().unwrap(), x * x));
    };
    round();
    let (begun, mut rounds) = (Instant::now(), 0);
    while begun.elapsed() < TIME {
        round();
        rounds += 1;
    }
    begun.elapsed().as_secs_f64() * 1e6 / f64::from(rounds) / count as f64
}

pub fn objects(count: usize, _: usize) -> f64 {
    let locks: Vec<AioLock> = (0..count).map(|_| AioLock::new().unwrap()).collect();
    let round = || locks.iter().for_each(|lock| drop(lock.acquire().unwrap()));
    let rounds = 100_000_usize.div_ceil(count);
    (0..rounds / 10 + 1).for_each(|_| round());
    let begun = Instant::now();
    (0..rounds).for_each(|_| round());
    begun.elapsed().as_secs_f64() * 1e6 / (rounds * count) as f64
}

/// Tasks that wait for one event after the other, of two.
fn wait_in_tasks(tasks: usize, all: usize, events: [AioEvent; 2], last: AioEvent) {
    let shared = Shared::of_parent(ROOM);
    let words = shared.object::<Words>(WORDS);
    let runtime = on_one_thread();
    for _ in 0..tasks {
        let (events, last) = (events.clone(), last.clone());
        runtime.spawn(async move {
            for round in 0.. {
                words.there.0.fetch_add(1, Ordering::AcqRel);
                events[round % 2].coro_wait().await.unwrap();
                let awake = words.awake.0.fetch_add(1, Ordering::AcqRel) + 1;
                if awake == ((round + 1) * all) as u64 {
                    last.set();
                }
            }
        });
    }
    runtime.block_on(std::future::pending::<()>());
}

pub fn wake_all(tasks: usize, processes: usize) -> f64 {
    let shared = Shared::create(ROOM);
    let words = shared.object::<Words>(WORDS);
    let event = || AioEvent::new().unwrap();
    let (events, last) = ([event(), event()], event());
    // The first ones have one more where it does not divide evenly.
    let mut children = Vec::new();
    for process in 0..processes {
        let here = tasks / processes + usize::from(process < tasks % processes);
        let args = (here, tasks, events.clone(), last.clone());
        children.extend(several(1, wait_in_tasks, &args, &shared));
    }
    let mut figures = Vec::new();
    for round in 0..12 {
        while words.there.0.load(Ordering::Acquire) < ((round + 1) * tasks) as u64 {
            nap();
        }
        // From having come there to being asleep.
        std::thread::sleep(Duration::from_millis(20));
        events[(round + 1) % 2].clear();
        let begun = Instant::now();
        events[round % 2].set();
        last.wait().unwrap();
        if round > 1 {
            figures.push(begun.elapsed().as_secs_f64() * 1e6 / tasks as f64);
        }
        last.clear();
        assert_eq!(words.awake.0.load(Ordering::Acquire), ((round + 1) * tasks) as u64, "not all were awake");
    }
    crate::measure::median(&mut figures)
}
