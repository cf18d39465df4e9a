//! The steps of lending that are words alone. Each may be the last of whoever takes it.
//!
//! | who dies | what is left |
//! | --- | --- |
//! | a borrower before its item is "being counted", or `READY` | it is lent again |
//! | one between that and the count | the record is done with; who asks for the dead counts it, at the latest once nobody alive is at its count |
//! | one behind the count | the same: what is counted is never more than what is done with |
//! | one between `READY` and the count of what came back | that count is one too low: a thorough look finds what is left |
//! | a getter between the attempts and `LENT` | one attempt too many |
//! | one between `LENT` and the count of what came back | that count is one too high, until somebody looks and finds nothing |
//! | one between `LENT` and `lent` | the next getter finds the record where it begins |
//! | who moves the head, between the count and the head | the count is one too low until who asks for the dead counts again, or nothing is lent |
//! | who gives up an item, before it is done with that | another gives it up again: it may be with the dead letters twice |

use crate::planted::planted;
use crate::raw::queue::cursor::Cursor;
use crate::raw::queue::record::{Descriptor, Lending};
use crate::raw::queue::words::GetSide;
use crate::shm::atomic::Ordering;
use crate::shm::{Alive, Owner};

impl Lending {
    /// Whether a record is done with and was counted before, or never will be: its borrower died at that. One that is alive and still
    /// counts has to be waited for.
    pub(super) fn has_been_counted(self, alive: &impl Alive) -> bool {
        let counter = planted!("who-dies-counting-keeps-the-head", self.counter(), None);
        self == Self::DONE
            || counter
                .is_some_and(|owner| planted!("who-still-counts-has-counted", !alive.is_alive(owner), true))
    }
}

impl Descriptor {
    /// Where it stands, and whether it is to be lent again: it was given back, or its borrower is dead. Under the get lock.
    pub(super) fn is_to_be_lent(&self, is_dead: impl FnOnce(Owner) -> bool) -> (Lending, bool) {
        let lending = self.lending();
        let Some(borrower) = lending.borrower() else { return (lending, lending == Lending::READY) };
        if !is_dead(borrower) {
            return (lending, false);
        }
        // It may have been done with it, or have given it back, before it died: what it says by now is its last word.
        let last = planted!("the-dead-have-no-last-word", self.lending(), lending);
        let is_left = last == lending || last == Lending::READY;
        (last, planted!("what-the-dead-finished-is-lent", is_left, true))
    }

    /// Counts one more attempt, and lends it: how many there are. `None`: it does not stand there any more. Under the get lock.
    pub(super) fn lend(&self, from: Lending, me: Owner) -> Option<u16> {
        let attempts = self.attempts().saturating_add(1);
        self.set_attempts(attempts);
        self.change(from, Lending::to(me)).then_some(attempts)
    }
}

impl GetSide {
    /// The borrower is done with a record; false if it was not its own any more.
    pub(super) fn finish(&self, descriptor: &Descriptor, me: Owner) -> bool {
        if !descriptor.change(Lending::to(me), Lending::being_counted_by(me)) {
            return false;
        }
        // The head stays before it until it is counted: whoever moves the head takes it off the count again.
        planted!("counted-behind-the-head", self.count_done(), ());
        descriptor.change(Lending::being_counted_by(me), Lending::DONE);
        planted!("counted-behind-the-head", {
            std::thread::yield_now();
            self.count_done();
        });
        true
    }

    /// Counts one more that is done with.
    fn count_done(&self) {
        self.done.fetch_add(1, Ordering::AcqRel);
    }

    /// Who was killed at counting, or at moving the head, left the count too low.
    pub(super) fn count_at_least(&self, done: u32) {
        planted!("nobody-counts-for-the-dead", {
            return;
        });
        self.done.fetch_max(done, Ordering::AcqRel);
    }

    /// The head moves over a record that is done with. Under the get lock.
    pub(super) fn leave(&self, next: Cursor) {
        // In this order less seems to be done in between, and never more.
        planted!("the-head-moves-before-the-count", self.uncount_done(), ());
        self.commit(next);
        planted!("the-head-moves-before-the-count", {
            self.uncount_done();
        });
    }

    fn uncount_done(&self) {
        let less = |now: u32| Some(now.saturating_sub(1));
        let _ = self.done.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }

    /// The borrower gives a record back; false if it was not its own any more. Takes no lock.
    pub(super) fn return_record(&self, descriptor: &Descriptor, me: Owner) -> bool {
        let is_back = descriptor.change(Lending::to(me), Lending::READY);
        if is_back {
            self.returned.fetch_add(1, Ordering::AcqRel);
        }
        is_back
    }

    /// About how many were given back and are with nobody.
    pub(super) fn returned(&self) -> u32 {
        self.returned.load(Ordering::Acquire)
    }

    /// One of those is found, and lent.
    pub(super) fn take_returned(&self) {
        let less = |now: u32| Some(now.saturating_sub(1));
        let _ = self.returned.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }

    /// None was found of as many as there were before the search.
    pub(super) fn none_returned(&self, before: u32) {
        // Only if none came meanwhile.
        let _ = planted!(
            "who-finds-nothing-forgets-what-came-meanwhile",
            self.returned.compare_exchange(before, 0, Ordering::AcqRel, Ordering::Relaxed),
            Ok::<_, u32>(self.returned.swap(0, Ordering::AcqRel))
        );
    }
}
