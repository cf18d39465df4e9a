//! What a getter does under the get lock: records at the head are read, checked, and the head moved behind them.

use std::os::fd::OwnedFd;

use super::Queue;
use super::blocks::{BLOCK, Nonsense};
use super::cursor::{Cursor, UNIT};
use super::find::Found;
use super::get::{Basket, Incoming, NotTaken};
use super::record::{self, Descriptor, Flags};
use crate::planted::planted;
use crate::shm::Peeked;
use crate::shm::atomic::Ordering;

/// Why a record was not won.
pub(super) enum NotWon {
    /// Nothing is there.
    Empty,
    NoDescriptors,
    Corrupt,
}

impl From<Nonsense> for NotWon {
    fn from(_: Nonsense) -> Self {
        Self::Corrupt
    }
}

/// What few items have.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) luggage: Vec<OwnedFd>,
    /// The blocks of a long payload, and its length.
    payload: Option<(Vec<u32>, usize)>,
    /// The block that the head has left.
    left: Option<u32>,
}

/// Items that are ours: the head has moved behind all of them.
pub(super) struct WonMany {
    pub(super) count: usize,
    pub(super) more: bool,
    /// The blocks that the head has left.
    left: Vec<u32>,
    /// One with more to it than its bytes, which are not in the basket but here.
    lone: Option<Incoming>,
}

impl Queue {
    /// Copies as many records as there are, up to `most` and up to the first that has more to it than its bytes, and moves the head
    /// behind all of them in one step. If that one is the first, it is taken alone. Under the get lock.
    pub(super) fn win_many(&self, most: usize, basket: &mut impl Basket) -> Result<WonMany, NotWon> {
        let side = &self.words.get;
        let head = Cursor(side.head.load(Ordering::Relaxed));
        let mut tail = Cursor(side.tail_seen.load(Ordering::Relaxed));
        if head.distance_to(tail) < most as u64 {
            tail = self.look_at_tail(head)?;
        }
        let all = usize::try_from(head.distance_to(tail)).unwrap_or(usize::MAX).min(most);
        basket.expect(all);
        let (mut next, mut count, mut left) = (head, 0, Vec::new());
        while count < all {
            let (short, block) = match self.find_short(next) {
                Some(short) => (short, None),
                None => match self.find(next).map(|found| (found.short(), found.left)) {
                    Ok((Some(short), block)) => (short, block),
                    // What was read before it is whole. What is wrong with this one is told when it is the first.
                    _ => break,
                },
            };
            if self.copy_bytes(short.at, short.descriptor, short.length, basket.bytes()).is_err() {
                break;
            }
            left.extend(block);
            basket.add(short.flags, short.length);
            next = next.after_one(short.end);
            count += 1;
        }
        if count == 0 {
            let mut lone = Incoming::new(Vec::new());
            let more = self.win(&mut lone)?;
            return Ok(WonMany { count: 1, more, left, lone: Some(lone) });
        }
        for &block in &left {
            // As in `win_with_rest`.
            self.blocks.rename(self.region().me(), block);
        }
        self.note_taken(count);
        side.commit(next);
        Ok(WonMany { count, more: next.number() != tail.number(), left, lone: None })
    }

    /// The tail as it is now, behind the head: remembered, so that getters leave its line alone for as long as they can.
    #[inline]
    fn look_at_tail(&self, head: Cursor) -> Result<Cursor, NotWon> {
        let side = &self.words.get;
        let tail = self.words.tail();
        if head.number() == tail.number() {
            return Err(NotWon::Empty);
        }
        side.tail_seen.store(tail.0, Ordering::Relaxed);
        let length = head.distance_to(tail);
        if length > side.peak.load(Ordering::Relaxed) {
            side.peak.store(length, Ordering::Relaxed);
        }
        Ok(tail)
    }

    /// Copies the record at the head, if it is short, and moves the head behind it; says whether there is more. Under the get lock.
    #[inline]
    pub(super) fn win(&self, into: &mut Incoming) -> Result<bool, NotWon> {
        let side = &self.words.get;
        let head = Cursor(side.head.load(Ordering::Relaxed));
        let mut tail = Cursor(side.tail_seen.load(Ordering::Relaxed));
        if head.number() == tail.number() {
            tail = self.look_at_tail(head)?;
        }
        into.bytes.clear();
        let Some(short) = self.find_short(head) else { return self.win_with_rest(head, tail, into) };
        self.copy_bytes(short.at, short.descriptor, short.length, &mut into.bytes)?;
        into.flags = short.flags;
        let next = head.after_one(short.end);
        self.note_taken(1);
        side.commit(next);
        Ok(next.number() != tail.number())
    }

    #[cold]
    fn win_with_rest(&self, head: Cursor, tail: Cursor, into: &mut Incoming) -> Result<bool, NotWon> {
        let side = &self.words.get;
        let found = self.find(head)?;
        let next = head.after_one(found.at + record::size(found.length));
        let payload = self.copy_short(&found, &mut into.bytes)?;
        let me = self.region().me();
        if let Some(block) = found.left {
            // If we die between the commit and freeing it, it has a dead owner and no record leads to it.
            self.blocks.rename(me, block);
        }
        if let Some((blocks, _)) = &payload {
            self.blocks.adopt(me, blocks);
        }
        let mut luggage = Vec::new();
        self.note_taken(1);
        if found.facts.flags.has(Flags::LUGGAGE) {
            luggage = self.luggage(found.facts.nonce)?;
            side.commit(next);
            self.region().drop_luggage();
            self.space().notify_one();
        } else {
            side.commit(next);
        }
        into.flags = found.facts.flags;
        into.rest = Some(Box::new(Rest { luggage, payload, left: found.left }));
        Ok(next.number() != tail.number())
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

    /// Copies a short payload; gives the blocks of a long one.
    pub(super) fn copy_short(
        &self,
        found: &Found<'_>,
        into: &mut Vec<u8>,
    ) -> Result<Option<(Vec<u32>, usize)>, Nonsense> {
        if found.facts.flags.has(Flags::EXTENT) {
            let length = found.length;
            return self.payload_blocks(&found.facts, length).map(|blocks| Some((blocks, length)));
        }
        self.copy_bytes(found.at, found.descriptor, found.length, into)?;
        Ok(None)
    }

    /// Appends the short payload of the record that stands there.
    #[inline(always)]
    fn copy_bytes(
        &self,
        at: u64,
        descriptor: &Descriptor,
        length: usize,
        into: &mut Vec<u8>,
    ) -> Result<(), Nonsense> {
        if length <= record::SMALL {
            descriptor.append_small_to(length, into);
            return Ok(());
        }
        let start = self.blocks.offset(at + UNIT);
        self.blocks.area().append_to(start, length, into).ok_or(Nonsense)
    }

    /// What is left to do without the lock: copying a long payload, and giving memory back.
    #[inline]
    pub(super) fn finish(&self, into: &mut Incoming) -> Result<(), NotTaken> {
        if into.rest.is_none() { Ok(()) } else { self.finish_rest(into) }
    }

    #[cold]
    fn finish_rest(&self, into: &mut Incoming) -> Result<(), NotTaken> {
        let Some(rest) = &mut into.rest else { return Ok(()) };
        if let Some(block) = rest.left.take() {
            self.free_left(&[block]);
        }
        if let Some((blocks, length)) = rest.payload.take() {
            let copied = self.copy_long(&blocks, length, &mut into.bytes);
            self.give_back(&blocks);
            copied?;
        }
        Ok(())
    }

    /// The same for a batch.
    pub(super) fn finish_many(&self, won: WonMany, basket: &mut impl Basket) -> Result<(), NotTaken> {
        if !won.left.is_empty() {
            self.free_left(&won.left);
        }
        if let Some(mut one) = won.lone {
            self.finish(&mut one)?;
            basket.add_lone(one);
        }
        Ok(())
    }

    #[cold]
    fn free_left(&self, blocks: &[u32]) {
        planted!("a-left-block-is-not-freed", self.give_back(blocks), ());
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
}
