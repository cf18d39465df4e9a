//! Waiting for a notification that reaches exactly so many.
//!
//! Each process has a slot with two counts in one word: how many of its threads and tasks wait and have not been notified,
//! and how many ever were. Notifying moves some from the one to the other, in one step for each slot that it picks; which
//! of a process's waiters they are meant for is settled inside of that process, first come first, by a table of its own.
//!
//! **Exactly so many.** A waiter is counted before it gives up its lock, and leaves the count by a notification or by its own
//! hand, never both: each is a compare-and-swap of the one word.
//!
//! **Nobody who came later.** Within a process a notification goes to the one that has waited longest, and there never are more
//! than there were waiters when they came. So one that was given while only others waited is theirs.
//!
//! **Nothing is stored**: where nobody is counted there is nothing to move.
//!
//! **The dead** are passed over: before a notification is given to another process, it is asked whether that lives.

use std::collections::{BTreeSet, HashSet};

use parking_lot::Mutex;

use super::Party;
use crate::planted::planted;
use crate::shm::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::shm::{Alive, Object, Owner, shared};
use crate::wait::{Spot, Step, WaitWords, Waiter, until};

shared! {
    /// A condition in shared memory, but for its slots.
    pub(crate) struct ConditionWords[16] {
        /// One more than the highest slot that ever waited.
        used: AtomicU32,
        /// Where the next notification begins to look for a waiter, so that no process is always the last: a hint.
        start: AtomicU32,
        reserved: AtomicU64,
    }

    /// Those of one process who wait.
    pub(crate) struct ConditionSlot[32] {
        /// See [`Counts`].
        counts: AtomicU64,
        /// Whose counts they are: the slot's generation then.
        generation: AtomicU32,
        reserved: AtomicU32,
        waiters: WaitWords,
    }
}

impl Object for ConditionWords {
    const KIND: u32 = 39;
}

impl Object for ConditionSlot {
    const KIND: u32 = 40;
}

/// The waiters of one process.
///
/// | bits | meaning |
/// | --- | --- |
/// | 0–31 | how many wait and have not been notified |
/// | 32–63 | how many were ever notified, wrapping |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts(u64);

impl Counts {
    fn waiting(self) -> u32 {
        self.0 as u32
    }

    fn notified(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn of(waiting: u32, notified: u32) -> Self {
        Self(u64::from(notified) << 32 | u64::from(waiting))
    }

    fn joined(self) -> Self {
        Self::of(self.waiting().saturating_add(1), self.notified())
    }

    fn left(self) -> Self {
        Self::of(self.waiting().saturating_sub(1), self.notified())
    }

    /// At most [`waiting`](Self::waiting).
    fn notify(self, count: u32) -> Self {
        Self::of(self.waiting() - count, self.notified().wrapping_add(count))
    }

    fn emptied(self) -> Self {
        Self::of(0, self.notified())
    }
}

impl ConditionSlot {
    fn counts(&self) -> Counts {
        Counts(self.counts.load(Ordering::Acquire))
    }

    fn change(&self, from: Counts, to: Counts) -> bool {
        self.counts.compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// This process's waiters of one condition, for all of its handles.
#[derive(Default)]
pub(crate) struct Table(Mutex<Rows>);

#[derive(Default)]
struct Rows {
    next: u64,
    /// How many notifications have been handed out.
    seen: u32,
    waiting: BTreeSet<u64>,
    notified: HashSet<u64>,
}

impl Rows {
    /// Hands out what has come.
    fn catch_up(&mut self, counts: Counts) {
        for _ in 0..counts.notified().wrapping_sub(self.seen) {
            // More than there are waiters only after a peer's scribbling.
            let first =
                planted!("who-comes-later-is-notified", self.waiting.pop_first(), self.waiting.pop_last());
            let Some(first) = first else { break };
            self.notified.insert(first);
        }
        self.seen = counts.notified();
    }
}

/// A condition: its words, a slot for each process, and the table of this one.
#[derive(Clone, Copy)]
pub(crate) struct Condition<'a> {
    pub(crate) words: &'a ConditionWords,
    pub(crate) slots: &'a [ConditionSlot],
    pub(crate) table: &'a Table,
}

impl<'a> Condition<'a> {
    fn own<A: Alive>(self, party: Party<'_, A>) -> &'a ConditionSlot {
        &self.slots[usize::from(party.me.slot()) % self.slots.len()]
    }

    /// Counts the caller as waiting, from now on.
    pub(crate) fn join<A: Alive>(self, party: Party<'a, A>) -> Place<'a, A> {
        let slot = self.own(party);
        let mut rows = self.table.0.lock();
        if slot.generation.load(Ordering::Relaxed) != party.me.generation() {
            // Those of whoever had the slot before are dead.
            let mut now = slot.counts();
            while !slot.change(now, now.emptied()) {
                now = slot.counts();
            }
            rows.seen = now.notified();
            slot.generation.store(party.me.generation(), Ordering::Release);
        }
        let end = u32::from(party.me.slot()) + 1;
        if self.words.used.load(Ordering::Relaxed) < end {
            self.words.used.fetch_max(end, Ordering::AcqRel);
        }
        let mut now = slot.counts();
        while !slot.change(now, now.joined()) {
            now = slot.counts();
        }
        let number = rows.next;
        rows.next += 1;
        rows.waiting.insert(number);
        Place { condition: self, party, number, is_off: false, owes: false }
    }

    /// Notifies `count` waiters, if there are so many; never waits.
    pub(crate) fn notify<A: Alive>(self, party: Party<'a, A>, count: u32) {
        let used = (self.words.used.load(Ordering::Acquire) as usize).min(self.slots.len());
        if used == 0 {
            return;
        }
        let start = self.words.start.fetch_add(1, Ordering::Relaxed) as usize % used;
        let mut left = count;
        for index in (start..used).chain(0..start) {
            if left == 0 {
                return;
            }
            let slot = &self.slots[index];
            left -= self.notify_slot(slot, index, party, left);
        }
    }

    /// How many of this slot's waiters it notified, `most` at the most.
    fn notify_slot<A: Alive>(
        self,
        slot: &'a ConditionSlot,
        index: usize,
        party: Party<'a, A>,
        most: u32,
    ) -> u32 {
        loop {
            let now = slot.counts();
            if now.waiting() == 0 {
                return 0;
            }
            let Ok(number) = u16::try_from(index) else { return 0 };
            let owner = Owner::new(number, slot.generation.load(Ordering::Acquire));
            let lives =
                owner == party.me || planted!("the-dead-are-notified", party.alive.is_alive(owner), true);
            let given = if lives { most.min(now.waiting()) } else { 0 };
            let next = if lives { now.notify(given) } else { now.emptied() };
            if slot.change(now, next) {
                if given > 0 {
                    let spot = Spot::new(&slot.waiters, party.bell);
                    spot.sign();
                    spot.notify_all();
                }
                return given;
            }
        }
    }

    /// How many wait: a hint.
    pub(crate) fn waiters(self) -> u64 {
        let used = self.words.used.load(Ordering::Acquire) as usize;
        self.slots.iter().take(used).map(|slot| u64::from(slot.counts().waiting())).sum()
    }
}

/// A place among those who wait. Dropped, it is left; a notification that came to it goes on to another, unless it was
/// [settled](Self::settle).
pub(crate) struct Place<'a, A: Alive> {
    condition: Condition<'a>,
    party: Party<'a, A>,
    number: u64,
    /// Not on the list any more.
    is_off: bool,
    /// A notification has come to it.
    owes: bool,
}

impl<'a, A: Alive> Place<'a, A> {
    fn is_notified(&self) -> bool {
        let slot = self.condition.own(self.party);
        let mut rows = self.condition.table.0.lock();
        rows.catch_up(slot.counts());
        rows.notified.contains(&self.number)
    }

    /// Waits until it is notified, however long that takes.
    pub(crate) async fn wait<W: Waiter>(&self, waiter: &mut W) -> Result<(), W::GaveUp> {
        let spot = Spot::new(&self.condition.own(self.party).waiters, self.party.bell);
        until(waiter, |_| if self.is_notified() { Step::Done(()) } else { Step::Wait(spot) }).await
    }

    /// Waits no longer. Whether it was notified before.
    pub(crate) fn leave(&mut self) -> bool {
        if self.is_off {
            return self.owes;
        }
        self.is_off = true;
        let slot = self.condition.own(self.party);
        let mut rows = self.condition.table.0.lock();
        loop {
            let now = slot.counts();
            rows.catch_up(now);
            if rows.notified.remove(&self.number) {
                self.owes = true;
                return true;
            }
            if planted!("who-leaves-stays-counted", slot.change(now, now.left()), true) {
                rows.waiting.remove(&self.number);
                return false;
            }
        }
    }

    /// What it was notified for has been got.
    pub(crate) fn settle(mut self) {
        self.leave();
        self.owes = false;
    }
}

impl<A: Alive> Drop for Place<'_, A> {
    fn drop(&mut self) {
        if self.leave() && planted!("a-cancelled-wait-eats-its-notification", self.owes, false) {
            self.condition.notify(self.party, 1);
        }
    }
}
