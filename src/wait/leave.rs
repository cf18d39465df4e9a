//! Leaving the CPU to whoever is awaited, who last ran on it: that saves about a microsecond of a sleep and a wake-up. Beside somebody
//! who computes it takes that one's time slice instead, which is thousands of times as long. So each thread keeps an account: what
//! it lost by getting the CPU back late, less a microsecond for each time that it did not, is for how many waits it does without.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::planted::planted;
use crate::sys::cpu;

/// Who leaves the CPU and gets it back later than this has left it to more than its peer, or to a peer that had more to do than to answer.
const LATE: Duration = Duration::from_micros(100);
/// The most that a thread is in debt, in microseconds.
const MOST: u32 = 1 << 16;

/// When a thread leaves the CPU again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Account {
    /// In microseconds.
    debt: u32,
    /// So many waits go without.
    left: u32,
}

thread_local! {
    static ACCOUNT: Cell<Account> = const { Cell::new(Account { debt: 0, left: 0 }) };
}

impl Account {
    fn after(self, took: Duration) -> Self {
        if took < LATE {
            return Self { debt: self.debt.saturating_sub(1), left: 0 };
        }
        let lost = u32::try_from(took.as_micros()).unwrap_or(MOST);
        let debt = self.debt.saturating_add(lost).min(MOST);
        Self { debt, left: debt }
    }
}

/// Whether leaving the CPU has not cost more than it saves. To be asked once a wait.
pub(super) fn is_worth_it() -> bool {
    let account = ACCOUNT.get();
    let is_in_debt = planted!("who-gets-the-cpu-back-late-does-not-learn", account.left > 0, false);
    if is_in_debt {
        ACCOUNT.set(Account { left: account.left - 1, ..account });
    }
    !is_in_debt
}

/// Leaves the CPU to others once. False: it came back late.
pub(super) fn leave_cpu() -> bool {
    let begun = Instant::now();
    cpu::give_way();
    let account = ACCOUNT.get().after(begun.elapsed());
    ACCOUNT.set(account);
    account.left == 0
}

#[cfg(all(test, not(aioprocessing_loom)))]
mod tests {
    use super::*;

    #[test]
    fn who_gets_the_cpu_back_late_does_without_for_as_long_as_that_took() {
        let late = |micros| Duration::from_micros(micros);
        let account = Account { debt: 0, left: 0 }.after(late(3000));
        assert_eq!(account, Account { debt: 3000, left: 3000 });
        let account = account.after(LATE / 2);
        assert_eq!(account, Account { debt: 2999, left: 0 }, "in time");
        assert_eq!(account.after(late(200)), Account { debt: 3199, left: 3199 });
        let account = account.after(Duration::MAX);
        assert_eq!(account, Account { debt: MOST, left: MOST });
        let account = (0..MOST + 5).fold(account, |account, _| account.after(Duration::ZERO));
        assert_eq!(account, Account { debt: 0, left: 0 });

        ACCOUNT.set(Account { debt: 7, left: 2 });
        assert_eq!([(); 3].map(|()| is_worth_it()), [false, false, true]);
    }
}
