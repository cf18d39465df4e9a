//! Putting.

use std::io;
use std::os::fd::OwnedFd;

use super::blocks::BLOCK;
use super::cursor::Cursor;
use super::place::Placed;
use super::record::{self, Flags};
use super::{PUTTERS, Patience, Queue};
use crate::planted::planted;
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

    /// The first attempt of a [`put`](Self::put), without what a wait needs. `None`: it may have to wait.
    #[inline]
    pub(crate) fn put_at_once(
        &self,
        message: Message<'_>,
        patience: Patience,
    ) -> Option<Result<(), Refused>> {
        if message.bytes.len() > record::INLINE {
            return None;
        }
        match self.attempt_put(Look::Glance, &[message], None, patience) {
            Step::Done(done) => Some(done.map(drop)),
            Step::Wait(_) => None,
        }
    }

    /// Puts a message now or never.
    pub(crate) fn try_put(&self, message: Message<'_>) -> Result<(), Refused> {
        if let Some(done) = self.put_at_once(message, Patience::Tries) {
            return done;
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
                // Behind the release of the lock.
                if !self.items().notify_one_behind_a_change() {
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
    pub(super) fn is_full_at(&self, tail: Cursor) -> bool {
        if self.max_items == 0 {
            return false;
        }
        let seen = Cursor(self.words.put.head_seen.load(Ordering::Relaxed));
        seen.distance_to(tail) >= self.max_items
            && self.words.head().distance_to(tail).saturating_sub(self.done()) >= self.max_items
    }
}
