//! What a putter does under the put lock: a record is written behind the tail, and the tail moved behind it.

use std::io;

use super::Queue;
use super::blocks::{BLOCK, Nonsense};
#[cfg(aioprocessing_planted)]
use super::cursor::CLOSED;
use super::cursor::{Cursor, UNIT};
use super::put::Message;
use super::record::{self, Facts, Flags};
use crate::planted::planted;
use crate::shm::Sent;
use crate::shm::atomic::Ordering;
/// What came of writing a record.
pub(super) enum Placed {
    Done { more: bool },
    Closed,
    Full,
    NoMemory,
    Corrupt,
    Io(io::Error),
}

impl Queue {
    /// Writes a record and moves the tail behind it. Under the put lock.
    #[inline]
    pub(super) fn place(&self, message: Message<'_>, extent: Option<u32>, thorough: bool) -> Placed {
        let side = &self.words.put;
        let tail = Cursor(side.tail.load(Ordering::Relaxed));
        if tail.is_closed() {
            return Placed::Closed;
        }
        if self.is_full_at(tail) {
            return Placed::Full;
        }
        let length = message.bytes.len();
        let size = record::size(length);
        let (mut at, mut fresh) = (tail.position(), None);
        // Room for a jump is always left at a block's end.
        if at % BLOCK + size + UNIT > BLOCK {
            match self.next_block(thorough) {
                Ok(Some(block)) => fresh = Some((at, block)),
                Ok(None) => return Placed::NoMemory,
                Err(error) => return Placed::Io(error),
            }
        }
        if let Some((from, block)) = fresh {
            at = u64::from(block) * BLOCK;
            if self.write_jump(from, tail, at).is_err() {
                self.give_back(&[block]);
                return Placed::Corrupt;
            }
        }
        let next = tail.after_one(at + size);
        let nonce = match self.send_luggage(message) {
            Ok(nonce) => nonce,
            Err(placed) => {
                if let Some((_, block)) = fresh {
                    self.give_back(&[block]);
                }
                return placed;
            }
        };
        let write = || self.write_record(at, tail, message, nonce, extent);
        let commit = || {
            planted!("close-beside-the-tail", side.commit(tail, next), {
                std::thread::sleep(std::time::Duration::from_millis(1));
                let closed = side.tail.load(Ordering::Relaxed) & CLOSED;
                side.tail.swap(next.0 | closed, Ordering::AcqRel);
                Ok(())
            })
        };
        let done = planted!("publish-before-payload", write().map(|()| commit()), {
            let early = commit();
            std::thread::sleep(std::time::Duration::from_millis(1));
            write().map(|()| early)
        });
        match done {
            Ok(Ok(())) => {
                if self.max_items > 0 {
                    side.head_seen.store(self.head_for_putters(tail), Ordering::Relaxed);
                }
                Placed::Done { more: self.max_items > 0 && !self.is_full_at(next) }
            }
            other => {
                if let Some((_, block)) = fresh {
                    self.give_back(&[block]);
                }
                // Nobody but a closer writes the tail while we have the lock.
                let is_closed = matches!(other, Ok(Err(now)) if now.is_closed());
                if is_closed { Placed::Closed } else { Placed::Corrupt }
            }
        }
    }

    /// Sends what travels with a message ahead of it; gives the number by which it will be known.
    #[inline]
    fn send_luggage(&self, message: Message<'_>) -> Result<u64, Placed> {
        if message.luggage.is_empty() {
            return Ok(0);
        }
        let nonce = self.region().nonce();
        match self.region().send_luggage(nonce, message.luggage) {
            Sent::Done => Ok(nonce),
            Sent::Full => Err(Placed::Full),
            Sent::Failed(error) => Err(Placed::Io(error)),
        }
    }

    /// The head as putters shall remember it: looked at anew only when the one they remember says that the queue is full.
    #[inline]
    fn head_for_putters(&self, tail: Cursor) -> u64 {
        let seen = self.words.put.head_seen.load(Ordering::Relaxed);
        if Cursor(seen).distance_to(tail) >= self.max_items { self.words.head().0 } else { seen }
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

    #[inline]
    fn write_record(
        &self,
        at: u64,
        tail: Cursor,
        message: Message<'_>,
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
