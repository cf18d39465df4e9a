//! The one lock, for the inside and the user: owner and state change in one compare-and-swap, so that a lock is never
//! held by nobody, and whoever finds that its owner died takes it over in one step.

use super::Party;
use crate::planted::planted;
use crate::shm::atomic::{AtomicU32, Ordering};
use crate::shm::{Alive, Object, Owner, shared};
use crate::wait::{Look, Spot, Step, WaitWords, Waiter, until};

shared! {
    /// A lock in shared memory.
    pub(crate) struct LockWords[32] {
        /// See [`Word`].
        word: AtomicU32,
        /// Where the owner's program acquired it: a position in its image. Written by the owner, after it has the lock.
        place: AtomicU32,
        /// How often it was acquired, wrapping. Written by the owner; for telling two holds of one process apart.
        acquired: AtomicU32,
        /// 1 while the owner holds it without a guard. Written by the owner.
        leaked: AtomicU32,
        waiters: WaitWords,
    }
}

impl Object for LockWords {
    const KIND: u32 = 1;
}

/// The state of a lock.
///
/// | bits | meaning |
/// | --- | --- |
/// | 31 | `WAIT`: somebody may be asleep; the release must notify |
/// | 30 | `DIED`: the last owner left in a panic; the next one is told |
/// | 0–29 | the owner's slot + 1 and generation, or zero: free |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(u32);

const WAIT: u32 = 1 << 31;
const DIED: u32 = 1 << 30;

impl Word {
    const FREE: Self = Self(0);

    pub(crate) fn owner(self) -> Option<Owner> {
        Owner::from_bits(self.0)
    }

    /// Free, and its last owner released it.
    pub(super) fn is_clean(self) -> bool {
        self.0 & !WAIT == 0
    }

    fn is_free(self) -> bool {
        self.0 & !(WAIT | DIED) == 0
    }

    fn has_waiters(self) -> bool {
        self.0 & WAIT != 0
    }

    fn died(self) -> bool {
        self.0 & DIED != 0
    }

    #[inline]
    fn held(owner: Owner, waiters: bool) -> Self {
        Self(owner.to_bits() | if waiters { WAIT } else { 0 })
    }

    fn with_waiters(self) -> Self {
        Self(self.0 | WAIT)
    }

    fn freed(died: bool) -> Self {
        Self(if died { DIED } else { 0 })
    }
}

/// How a lock came to its new owner.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acquired {
    /// The last owner released it.
    Clean,
    /// The last owner died with it, or left in a panic (`None`): what it protects may be half-written.
    OwnerDied(Option<Owner>),
}

impl LockWords {
    pub(crate) fn word(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    /// Where and as which acquisition the present owner took it: a hint.
    pub(crate) fn acquisition(&self) -> (u32, u32) {
        (self.place.load(Ordering::Relaxed), self.acquired.load(Ordering::Relaxed))
    }

    /// The owner leaves word of where it is.
    #[inline]
    pub(crate) fn sign(&self, place: u32) {
        self.place.store(place, Ordering::Relaxed);
        // Only the owner writes, so a load and a store are enough.
        self.acquired.store(self.acquired.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    #[inline]
    fn change(&self, from: Word, to: Word) -> bool {
        // Acquire pairs with the Release of `release`: what the last owner wrote is seen. AcqRel, because setting `WAIT` must
        // not come before the listing that it announces.
        self.word.compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Takes a free lock that nobody waits for: one instruction.
    #[inline]
    pub(crate) fn take_free(&self, me: Owner) -> bool {
        self.change(Word::FREE, Word::held(me, false))
    }

    /// One attempt: takes the lock, or says that it must be waited for.
    #[inline]
    pub(crate) fn attempt<'a, A: Alive>(&'a self, look: Look, party: Party<'a, A>) -> Step<'a, Acquired> {
        // A listed taker must not: the others listed beside it are owed a `WAIT`.
        let may_be_quick = planted!("a-listed-taker-forgets-the-others", !look.is_listed(), true);
        if may_be_quick && self.take_free(party.me) {
            return Step::Done(Acquired::Clean);
        }
        self.attempt_slowly(look, party)
    }

    #[cold]
    fn attempt_slowly<'a, A: Alive>(&'a self, look: Look, party: Party<'a, A>) -> Step<'a, Acquired> {
        loop {
            let now = self.word();
            if planted!("a-held-lock-is-taken", now.is_free(), now.is_free() || look.is_listed()) {
                // A listed taker keeps `WAIT` for the others that are listed beside it. It may itself be listed elsewhere, where
                // this lock is only the inside of what it waits for: one that is listed here may be another.
                let waiters = now.has_waiters() || look.is_listed() && self.waiters.waiters() > 0;
                if self.change(now, Word::held(party.me, waiters)) {
                    let taken = if now.died() { Acquired::OwnerDied(None) } else { Acquired::Clean };
                    return Step::Done(taken);
                }
                continue;
            }
            if look.is_thorough()
                && let Some(owner) = now.owner()
                && !planted!("no-check-for-a-dead-owner", party.alive.is_alive(owner), true)
            {
                if self.change(now, Word::held(party.me, now.has_waiters() || self.waiters.waiters() > 0)) {
                    self.leaked.store(0, Ordering::Relaxed);
                    return Step::Done(Acquired::OwnerDied(Some(owner)));
                }
                continue;
            }
            if !look.is_listed() || now.has_waiters() || self.change(now, now.with_waiters()) {
                return Step::Wait(Spot::of_held(&self.waiters, party.bell));
            }
        }
    }

    /// Now or never. The dead are asked after: a lock whose owner died is not held.
    pub(crate) fn try_acquire<A: Alive>(&self, party: Party<'_, A>) -> Option<Acquired> {
        loop {
            if self.take_free(party.me) {
                return Some(Acquired::Clean);
            }
            let now = self.word();
            let died = now.owner().filter(|&owner| !party.alive.is_alive(owner));
            if !now.is_free() && died.is_none() {
                return None;
            }
            if self.change(now, Word::held(party.me, now.has_waiters())) {
                self.leaked.store(0, Ordering::Relaxed);
                let is_clean = now.is_free() && !now.died();
                return Some(if is_clean { Acquired::Clean } else { Acquired::OwnerDied(died) });
            }
        }
    }

    /// Takes the lock, however long that takes.
    ///
    /// Dropped before it is done, the future has not taken it.
    pub(crate) async fn acquire<W: Waiter, A: Alive>(
        &self,
        waiter: &mut W,
        party: Party<'_, A>,
    ) -> Result<Acquired, W::GaveUp> {
        until(waiter, |look| self.attempt(look, party)).await
    }

    /// Gives back a lock that nobody waits for: one instruction. False: it is to be given back [slowly](Self::release).
    #[inline]
    pub(crate) fn release_quickly(&self, me: Owner) -> bool {
        self.change(Word::held(me, false), Word::FREE)
    }

    /// Gives the lock back, if it is `party`'s still; never waits. `died`: the next owner shall be told.
    pub(crate) fn release<A: Alive>(&self, party: Party<'_, A>, died: bool) -> bool {
        let mut now = Word::held(party.me, false);
        loop {
            // Release pairs with the Acquire of whoever takes it next.
            match self.word.compare_exchange(now.0, Word::freed(died).0, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => break,
                Err(other) if Word(other).owner() == Some(party.me) => now = Word(other),
                Err(_) => return false,
            }
        }
        if now.has_waiters() {
            self.wake_next(party);
        }
        true
    }

    /// The owner goes on without a guard: from now on [`release_leaked`](Self::release_leaked) frees the lock.
    pub(crate) fn leak(&self) {
        self.leaked.store(1, Ordering::Release);
    }

    /// Frees a lock that `party` holds without a guard; true for the one call that did it.
    pub(crate) fn release_leaked<A: Alive>(&self, party: Party<'_, A>) -> bool {
        self.word().owner() == Some(party.me)
            && self.leaked.swap(0, Ordering::AcqRel) == 1
            && self.release(party, false)
    }

    #[cold]
    fn wake_next<A: Alive>(&self, party: Party<'_, A>) {
        let spot = Spot::new(&self.waiters, party.bell);
        spot.sign();
        spot.notify_one();
    }

    /// How many wait for it: a hint.
    pub(crate) fn waiters(&self) -> u64 {
        self.waiters.waiters()
    }
}
