use super::Case;
use crate::place::Mode;

pub const CASE: Case = Case {
    name: "spawn",
    about: "starting a process with an argument, until its result is there and it has been reaped; 'a waiting child' was started before, and is what a reserve could give at best",
    metric: "latency",
    unit: "us",
    is_more_better: false,
    payloads: &[0],
    modes: &[Mode::Free],
    seconds: 0.0,
};
