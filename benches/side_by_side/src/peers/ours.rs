//! This crate: its blocking face, and the other on a runtime of one thread and of two.

use std::time::{Duration, Instant};

use aioprocessing::{AioEvent, AioLock, AioPool, AioProcess, AioQueue, AioValue};
use tokio::runtime::Runtime;

use super::{Measure, Peer, here, manager};
use crate::cases::{pool_1ms, pool_tiny};
use crate::measure::{Meter, Setting, Trips, message, number, on_one_thread, on_threads, rate};
use crate::place::Mode;

pub const BLOCKING: Peer = Peer {
    name: "aioprocessing",
    check: here,
    measures: &[
        ("throughput", throughput as Measure),
        ("round_trip", round_trip as Measure),
        ("lock_free", lock_free as Measure),
        ("lock_contended", lock_contended as Measure),
        ("event", event as Measure),
        ("spawn", spawn as Measure),
        ("pool_tiny", |setting| map(setting, None)),
        ("pool_one_by_one", |setting| map(setting, Some(1))),
        ("pool_1ms", milliseconds as Measure),
        ("manager_dict", manager::trips),
        ("manager_calls", manager::one_by_one),
        ("registry_queue", manager::by_name),
    ],
    except: &[],
    child: None,
};

pub const ASYNC: Peer = Peer {
    name: "aioprocessing async",
    check: here,
    measures: &[
        ("throughput", |setting| coro_throughput(setting, &on_one_thread())),
        ("round_trip", |setting| coro_round_trip(setting, &on_one_thread())),
        ("lock_free", |setting| coro_lock_free(setting, &on_one_thread())),
        ("event", |setting| coro_event(setting, &on_one_thread())),
        ("spawn", |setting| coro_spawn(setting, &on_one_thread())),
        ("pool_tiny", |setting| coro_map(setting, None, &on_one_thread())),
        ("pool_one_by_one", |setting| coro_map(setting, Some(1), &on_one_thread())),
        ("pool_1ms", |_| coro_milliseconds(&on_one_thread())),
        ("manager_dict", manager::coro_trips),
        ("manager_calls", manager::coro_many),
    ],
    except: &[],
    child: None,
};

pub const ASYNC_THREADS: Peer = Peer {
    name: "aioprocessing async, two threads",
    check: here,
    measures: &[
        ("throughput", |setting| coro_throughput(setting, &on_threads())),
        ("round_trip", |setting| coro_round_trip(setting, &on_threads())),
        ("pool_tiny", |setting| coro_map(setting, None, &on_threads())),
        ("pool_one_by_one", |setting| coro_map(setting, Some(1), &on_threads())),
        ("pool_1ms", |_| coro_milliseconds(&on_threads())),
    ],
    except: &[],
    child: None,
};

/// As much as in flight as the other systems have: some MiB at the most.
const BOUND: usize = 1024;

pub fn queue(length: usize) -> AioQueue<Vec<u8>> {
    AioQueue::bounded((64 << 20) / length.max(1 << 16)).unwrap()
}

pub fn produce(mode: String, length: usize, queue: AioQueue<Vec<u8>>) {
    Mode::of(&mode).take_place(false);
    for sequence in 0.. {
        if queue.put(message(sequence, length)).is_err() {
            return;
        }
    }
}

fn coro_produce(mode: String, length: usize, queue: AioQueue<Vec<u8>>) {
    Mode::of(&mode).take_place(false);
    on_one_thread().block_on(async {
        for sequence in 0.. {
            if queue.coro_put(message(sequence, length)).await.is_err() {
                return;
            }
        }
    });
}

/// A child that ends with the process that measures.
pub fn beside<A>(f: impl aioprocessing::ProcessFn<A, Output = ()>, args: A) -> AioProcess<()>
where
    A: serde::Serialize + serde::de::DeserializeOwned + 'static,
{
    AioProcess::builder().daemon(true).kill_on_drop(true).spawn(f, args).unwrap()
}

fn throughput(setting: &Setting) -> f64 {
    let (length, queue) = (setting.payload, queue(setting.payload));
    let _producer = beside(produce, (setting.mode.name().to_owned(), length, queue.clone()));
    let mut meter = Meter::new(setting.time, length);
    loop {
        if let Some(rate) = meter.take(number(&queue.get().unwrap(), length)) {
            return rate;
        }
    }
}

fn coro_throughput(setting: &Setting, runtime: &Runtime) -> f64 {
    let (length, queue) = (setting.payload, queue(setting.payload));
    let _producer = beside(coro_produce, (setting.mode.name().to_owned(), length, queue.clone()));
    let mut meter = Meter::new(setting.time, length);
    runtime.block_on(async {
        loop {
            if let Some(rate) = meter.take(number(&queue.coro_get().await.unwrap(), length)) {
                return rate;
            }
        }
    })
}

type Ball = Vec<u8>;

fn echo(mode: String, there: AioQueue<Ball>, back: AioQueue<Ball>) {
    Mode::of(&mode).take_place(false);
    while let Ok(ball) = there.get() {
        back.put(ball).unwrap();
    }
}

fn coro_echo(mode: String, there: AioQueue<Ball>, back: AioQueue<Ball>) {
    Mode::of(&mode).take_place(false);
    on_one_thread().block_on(async {
        while let Ok(ball) = there.coro_get().await {
            back.coro_put(ball).await.unwrap();
        }
    });
}

fn round_trip(setting: &Setting) -> f64 {
    let (there, back) = (AioQueue::bounded(BOUND).unwrap(), AioQueue::<Ball>::bounded(BOUND).unwrap());
    let _other = beside(echo, (setting.mode.name().to_owned(), there.clone(), back.clone()));
    let mut trips = Trips::new(setting.time);
    for sequence in 0.. {
        there.put(message(sequence, setting.payload)).unwrap();
        assert_eq!(number(&back.get().unwrap(), setting.payload), sequence);
        if let Some(median) = trips.end() {
            return median;
        }
    }
    unreachable!()
}

fn coro_round_trip(setting: &Setting, runtime: &Runtime) -> f64 {
    let (there, back) = (AioQueue::bounded(BOUND).unwrap(), AioQueue::<Ball>::bounded(BOUND).unwrap());
    let _other = beside(coro_echo, (setting.mode.name().to_owned(), there.clone(), back.clone()));
    let mut trips = Trips::new(setting.time);
    runtime.block_on(async {
        for sequence in 0.. {
            there.coro_put(message(sequence, setting.payload)).await.unwrap();
            assert_eq!(number(&back.coro_get().await.unwrap(), setting.payload), sequence);
            if let Some(median) = trips.end() {
                return median;
            }
        }
        unreachable!()
    })
}

fn lock_free(setting: &Setting) -> f64 {
    let lock = AioLock::new().unwrap();
    rate(setting.time, 10_000, || drop(lock.acquire().unwrap()))
}

fn coro_lock_free(setting: &Setting, runtime: &Runtime) -> f64 {
    let lock = AioLock::new().unwrap();
    runtime.block_on(async {
        let begun = Instant::now();
        let mut count = 0;
        while begun.elapsed() < setting.time {
            for _ in 0..10_000 {
                drop(lock.coro_acquire().await.unwrap());
            }
            count += 10_000;
        }
        f64::from(count) / begun.elapsed().as_secs_f64()
    })
}

fn contend(mode: String, lock: AioLock, ready: AioEvent, over: AioEvent, turns: AioValue<u64>) {
    Mode::of(&mode).take_place(false);
    ready.set();
    let mut count = 0;
    while !over.is_set() {
        for _ in 0..100 {
            drop(lock.acquire().unwrap());
        }
        count += 100;
    }
    turns.set(count);
}

fn lock_contended(setting: &Setting) -> f64 {
    let lock = AioLock::new().unwrap();
    let (ready, over) = (AioEvent::new().unwrap(), AioEvent::new().unwrap());
    let theirs = AioValue::new(0_u64).unwrap();
    let args = (setting.mode.name().to_owned(), lock.clone(), ready.clone(), over.clone(), theirs.clone());
    let other = beside(contend, args);
    ready.wait().unwrap();
    let begun = Instant::now();
    let mut ours = 0;
    while begun.elapsed() < setting.time {
        for _ in 0..100 {
            drop(lock.acquire().unwrap());
        }
        ours += 100;
    }
    let took = begun.elapsed();
    over.set();
    other.join().unwrap();
    (ours + theirs.get()) as f64 / took.as_secs_f64()
}

fn answer(mode: String, there: AioEvent, back: AioEvent) {
    Mode::of(&mode).take_place(false);
    loop {
        there.wait().unwrap();
        there.clear();
        back.set();
    }
}

fn coro_answer(mode: String, there: AioEvent, back: AioEvent) {
    Mode::of(&mode).take_place(false);
    on_one_thread().block_on(async {
        loop {
            there.coro_wait().await.unwrap();
            there.clear();
            back.set();
        }
    });
}

fn event(setting: &Setting) -> f64 {
    let (there, back) = (AioEvent::new().unwrap(), AioEvent::new().unwrap());
    let _other = beside(answer, (setting.mode.name().to_owned(), there.clone(), back.clone()));
    let mut trips = Trips::new(setting.time);
    loop {
        there.set();
        back.wait().unwrap();
        back.clear();
        if let Some(median) = trips.end() {
            return median / 2.0;
        }
    }
}

fn coro_event(setting: &Setting, runtime: &Runtime) -> f64 {
    let (there, back) = (AioEvent::new().unwrap(), AioEvent::new().unwrap());
    let _other = beside(coro_answer, (setting.mode.name().to_owned(), there.clone(), back.clone()));
    let mut trips = Trips::new(setting.time);
    runtime.block_on(async {
        loop {
            there.set();
            back.coro_wait().await.unwrap();
            back.clear();
            if let Some(median) = trips.end() {
                return median / 2.0;
            }
        }
    })
}

fn square(x: u64) -> u64 {
    x * x
}

fn spawn(setting: &Setting) -> f64 {
    let mut trips = Trips::new(setting.time);
    loop {
        assert_eq!(AioProcess::spawn(square, (12,)).unwrap().join().unwrap(), 144);
        if let Some(median) = trips.end() {
            return median;
        }
    }
}

fn coro_spawn(setting: &Setting, runtime: &Runtime) -> f64 {
    let mut trips = Trips::new(setting.time);
    runtime.block_on(async {
        loop {
            assert_eq!(AioProcess::spawn(square, (12,)).unwrap().coro_join().await.unwrap(), 144);
            if let Some(median) = trips.end() {
                return median;
            }
        }
    })
}

fn identity(x: u64) -> u64 {
    x
}

/// A task that has had a millisecond of the CPU.
pub fn a_millisecond() {
    let cpu = || {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the time is valid for writes.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut now) };
        Duration::new(now.tv_sec.cast_unsigned(), now.tv_nsec as u32)
    };
    let begun = cpu();
    while cpu() - begun < Duration::from_millis(1) {
        std::hint::spin_loop();
    }
}

/// Its two workers run.
fn pool(chunk: Option<usize>) -> AioPool {
    let pool = AioPool::new(2).unwrap();
    assert_eq!(pool.starmap(a_millisecond, vec![(); 20]).unwrap().len(), 20);
    chunk.map_or(pool.clone(), |chunk| pool.with_chunk_size(chunk))
}

fn check(values: &[u64]) {
    assert_eq!(values.iter().sum::<u64>(), pool_tiny::TASKS * (pool_tiny::TASKS - 1) / 2);
}

fn map(setting: &Setting, chunk: Option<usize>) -> f64 {
    let pool = pool(chunk);
    rate(setting.time, 1, || check(&pool.map(identity, 0..pool_tiny::TASKS).unwrap()))
        * pool_tiny::TASKS as f64
}

fn coro_map(setting: &Setting, chunk: Option<usize>, runtime: &Runtime) -> f64 {
    let pool = pool(chunk);
    let map = || check(&runtime.block_on(pool.coro_map(identity, 0..pool_tiny::TASKS)).unwrap());
    rate(setting.time, 1, map) * pool_tiny::TASKS as f64
}

fn milliseconds(_: &Setting) -> f64 {
    let pool = pool(None);
    let begun = Instant::now();
    pool.starmap(a_millisecond, vec![(); pool_1ms::TASKS as usize]).unwrap();
    pool_1ms::TASKS as f64 / 2.0 * 1e-3 / begun.elapsed().as_secs_f64()
}

fn coro_milliseconds(runtime: &Runtime) -> f64 {
    let pool = pool(None);
    let begun = Instant::now();
    runtime.block_on(pool.coro_starmap(a_millisecond, vec![(); pool_1ms::TASKS as usize])).unwrap();
    pool_1ms::TASKS as f64 / 2.0 * 1e-3 / begun.elapsed().as_secs_f64()
}
