//! How a cycle ends without a meeting.

use super::Barrier;
use super::words::{Phase, RECENT};
use crate::planted::planted;
use crate::raw::Party;
use crate::shm::atomic::Ordering;
use crate::shm::{Alive, Owner};

impl<'a> Barrier<'a> {
    /// Breaks this cycle, unless it is past. Whether it is broken now.
    pub(super) fn break_cycle<A: Alive>(self, cycle: u32, party: Party<'a, A>) -> bool {
        loop {
            let now = self.state();
            if now.cycle() != cycle {
                return self.broke(cycle);
            }
            if now.phase() == Phase::Broken {
                return true;
            }
            if self.change(now, now.with(Phase::Broken)) {
                self.wake(party);
                return true;
            }
        }
    }

    /// Whether a past cycle ended broken.
    pub(super) fn broke(self, cycle: u32) -> bool {
        let last = self.words.broken[cycle as usize % RECENT].load(Ordering::Acquire);
        // A later one in the same place: this one's end is forgotten.
        last != 0 && (last as u32).wrapping_sub(1).wrapping_sub(cycle).cast_signed() >= 0
    }

    /// Whether one that is in this cycle has died.
    pub(super) fn has_dead<A: Alive>(self, cycle: u32, party: Party<'_, A>) -> bool {
        let used = self.words.used.load(Ordering::Acquire) as usize;
        (0..).zip(self.slots).take(used).any(|(index, slot)| {
            let part = slot.part();
            let owner = Owner::new(index, part.generation());
            part.is_in(cycle)
                && owner != party.me
                && planted!("the-dead-are-waited-for", !party.alive.is_alive(owner), false)
        })
    }

    /// Breaks the present cycle if one that is in it has died. Never waits.
    pub(crate) fn look_for_the_dead<A: Alive>(self, party: Party<'a, A>) {
        let now = self.state();
        if now.phase() != Phase::Broken && self.has_dead(now.cycle(), party) {
            self.break_cycle(now.cycle(), party);
        }
    }

    /// Breaks the barrier for all; never waits.
    pub(crate) fn abort<A: Alive>(self, party: Party<'a, A>) {
        while !self.break_cycle(self.state().cycle(), party) {}
    }

    /// Begins a new cycle; those who wait in the present one are told that it broke. Never waits.
    pub(crate) fn reset<A: Alive>(self, party: Party<'a, A>) {
        loop {
            let now = self.state();
            if now.phase() == Phase::Broken {
                // Before the cycle is past: those who look later find it here.
                let cycle = now.cycle();
                self.words.broken[cycle as usize % RECENT].store(u64::from(cycle) + 1, Ordering::Release);
                if self.change(now, now.next_cycle()) {
                    self.wake(party);
                    return;
                }
            } else if now.arrived() == 0 {
                return;
            } else {
                self.break_cycle(now.cycle(), party);
            }
        }
    }

    pub(crate) fn is_broken(self) -> bool {
        self.state().phase() == Phase::Broken
    }
}
