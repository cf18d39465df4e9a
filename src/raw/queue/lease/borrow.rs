//! What is lent to whom: borrowing, giving back, and giving up what nobody could finish.

use std::collections::HashMap;

use super::Lent;
use crate::planted::planted;
use crate::raw::queue::cursor::Cursor;
use crate::raw::queue::find::Found;
use crate::raw::queue::get::NotTaken;
use crate::raw::queue::record::{self, Lending};
use crate::raw::queue::take::NotWon;
use crate::raw::queue::{GETTERS, Message, Patience, Queue, until_counted};
use crate::shm::Alive as _;
use crate::shm::atomic::Ordering;
use crate::wait::{Look, ParkUntil, Step, Waiter, blocking};

/// At every so many items, the dead are asked after.
const LOOK_EVERY: u64 = 64;

impl Queue {
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
        if lent.number() == tail.number() && side.returned() == 0 && !may_be_over {
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
        let returned = side.returned();
        let lent = Cursor(side.lent.load(Ordering::Relaxed));
        let tail = self.words.tail();
        if returned > 0 || looks_around {
            let deaths = self.region().deaths();
            if let Some((found, from)) = self.find_returned(lent, looks_around)? {
                let lent = self.lend_found(&found, from, into, true)?;
                if from == Lending::READY {
                    side.take_returned();
                }
                return Ok(lent);
            }
            side.none_returned(returned);
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
        // Its last getter may have died before it moved on.
        let lent = self.lend_found(&found, found.descriptor.lending(), into, more)?;
        side.lent.store(next.0, Ordering::Release);
        Ok(lent)
    }

    fn lend_found(
        &self,
        found: &Found<'_>,
        from: Lending,
        into: &mut Vec<u8>,
        more: bool,
    ) -> Result<Lent, NotWon> {
        let descriptor = found.descriptor;
        into.clear();
        let payload = self.copy_short(found, into)?;
        let attempts = descriptor.lend(from, self.region().me()).ok_or(NotWon::Corrupt)?;
        Ok(Lent { at: found.at, attempts, flags: found.facts.flags, payload, more })
    }

    /// A record that was lent and is to be lent again, and where it stands.
    fn find_returned(
        &self,
        lent: Cursor,
        asks_for_the_dead: bool,
    ) -> Result<Option<(Found<'_>, Lending)>, NotWon> {
        let (mut alive, mut done) = (HashMap::new(), 0);
        for found in self.lent_records(lent) {
            let found = found?;
            let (lending, is_to_be_lent) = found.descriptor.is_to_be_lent(|owner| {
                let mut lives = || *alive.entry(owner).or_insert_with(|| self.region().is_alive(owner));
                asks_for_the_dead && planted!("a-dead-borrower-keeps-its-item", !lives(), false)
            });
            if is_to_be_lent {
                return Ok(Some((found, lending)));
            }
            done += u32::from(asks_for_the_dead && lending.has_been_counted(&**self.region()));
        }
        if asks_for_the_dead {
            self.words.get.count_at_least(done);
        }
        Ok(None)
    }

    /// The borrower gives the item back for others. Takes no lock.
    pub(crate) fn return_lent(&self, lent: &Lent) {
        let me = self.region().me();
        let side = &self.words.get;
        if self.descriptor(lent.at).is_ok_and(|descriptor| side.return_record(descriptor, me)) {
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
