//! A flag that many wait for.

use super::Party;
use crate::planted::planted;
use crate::shm::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::shm::{Alive, Object, shared};
use crate::wait::{Spot, Step, WaitWords, Waiter, until};

shared! {
    /// An event in shared memory.
    pub(crate) struct EventWords[32] {
        /// See [`Flag`].
        flag: AtomicU32,
        reserved: AtomicU32,
        reserved_too: AtomicU64,
        waiters: WaitWords,
    }
}

impl Object for EventWords {
    const KIND: u32 = 2;
}

/// The state of an event.
///
/// | bits | meaning |
/// | --- | --- |
/// | 0 | whether it is set |
/// | 1–31 | how often it was set, wrapping: who began to wait before a set sees it even if a clear followed at once |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flag(u32);

impl Flag {
    fn is_set(self) -> bool {
        self.0 & 1 != 0
    }

    fn sets(self) -> u32 {
        self.0 >> 1
    }

    fn set(self) -> Self {
        Self((self.sets() << 1).wrapping_add(2) | 1)
    }

    fn cleared(self) -> Self {
        Self(self.0 & !1)
    }
}

impl EventWords {
    fn flag(&self) -> Flag {
        Flag(self.flag.load(Ordering::Acquire))
    }

    pub(crate) fn is_set(&self) -> bool {
        self.flag().is_set()
    }

    /// Sets the flag and wakes everybody. Async-signal-safe; never waits.
    pub(crate) fn set<A: Alive>(&self, party: Party<'_, A>) {
        let mut now = self.flag();
        while !now.is_set() {
            // Release pairs with the Acquire of `flag`: who sees the event set sees what came before.
            match self.flag.compare_exchange(now.0, now.set().0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break,
                Err(other) => now = Flag(other),
            }
        }
        // Also where it was set already: whoever set it may have died before this line.
        let spot = Spot::new(&self.waiters, party.bell);
        spot.sign();
        planted!("set-wakes-nobody", { return });
        planted!("set-wakes-one", spot.notify_all(), spot.notify_one());
    }

    pub(crate) fn clear(&self) {
        let mut now = self.flag();
        while now.is_set() {
            match self.flag.compare_exchange(now.0, now.cleared().0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(other) => now = Flag(other),
            }
        }
    }

    /// Waits until it is set, or was set since this call began.
    pub(crate) async fn wait<W: Waiter, A: Alive>(
        &self,
        waiter: &mut W,
        party: Party<'_, A>,
    ) -> Result<(), W::GaveUp> {
        let begun = self.flag();
        until(waiter, |_| {
            let now = self.flag();
            if now.is_set() || planted!("a-set-is-not-counted", now.sets() != begun.sets(), false) {
                Step::Done(())
            } else {
                Step::Wait(Spot::new(&self.waiters, party.bell))
            }
        })
        .await
    }

    /// How many wait for it: a hint.
    pub(crate) fn waiters(&self) -> u64 {
        self.waiters.waiters()
    }
}
