//! A number of permits.
//!
//! What each process holds stands in its own slot; how many there are left is what is there in all less what the slots
//! hold:
//!
//! ```text
//! left = initial + released - (forgotten + held of every slot)
//! ```
//!
//! Permits are taken under the inner lock and in one place only, the taker's slot. Everything else makes `left` larger or
//! leaves it as it is, in one atomic step and without the lock: giving a permit back (`held` less), forgetting one
//! (`held` less and `forgotten` more, in one word), releasing new ones (`released` more). So whoever holds the lock and
//! sums up gets a number that is true or too low, whatever happens meanwhile, and nobody needs to be told of a change but
//! those who wait.
//!
//! **At a death** the slot holds what its process held. Whoever looks thoroughly, holds the lock and finds the process dead,
//! empties `held`: the permits are back. What it had forgotten stays forgotten.
//!
//! **`spare`** saves the sum: under the lock it is never more than what is left, since it is lowered before a permit is
//! taken, and only the holder of the lock raises it.

mod words;

use words::Share;
pub(crate) use words::{SemaphoreSlot, SemaphoreWords};

use super::Party;
use super::inside::{Inside, PassOn};
use crate::planted::planted;
use crate::shm::atomic::Ordering;
use crate::shm::{Alive, Owner};
use crate::trace::Later;
use crate::wait::{Look, Spot, Step, TimedOut, Waiter, blocking, until};

/// More than there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

/// The most permits that a semaphore can have.
pub(crate) const MOST_PERMITS: u32 = i32::MAX.cast_unsigned();

/// A semaphore: its words and a slot for each process.
#[derive(Clone, Copy)]
pub(crate) struct Semaphore<'a> {
    pub(crate) words: &'a SemaphoreWords,
    pub(crate) slots: &'a [SemaphoreSlot],
}

impl<'a> Semaphore<'a> {
    /// Once, before anybody else knows it. At most [`MOST_PERMITS`].
    pub(crate) fn begin(self, permits: u32, limit: u32) {
        self.words.initial.store(permits, Ordering::Relaxed);
        self.words.limit.store(limit, Ordering::Release);
    }

    fn used(self) -> impl Iterator<Item = (u16, &'a SemaphoreSlot)> {
        (0..).zip(self.slots).take(self.words.used.load(Ordering::Acquire) as usize)
    }

    /// How many there are in all, held or not; not too low if nobody releases meanwhile.
    fn total(self, released: u64) -> u32 {
        let forgotten = self.used().fold(0_u32, |sum, (_, slot)| sum.wrapping_add(slot.share().forgotten()));
        let initial = self.words.initial.load(Ordering::Relaxed);
        initial.wrapping_add(released as u32).wrapping_sub(forgotten)
    }

    /// How many are left, or fewer if some are given back meanwhile. `counts` says of a slot's owner whether what it holds is
    /// held.
    fn left(self, mut counts: impl FnMut(&SemaphoreSlot, Owner) -> bool) -> u32 {
        let initial = self.words.initial.load(Ordering::Relaxed);
        let mut left = initial.wrapping_add(self.words.released.load(Ordering::Acquire) as u32);
        for (index, slot) in self.used() {
            let share = slot.share();
            left = left.wrapping_sub(share.forgotten());
            let owner = Owner::new(index, slot.generation.load(Ordering::Relaxed));
            if share.held() > 0 && counts(slot, owner) {
                left = left.wrapping_sub(share.held());
            }
        }
        // Below zero only after a peer's scribbling.
        if left > MOST_PERMITS { 0 } else { left }
    }

    /// How many could be taken at this moment.
    pub(crate) fn permits<A: Alive>(self, party: Party<'_, A>) -> u32 {
        self.left(|_, owner| owner == party.me || party.alive.is_alive(owner))
    }

    fn spot<A: Alive>(self, count: u32, party: Party<'a, A>) -> Spot<'a> {
        let queue = if count > 1 { &self.words.several } else { &self.words.ones };
        Spot::of_held(queue, party.bell)
    }

    /// Takes `count`, if so many are left. `thorough`: looks for the dead before it says no. How many are left then, if any
    /// are known to be.
    fn take<A: Alive>(
        self,
        inside: &Inside<'a, A>,
        party: Party<'a, A>,
        count: u32,
        thorough: bool,
        dead: &mut Later<Owner>,
    ) -> Option<u32> {
        let words = self.words;
        let mut spare =
            if inside.was_abandoned { 0 } else { words.spare.load(Ordering::Relaxed).min(MOST_PERMITS) };
        if spare < count {
            spare = self.left(|_, _| true);
        }
        if spare < count && thorough {
            spare = self.left(|slot, owner| {
                let is_held = owner == party.me
                    || planted!("no-look-for-dead-permit-holders", party.alive.is_alive(owner), true);
                if !is_held {
                    slot.change(Share::emptied);
                    dead.note(owner);
                }
                is_held
            });
        }
        // Before the permits are taken: a death between leaves it too low, which only costs a sum.
        let rest = spare.checked_sub(count);
        words.spare.store(rest.unwrap_or(spare), Ordering::Relaxed);
        let rest = rest?;
        let slot = &self.slots[usize::from(party.me.slot()) % self.slots.len()];
        if slot.generation.load(Ordering::Relaxed) != party.me.generation() {
            // Held by whoever had the slot before and died unnoticed.
            slot.change(Share::emptied);
            slot.generation.store(party.me.generation(), Ordering::Release);
            words.used.fetch_max(u32::from(party.me.slot()) + 1, Ordering::AcqRel);
        }
        slot.change(|share| share.taken(count));
        Some(rest)
    }

    fn attempt<A: Alive>(self, look: Look, party: Party<'a, A>, count: u32) -> Step<'a, ()> {
        let inside = match self.words.lock.enter(look, party) {
            Step::Done(inside) => inside,
            Step::Wait(spot) => return Step::Wait(spot),
        };
        let mut dead = Later::new();
        let taken = self.take(&inside, party, count, look.is_thorough(), &mut dead);
        drop(inside);
        dead.tell(|owner| party.alive.tell_of_a_takeover(owner, "semaphore"));
        match taken {
            Some(rest) => {
                if rest > 0 && look.is_listed() {
                    // The wake-up that came to us may have stood for more than one.
                    self.wake(party, 1);
                }
                Step::Done(())
            }
            None => Step::Wait(self.spot(count, party)),
        }
    }

    /// Takes `count` permits, however long that takes.
    ///
    /// Dropped before it is done, the future has taken none, and has passed on what woke it.
    pub(crate) async fn acquire<W: Waiter, A: Alive>(
        self,
        waiter: &mut W,
        party: Party<'a, A>,
        count: u32,
    ) -> Result<(), W::GaveUp> {
        let pass_on = PassOn::of(self.spot(count, party));
        until(waiter, |look| self.attempt(look, party, count)).await?;
        pass_on.settle();
        Ok(())
    }

    fn attempt_to_try<A: Alive>(self, look: Look, party: Party<'a, A>, count: u32) -> Step<'a, bool> {
        match self.words.lock.enter(look, party) {
            Step::Done(inside) => {
                let mut dead = Later::new();
                let taken = self.take(&inside, party, count, true, &mut dead);
                drop(inside);
                dead.tell(|owner| party.alive.tell_of_a_takeover(owner, "semaphore"));
                Step::Done(taken.is_some())
            }
            Step::Wait(spot) => Step::Wait(spot),
        }
    }

    /// Takes `count` permits or says that they are not there. `waiter` is for the inner lock alone.
    pub(crate) fn try_acquire<W: Waiter<GaveUp = TimedOut>, A: Alive>(
        self,
        waiter: impl FnOnce() -> W,
        party: Party<'a, A>,
        count: u32,
    ) -> bool {
        if let Step::Done(taken) = self.attempt_to_try(Look::Glance, party, count) {
            return taken;
        }
        blocking(until(&mut waiter(), |look| self.attempt_to_try(look, party, count))).unwrap_or(false)
    }

    fn own<A: Alive>(self, party: Party<'_, A>) -> &'a SemaphoreSlot {
        &self.slots[usize::from(party.me.slot()) % self.slots.len()]
    }

    /// Gives `count` of this process's permits back; never waits.
    pub(crate) fn give_back<A: Alive>(self, party: Party<'a, A>, count: u32) {
        planted!("who-waits-is-woken-before-the-permit-is-back", { self.wake(party, count) });
        self.own(party).change(|share| share.given_back(count));
        planted!("who-waits-is-woken-before-the-permit-is-back", { return });
        self.wake(party, count);
    }

    /// `count` of this process's permits will not come back; never waits.
    pub(crate) fn forget<A: Alive>(self, party: Party<'a, A>, count: u32) {
        self.own(party).change(|share| share.forgot(count));
    }

    /// Adds `count` permits; never waits.
    pub(crate) fn release<A: Alive>(self, party: Party<'a, A>, count: u32) -> Result<(), TooMany> {
        let limit = self.words.limit.load(Ordering::Relaxed);
        let mut now = self.words.released.load(Ordering::Acquire);
        loop {
            // `forgotten` only grows, so this total was reached for as long as `released` is what it was.
            let total = self.total(now);
            if total > limit || limit - total < count {
                let again = self.words.released.load(Ordering::Acquire);
                if planted!("what-is-released-meanwhile-counts-for-nothing", again == now, true) {
                    return Err(TooMany);
                }
                now = again;
                continue;
            }
            let next = now.wrapping_add(u64::from(count));
            let released = &self.words.released;
            match planted!(
                "releases-at-once-are-not-seen",
                released.compare_exchange(now, next, Ordering::AcqRel, Ordering::Acquire),
                {
                    // The window, held open.
                    std::thread::sleep(std::time::Duration::from_micros(20));
                    Ok(released.fetch_add(u64::from(count), Ordering::AcqRel))
                }
            ) {
                Ok(_) => break,
                Err(other) => now = other,
            }
        }
        self.wake(party, count);
        Ok(())
    }

    /// After `count` more are left.
    fn wake<A: Alive>(self, party: Party<'a, A>, count: u32) {
        let ones = self.spot(1, party);
        ones.sign();
        if u64::from(count) > self.words.ones.waiters() {
            ones.notify_all();
        } else {
            (0..count).for_each(|_| ones.notify_one());
        }
        // How many of these can go on is not known from how many they are.
        self.spot(2, party).notify_all();
    }

    /// How many wait: a hint.
    pub(crate) fn waiters(self) -> u64 {
        self.words.ones.waiters() + self.words.several.waiters()
    }
}
