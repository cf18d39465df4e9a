use super::Case;
use crate::place::Mode;

pub const BATCH: usize = 32;

/// As the case throughput, with `put_many` and `get_many`.
pub const CASE: Case = Case {
    name: "batches",
    about: "messages from one process to another, 32 at a time",
    metric: "throughput",
    unit: "messages/s",
    is_more_better: true,
    payloads: &[64],
    modes: &[Mode::Cross],
    seconds: 0.0,
};
