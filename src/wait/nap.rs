//! How long a waiter sleeps before it looks again unasked.
//!
//! A peer killed between its change of the state and its notification, or a waiter killed with the wake-up that was
//! meant for others, leaves a sleeper that nobody will wake. So every sleep is bounded, and grows.

use crate::planted::planted;

const MILLI: u64 = 1_000_000;
/// Longer than a tick of the usual kernels (4 ms). A shorter sleep has the CPU's timer set anew when it begins and when it is cut
/// short, which on a virtual machine made round trips on one CPU take twice to three times as long.
const FIRST: u64 = 5 * MILLI;
/// The first sleep of a thread that waits for a holder is so many times shorter, since it hears of a death only in those that
/// follow. What is held for so long is rarely handed to and fro on one CPU, where the timer would cost.
const SHARE_FOR_A_HOLDER: u64 = 5;
/// tokio wakes twice for a sleep of this length, so it stays under two wake-ups a second.
const LONGEST: u64 = 1_280 * MILLI;
/// After word of a death: the kernel tells of it a little before its locks are free.
const SUSPICIOUS: u64 = MILLI / 10;

#[cfg(aioprocessing_planted)]
const NEVER: u64 = u64::MAX / 4;

/// The next bounded sleep of one wait, and whether the wait was found to be long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nap(u64, bool);

impl Nap {
    pub(crate) fn new() -> Self {
        Self(FIRST, false)
    }

    /// Nanoseconds.
    pub(crate) fn length(self) -> u64 {
        planted!("an-unbounded-sleep", self.0, NEVER)
    }

    /// The same for a thread that waits for what others hold.
    pub(crate) fn length_for_a_holder(self) -> u64 {
        if self.is_long() { self.length() } else { self.length() / SHARE_FOR_A_HOLDER }
    }

    /// The same for a task: tokio's timer wakes up to three times for one long sleep, so the longest is half as long again.
    #[cfg_attr(not(feature = "tokio"), allow(dead_code))]
    pub(crate) fn length_for_a_task(self) -> u64 {
        if self.0 == LONGEST { LONGEST + LONGEST / 2 } else { self.length() }
    }

    /// Whether the wait has lasted for long enough to be worth a few descriptors.
    pub(crate) fn is_long(self) -> bool {
        self.0 != FIRST
    }

    /// Whether a death was told of that no look may have found yet.
    pub(crate) fn is_suspicious(self) -> bool {
        self.0 < FIRST
    }

    /// Whether this wait becomes a long one with the sleep that is over: true once, whatever deaths shorten its sleeps.
    pub(crate) fn becomes_long(&mut self) -> bool {
        self.0 * 2 > FIRST && !std::mem::replace(&mut self.1, true)
    }

    /// The sleep ran its full length.
    pub(crate) fn grow(&mut self) {
        let longer = planted!("naps-do-not-grow", self.0 * 2, self.0);
        self.0 = planted!("long-naps-never-end", longer.min(LONGEST), NEVER);
    }

    /// Somebody may have died.
    pub(crate) fn suspect(&mut self) {
        self.0 = SUSPICIOUS;
    }
}

#[cfg(all(test, not(aioprocessing_loom)))]
mod tests {
    use super::*;

    #[test]
    fn naps_grow_and_start_short_again_after_a_death() {
        let mut nap = Nap::new();
        assert!(!nap.is_long() && nap.length_for_a_holder() < nap.length());
        for _ in 0..20 {
            nap.grow();
            assert!(nap.is_long());
        }
        assert_eq!((nap.length(), nap.length_for_a_holder()), (LONGEST, LONGEST));
        nap.suspect();
        assert!(nap.length() < FIRST && nap.is_long());
    }

    #[test]
    fn a_wait_becomes_long_once() {
        for is_suspicious in [false, true] {
            let mut nap = Nap::new();
            let mut count = 0;
            for turn in 0..40 {
                if is_suspicious && turn % 20 == 0 {
                    nap.suspect();
                }
                count += u32::from(nap.becomes_long());
                nap.grow();
            }
            assert_eq!(count, 1);
        }
    }
}
