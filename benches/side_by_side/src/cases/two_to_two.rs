use super::Case;
use crate::place::Mode;

/// The producers share one CPU, the consumers the other. What was put must come to what was taken, in count and in sum, and one
/// producer's messages must come in their order.
pub const CASE: Case = Case {
    name: "two_to_two",
    about: "messages of two producers, taken by two consumers",
    metric: "throughput",
    unit: "messages/s",
    is_more_better: true,
    payloads: &[64],
    modes: &[Mode::Cross],
    seconds: 0.0,
};
