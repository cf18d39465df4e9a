use super::Case;
use crate::place::Mode;

/// Both count a number up in two steps under the lock, which must come to the sum of their turns.
pub const CASE: Case = Case {
    name: "lock_contended",
    about: "two processes that do nothing but acquire and release one lock",
    metric: "pairs",
    unit: "pairs/s",
    is_more_better: true,
    payloads: &[0],
    modes: &[Mode::Cross],
    seconds: 0.0,
};
