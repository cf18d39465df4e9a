//! Lending in models: the steps of borrowers and of getters, with one of them killed before each of its accesses.

use std::sync::Arc;

use loom::thread;

use crate::raw::models::killed::{Scene, VICTIM, at_each_access};
use crate::raw::queue::cursor::{Cursor, UNIT};
use crate::raw::queue::record::{Descriptor, Lending};
use crate::raw::queue::words::QueueWords;
use crate::shm::Alive as _;
use crate::shm::atomic::{AtomicU64, Ordering};
use crate::wait::model::{Kernel, Thread};
use crate::wait::{Look, Spot, Step, blocking, never, until};

const RECORDS: usize = 3;

/// Three items, put and waiting to be lent.
#[derive(Default)]
struct Shelf {
    words: QueueWords,
    records: [Descriptor; RECORDS],
    kernel: Kernel,
}

impl Scene for Shelf {
    fn kernel(&self) -> &Kernel {
        &self.kernel
    }
}

impl Shelf {
    fn cursor(number: usize) -> Cursor {
        (0..number).fold(Cursor(0), |at, _| at.after_one(at.position() + UNIT))
    }

    /// One item each for these, who are all borrowers that there will be.
    fn lend_to(&self, borrowers: &[u16]) {
        for (record, &borrower) in self.records.iter().zip(borrowers) {
            assert_eq!(record.lend(Lending::READY, self.party(borrower).me), Some(1));
        }
        let end = Self::cursor(borrowers.len());
        self.words.put.commit(Cursor(0), end).unwrap();
        self.words.get.lent.store(end.0, Ordering::Release);
    }

    fn left(&self) -> u64 {
        self.words.left(|| u64::from(self.words.get.done.load(Ordering::Acquire)))
    }

    fn lent_records(&self) -> &[Descriptor] {
        let side = &self.words.get;
        let of = |word: &AtomicU64| Cursor(word.load(Ordering::Relaxed)).number() as usize;
        &self.records[of(&side.head)..of(&side.lent)]
    }

    /// Under the get lock.
    fn advance(&self) {
        let side = &self.words.get;
        while let [first, ..] = self.lent_records()
            && first.lending().has_been_counted(&self.kernel)
        {
            let head = Cursor(side.head.load(Ordering::Relaxed));
            side.leave(Self::cursor(head.number() as usize + 1));
        }
    }

    fn finish(&self, who: u16, record: usize) {
        let side = &self.words.get;
        assert!(side.finish(&self.records[record], self.party(who).me));
        if side.lock.try_acquire(self.party(who)).is_some() {
            self.advance();
            side.lock.release(self.party(who), false);
        }
    }

    fn items(&self, who: u16) -> Spot<'_> {
        Spot::new(&self.words.put.items, self.party(who).bell)
    }

    fn give_back(&self, who: u16, record: usize) {
        assert!(self.words.get.return_record(&self.records[record], self.party(who).me));
        self.items(who).notify_one_behind_a_change();
    }

    /// A record that came back, if one did: its number.
    fn find_returned(&self, who: u16, asks_for_the_dead: bool) -> Option<usize> {
        let side = &self.words.get;
        let returned = side.returned();
        let (mut done, head) = (0, self.words.head().number() as usize);
        for (index, record) in self.lent_records().iter().enumerate() {
            let (lending, is_to_be_lent) =
                record.is_to_be_lent(|owner| asks_for_the_dead && !self.kernel.is_alive(owner));
            if is_to_be_lent {
                assert!(record.lend(lending, self.party(who).me).is_some(), "two have borrowed one item");
                if lending == Lending::READY {
                    side.take_returned();
                }
                return Some(head + index);
            }
            done += u32::from(asks_for_the_dead && lending.has_been_counted(&self.kernel));
        }
        if asks_for_the_dead {
            side.count_at_least(done);
        }
        side.none_returned(returned);
        None
    }

    /// What the victim had, unless it was done with that: then it is counted.
    fn finish_for_the_dead(&self, has_died: bool, item: usize) {
        if let Some(found) = self.look_around(0) {
            assert!(has_died && found == item, "{found} was lent to one that lives");
            self.finish(0, found);
        }
    }

    /// With the get lock: moves the head, counts for the dead, and takes what they had.
    fn look_around(&self, who: u16) -> Option<usize> {
        let lock = &self.words.get.lock;
        let _ = never(blocking(lock.acquire(&mut Thread, self.party(who))));
        self.advance();
        let found = self.find_returned(who, true);
        lock.release(self.party(who), false);
        found
    }

    fn borrow(&self, who: u16) -> usize {
        let side = &self.words.get;
        never(blocking(until(&mut Thread, |look: Look| {
            if side.returned() == 0 && !look.is_thorough() {
                return Step::Wait(self.items(who));
            }
            if let Step::Wait(spot) = side.lock.attempt(look, self.party(who)) {
                return Step::Wait(spot);
            }
            let found = self.find_returned(who, look.is_thorough());
            side.lock.release(self.party(who), false);
            found.map_or_else(|| Step::Wait(self.items(who)), Step::Done)
        })))
    }
}

/// `VICTIM` and 1 are done with their items, 0 is not: meanwhile nobody finds the queue empty, and in the end nothing but that one item is
/// left, whoever died at what.
fn finishing(borrowers: [u16; RECORDS]) {
    let of = move |who: u16| borrowers.iter().position(|&other| other == who).unwrap();
    at_each_access(
        2,
        move |shelf: &Shelf| shelf.lend_to(&borrowers),
        move |shelf| shelf.finish(VICTIM, of(VICTIM)),
        move |shelf| {
            let other = {
                let shelf = shelf.clone();
                thread::spawn(move || shelf.finish(1, of(1)))
            };
            assert!(shelf.left() > 0, "an item is lent, and the queue seems to be done with");
            other
        },
        move |shelf, other: thread::JoinHandle<()>, died| {
            other.join().unwrap();
            shelf.finish_for_the_dead(died, of(VICTIM));
            assert_eq!(shelf.left(), 1, "only one is left");
        },
    );
}

/// The head moves over what is done with.
#[test]
fn lease_of_a_killed_finisher_at_the_head() {
    finishing([VICTIM, 1, 0]);
}

/// The head can't move.
#[test]
fn lease_of_a_killed_finisher_behind_one_that_is_lent() {
    finishing([0, VICTIM, 1]);
}

/// Whoever looks for the dead meanwhile neither lends what the victim was done with nor counts what another is about to.
#[test]
fn lease_of_a_killed_finisher_while_a_getter_looks() {
    at_each_access(
        2,
        |shelf: &Shelf| shelf.lend_to(&[VICTIM, 1, 0]),
        |shelf| shelf.finish(VICTIM, 0),
        |shelf| {
            let other = {
                let shelf = shelf.clone();
                thread::spawn(move || shelf.finish(1, 1))
            };
            let found = shelf.look_around(0);
            assert!(shelf.left() > 0, "an item is lent, and the queue seems to be done with");
            (found, other)
        },
        |shelf, (found, other): (Option<usize>, thread::JoinHandle<()>), died| {
            other.join().unwrap();
            if let Some(item) = found {
                assert!(died && item == 0, "{item} was lent to one that lives");
                shelf.finish(0, item);
            }
            shelf.finish_for_the_dead(died, 0);
            assert_eq!(shelf.left(), 1, "only one is left");
        },
    );
}

/// What came back does not go with a getter that dies at borrowing it.
#[test]
fn lease_of_a_killed_borrower() {
    at_each_access(
        2,
        |shelf: &Shelf| {
            shelf.lend_to(&[1]);
            shelf.give_back(1, 0);
        },
        |shelf| assert_eq!(shelf.borrow(VICTIM), 0),
        |_| (),
        |shelf, (), died| {
            if died {
                assert_eq!(shelf.borrow(0), 0);
            }
        },
    );
}

/// Items that come back come to those who wait for them, as does the item of a borrower that died with it.
#[test]
fn lease_of_a_killed_returner() {
    at_each_access(
        2,
        |shelf: &Shelf| shelf.lend_to(&[VICTIM, 1]),
        |shelf| shelf.give_back(VICTIM, 0),
        |shelf| {
            let other = {
                let shelf = shelf.clone();
                thread::spawn(move || shelf.give_back(1, 1))
            };
            ([shelf.borrow(0), shelf.borrow(0)], other)
        },
        |_, (mut got, other): ([usize; 2], thread::JoinHandle<()>), _| {
            other.join().unwrap();
            got.sort_unstable();
            assert_eq!(got, [0, 1]);
        },
    );
}
