use super::Case;
use crate::place::Mode;

pub const KILLS: usize = 60;

/// The next owner is asleep when the holder is killed.
pub const CASE: Case = Case {
    name: "holder_killed_p50",
    about: "from killing the holder of a lock to the next owner, the median of 60 kills",
    metric: "latency",
    unit: "ms",
    is_more_better: false,
    payloads: &[0],
    modes: &[Mode::Free],
    seconds: 0.0,
};
