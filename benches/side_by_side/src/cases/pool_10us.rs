use super::Case;
use crate::place::Mode;

pub const TASKS: u64 = 2_000;

/// Where a chunk must not be too long, and a message not too dear.
pub const CASE: Case = Case {
    name: "pool_10us",
    about: "a map of 2,000 tasks of 10 us of CPU each over two workers",
    metric: "throughput",
    unit: "tasks/s",
    is_more_better: true,
    payloads: &[0],
    modes: &[Mode::Free],
    seconds: 0.0,
};
