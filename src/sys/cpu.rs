//! Which CPU the caller is on.

use rustix::thread::sched_getcpu;

/// The number of the CPU plus one, so that zeroed memory means "nobody yet".
pub(crate) fn current() -> u32 {
    u32::try_from(sched_getcpu()).unwrap_or(0) + 1
}
