use super::Case;
use crate::place::Mode;

pub const KILLS: usize = 100;

/// As the median, with more of them.
pub const CASE: Case = Case {
    name: "holder_killed_p99",
    about: "from killing the holder of a lock to the next owner, the second slowest of 100 kills",
    metric: "latency",
    unit: "ms",
    is_more_better: false,
    payloads: &[0],
    modes: &[Mode::Free],
    seconds: 0.0,
};
