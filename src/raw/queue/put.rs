//! Putting.

use std::io;
use std::os::fd::OwnedFd;

use super::blocks::{BLOCK, Nonsense};
#[cfg(aioprocessing_planted)]
use super::cursor::CLOSED;
use super::cursor::{Cursor, UNIT};
use super::record::{self, Descriptor, Facts, Flags};
use super::{PUTTERS, Patience, Queue, wake};
use crate::planted::planted;
use crate::shm::Sent;
use crate::shm::atomic::Ordering;
use crate::wait::{Look, ParkUntil, Step, Waiter, blocking, until};

/// What is to be put.
#[derive(Clone, Copy)]
pub(crate) struct Message<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) flags: Flags,
    /// What travels with it.
    pub(crate) luggage: &'a [OwnedFd],
}

impl Message<'_> {
    /// Whether it needs no memory of its own and nothing travels with it.
    pub(crate) fn is_plain(&self) -> bool {
        self.bytes.len() <= record::INLINE && self.luggage.is_empty()
    }
}

/// Why a message was not put.
#[derive(Debug)]
pub(crate) enum Refused {
    Closed,
    /// No room now; only where the caller would not wait.
    Full,
    TooLarge,
    Corrupt,
    Io(io::Error),
}

/// Blocks that hold a payload, until a record names them.
struct Extent<'a> {
    queue: &'a Queue,
    blocks: Vec<u32>,
}

impl Drop for Extent<'_> {
    fn drop(&mut self) {
        if !self.blocks.is_empty() {
            planted!("a-cancelled-put-keeps-its-blocks", self.queue.give_back(&self.blocks), ());
        }
    }
}

/// What came of writing a record.
enum Placed {
    Done { more: bool },
    Closed,
    Full,
    NoMemory,
    Corrupt,
    Io(io::Error),
}

impl Queue {
    /// Puts a message. Dropped before it is done, it has put nothing.
    pub(crate) async fn put<W: Waiter>(
        &self,
        waiter: &mut W,
        message: Message<'_>,
        patience: Patience,
    ) -> Result<Result<(), Refused>, W::GaveUp> {
        let mut extent = None;
        if message.bytes.len() > record::INLINE {
            match self.extent(waiter, message.bytes, patience).await? {
                Ok(made) => extent = Some(made),
                Err(refused) => return Ok(Err(refused)),
            }
        }
        let first = extent.as_ref().and_then(|extent| extent.blocks.first().copied());
        let mut has_waited = false;
        let done = until(waiter, |look| {
            self.count_wait(look, &mut has_waited);
            self.attempt_put(look, &[message], first, patience)
        })
        .await?
        .map(drop);
        if done.is_ok()
            && let Some(extent) = &mut extent
        {
            // They are the queue's now.
            extent.blocks.clear();
        }
        Ok(done)
    }

    /// Puts a message now or never.
    pub(crate) fn try_put(&self, message: Message<'_>) -> Result<(), Refused> {
        if message.bytes.len() <= record::INLINE
            && let Step::Done(done) = self.attempt_put(Look::Glance, &[message], None, Patience::Tries)
        {
            return done.map(drop);
        }
        let mut waiter = ParkUntil::new(Self::grace());
        blocking(self.put(&mut waiter, message, Patience::Tries)).unwrap_or(Err(Refused::Full))
    }

    /// Puts as many of these plain messages as there is room for, one at least, and says how many.
    pub(crate) async fn put_batch<W: Waiter>(
        &self,
        waiter: &mut W,
        messages: &[Message<'_>],
    ) -> Result<Result<usize, Refused>, W::GaveUp> {
        let mut has_waited = false;
        until(waiter, |look| {
            self.count_wait(look, &mut has_waited);
            self.attempt_put(look, messages, None, Patience::Waits)
        })
        .await
    }

    fn count_wait(&self, look: Look, has_waited: &mut bool) {
        if look.is_listed() && !*has_waited {
            *has_waited = true;
            self.words.put.waits.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Copies a long payload into blocks, for which it takes no lock.
    async fn extent<W: Waiter>(
        &self,
        waiter: &mut W,
        bytes: &[u8],
        patience: Patience,
    ) -> Result<Result<Extent<'_>, Refused>, W::GaveUp> {
        let wanted = bytes.len().div_ceil(BLOCK as usize);
        if bytes.len() as u64 > self.limit || wanted >= self.blocks.count() as usize {
            return Ok(Err(Refused::TooLarge));
        }
        let claimed = until(waiter, |look| {
            if self.words.tail().is_closed() {
                return Step::Done(Err(Refused::Closed));
            }
            let tries = patience == Patience::Tries;
            self.sweep_after_deaths();
            match self.blocks.claim_for_payload(&self.words.memory, self.region().me(), wanted) {
                Ok(Some(blocks)) => Step::Done(Ok(Extent { queue: self, blocks })),
                Ok(None) if (look.is_thorough() || tries) && self.sweep() > 0 => Step::Wait(self.memory()),
                Ok(None) if tries => Step::Done(Err(Refused::Full)),
                Ok(None) => Step::Wait(self.memory()),
                Err(error) => Step::Done(Err(Refused::Io(error))),
            }
        })
        .await?;
        let extent = match claimed {
            Ok(extent) => extent,
            Err(refused) => return Ok(Err(refused)),
        };
        for (&block, chunk) in extent.blocks.iter().zip(bytes.chunks(BLOCK as usize)) {
            let at = self.blocks.offset(u64::from(block) * BLOCK);
            if self.blocks.area().write(at, chunk).is_none() {
                return Ok(Err(Refused::Corrupt));
            }
        }
        Ok(Ok(extent))
    }

    #[inline]
    fn attempt_put<'a>(
        &'a self,
        look: Look,
        messages: &[Message<'_>],
        extent: Option<u32>,
        patience: Patience,
    ) -> Step<'a, Result<usize, Refused>> {
        self.mark_sender();
        let tail = Cursor(self.words.put.tail.load(Ordering::Relaxed));
        if tail.is_closed() || look.is_thorough() && self.close_after_receivers() {
            return Step::Done(Err(Refused::Closed));
        }
        let tries = patience == Patience::Tries;
        // By plain loads first: who has to wait anyway leaves the lock alone.
        if self.is_full_at(tail) {
            return if tries { Step::Done(Err(Refused::Full)) } else { Step::Wait(self.space()) };
        }
        let lock = &self.words.put.lock;
        if let Step::Wait(spot) = lock.attempt(look, self.party(PUTTERS)) {
            return Step::Wait(spot);
        }
        let mut count = 0;
        let mut last = Placed::Done { more: false };
        {
            let _held = self.hold(lock, PUTTERS);
            for message in messages {
                last = self.place(*message, extent, look.is_thorough() || tries);
                if !matches!(last, Placed::Done { .. }) {
                    break;
                }
                count += 1;
            }
        }
        if count > 0 {
            for _ in 0..count {
                if !wake(self.items(), &self.words.put.items) {
                    break;
                }
            }
            if matches!(last, Placed::Done { more: true }) && look.is_listed() {
                // The wake-up that came to us may have stood for more than one place.
                self.space().notify_one();
            }
            return Step::Done(Ok(count));
        }
        match last {
            Placed::Done { .. } => Step::Done(Ok(0)),
            Placed::Closed => Step::Done(Err(Refused::Closed)),
            Placed::Full | Placed::NoMemory if tries => Step::Done(Err(Refused::Full)),
            Placed::Full => Step::Wait(self.space()),
            Placed::NoMemory => Step::Wait(self.memory()),
            Placed::Corrupt => Step::Done(Err(Refused::Corrupt)),
            Placed::Io(error) => Step::Done(Err(Refused::Io(error))),
        }
    }

    /// Whether the queue has as many items as it may. May say so of one that has just shrunk, if asked without the lock.
    #[inline]
    fn is_full_at(&self, tail: Cursor) -> bool {
        if self.max_items == 0 {
            return false;
        }
        let seen = Cursor(self.words.put.head_seen.load(Ordering::Relaxed));
        seen.distance_to(tail) >= self.max_items
            && self.words.head().distance_to(tail).saturating_sub(self.done()) >= self.max_items
    }

    /// Writes a record and moves the tail behind it. Under the put lock.
    #[inline]
    fn place(&self, message: Message<'_>, extent: Option<u32>, thorough: bool) -> Placed {
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
        let descriptor: &Descriptor = self.blocks.area().object(self.blocks.offset(at)).ok_or(Nonsense)?;
        descriptor.write(&facts);
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
        let area = self.blocks.area();
        let start = self.blocks.offset(at);
        let descriptor: &Descriptor = area.object(start).ok_or(Nonsense)?;
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
            area.write(start + UNIT, message.bytes).ok_or(Nonsense)?;
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
