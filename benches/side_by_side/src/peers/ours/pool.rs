//! Pools.

use std::time::{Duration, Instant};

use aioprocessing::AioPool;
use tokio::runtime::Runtime;

use crate::cases::{pool_1ms, pool_10us, pool_tiny};
use crate::measure::{Setting, rate};

fn identity(x: u64) -> u64 {
    x
}

/// A task that has had so much of the CPU.
pub fn burn(time: Duration) {
    let cpu = || {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the time is valid for writes.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut now) };
        Duration::new(now.tv_sec.cast_unsigned(), now.tv_nsec as u32)
    };
    let begun = cpu();
    while cpu() - begun < time {
        std::hint::spin_loop();
    }
}

fn a_millisecond() {
    burn(Duration::from_millis(1));
}

fn ten_microseconds(x: u64) -> u64 {
    burn(Duration::from_micros(10));
    x
}

/// Its two workers run.
fn pool(chunk: Option<usize>) -> AioPool {
    let pool = AioPool::new(2).unwrap();
    assert_eq!(pool.starmap(a_millisecond, vec![(); 20]).unwrap().len(), 20);
    chunk.map_or(pool.clone(), |chunk| pool.with_chunk_size(chunk))
}

/// That of the first numbers.
fn check(values: &[u64], count: u64) {
    assert_eq!(values.len() as u64, count);
    assert_eq!(values.iter().sum::<u64>(), count * (count - 1) / 2);
}

pub fn map(setting: &Setting, chunk: Option<usize>) -> f64 {
    let (pool, count) = (pool(chunk), pool_tiny::TASKS);
    rate(setting.time, 1, || check(&pool.map(identity, 0..count).unwrap(), count)) * count as f64
}

pub fn coro_map(setting: &Setting, chunk: Option<usize>, runtime: &Runtime) -> f64 {
    let (pool, count) = (pool(chunk), pool_tiny::TASKS);
    let map = || check(&runtime.block_on(pool.coro_map(identity, 0..count)).unwrap(), count);
    rate(setting.time, 1, map) * count as f64
}

pub fn short(setting: &Setting) -> f64 {
    let (pool, count) = (pool(None), pool_10us::TASKS);
    rate(setting.time, 1, || check(&pool.map(ten_microseconds, 0..count).unwrap(), count)) * count as f64
}

pub fn coro_short(setting: &Setting, runtime: &Runtime) -> f64 {
    let (pool, count) = (pool(None), pool_10us::TASKS);
    let map = || check(&runtime.block_on(pool.coro_map(ten_microseconds, 0..count)).unwrap(), count);
    rate(setting.time, 1, map) * count as f64
}

/// As a share of the ideal.
fn efficiency(begun: Instant) -> f64 {
    pool_1ms::TASKS as f64 / 2.0 * 1e-3 / begun.elapsed().as_secs_f64()
}

pub fn milliseconds(_: &Setting) -> f64 {
    let pool = pool(None);
    let begun = Instant::now();
    let done = pool.starmap(a_millisecond, vec![(); pool_1ms::TASKS as usize]).unwrap();
    assert_eq!(done.len() as u64, pool_1ms::TASKS);
    efficiency(begun)
}

pub fn coro_milliseconds(runtime: &Runtime) -> f64 {
    let pool = pool(None);
    let begun = Instant::now();
    let inputs = vec![(); pool_1ms::TASKS as usize];
    let done = runtime.block_on(pool.coro_starmap(a_millisecond, inputs)).unwrap();
    assert_eq!(done.len() as u64, pool_1ms::TASKS);
    efficiency(begun)
}
