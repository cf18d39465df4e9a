//! Points in monotonic time, made at the face and handed down unchanged.

use std::time::Duration;

use crate::sys::clock;

/// A point on `CLOCK_MONOTONIC`, in nanoseconds; a time too far away to be written down never comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(u64);

impl Deadline {
    /// The point `timeout` from now. Reads the clock.
    pub(crate) fn after(timeout: Duration) -> Self {
        let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        Self(clock::now().saturating_add(nanos))
    }

    /// Whether it has come. Reads the clock.
    pub(crate) fn has_passed(self) -> bool {
        clock::now() >= self.0
    }

    /// Nanoseconds until then. Reads the clock.
    pub(crate) fn left(self) -> u64 {
        self.0.saturating_sub(clock::now())
    }

    /// The earlier of this point and `nanos` from now, as an absolute time for the kernel.
    pub(crate) fn or_in(limit: Option<Self>, nanos: u64) -> u64 {
        let soon = clock::now().saturating_add(nanos);
        limit.map_or(soon, |limit| limit.0.min(soon))
    }
}
