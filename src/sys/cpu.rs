//! Which CPU the caller is on, and leaving it to others.

use rustix::thread::{sched_getcpu, sched_yield};

/// The number of the CPU plus one, so that zeroed memory means "nobody yet".
pub(crate) fn current() -> u32 {
    u32::try_from(sched_getcpu()).unwrap_or(0) + 1
}

/// Lets others run on this CPU first, if there are any.
pub(crate) fn give_way() {
    sched_yield();
}
