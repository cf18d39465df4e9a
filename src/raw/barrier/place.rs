//! One party's place in a cycle.

use super::words::Phase;
use super::{Barrier, NotMet};
use crate::planted::planted;
use crate::raw::Party;
use crate::shm::Alive;

/// A party that has arrived. Dropped, it leaves, and is un-counted unless its cycle has tripped.
pub(super) struct Place<'a, A: Alive> {
    pub(super) barrier: Barrier<'a>,
    pub(super) party: Party<'a, A>,
    pub(super) cycle: u32,
    pub(super) able: bool,
}

impl<A: Alive> Place<'_, A> {
    /// Runs the action and trips the cycle. A panic of the action breaks it.
    pub(super) fn act(self, action: Option<&(dyn Fn() + Send + Sync)>) -> Result<u32, NotMet> {
        let acting = Acting(&self);
        if let Some(action) = action {
            action();
        }
        std::mem::forget(acting);
        loop {
            let now = self.barrier.state();
            if now.cycle() != self.cycle || now.phase() != Phase::Acting {
                return Err(NotMet::Broken);
            }
            if self.barrier.change(now, now.next_cycle()) {
                self.barrier.wake(self.party);
                return Ok(0);
            }
        }
    }
}

/// Dropped in a panic of the action.
struct Acting<'a, 'b, A: Alive>(&'b Place<'a, A>);

impl<A: Alive> Drop for Acting<'_, '_, A> {
    fn drop(&mut self) {
        self.0.barrier.break_cycle(self.0.cycle, self.0.party);
    }
}

impl<A: Alive> Drop for Place<'_, A> {
    fn drop(&mut self) {
        loop {
            let now = self.barrier.state();
            let is_counted = now.cycle() == self.cycle && matches!(now.phase(), Phase::Filling | Phase::Full);
            if !is_counted
                || planted!(
                    "a-cancelled-party-stays-counted",
                    self.barrier.change(now, now.one_less(self.able)),
                    true
                )
            {
                break;
            }
        }
        self.barrier.own(self.party).leave(self.cycle, self.party.me.generation());
    }
}
