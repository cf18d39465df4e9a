//! Lending: a getter has an item for a while and says when it is done with it.
//!
//! ```text
//!        head ──┐                    lent ──┐                 tail ──┐
//!        ┌──────▼───┬───────┬───────┬───────▼──┬─────────┬───────────▼
//!        │ lent     │ DONE  │ given │ READY    │ READY   │
//!        └──────────┴───────┴───────┴──────────┴─────────┘
//! ```
//!
//! A record goes from `READY` to `LENT` under the get lock, and from there back to `READY` in one step of its borrower, which takes no
//! lock; or it is done with, first "being counted" and, once it is counted, `DONE`. The head moves over what is `DONE`, with whoever
//! has the get lock, or was being counted by one that died; so `done` is never more than the records between the ends that are done
//! with. A record whose borrower died before that is lent again. Its bytes stay where they are until it is done with, so nothing is
//! lost with a borrower.

use std::collections::HashMap;

use super::cursor::Cursor;
use super::get::NotTaken;
use super::record::{self, Descriptor, Flags, Lending};
use super::take::{Found, NotWon};
use super::words::GetSide;
use super::{GETTERS, Message, Patience, Queue, until_counted};
use crate::planted::planted;
use crate::shm::Alive as _;
use crate::shm::atomic::Ordering;
use crate::wait::{Look, ParkUntil, Step, Waiter, blocking, until};

/// At every so many items, the dead are asked after.
const LOOK_EVERY: u64 = 64;

/// An item that is lent to this process.
#[derive(Debug)]
pub(crate) struct Lent {
    /// Where its record stands. It stays there until we are done with it.
    at: u64,
    attempts: u16,
    flags: Flags,
    /// The blocks of a long payload, and its length.
    payload: Option<(Vec<u32>, usize)>,
    more: bool,
}

impl Lent {
    /// The first time is 1.
    pub(crate) fn attempts(&self) -> u16 {
        self.attempts
    }

    pub(crate) fn flags(&self) -> Flags {
        self.flags
    }
}

impl GetSide {
    /// Counts one more that is done with.
    fn count_done(&self) {
        self.done.fetch_add(1, Ordering::AcqRel);
    }

    /// Who was killed at counting, or at moving the head, left the count too low.
    fn count_at_least(&self, done: u32) {
        planted!("nobody-counts-for-the-dead", {
            return;
        });
        self.done.fetch_max(done, Ordering::AcqRel);
    }

    /// Counts one less.
    fn uncount_done(&self) {
        let less = |now: u32| Some(now.saturating_sub(1));
        let _ = self.done.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }
}

impl Queue {
    /// How many records between the ends nobody will ask for: no more than there are.
    #[inline]
    pub(super) fn done(&self) -> u64 {
        if self.max_attempts == 0 { 0 } else { u64::from(self.words.get.done.load(Ordering::Acquire)) }
    }

    /// How many items were lent in vain as often as they may be.
    pub(crate) fn given_up(&self) -> u64 {
        self.words.get.given_up.load(Ordering::Relaxed)
    }

    /// Borrows an item: its bytes are put into `into`. One that was lent in vain too often goes to `dead` instead. Dropped
    /// before it is done, it has borrowed nothing.
    pub(crate) async fn borrow<W: Waiter>(
        &self,
        waiter: &mut W,
        into: &mut Vec<u8>,
        dead: Option<&Queue>,
        patience: Patience,
    ) -> Result<Result<Lent, NotTaken>, W::GaveUp> {
        let (lent, _) = until_counted(waiter, &self.words.get.waits, |look| {
            loop {
                match self.attempt_borrow(look, into, patience) {
                    Step::Done(Ok(lent)) if lent.attempts > self.max_attempts => {
                        self.give_up(&lent, into, dead)
                    }
                    other => return other,
                }
            }
        })
        .await?;
        Ok(lent.and_then(|lent| {
            if let Some((blocks, length)) = &lent.payload {
                self.copy_long(blocks, *length, into)?;
            }
            Ok(lent)
        }))
    }

    /// Borrows an item now or never.
    pub(crate) fn try_borrow(&self, into: &mut Vec<u8>, dead: Option<&Queue>) -> Result<Lent, NotTaken> {
        let mut waiter = ParkUntil::new(Self::grace());
        let borrow = self.borrow(&mut waiter, into, dead, Patience::Tries);
        blocking(borrow).unwrap_or(Err(NotTaken::Empty))
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
    fn has_equal_ends(&self) -> bool {
        self.words.head().number() == self.words.tail().number()
    }

    fn attempt_borrow<'a>(
        &'a self,
        look: Look,
        into: &mut Vec<u8>,
        patience: Patience,
    ) -> Step<'a, Result<Lent, NotTaken>> {
        let side = &self.words.get;
        if self.words.is_ended() {
            return Step::Done(Err(NotTaken::Closed));
        }
        self.mark_receiver();
        let tries = patience == Patience::Tries;
        let lent = Cursor(side.lent.load(Ordering::Acquire));
        // Now and then in any case: getters who never have to wait would never hear of a death.
        let is_due = lent.number().is_multiple_of(LOOK_EVERY)
            || side.scanned.load(Ordering::Relaxed) != self.region().deaths();
        let looks_around = look.is_thorough() || tries || is_due;
        let nothing = || if tries { Step::Done(Err(NotTaken::Empty)) } else { Step::Wait(self.items()) };
        if looks_around && self.len() == 0 {
            self.close_after_senders();
        }
        let tail = self.words.tail();
        let may_be_over = looks_around || tail.is_closed();
        if lent.number() == tail.number() && side.returned.load(Ordering::Acquire) == 0 && !may_be_over {
            return nothing();
        }
        if let Step::Wait(spot) = side.lock.attempt(look, self.party(GETTERS)) {
            return Step::Wait(spot);
        }
        let (lent, is_over) = self.having_advanced(|| {
            let lent = self.lend(into, looks_around);
            // What others have borrowed may come back: it is not over before that is done with, too. Behind a closed tail nothing comes.
            (lent, self.has_equal_ends() && self.words.tail().is_closed())
        });
        match lent {
            Ok(lent) => {
                if lent.more && look.is_listed() {
                    self.items().notify_one();
                }
                Step::Done(Ok(lent))
            }
            Err(NotWon::Empty) if is_over => Step::Done(Err(NotTaken::Closed)),
            Err(NotWon::Empty) => nothing(),
            Err(_) => Step::Done(Err(NotTaken::Corrupt)),
        }
    }

    /// Lends a record that came back, or the next. Under the get lock.
    fn lend(&self, into: &mut Vec<u8>, looks_around: bool) -> Result<Lent, NotWon> {
        let side = &self.words.get;
        let returned = side.returned.load(Ordering::Acquire);
        let lent = Cursor(side.lent.load(Ordering::Relaxed));
        let tail = self.words.tail();
        if returned > 0 || looks_around {
            let deaths = self.region().deaths();
            if let Some((found, was_returned)) = self.find_returned(lent, looks_around)? {
                if was_returned {
                    let one_less = |now: u32| Some(now.saturating_sub(1));
                    let _ = side.returned.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less);
                }
                return self.lend_found(&found, into, true);
            }
            // Only if none came meanwhile.
            let _ = side.returned.compare_exchange(returned, 0, Ordering::AcqRel, Ordering::Relaxed);
            if looks_around {
                side.scanned.store(deaths, Ordering::Relaxed);
            }
        }
        if lent.number() == tail.number() {
            return Err(NotWon::Empty);
        }
        let length = self.words.head().distance_to(tail);
        if length > side.peak.load(Ordering::Relaxed) {
            side.peak.store(length, Ordering::Relaxed);
        }
        let found = self.find(lent)?;
        let next = lent.after_one(found.at + record::size(found.length));
        let more = next.number() != tail.number();
        let lent = self.lend_found(&found, into, more)?;
        side.lent.store(next.0, Ordering::Release);
        Ok(lent)
    }

    fn lend_found(&self, found: &Found<'_>, into: &mut Vec<u8>, more: bool) -> Result<Lent, NotWon> {
        let descriptor = found.descriptor;
        into.clear();
        let payload = self.copy_short(found, into)?;
        // If we die between these two, the count errs by one too many.
        let attempts = descriptor.attempts().saturating_add(1);
        descriptor.set_attempts(attempts);
        let now = descriptor.lending();
        if !descriptor.change(now, Lending::to(self.region().me())) {
            return Err(NotWon::Corrupt);
        }
        Ok(Lent { at: found.at, attempts, flags: found.facts.flags, payload, more })
    }

    /// What lies between the head and what was not lent yet. Under the get lock.
    fn lent_records(&self, lent: Cursor) -> impl Iterator<Item = Result<Found<'_>, NotWon>> {
        let mut at = self.words.head();
        std::iter::from_fn(move || {
            if at.number() == lent.number() {
                return None;
            }
            let found = self.find(at);
            at = match &found {
                Ok(found) => at.after_one(found.at + record::size(found.length)),
                // Nobody can tell where the next would be.
                Err(_) => lent,
            };
            Some(found.map_err(NotWon::from))
        })
    }

    /// A record that was lent and is to be lent again, and whether it was given back.
    fn find_returned(
        &self,
        lent: Cursor,
        asks_for_the_dead: bool,
    ) -> Result<Option<(Found<'_>, bool)>, NotWon> {
        let (mut alive, mut done) = (HashMap::new(), 0);
        for found in self.lent_records(lent) {
            let found = found?;
            let lending = found.descriptor.lending();
            if lending == Lending::READY {
                return Ok(Some((found, true)));
            }
            if asks_for_the_dead && let Some(owner) = lending.borrower() {
                let lives = *alive.entry(owner).or_insert_with(|| self.region().is_alive(owner));
                if planted!("a-dead-borrower-keeps-its-item", !lives, false) {
                    return Ok(Some((found, false)));
                }
            }
            done += u32::from(asks_for_the_dead && self.has_been_counted(lending));
        }
        if asks_for_the_dead {
            self.words.get.count_at_least(done);
        }
        Ok(None)
    }

    /// Whether a record is done with and was counted before, or never will be: its borrower died at that. One that is alive and still
    /// counts has to be waited for.
    fn has_been_counted(&self, lending: Lending) -> bool {
        let counter = planted!("who-dies-counting-keeps-the-head", lending.counter(), None);
        lending == Lending::DONE || counter.is_some_and(|owner| !self.region().is_alive(owner))
    }

    /// Moves the head over what is done with, and frees it; says whether it has moved. Under the get lock.
    pub(super) fn advance(&self) -> bool {
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
            if !self.has_been_counted(found.descriptor.lending()) {
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
            // In this order less seems to be done in between, and never more.
            side.uncount_done();
            side.commit(next);
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
        if !descriptor.change(Lending::to(me), Lending::being_counted_by(me)) {
            return false;
        }
        let side = &self.words.get;
        // The head stays before it until it is counted: whoever moves the head takes it off the count again.
        planted!("counted-behind-the-head", side.count_done(), ());
        descriptor.change(Lending::being_counted_by(me), Lending::DONE);
        planted!("counted-behind-the-head", {
            std::thread::yield_now();
            side.count_done();
        });
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
    fn having_advanced<R>(&self, what: impl FnOnce() -> R) -> R {
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
    pub(super) fn count_for_the_dead(&self) {
        let side = &self.words.get;
        if self.max_attempts > 0 && side.lock.try_acquire(self.party(GETTERS)).is_some() {
            self.having_advanced(|| {
                let records = self.lent_records(Cursor(side.lent.load(Ordering::Relaxed)));
                let lendings = records.map_while(Result::ok).map(|found| found.descriptor.lending());
                let done = lendings.filter(|lending| self.has_been_counted(*lending)).count();
                side.count_at_least(u32::try_from(done).unwrap_or(u32::MAX));
            });
        }
    }

    /// The borrower gives the item back for others. Takes no lock.
    pub(crate) fn return_lent(&self, lent: &Lent) {
        let me = self.region().me();
        let back = |descriptor: &Descriptor| descriptor.change(Lending::to(me), Lending::READY);
        if self.descriptor(lent.at).is_ok_and(back) {
            self.words.get.returned.fetch_add(1, Ordering::AcqRel);
            self.items().notify_one_behind_a_change();
        }
    }

    /// Puts an item that nobody could finish where the dead letters are.
    #[cold]
    fn give_up(&self, lent: &Lent, bytes: &mut Vec<u8>, dead: Option<&Queue>) {
        if let Some((blocks, length)) = &lent.payload
            && self.copy_long(blocks, *length, bytes).is_err()
        {
            bytes.clear();
        }
        if let Some(dead) = dead {
            // If that one is full or closed, the item is only counted.
            let _ = dead.try_put(&Message { bytes, flags: lent.flags.without_place(), luggage: &[] });
        }
        self.words.get.given_up.fetch_add(1, Ordering::Relaxed);
        self.finish_lent(lent);
    }
}
