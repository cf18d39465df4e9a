use super::Case;
use crate::place::Mode;

/// A queue that both sides got by its name, and one that was handed over.
pub const CASE: Case = Case {
    name: "registry_queue",
    about: "messages over a queue that was got from a manager by its name, and over any other",
    metric: "throughput",
    unit: "messages/s",
    is_more_better: true,
    payloads: &[64],
    modes: &[Mode::Same, Mode::Cross],
    seconds: 0.0,
};
