use super::Case;
use crate::place::Mode;

/// So many tasks, as PERFORMANCE has it.
pub const TASKS: u64 = 10_000;

/// The map of each system's own choosing, in chunks.
pub const CASE: Case = Case {
    name: "pool_tiny",
    about: "a map of 10,000 tiny tasks over two workers, chunks chosen by the system",
    metric: "throughput",
    unit: "tasks/s",
    is_more_better: true,
    payloads: &[0],
    modes: &[Mode::Free],
    seconds: 0.0,
};
