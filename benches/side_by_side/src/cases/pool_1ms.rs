use super::Case;
use crate::place::Mode;

pub const TASKS: u64 = 200;

/// Of the ideal: two workers that do nothing but these tasks. A task ends when its worker has had 1 ms of the CPU, so that what
/// else runs on the machine costs everybody the same.
pub const CASE: Case = Case {
    name: "pool_1ms",
    about: "200 tasks of 1 ms of CPU each over two workers, as a share of the ideal",
    metric: "efficiency",
    unit: "of ideal",
    is_more_better: true,
    payloads: &[0],
    modes: &[Mode::Free],
    seconds: 0.0,
};
