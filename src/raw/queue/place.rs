//! What a putter does under the put lock: records are written behind the tail, and the tail moved behind them.

use std::io;

use super::Queue;
use super::blocks::{BLOCK, Nonsense};
#[cfg(aioprocessing_planted)]
use super::cursor::CLOSED;
use super::cursor::{Cursor, UNIT};
use super::put::{Message, Messages};
use super::record::{self, Facts, Flags};
use crate::planted::planted;
use crate::shm::Sent;
use crate::shm::atomic::Ordering;

/// Why a record was not put.
pub(super) enum NotPlaced {
    Closed,
    Full,
    NoMemory,
    Corrupt,
    Io(io::Error),
}

impl From<Nonsense> for NotPlaced {
    fn from(_: Nonsense) -> Self {
        Self::Corrupt
    }
}

/// The place of a record of this size right behind `tail`, if the block has as much room left: there is always some for a jump at its end.
#[inline]
fn place_here(tail: Cursor, size: u64) -> Option<u64> {
    let at = tail.position();
    (at % BLOCK + size + UNIT <= BLOCK).then_some(at)
}

impl Queue {
    /// Writes a record and moves the tail behind it; gives the new tail. Under the put lock.
    #[inline]
    pub(super) fn place(
        &self,
        message: &Message<'_>,
        extent: Option<u32>,
        thorough: bool,
    ) -> Result<Cursor, NotPlaced> {
        let side = &self.words.put;
        let tail = Cursor(side.tail.load(Ordering::Relaxed));
        if tail.is_closed() {
            return Err(NotPlaced::Closed);
        }
        if self.room_for(1, tail) == 0 {
            return Err(NotPlaced::Full);
        }
        match place_here(tail, record::size(message.bytes.len())) {
            Some(at) => self.place_at(at, tail, message, extent),
            None => self.place_alone_in_a_new_block(tail, message, extent, thorough),
        }
    }

    #[cold]
    fn place_alone_in_a_new_block(
        &self,
        tail: Cursor,
        message: &Message<'_>,
        extent: Option<u32>,
        thorough: bool,
    ) -> Result<Cursor, NotPlaced> {
        let (at, block) = self.place_in_a_new_block(tail, thorough)?;
        self.place_at(at, tail, message, extent).inspect_err(|_| self.give_back(&[block]))
    }

    /// The same at a place that was found for it.
    #[inline]
    fn place_at(
        &self,
        at: u64,
        tail: Cursor,
        message: &Message<'_>,
        extent: Option<u32>,
    ) -> Result<Cursor, NotPlaced> {
        let next = tail.after_one(at + record::size(message.bytes.len()));
        let write = || {
            let nonce = self.send_luggage(message)?;
            Ok(self.write_record(at, tail, message, nonce, extent)?)
        };
        let commit = || self.commit_put(tail, next);
        let done = planted!("publish-before-payload", write().and_then(|()| commit()), {
            let early = commit();
            std::thread::sleep(std::time::Duration::from_millis(1));
            write().and(early)
        });
        done.map(|()| next)
    }

    /// Writes as many of these messages, from one of them on, as there is room for, up to the first that is not plain, and moves the
    /// tail behind all of them in one step; gives the new tail, and how many they were, one at least. Under the put lock.
    pub(super) fn place_many(
        &self,
        messages: &mut impl Messages,
        from: usize,
        thorough: bool,
    ) -> Result<(Cursor, usize), NotPlaced> {
        let tail = Cursor(self.words.put.tail.load(Ordering::Relaxed));
        if tail.is_closed() {
            return Err(NotPlaced::Closed);
        }
        let (mut end, mut count, mut room) = (tail, 0, 0);
        // Nobody finds a way to these before the commit.
        let mut fresh = Vec::new();
        let most = planted!("a-batch-is-put-in-parts", usize::MAX, 1);
        let stopped = loop {
            let message = messages.at(from + count).filter(Message::is_plain);
            let Some(message) = message.filter(|_| count < most) else { break None };
            if count as u64 >= room {
                room = self.room_for(count as u64 + 1, tail);
                if count as u64 >= room {
                    break Some(NotPlaced::Full);
                }
            }
            let (size, known) = (record::size(message.bytes.len()), fresh.len());
            let at = match place_here(end, size) {
                Some(at) => at,
                None => match self.place_in_a_new_block(end, thorough) {
                    Ok((at, block)) => {
                        fresh.push(block);
                        at
                    }
                    Err(not) => break Some(not),
                },
            };
            if let Err(not) = self.write_record(at, end, &message, 0, None) {
                fresh.drain(known..).for_each(|block| self.give_back(&[block]));
                break Some(not.into());
            }
            end = end.after_one(at + size);
            count += 1;
        };
        let done = match stopped {
            Some(not) if count == 0 => Err(not),
            // What stopped the others stops them again, and then it is told.
            _ => self.commit_put(tail, end),
        };
        if done.is_err() && !fresh.is_empty() {
            self.give_back(&fresh);
        }
        done.map(|()| (end, count))
    }

    /// The place of a record at the beginning of a block that is claimed for it. A jump behind `tail` leads to it, which the same commit
    /// publishes.
    #[cold]
    fn place_in_a_new_block(&self, tail: Cursor, thorough: bool) -> Result<(u64, u32), NotPlaced> {
        let block = self.next_block(thorough).map_err(NotPlaced::Io)?.ok_or(NotPlaced::NoMemory)?;
        let at = u64::from(block) * BLOCK;
        if self.write_jump(tail.position(), tail, at).is_err() {
            self.give_back(&[block]);
            return Err(NotPlaced::Corrupt);
        }
        Ok((at, block))
    }

    /// The put itself.
    #[inline]
    fn commit_put(&self, tail: Cursor, next: Cursor) -> Result<(), NotPlaced> {
        let side = &self.words.put;
        let done = planted!("close-beside-the-tail", side.commit(tail, next), {
            std::thread::sleep(std::time::Duration::from_millis(1));
            let closed = side.tail.load(Ordering::Relaxed) & CLOSED;
            side.tail.swap(next.0 | closed, Ordering::AcqRel);
            Ok(())
        });
        // Nobody but a closer writes the tail while we have the lock.
        done.map_err(|now| if now.is_closed() { NotPlaced::Closed } else { NotPlaced::Corrupt })
    }

    /// Sends what travels with a message ahead of it; gives the number by which it will be known.
    #[inline]
    fn send_luggage(&self, message: &Message<'_>) -> Result<u64, NotPlaced> {
        if message.luggage.is_empty() {
            return Ok(0);
        }
        let nonce = self.region().nonce();
        match self.region().send_luggage(nonce, message.luggage) {
            Sent::Done => Ok(nonce),
            Sent::Full => Err(NotPlaced::Full),
            Sent::Failed(error) => Err(NotPlaced::Io(error)),
        }
    }

    #[cold]
    fn next_block(&self, thorough: bool) -> io::Result<Option<u32>> {
        let claim = || self.blocks.claim_for_ring(&self.words.memory, self.region().me());
        match claim()? {
            None if thorough && self.sweep_as_putter() > 0 => claim(),
            other => Ok(other),
        }
    }

    fn write_jump(&self, at: u64, tail: Cursor, to: u64) -> Result<(), Nonsense> {
        let facts = Facts { number: tail.number(), offset: to, length: 0, flags: Flags::JUMP, nonce: 0 };
        self.descriptor(at)?.write(&facts);
        Ok(())
    }

    #[inline(always)]
    fn write_record(
        &self,
        at: u64,
        tail: Cursor,
        message: &Message<'_>,
        nonce: u64,
        extent: Option<u32>,
    ) -> Result<(), Nonsense> {
        let descriptor = self.descriptor(at)?;
        let (mut offset, mut flags) = (at + UNIT, message.flags);
        if !message.luggage.is_empty() {
            flags = flags.with(Flags::LUGGAGE);
        }
        if let Some(block) = extent {
            offset = u64::from(block) * BLOCK;
            flags = flags.with(Flags::EXTENT);
        } else if message.bytes.len() <= record::SMALL {
            descriptor.write_small(message.bytes);
        } else {
            self.blocks.area().write(self.blocks.offset(at + UNIT), message.bytes).ok_or(Nonsense)?;
        }
        let length = message.bytes.len() as u64;
        descriptor.write(&Facts { number: tail.number(), offset, length, flags, nonce });
        Ok(())
    }

    /// Frees blocks of this process and tells those who wait for memory.
    pub(super) fn give_back(&self, blocks: &[u32]) {
        self.blocks.free(&self.words.memory, self.region().me(), blocks);
        self.memory().notify_all();
    }
}
