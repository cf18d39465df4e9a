//! Leaving the CPU to whoever is awaited, who last ran on it: a fraction of a sleep and a wake-up. Beside somebody who computes it
//! takes that one's time slice instead, thousands of times as long. So a thread that got the CPU back late does without for as many
//! waits as that is worth.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::planted::planted;
use crate::sys::cpu;

/// Who leaves the CPU and gets it back later than this has left it to more than its peer, or to a peer that had more to do than to answer.
const LATE: Duration = Duration::from_micros(100);
/// So many waits go without after the first time, and twice as many after each further one: what each gains is a microsecond, and a
/// time slice is some milliseconds.
const FEWEST_WITHOUT: u32 = 4096;
const MOST_WITHOUT: u32 = 1 << 16;

/// When a thread leaves the CPU again.
#[derive(Clone, Copy)]
struct Wary {
    /// So many waits go without.
    left: u32,
    /// And so many after the next time that it was late.
    next: u32,
}

thread_local! {
    static WARY: Cell<Wary> = const { Cell::new(Wary { left: 0, next: FEWEST_WITHOUT }) };
}

impl Wary {
    fn after(self, took: Duration) -> Self {
        if took < LATE {
            return Self { left: 0, next: FEWEST_WITHOUT };
        }
        Self { left: self.next, next: (self.next * 2).min(MOST_WITHOUT) }
    }
}

/// Whether the CPU came back in time before. To be asked once a wait.
pub(super) fn is_worth_it() -> bool {
    let wary = WARY.get();
    let is_left = planted!("who-gets-the-cpu-back-late-does-not-learn", wary.left > 0, false);
    if is_left {
        WARY.set(Wary { left: wary.left - 1, ..wary });
    }
    !is_left
}

/// Leaves the CPU to others once. False: it came back late.
pub(super) fn leave_cpu() -> bool {
    let begun = Instant::now();
    cpu::give_way();
    let wary = WARY.get().after(begun.elapsed());
    WARY.set(wary);
    wary.left == 0
}

#[cfg(all(test, not(aioprocessing_loom)))]
mod tests {
    use super::*;

    #[test]
    fn who_gets_the_cpu_back_late_leaves_it_less_often() {
        let mut wary = WARY.get();
        for expected in [FEWEST_WITHOUT, 2 * FEWEST_WITHOUT, 4 * FEWEST_WITHOUT] {
            wary = wary.after(LATE);
            assert_eq!(wary.left, expected);
        }
        for _ in 0..20 {
            wary = wary.after(2 * LATE);
        }
        assert_eq!(wary.left, MOST_WITHOUT);
        wary = wary.after(LATE / 2);
        assert_eq!((wary.left, wary.next), (0, FEWEST_WITHOUT));

        WARY.set(Wary { left: 2, next: 32 });
        assert_eq!([(); 3].map(|()| is_worth_it()), [false, false, true]);
    }
}
