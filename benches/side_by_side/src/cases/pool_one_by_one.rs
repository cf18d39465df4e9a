use super::Case;
use crate::place::Mode;

pub const CASE: Case = Case {
    name: "pool_one_by_one",
    about: "a map of 10,000 tiny tasks over two workers, each travelling alone",
    metric: "throughput",
    unit: "tasks/s",
    is_more_better: true,
    payloads: &[0],
    modes: &[Mode::Free],
    seconds: 0.0,
};
