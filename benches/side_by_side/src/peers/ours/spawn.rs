//! Starting processes.

use aioprocessing::AioProcess;
use tokio::runtime::Runtime;

use crate::measure::{Setting, Trips};

fn square(x: u64) -> u64 {
    x * x
}

pub fn spawn(setting: &Setting) -> f64 {
    let mut trips = Trips::of_long(setting.time);
    loop {
        assert_eq!(AioProcess::spawn(square, (12,)).unwrap().join().unwrap(), 144);
        if let Some(median) = trips.end() {
            return median;
        }
    }
}

pub fn coro_spawn(setting: &Setting, runtime: &Runtime) -> f64 {
    let mut trips = Trips::of_long(setting.time);
    runtime.block_on(async {
        loop {
            assert_eq!(AioProcess::spawn(square, (12,)).unwrap().coro_join().await.unwrap(), 144);
            if let Some(median) = trips.end() {
                return median;
            }
        }
    })
}
