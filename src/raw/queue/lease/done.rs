//! What is done with: the count of it, the head that moves over it, and those who wait until nothing is left.

use super::Lent;
use crate::planted::planted;
use crate::raw::queue::cursor::Cursor;
use crate::raw::queue::record::{self, Flags};
use crate::raw::queue::{GETTERS, Patience, Queue};
use crate::shm::atomic::Ordering;
use crate::wait::{ParkUntil, Step, Waiter, blocking, until};

impl Queue {
    /// How many records between the ends nobody will ask for: no more than there are.
    #[inline]
    pub(in crate::raw::queue) fn done(&self) -> u64 {
        if self.max_attempts == 0 { 0 } else { u64::from(self.words.get.done.load(Ordering::Acquire)) }
    }

    /// Waits until every item is done with. False, if it only tries: one is not.
    pub(crate) async fn join_lent<W: Waiter>(
        &self,
        waiter: &mut W,
        patience: Patience,
    ) -> Result<bool, W::GaveUp> {
        until(waiter, |look| {
            let lock = &self.words.get.lock;
            let tries = patience == Patience::Tries;
            // By the counts first, which say for a while that more is left than there is where a borrower was killed.
            let mut is_done = self.len() == 0;
            if is_done || look.is_thorough() || tries {
                if let Step::Wait(spot) = lock.attempt(look, self.party(GETTERS)) {
                    return Step::Wait(spot);
                }
                is_done = self.having_advanced(|| self.has_equal_ends());
            }
            if is_done || tries { Step::Done(is_done) } else { Step::Wait(self.joiners()) }
        })
        .await
    }

    /// [`join_lent`](Self::join_lent), now or never.
    pub(crate) fn try_join_lent(&self) -> bool {
        let mut waiter = ParkUntil::new(Self::grace());
        blocking(self.join_lent(&mut waiter, Patience::Tries)).unwrap_or(false)
    }

    /// Whether nothing is left, lent or not: under the get lock, once the head was moved over what is done with.
    pub(super) fn has_equal_ends(&self) -> bool {
        self.words.head().number() == self.words.tail().number()
    }

    /// Moves the head over what is done with, and frees it; says whether it has moved. Under the get lock.
    pub(in crate::raw::queue) fn advance(&self) -> bool {
        let mut has_moved = false;
        if self.max_attempts == 0 {
            return has_moved;
        }
        let side = &self.words.get;
        let me = self.region().me();
        loop {
            let head = Cursor(side.head.load(Ordering::Relaxed));
            if head.number() == Cursor(side.lent.load(Ordering::Relaxed)).number() {
                // Nobody has an item, so nobody is about to count one: the dead may have left too few, and a corrupt region anything.
                let is_wrong = side.done.load(Ordering::Relaxed) != 0;
                if planted!("the-count-is-not-set-right", is_wrong, false) {
                    side.done.store(0, Ordering::Release);
                }
                return has_moved;
            }
            let Ok(found) = self.find(head) else { return has_moved };
            if !found.descriptor.lending().has_been_counted(&**self.region()) {
                return has_moved;
            }
            let payload = match found.facts.flags.has(Flags::EXTENT) {
                true => self.payload_blocks(&found.facts, found.length).unwrap_or_default(),
                false => Vec::new(),
            };
            self.blocks.adopt(me, &payload);
            if let Some(block) = found.left {
                self.blocks.rename(me, block);
            }
            let next = head.after_one(found.at + record::size(found.length));
            side.leave(next);
            has_moved = true;
            let freed: Vec<u32> = payload.into_iter().chain(found.left).collect();
            if !freed.is_empty() {
                self.give_back(&freed);
            }
        }
    }

    /// The borrower is done with the item; false if it was not ours any more.
    pub(crate) fn finish_lent(&self, lent: &Lent) -> bool {
        let me = self.region().me();
        let Ok(descriptor) = self.descriptor(lent.at) else { return false };
        let side = &self.words.get;
        if !side.finish(descriptor, me) {
            return false;
        }
        // If somebody has the lock, the next who takes it moves the head.
        if side.lock.try_acquire(self.party(GETTERS)).is_some() {
            let _held = self.hold(&side.lock, GETTERS);
            self.advance();
        }
        self.space().notify_one_behind_a_change();
        self.tell_if_all_is_done();
        true
    }

    /// Moves the head and does `what`, with the get lock, which the caller has taken and which is given back. While the head moves, less seems
    /// to be done than is, so whoever finished an item meanwhile may have told nobody: that is made good.
    pub(in crate::raw::queue) fn having_advanced<R>(&self, what: impl FnOnce() -> R) -> R {
        let (has_moved, out) = {
            let _held = self.hold(&self.words.get.lock, GETTERS);
            (self.advance(), what())
        };
        if has_moved {
            self.space().notify_one_behind_a_change();
            self.tell_if_all_is_done();
        }
        out
    }

    fn tell_if_all_is_done(&self) {
        if self.len() == 0 {
            self.joiners().notify_all();
            if self.words.tail().is_closed() {
                self.items().notify_all();
            }
        }
    }

    /// Counts for the dead what they did not. Leaves the get lock alone if somebody has it.
    pub(in crate::raw::queue) fn count_for_the_dead(&self) {
        let side = &self.words.get;
        if self.max_attempts > 0 && side.lock.try_acquire(self.party(GETTERS)).is_some() {
            self.having_advanced(|| {
                let records = self.lent_records(Cursor(side.lent.load(Ordering::Relaxed)));
                let lendings = records.map_while(Result::ok).map(|found| found.descriptor.lending());
                let done = lendings.filter(|lending| lending.has_been_counted(&**self.region())).count();
                side.count_at_least(u32::try_from(done).unwrap_or(u32::MAX));
            });
        }
    }
}
