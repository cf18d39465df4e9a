//! What is measured: one file for each case.

mod event;
mod lock_contended;
mod lock_free;
pub mod manager_calls;
mod manager_dict;
pub mod pool_1ms;
mod pool_one_by_one;
pub mod pool_tiny;
mod registry_queue;
mod round_trip;
mod spawn;
mod throughput;

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
}

/// In the order of the table of targets.
pub const ALL: &[&Case] = &[
    &throughput::CASE,
    &round_trip::CASE,
    &lock_free::CASE,
    &lock_contended::CASE,
    &event::CASE,
    &spawn::CASE,
    &pool_tiny::CASE,
    &pool_one_by_one::CASE,
    &pool_1ms::CASE,
    &manager_dict::CASE,
    &manager_calls::CASE,
    &registry_queue::CASE,
];
