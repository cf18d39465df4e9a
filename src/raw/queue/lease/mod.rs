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

mod borrow;
mod done;
mod steps;

use super::Queue;
use super::cursor::Cursor;
use super::find::Found;
use super::record::{self, Flags};
use super::take::NotWon;
use crate::shm::atomic::Ordering;

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

impl Queue {
    /// How many items were lent in vain as often as they may be.
    pub(crate) fn given_up(&self) -> u64 {
        self.words.get.given_up.load(Ordering::Relaxed)
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
}
