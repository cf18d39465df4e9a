//! When what has ended is started again.

use std::collections::VecDeque;
use std::time::Duration;

/// The wait before a process is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(10), longest: Duration::from_secs(1) }
    }
}

impl Backoff {
    /// Nanoseconds after so many failures before this one: twice as long for each.
    pub(crate) fn after(self, failures: usize) -> u64 {
        let doublings = u32::try_from(failures).unwrap_or(u32::MAX).min(30);
        nanos(self.first.saturating_mul(1 << doublings).min(self.longest))
    }
}

/// When processes were last started again.
#[derive(Debug, Default)]
pub(crate) struct Restarts(VecDeque<u64>);

impl Restarts {
    pub(crate) fn note(&mut self, now: u64) {
        self.0.push_back(now);
    }

    /// How many within this time. Forgets the others.
    pub(crate) fn within(&mut self, time: Duration, now: u64) -> usize {
        self.0.retain(|&at| now.saturating_sub(at) < nanos(time));
        self.0.len()
    }
}

pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
