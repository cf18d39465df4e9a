use super::Case;
use crate::place::Mode;

/// A number there and back; the median of all trips of a run.
pub const CASE: Case = Case {
    name: "round_trip",
    about: "64 bytes to another process and back",
    metric: "latency",
    unit: "us",
    is_more_better: false,
    payloads: &[64],
    modes: &[Mode::Same, Mode::Cross],
    seconds: 0.0,
};
