//! How soon a process is started again after others have ended, and when that has happened too often: for supervisors, and for
//! the workers of pools and servers.

use std::collections::VecDeque;
use std::time::Duration;

/// So many may be started again within so long; each that failed makes the next wait for longer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) restarts: usize,
    pub(crate) within: Duration,
    /// How long to wait after the first failure, and at the longest.
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

/// What has been started again of late.
#[derive(Debug, Default)]
pub(crate) struct Restarts(VecDeque<u64>);

impl Restarts {
    /// One more has ended, and another is to be started: at which time. `None`: there were too many.
    pub(crate) fn another(&mut self, policy: &Policy, has_failed: bool, now: u64) -> Option<u64> {
        let within = nanos(policy.within);
        self.0.retain(|&at| now.saturating_sub(at) < within);
        if self.0.len() >= policy.restarts {
            return None;
        }
        let doublings = u32::try_from(self.0.len()).unwrap_or(u32::MAX).min(20);
        let delay = policy.first.saturating_mul(1 << doublings).min(policy.longest);
        self.0.push_back(now);
        Some(if has_failed { now.saturating_add(nanos(delay)) } else { now })
    }

    /// All is well again.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(all(test, not(aioprocessing_loom)))]
mod tests {
    use super::*;

    const MILLI: u64 = 1_000_000;

    #[test]
    fn delays_double_until_there_were_too_many_and_what_is_long_ago_does_not_count() {
        let policy = Policy {
            restarts: 4,
            within: Duration::from_secs(1),
            first: Duration::from_millis(2),
            longest: Duration::from_millis(10),
        };
        let mut restarts = Restarts::default();
        let mut delays = (0..5).map(|now| restarts.another(&policy, true, now).map(|at| (at - now) / MILLI));
        assert!(delays.by_ref().eq([Some(2), Some(4), Some(8), Some(10), None]));
        assert_eq!(restarts.another(&policy, false, 1000 * MILLI), Some(1000 * MILLI), "one is forgotten");
        restarts.forget();
        assert_eq!(restarts.another(&policy, true, 1000 * MILLI), Some(1002 * MILLI));
    }
}
