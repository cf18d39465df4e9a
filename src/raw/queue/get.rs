//! Getting.

use std::os::fd::OwnedFd;

use super::blocks::{BLOCK, Nonsense};
use super::cursor::{Cursor, UNIT};
use super::record::{self, Descriptor, Facts, Flags};
use super::{GETTERS, Patience, Queue, wake};
use crate::planted::planted;
use crate::shm::Peeked;
use crate::shm::atomic::Ordering;
use crate::wait::{Look, ParkUntil, Step, Waiter, blocking, until};

/// A message without its bytes.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) flags: Flags,
    /// What travelled with it.
    pub(crate) luggage: Vec<OwnedFd>,
}

/// Messages with their bytes.
pub(crate) type Batch = Vec<(Taken, Vec<u8>)>;

/// Why nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// Closed, and nothing is left.
    Closed,
    /// Nothing there now; only where the caller would not wait.
    Empty,
    /// Descriptors travel with the next message, and this process has no room for them. It waits.
    NoDescriptors,
    /// What stands in shared memory can't be true; nothing was changed.
    Corrupt,
}

/// Why a record was not won.
pub(super) enum NotWon {
    /// Nothing is there; this is the tail.
    Empty(Cursor),
    NoDescriptors,
    Corrupt,
}

impl From<Nonsense> for NotWon {
    fn from(_: Nonsense) -> Self {
        Self::Corrupt
    }
}

/// An item that is ours: the head has moved behind it.
pub(super) struct Won {
    taken: Taken,
    /// The blocks of a long payload, and its length.
    payload: Option<(Vec<u32>, usize)>,
    /// The block that the head has left.
    left: Option<u32>,
    more: bool,
}

type WonBytes = (Won, Vec<u8>);

/// A record that passed all checks.
pub(super) struct Found {
    pub(super) at: u64,
    pub(super) facts: Facts,
    pub(super) length: usize,
    /// The block that leads to it, if that is another.
    pub(super) left: Option<u32>,
}

impl Queue {
    /// Takes a message: its bytes are put into `into`. Dropped before it is done, it has taken nothing.
    pub(crate) async fn get<W: Waiter>(
        &self,
        waiter: &mut W,
        into: &mut Vec<u8>,
        patience: Patience,
    ) -> Result<Result<Taken, NotTaken>, W::GaveUp> {
        let mut has_waited = false;
        let won = until(waiter, |look| {
            self.count_wait_of_get(look, &mut has_waited);
            self.attempt_get(look, into, patience)
        })
        .await?;
        Ok(won.and_then(|won| self.finish(won, into)))
    }

    /// Waits until a get would not have to wait for an item. It takes none: a wake-up that was meant for an item is passed on.
    pub(crate) async fn until_there<W: Waiter>(&self, waiter: &mut W) -> Result<(), W::GaveUp> {
        until(waiter, |look| {
            self.mark_receiver();
            let (head, tail) = (self.words.head(), self.words.tail());
            let is_over = || look.is_thorough() && self.close_after_senders();
            if head.number() == tail.number() && !tail.is_closed() && !self.words.is_ended() && !is_over() {
                return Step::Wait(self.items());
            }
            if look.is_listed() {
                self.items().notify_one();
            }
            Step::Done(())
        })
        .await
    }

    /// Takes a message now or never.
    pub(crate) fn try_get(&self, into: &mut Vec<u8>) -> Result<Taken, NotTaken> {
        if let Step::Done(won) = self.attempt_get(Look::Glance, into, Patience::Tries) {
            return won.and_then(|won| self.finish(won, into));
        }
        let mut waiter = ParkUntil::new(Self::grace());
        blocking(self.get(&mut waiter, into, Patience::Tries)).unwrap_or(Err(NotTaken::Empty))
    }

    /// Takes what is there, up to `most` messages, and waits for one: each with its bytes.
    pub(crate) async fn get_batch<W: Waiter>(
        &self,
        waiter: &mut W,
        most: usize,
    ) -> Result<Result<Batch, NotTaken>, W::GaveUp> {
        let mut has_waited = false;
        let won = until(waiter, |look| {
            self.count_wait_of_get(look, &mut has_waited);
            self.attempt_with(look, Patience::Waits, || self.win_many(most))
        })
        .await?;
        let finish = |(won, mut bytes): (Won, Vec<u8>)| Ok((self.finish(won, &mut bytes)?, bytes));
        Ok(won.and_then(|all| all.into_iter().map(finish).collect()))
    }

    pub(super) fn count_wait_of_get(&self, look: Look, has_waited: &mut bool) {
        if look.is_listed() && !*has_waited {
            *has_waited = true;
            self.words.get.waits.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[inline]
    fn attempt_get<'a>(
        &'a self,
        look: Look,
        into: &mut Vec<u8>,
        patience: Patience,
    ) -> Step<'a, Result<Won, NotTaken>> {
        self.attempt_with(look, patience, || {
            let won = self.win(into)?;
            let more = won.more;
            Ok((won, more))
        })
    }

    /// One attempt: `win` takes, under the get lock, and says whether there is more.
    #[inline]
    fn attempt_with<'a, R>(
        &'a self,
        look: Look,
        patience: Patience,
        win: impl FnOnce() -> Result<(R, bool), NotWon>,
    ) -> Step<'a, Result<R, NotTaken>> {
        let side = &self.words.get;
        if self.words.is_ended() {
            return Step::Done(Err(NotTaken::Closed));
        }
        self.mark_receiver();
        let looks_around = look.is_thorough() || patience == Patience::Tries;
        let empty = |tail: Cursor| {
            if tail.is_closed() || looks_around && self.close_after_senders() {
                Step::Done(Err(NotTaken::Closed))
            } else if patience == Patience::Tries {
                Step::Done(Err(NotTaken::Empty))
            } else {
                Step::Wait(self.items())
            }
        };
        // By plain loads first, the head before the tail: if they are equal the queue was empty.
        let head = self.words.head();
        if head.number() == Cursor(side.tail_seen.load(Ordering::Relaxed)).number() {
            let tail = self.words.tail();
            if head.number() == tail.number() {
                return empty(tail);
            }
        }
        if let Step::Wait(spot) = side.lock.attempt(look, self.party(GETTERS)) {
            return Step::Wait(spot);
        }
        let won = {
            let _held = self.hold(&side.lock, GETTERS);
            win()
        };
        match won {
            Ok((won, more)) => {
                if self.max_items > 0 {
                    wake(self.space(), &side.space);
                }
                if more && look.is_listed() {
                    // The wake-up that came to us may have stood for more than one item.
                    self.items().notify_one();
                }
                Step::Done(Ok(won))
            }
            Err(NotWon::Empty(tail)) => empty(tail),
            Err(NotWon::NoDescriptors) => {
                // Somebody else may have room for it.
                self.items().notify_one();
                Step::Done(Err(NotTaken::NoDescriptors))
            }
            Err(NotWon::Corrupt) => Step::Done(Err(NotTaken::Corrupt)),
        }
    }

    /// As many records as there are, up to `most`. Under the get lock.
    fn win_many(&self, most: usize) -> Result<(Vec<WonBytes>, bool), NotWon> {
        let mut all = Vec::new();
        let mut more = true;
        while more && all.len() < most {
            let mut bytes = Vec::new();
            match self.win(&mut bytes) {
                Ok(won) => {
                    more = won.more;
                    all.push((won, bytes));
                }
                // What was won is ours and must be handed over.
                Err(_) if !all.is_empty() => break,
                Err(not) => return Err(not),
            }
        }
        Ok((all, more))
    }

    /// Copies the record at the head, if it is short, and moves the head behind it. Under the get lock.
    #[inline]
    fn win(&self, into: &mut Vec<u8>) -> Result<Won, NotWon> {
        let side = &self.words.get;
        let head = Cursor(side.head.load(Ordering::Relaxed));
        let mut tail = Cursor(side.tail_seen.load(Ordering::Relaxed));
        if head.number() == tail.number() {
            tail = self.words.tail();
            if head.number() == tail.number() {
                return Err(NotWon::Empty(tail));
            }
            side.tail_seen.store(tail.0, Ordering::Relaxed);
            let length = head.distance_to(tail);
            if length > side.peak.load(Ordering::Relaxed) {
                side.peak.store(length, Ordering::Relaxed);
            }
        }
        let found = self.find(head)?;
        into.clear();
        let next = head.after_one(found.at + record::size(found.length));
        let commit = || side.commit(next);
        let payload = self.copy_short(&found, into)?;
        let me = self.region().me();
        if let Some(block) = found.left {
            // If we die between the commit and freeing it, it has a dead owner and no record leads to it.
            self.blocks.rename(me, block);
        }
        if let Some((blocks, _)) = &payload {
            self.blocks.adopt(me, blocks);
        }
        let mut luggage = Vec::new();
        self.note_taken();
        if found.facts.flags.has(Flags::LUGGAGE) {
            luggage = self.luggage(found.facts.nonce)?;
            commit();
            self.region().drop_luggage();
            self.space().notify_one();
        } else {
            commit();
        }
        let taken = Taken { flags: found.facts.flags, luggage };
        Ok(Won { taken, payload, left: found.left, more: next.number() != tail.number() })
    }

    /// Duplicates of the descriptors that travel with a record. Lost ones are missed when it is decoded.
    #[cold]
    fn luggage(&self, nonce: u64) -> Result<Vec<OwnedFd>, NotWon> {
        match self.region().peek_luggage(nonce) {
            Peeked::Here(descriptors) => Ok(descriptors),
            Peeked::Lost => Ok(Vec::new()),
            Peeked::NoRoom => Err(NotWon::NoDescriptors),
        }
    }

    /// The record that the head stands at, checked.
    #[inline]
    pub(super) fn find(&self, head: Cursor) -> Result<Found, Nonsense> {
        let (mut at, mut left) = (head.position(), None);
        let mut facts = self.facts(at)?;
        if facts.flags.has(Flags::JUMP) {
            left = Some(u32::try_from(at / BLOCK).map_err(|_| Nonsense)?);
            at = facts.offset;
            if !at.is_multiple_of(BLOCK) {
                return Err(Nonsense);
            }
            facts = self.facts(at)?;
        }
        let length = usize::try_from(facts.length).map_err(|_| Nonsense)?;
        let is_long = length > record::INLINE;
        let is_right = facts.number == head.number()
            && !facts.flags.has(Flags::JUMP)
            && facts.flags.has(Flags::EXTENT) == is_long
            && at % BLOCK + record::size(length) + UNIT <= BLOCK;
        if is_right { Ok(Found { at, facts, length, left }) } else { Err(Nonsense) }
    }

    #[inline]
    fn facts(&self, at: u64) -> Result<Facts, Nonsense> {
        let descriptor: &Descriptor = self.blocks.area().object(self.blocks.offset(at)).ok_or(Nonsense)?;
        Ok(descriptor.read())
    }

    /// Copies a short payload; gives the blocks of a long one.
    #[inline]
    pub(super) fn copy_short(
        &self,
        found: &Found,
        into: &mut Vec<u8>,
    ) -> Result<Option<(Vec<u32>, usize)>, Nonsense> {
        let area = self.blocks.area();
        let start = self.blocks.offset(found.at);
        let length = found.length;
        if found.facts.flags.has(Flags::EXTENT) {
            return self.payload_blocks(&found.facts, length).map(|blocks| Some((blocks, length)));
        }
        if length <= record::SMALL {
            let descriptor: &Descriptor = area.object(start).ok_or(Nonsense)?;
            descriptor.append_small_to(length, into);
        } else {
            area.append_to(start + UNIT, length, into).ok_or(Nonsense)?;
        }
        Ok(None)
    }

    /// The blocks of the long payload that a record names.
    pub(super) fn payload_blocks(&self, facts: &Facts, length: usize) -> Result<Vec<u32>, Nonsense> {
        let count = length.div_ceil(BLOCK as usize);
        let first = u32::try_from(facts.offset / BLOCK).map_err(|_| Nonsense)?;
        if count > self.blocks.count() as usize {
            return Err(Nonsense);
        }
        self.blocks.chain(first, count)
    }

    /// What is left to do without the lock: copying a long payload, and giving memory back.
    fn finish(&self, won: Won, into: &mut Vec<u8>) -> Result<Taken, NotTaken> {
        if let Some(block) = won.left {
            planted!("a-left-block-is-not-freed", self.give_back(&[block]), ());
        }
        let Some((blocks, length)) = won.payload else { return Ok(won.taken) };
        let copied = self.copy_long(&blocks, length, into);
        self.give_back(&blocks);
        copied.map(|()| won.taken)
    }

    /// Copies a long payload, for which no lock is needed.
    pub(super) fn copy_long(
        &self,
        blocks: &[u32],
        length: usize,
        into: &mut Vec<u8>,
    ) -> Result<(), NotTaken> {
        into.reserve_exact(length);
        let mut left = length;
        for &block in blocks {
            let chunk = left.min(BLOCK as usize);
            let at = self.blocks.offset(u64::from(block) * BLOCK);
            self.blocks.area().append_to(at, chunk, into).ok_or(NotTaken::Corrupt)?;
            left -= chunk;
        }
        Ok(())
    }

    /// Every record between the ends, for a sweep. Under both locks.
    pub(super) fn walk(
        &self,
        mut visit: impl FnMut(u64, &Facts, usize) -> Result<(), Nonsense>,
    ) -> Result<(), Nonsense> {
        let (mut head, tail) = (self.words.head(), self.words.tail());
        while head.number() != tail.number() {
            let found = self.find(head)?;
            visit(found.at, &found.facts, found.length)?;
            head = head.after_one(found.at + record::size(found.length));
        }
        Ok(())
    }
}
