//! Threads of one process: what a pool of processes can't be faster than.

use std::hint::black_box;
use std::time::Duration;

use ::rayon::prelude::*;

use super::{Measure, Peer, here};
use crate::cases::{pool_1ms, pool_10us, pool_tiny};
use crate::measure::{Setting, rate};
use crate::peers::ours::burn;

pub const RAYON: Peer = Peer {
    name: "rayon (threads)",
    check: here,
    measures: &[
        ("pool_tiny", tiny as Measure),
        ("pool_one_by_one", one_by_one as Measure),
        ("pool_10us", short as Measure),
        ("pool_1ms", milliseconds as Measure),
    ],
    except: &[],
    child: None,
};

fn pool() -> ::rayon::ThreadPool {
    ::rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap()
}

/// Of these it knows how many there are.
fn inputs() -> impl IndexedParallelIterator<Item = u64> {
    (0..pool_tiny::TASKS as usize).into_par_iter().map(|x| x as u64)
}

fn sum_is_right(values: &[u64]) {
    assert_eq!(values.iter().sum::<u64>(), pool_tiny::TASKS * (pool_tiny::TASKS - 1) / 2);
}

fn tiny(setting: &Setting) -> f64 {
    let pool = pool();
    let body = || sum_is_right(&pool.install(|| inputs().map(black_box).collect::<Vec<_>>()));
    rate(setting.time, 1, body) * pool_tiny::TASKS as f64
}

fn one_by_one(setting: &Setting) -> f64 {
    let pool = pool();
    let one = || inputs().with_max_len(1).map(black_box).collect::<Vec<_>>();
    rate(setting.time, 1, || sum_is_right(&pool.install(one))) * pool_tiny::TASKS as f64
}

fn short(setting: &Setting) -> f64 {
    let pool = pool();
    let map = || {
        let inputs = (0..pool_10us::TASKS as usize).into_par_iter();
        let task = |x: usize| {
            burn(Duration::from_micros(10));
            x as u64
        };
        let values: Vec<u64> = pool.install(|| inputs.map(task).collect());
        assert_eq!(values.iter().sum::<u64>(), pool_10us::TASKS * (pool_10us::TASKS - 1) / 2);
    };
    rate(setting.time, 1, map) * pool_10us::TASKS as f64
}

fn milliseconds(_: &Setting) -> f64 {
    let pool = pool();
    let begun = std::time::Instant::now();
    pool.install(|| (0..pool_1ms::TASKS).into_par_iter().for_each(|_| burn(Duration::from_millis(1))));
    pool_1ms::TASKS as f64 / 2.0 * 1e-3 / begun.elapsed().as_secs_f64()
}
