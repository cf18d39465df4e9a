use super::Case;
use crate::place::Mode;

/// Voluntary switches of all its threads; and the process must have as many threads as before it waited.
pub const CASE: Case = Case {
    name: "idle_waiter",
    about: "how often a process wakes up that waits for an event which is never set",
    metric: "wake-ups",
    unit: "wake-ups/s",
    is_more_better: false,
    payloads: &[0],
    modes: &[Mode::Free],
    seconds: 2.0,
};
