//! How soon a process is started again after others have ended, and when that has happened too often: for supervisors, the
//! workers of pools and those of servers alike.

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

/// So many may be started again within so long; each that failed makes the next wait for longer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) restarts: usize,
    pub(crate) within: Duration,
    pub(crate) backoff: Backoff,
}

/// When processes were last started again.
#[derive(Debug, Default)]
pub(crate) struct Restarts(VecDeque<u64>);

impl Restarts {
    /// One more has ended, and another is to be started: at which time. `None`: there were too many.
    pub(crate) fn another(&mut self, policy: &Policy, has_failed: bool, now: u64) -> Option<u64> {
        let before = self.within(policy.within, now);
        if before >= policy.restarts {
            return None;
        }
        self.note(now);
        Some(if has_failed { now.saturating_add(policy.backoff.after(before)) } else { now })
    }

    #[cfg_attr(not(feature = "tokio"), allow(dead_code, reason = "servers are async"))]
    pub(crate) fn note(&mut self, now: u64) {
        self.0.push_back(now);
    }

    /// How many within this time. Forgets the others.
    pub(crate) fn within(&mut self, time: Duration, now: u64) -> usize {
        self.0.retain(|&at| now.saturating_sub(at) < nanos(time));
        self.0.len()
    }

    /// All is well again.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: u64 = 1_000_000;

    #[test]
    fn delays_double_until_there_were_too_many_and_what_is_long_ago_does_not_count() {
        let backoff = Backoff { first: Duration::from_millis(2), longest: Duration::from_millis(10) };
        let policy = Policy { restarts: 4, within: Duration::from_secs(1), backoff };
        let mut restarts = Restarts::default();
        let mut delays = (0..5).map(|now| restarts.another(&policy, true, now).map(|at| (at - now) / MILLI));
        assert!(delays.by_ref().eq([Some(2), Some(4), Some(8), Some(10), None]));
        assert_eq!(restarts.another(&policy, false, 1000 * MILLI), Some(1000 * MILLI), "one is forgotten");
        restarts.forget();
        assert_eq!(restarts.another(&policy, true, 1000 * MILLI), Some(1002 * MILLI));
    }
}
