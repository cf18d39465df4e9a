use super::Case;
use crate::place::Mode;

/// As the case round_trip, over what has an end of file.
pub const CASE: Case = Case {
    name: "pipe_round_trip",
    about: "64 bytes over a pair of sockets and back",
    metric: "latency",
    unit: "us",
    is_more_better: false,
    payloads: &[64],
    modes: &[Mode::Same, Mode::Cross],
    seconds: 0.0,
};
