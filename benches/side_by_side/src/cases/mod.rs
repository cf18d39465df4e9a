//! What is measured: one file for each case.

pub mod batches;
mod event;
pub mod holder_killed;
mod idle_waiter;
mod lock_contended;
mod lock_free;
pub mod manager_calls;
mod manager_dict;
mod pipe_round_trip;
pub mod pool_10us;
pub mod pool_1ms;
mod pool_one_by_one;
pub mod pool_tiny;
mod registry_queue;
mod round_trip;
mod spawn;
mod throughput;
mod two_to_two;

use std::time::Duration;

use crate::place::Mode;

/// Something to measure, in several cells.
pub struct Case {
    pub name: &'static str,
    pub about: &'static str,
    /// What the figures are called, and in what they are given.
    pub metric: &'static str,
    pub unit: &'static str,
    pub is_more_better: bool,
    /// In bytes; zero where there is none.
    pub payloads: &'static [usize],
    pub modes: &'static [Mode],
    /// To be measured for at least so long.
    pub seconds: f64,
}

impl Case {
    pub fn time(&self, usual: Duration) -> Duration {
        usual.max(Duration::from_secs_f64(self.seconds))
    }
}

pub fn find(name: &str) -> Option<&'static Case> {
    ALL.iter().find(|case| case.name == name).copied()
}

/// In the order of the table of targets.
pub const ALL: &[&Case] = &[
    &throughput::CASE,
    &batches::CASE,
    &two_to_two::CASE,
    &round_trip::CASE,
    &pipe_round_trip::CASE,
    &lock_free::CASE,
    &lock_contended::CASE,
    &event::CASE,
    &spawn::CASE,
    &pool_tiny::CASE,
    &pool_one_by_one::CASE,
    &pool_10us::CASE,
    &pool_1ms::CASE,
    &holder_killed::P50,
    &holder_killed::P99,
    &idle_waiter::CASE,
    &manager_dict::CASE,
    &manager_calls::CASE,
    &registry_queue::CASE,
];
