use super::Case;
use crate::place::Mode;

pub const CASE: Case = Case {
    name: "lock_free",
    about: "acquiring and releasing a lock that nobody else wants",
    metric: "pairs",
    unit: "pairs/s",
    is_more_better: true,
    payloads: &[0],
    modes: &[Mode::Same],
    seconds: 0.0,
};
