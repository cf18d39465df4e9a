//! Putting.

use std::io;
use std::os::fd::OwnedFd;

use super::blocks::BLOCK;
use super::cursor::Cursor;
use super::place::NotPlaced;
use super::record::{self, Flags};
use super::{PUTTERS, Patience, Queue, until_counted};
use crate::planted::planted;
use crate::shm::atomic::Ordering;
use crate::wait::{Look, ParkUntil, Step, Waiter, blocking, until};

/// What is to be put. By reference all the way: what was made just now of parts is read in parts.
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

/// Messages that are put together.
pub(crate) trait Messages: Send {
    /// The one at this place. For one caller at a time, so that what they are made of need not be `Sync`.
    fn at(&mut self, index: usize) -> Option<Message<'_>>;
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
        message: &Message<'_>,
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
        let attempt = |look| self.attempt_put(look, message, first, patience);
        let (done, went_at_once) = until_counted(waiter, &self.words.put.waits, attempt).await?;
        if done.is_ok()
            && let Some(extent) = &mut extent
        {
            // They are the queue's now.
            extent.blocks.clear();
        }
        if !went_at_once && done.is_ok() {
            self.learn_of_room();
        }
        Ok(done)
    }

    /// The first attempt of a [`put`](Self::put), without what a wait needs. `None`: it may have to wait.
    #[inline]
    pub(crate) fn put_at_once(
        &self,
        message: &Message<'_>,
        patience: Patience,
    ) -> Option<Result<(), Refused>> {
        if message.bytes.len() > record::INLINE {
            return None;
        }
        match self.attempt_put(Look::Glance, message, None, patience) {
            Step::Done(done) => Some(done),
            Step::Wait(_) => None,
        }
    }

    /// Puts a message now or never.
    pub(crate) fn try_put(&self, message: &Message<'_>) -> Result<(), Refused> {
        if let Some(done) = self.put_at_once(message, Patience::Tries) {
            return done;
        }
        let mut waiter = ParkUntil::new(Self::grace());
        blocking(self.put(&mut waiter, message, Patience::Tries)).unwrap_or(Err(Refused::Full))
    }

    /// Puts as many of these messages, from one of them on, as there is room for, and says how many. All appear at once. The first is
    /// [plain](Message::is_plain); one that is not ends them.
    pub(crate) async fn put_batch<W: Waiter>(
        &self,
        waiter: &mut W,
        messages: &mut impl Messages,
        from: usize,
        patience: Patience,
    ) -> Result<Result<usize, Refused>, W::GaveUp> {
        let attempt = |look| self.attempt_put_many(look, messages, from, patience);
        let (done, went_at_once) = until_counted(waiter, &self.words.put.waits, attempt).await?;
        if !went_at_once && done.is_ok() {
            self.learn_of_room();
        }
        Ok(done)
    }

    /// Behind a put that had to wait: whether there is room for more.
    fn learn_of_room(&self) {
        let tail = Cursor(self.words.put.tail.load(Ordering::Relaxed));
        self.words.put.ease.learn(!self.is_full_at(tail));
    }

    /// The first attempt of a [`put_batch`](Self::put_batch). `None`: it may have to wait.
    pub(crate) fn put_batch_at_once(
        &self,
        messages: &mut impl Messages,
        from: usize,
        patience: Patience,
    ) -> Option<Result<usize, Refused>> {
        match self.attempt_put_many(Look::Glance, messages, from, patience) {
            Step::Done(done) => Some(done),
            Step::Wait(_) => None,
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
        message: &Message<'_>,
        extent: Option<u32>,
        patience: Patience,
    ) -> Step<'a, Result<(), Refused>> {
        let place = |thorough| self.place(message, extent, thorough).map(|tail| (tail, 1));
        match self.attempt_with_room(look, patience, place) {
            Step::Done(done) => Step::Done(done.map(drop)),
            Step::Wait(spot) => Step::Wait(spot),
        }
    }

    fn attempt_put_many<'a>(
        &'a self,
        look: Look,
        messages: &mut impl Messages,
        from: usize,
        patience: Patience,
    ) -> Step<'a, Result<usize, Refused>> {
        self.attempt_with_room(look, patience, |thorough| self.place_many(messages, from, thorough))
    }

    /// One attempt: `place` puts, under the put lock, and says where the tail is then, and how many it put, one at least.
    #[inline]
    fn attempt_with_room<'a>(
        &'a self,
        look: Look,
        patience: Patience,
        place: impl FnOnce(bool) -> Result<(Cursor, usize), NotPlaced>,
    ) -> Step<'a, Result<usize, Refused>> {
        self.mark_sender();
        let tail = Cursor(self.words.put.tail.load(Ordering::Relaxed));
        if tail.is_closed() || look.is_thorough() && self.close_after_receivers() {
            return Step::Done(Err(Refused::Closed));
        }
        let tries = patience == Patience::Tries;
        // By plain loads first: who has to wait anyway leaves the lock alone.
        if (look.is_thorough() || tries) && self.is_full_at(tail) {
            self.count_for_the_dead();
        }
        if self.is_full_at(tail) {
            return if tries { Step::Done(Err(Refused::Full)) } else { self.wait_for_space() };
        }
        let lock = &self.words.put.lock;
        if let Step::Wait(spot) = lock.attempt(look, self.party(PUTTERS)) {
            return Step::Wait(spot);
        }
        let placed = {
            let _held = self.hold(lock, PUTTERS);
            place(look.is_thorough() || tries)
        };
        match placed {
            Ok((tail, count)) => {
                for _ in 0..count {
                    // Behind the release of the lock.
                    if !self.items().notify_one_behind_a_change() {
                        break;
                    }
                }
                if look.is_listed() && self.max_items > 0 && !self.is_full_at(tail) {
                    // The wake-up that came to us may have stood for more than one place.
                    self.space().notify_one();
                }
                Step::Done(Ok(count))
            }
            Err(NotPlaced::Closed) => Step::Done(Err(Refused::Closed)),
            Err(NotPlaced::Full | NotPlaced::NoMemory) if tries => Step::Done(Err(Refused::Full)),
            Err(NotPlaced::Full) => self.wait_for_space(),
            Err(NotPlaced::NoMemory) => Step::Wait(self.memory()),
            Err(NotPlaced::Corrupt) => Step::Done(Err(Refused::Corrupt)),
            Err(NotPlaced::Io(error)) => Step::Done(Err(Refused::Io(error))),
        }
    }

    /// Whether the queue has as many items as it may. May say so of one that has just shrunk, if asked without the lock.
    #[inline]
    pub(super) fn is_full_at(&self, tail: Cursor) -> bool {
        if self.max_items == 0 {
            return false;
        }
        let seen = Cursor(self.words.put.head_seen.load(Ordering::Relaxed));
        seen.distance_to(tail) >= self.max_items && self.room_before(self.words.head(), tail) == 0
    }

    /// How many more items may come behind `tail`. By a head of a while ago where that leaves room for `wanted`, and otherwise by
    /// the head of now, which is then remembered. Under the put lock.
    #[inline]
    pub(super) fn room_for(&self, wanted: u64, tail: Cursor) -> u64 {
        if self.max_items == 0 {
            return u64::MAX;
        }
        let side = &self.words.put;
        let room =
            self.max_items.saturating_sub(Cursor(side.head_seen.load(Ordering::Relaxed)).distance_to(tail));
        if room >= wanted {
            return room;
        }
        let head = self.words.head();
        side.head_seen.store(head.0, Ordering::Relaxed);
        self.room_before(head, tail)
    }

    fn room_before(&self, mut head: Cursor, tail: Cursor) -> u64 {
        loop {
            let done = self.done();
            // Of records behind this head, if it is the head still.
            let again = if done == 0 { head } else { self.words.head() };
            if again == head {
                return self.max_items.saturating_sub(head.distance_to(tail).saturating_sub(done));
            }
            head = again;
        }
    }
}
