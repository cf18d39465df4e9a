//! What a machine with an inner lock does with it.

use super::{Acquired, LockWords, Party};
use crate::shm::Alive;
use crate::wait::{Look, Spot, Step};

/// The inside of an object: held for a few instructions at a time, never over a wait.
pub(super) struct Inside<'a, A: Alive> {
    lock: &'a LockWords,
    party: Party<'a, A>,
    /// The last one inside died there: what the lock guards may be half-changed.
    pub(super) was_abandoned: bool,
}

impl LockWords {
    /// One attempt to get inside.
    #[inline]
    pub(super) fn enter<'a, A: Alive>(&'a self, look: Look, party: Party<'a, A>) -> Step<'a, Inside<'a, A>> {
        match self.attempt(look, party) {
            Step::Done(taken) => {
                Step::Done(Inside { lock: self, party, was_abandoned: taken != Acquired::Clean })
            }
            Step::Wait(spot) => Step::Wait(spot),
        }
    }
}

impl<A: Alive> Drop for Inside<'_, A> {
    fn drop(&mut self) {
        self.lock.release(self.party, false);
    }
}

/// Passes a wake-up on when it is dropped: for a wait that was woken for something and then waits for the inside, where it
/// may be given up.
pub(super) struct PassOn<'a> {
    spot: Spot<'a>,
    is_due: bool,
}

impl<'a> PassOn<'a> {
    pub(super) fn of(spot: Spot<'a>) -> Self {
        Self { spot, is_due: true }
    }

    /// What the wake-up was for has been got.
    pub(super) fn settle(mut self) {
        self.is_due = false;
    }
}

impl Drop for PassOn<'_> {
    fn drop(&mut self) {
        if self.is_due {
            self.spot.notify_one();
        }
    }
}
