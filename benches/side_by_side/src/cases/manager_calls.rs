use super::Case;
use crate::place::Mode;

/// So many calls are under way at once.
pub const AT_ONCE: usize = 64;

/// The same calls, many under way at once over one connection, and many in one message.
pub const CASE: Case = Case {
    name: "manager_calls",
    about: "the same calls, many at once over one connection",
    metric: "throughput",
    unit: "calls/s",
    is_more_better: true,
    payloads: &[64],
    modes: &[Mode::Same, Mode::Cross],
    seconds: 0.0,
};
