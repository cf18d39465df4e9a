//! `futex(2)` on words in shared memory: never with `FUTEX_PRIVATE_FLAG`, always on the monotonic clock.

use std::num::NonZeroU32;
use std::sync::atomic::AtomicU32;

use rustix::thread::futex;

use super::clock;

const ANY: NonZeroU32 = NonZeroU32::MAX;

/// Sleeps while `word` holds `seen`, at the longest until `until` (`CLOCK_MONOTONIC`, nanoseconds). Signals and stray
/// wake-ups end the sleep too: the caller looks again whatever ended it.
pub(crate) fn wait(word: &AtomicU32, seen: u32, until: u64) {
    let until = clock::timespec(until);
    // EAGAIN, EINTR and ETIMEDOUT all mean "look again".
    let _ = futex::wait_bitset(word, futex::Flags::empty(), seen, Some(&until), ANY);
}

/// Wakes up to `count` sleepers and says how many there were.
pub(crate) fn wake(word: &AtomicU32, count: u32) -> usize {
    // The kernel reads the count as an `int`.
    futex::wake(word, futex::Flags::empty(), count.min(i32::MAX.cast_unsigned())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// Case 79: on the wall clock, which is far ahead of the monotonic one, this sleep would be over before it began, and a clock
    /// that someone sets would lengthen or shorten it.
    #[test]
    fn case_79_a_sleep_does_not_follow_the_wall_clock() {
        let word = AtomicU32::new(0);
        let (begun, length) = (Instant::now(), Duration::from_millis(20));
        wait(&word, 0, clock::now() + 20_000_000);
        assert!(begun.elapsed() >= length);
        wait(&word, 1, clock::now() + 3_600_000_000_000);
    }
}
