use super::Case;
use crate::place::Mode;

/// One producer, one consumer. The consumer takes owned values, checks their numbers, and has the clock.
pub const CASE: Case = Case {
    name: "throughput",
    about: "messages from one process to another",
    metric: "throughput",
    unit: "messages/s",
    is_more_better: true,
    payloads: &[8, 64, 1024, 65_536, 1 << 20],
    modes: &[Mode::Cross, Mode::Same],
    seconds: 0.0,
};
