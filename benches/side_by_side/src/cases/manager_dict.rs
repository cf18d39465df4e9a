use super::Case;
use crate::place::Mode;

/// Gets and sets in turn, each awaited before the next; beside them a message there and back over the same kind of socket.
pub const CASE: Case = Case {
    name: "manager_dict",
    about: "a value of 64 bytes, set and got in a manager's dictionary, call by call",
    metric: "latency",
    unit: "us",
    is_more_better: false,
    payloads: &[64],
    modes: &[Mode::Same, Mode::Cross],
    seconds: 0.0,
};
