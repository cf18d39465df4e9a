use super::Case;
use crate::place::Mode;

/// Half a round trip over two events.
pub const CASE: Case = Case {
    name: "event",
    about: "from setting an event to a waiter's going on",
    metric: "latency",
    unit: "us",
    is_more_better: false,
    payloads: &[0],
    modes: &[Mode::Same],
    seconds: 0.0,
};
