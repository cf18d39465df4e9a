//! The queue: any number of putters and getters, in any processes, that may be killed at any instruction.
//!
//! ```text
//! head ──┐                    tail ──┐
//! ┌──────▼─────────────────┐   ┌─────▼────────────────┐
//! │ … │ record │ … │ JUMP ─┼──▶│ record │ (not yet)   │      blocks of 64 KiB, wherever they were free
//! └────────────────────────┘   └──┼───────────────────┘
//!                                 └──▶ long payloads stand in blocks of their own
//! ```
//!
//! * A **put** takes the put lock, writes a record where the tail stands, and moves the tail behind it: that one store is
//!   the put. Before it nothing has happened, after it all has, so a putter that dies leaves nothing to repair.
//! * A **get** takes the get lock, copies the record at the head, and moves the head behind it: that one store is the get.
//! * A **batch** is the same with several records and one such store, which is all of their puts, or gets: as many as there is room
//!   for, or as are there. A record with descriptors, and one whose payload has blocks of its own, is put and got alone.
//! * **Memory** comes in blocks (`blocks/`), each with its owner's name on. A block leads to the next by a `JUMP` record,
//!   which is written before the put that needs it and published with it. A block whose owner died belongs to the queue if
//!   a record between head and tail leads to it, and to nobody otherwise: `sweep.rs` finds those.
//!
//! | who dies | what is left |
//! | --- | --- |
//! | a putter before its commit | the lock, which the next one takes over; its blocks, which are swept |
//! | a putter after it | an item like any other |
//! | a getter before its commit | the lock; the item is there for the next |
//! | a getter after it | the item is lost with the process that took it; its blocks are swept |
//!
//! Everything read from shared memory is read once and checked: positions by [`Area`](crate::shm::Area), numbers here.

pub(super) mod blocks;
mod cursor;
mod find;
mod get;
mod holders;
mod lease;
mod place;
mod put;
mod record;
mod sweep;
mod take;
pub(super) mod words;

use std::sync::Arc;

use blocks::{BLOCK, Blocks, RING, table_length};
pub(crate) use get::{Basket, Incoming, NotTaken};
pub(crate) use holders::WorkerLost;
pub(crate) use lease::Lent;
pub(crate) use put::{Message, Messages, Refused};
pub(crate) use record::Flags;
pub(crate) use words::{Options, QueueWords};

use holders::Holders;

use super::{LockWords, Party};
use crate::shm::atomic::{AtomicU64, Ordering};
use crate::shm::{Area, AttachError, Plan, Ref, Region};
use crate::wait::{Bell, Deadline, Look, Spot, Step, Waiter, until};

/// The bells of a queue's region.
const GETTERS: usize = 0;
const PUTTERS: usize = 1;

/// What `try_` operations grant those who are in the middle of an operation on the same side, in nanoseconds: it is over in
/// far less, unless one of them was stopped there.
const GRACE: std::time::Duration = std::time::Duration::from_millis(10);

/// A queue of messages.
#[derive(Clone)]
pub(crate) struct Queue {
    words: Ref<QueueWords>,
    holders: Ref<Holders>,
    blocks: Arc<Blocks>,
    /// Zero: unbounded.
    max_items: u64,
    limit: u64,
    options: Options,
    /// Zero: items are taken for good.
    max_attempts: u16,
}

/// What a queue is to be like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Zero: unbounded.
    pub(crate) max_items: u64,
    /// In bytes: how long the longest item may be, and about how much all together.
    pub(crate) limit: u64,
    pub(crate) options: Options,
    /// Zero: items are taken for good.
    pub(crate) max_attempts: u16,
}

/// Whether an operation waits for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as its waiter does.
    Waits,
    /// Not at all.
    Tries,
}

/// [`until`], which adds to `waits` if it comes to a sleep, and says whether the first look was enough.
async fn until_counted<'a, W: Waiter, T>(
    waiter: &mut W,
    waits: &AtomicU64,
    mut attempt: impl FnMut(Look) -> Step<'a, T> + Send,
) -> Result<(T, bool), W::GaveUp> {
    let (mut has_waited, mut came_at_once) = (false, true);
    let out = until(waiter, |look| {
        if look.is_listed() && !has_waited {
            has_waited = true;
            waits.fetch_add(1, Ordering::Relaxed);
        }
        let step = attempt(look);
        came_at_once &= matches!(step, Step::Done(_));
        step
    })
    .await?;
    Ok((out, came_at_once))
}

/// A lock that is held, given back in a panic too.
struct Held<'a> {
    queue: &'a Queue,
    lock: &'a LockWords,
    bell: usize,
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.lock.release_quickly(self.queue.region().me()) {
            self.release_slowly();
        }
    }
}

impl Held<'_> {
    #[cold]
    fn release_slowly(&self) {
        self.lock.release(self.queue.party(self.bell), false);
    }
}

impl Queue {
    /// The most memory that a queue can have.
    pub(crate) const HIGHEST_LIMIT: u64 = 14 << 30;

    pub(crate) fn create(settings: &Settings) -> Result<Self, AttachError> {
        let payload = settings.limit.min(Self::HIGHEST_LIMIT).div_ceil(BLOCK).max(4);
        // An eighth on top, for descriptors and for what is left over in blocks.
        let count = RING + u32::try_from(payload + payload / 8).unwrap_or(u32::MAX);
        let mut plan = Plan::new(2).with_sockets();
        let offset = plan.place::<QueueWords>(1);
        let holders = plan.place::<Holders>(1);
        let room = plan.room(table_length(count) + u64::from(count) * BLOCK);
        let words: Ref<QueueWords> = plan.create()?.object(offset)?;
        words.max_items.store(settings.max_items, Ordering::Relaxed);
        words.limit.store(settings.limit, Ordering::Relaxed);
        words.options.store(settings.options.0, Ordering::Relaxed);
        words.max_attempts.store(u32::from(settings.max_attempts), Ordering::Relaxed);
        words.holders.store(holders, Ordering::Relaxed);
        words.room.store(room, Ordering::Relaxed);
        words.blocks.store(u64::from(count), Ordering::Relaxed);
        let me = words.region().me();
        let queue = Self::attach(words)?;
        queue.blocks.found(&queue.words.memory, me)?;
        Ok(queue)
    }

    /// The queue that these words describe.
    pub(crate) fn attach(words: Ref<QueueWords>) -> Result<Self, AttachError> {
        let nonsense = AttachError::NotARegion("a queue of impossible size");
        let max_items = words.max_items.load(Ordering::Relaxed);
        let limit = words.limit.load(Ordering::Relaxed);
        let Ok(count) = u32::try_from(words.blocks.load(Ordering::Relaxed)) else { return Err(nonsense) };
        if count <= RING || u64::from(count) > cursor::REACH / BLOCK {
            return Err(nonsense);
        }
        let length = table_length(count) + u64::from(count) * BLOCK;
        let area = Area::new(words.region(), words.room.load(Ordering::Relaxed), length)?;
        let holders = words.region().object(words.holders.load(Ordering::Relaxed))?;
        let options = Options(words.options.load(Ordering::Relaxed));
        let max_attempts = u16::try_from(words.max_attempts.load(Ordering::Relaxed)).unwrap_or(u16::MAX);
        let blocks = Arc::new(Blocks::new(area, count));
        Ok(Self { words, holders, blocks, max_items, limit, options, max_attempts })
    }

    pub(crate) fn words(&self) -> &Ref<QueueWords> {
        &self.words
    }

    #[inline]
    pub(crate) fn region(&self) -> &Arc<Region> {
        self.words.region()
    }

    /// Zero: unbounded.
    pub(crate) fn max_items(&self) -> u64 {
        self.max_items
    }

    /// Zero: items are taken for good.
    pub(crate) fn max_attempts(&self) -> u16 {
        self.max_attempts
    }

    pub(crate) fn is_joinable(&self) -> bool {
        self.options.has(Options::JOINABLE)
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Exact at some moment during the call; with leases no less than that.
    pub(crate) fn len(&self) -> u64 {
        self.words.left(|| self.done())
    }

    /// Closes it and tells everybody who waits.
    pub(crate) fn close(&self, now: bool) {
        self.words.close(now);
        // Also where it was closed already: whoever closed it may have died before this line.
        self.items().notify_all();
        self.space().notify_all();
        self.memory().notify_all();
    }

    #[inline]
    fn party(&self, bell: usize) -> Party<'_, Region> {
        let region = self.words.region();
        Party { me: region.me(), alive: region, bell: Bell::new(region, bell) }
    }

    #[inline]
    fn items(&self) -> Spot<'_> {
        Spot::new(&self.words.put.items, Bell::new(self.words.region(), GETTERS))
    }

    #[inline]
    fn space(&self) -> Spot<'_> {
        Spot::new(&self.words.get.space, Bell::new(self.words.region(), PUTTERS))
    }

    /// Waiting for an item.
    fn wait_for_items<T>(&self) -> Step<'_, T> {
        Step::Wait(self.items().after(self.words.get.ease.pauses()))
    }

    /// Waiting for room.
    fn wait_for_space<T>(&self) -> Step<'_, T> {
        Step::Wait(self.space().after(self.words.put.ease.pauses()))
    }

    fn memory(&self) -> Spot<'_> {
        Spot::new(&self.words.get.memory, Bell::new(self.words.region(), PUTTERS))
    }

    #[inline]
    fn hold<'a>(&'a self, lock: &'a LockWords, bell: usize) -> Held<'a> {
        Held { queue: self, lock, bell }
    }

    pub(crate) fn grace() -> Deadline {
        Deadline::after(GRACE)
    }

    /// (puts, gets, waits of puts, waits of gets, most items that a getter found).
    pub(crate) fn counts(&self) -> [u64; 5] {
        let (head, tail) = self.words.ends();
        let (put, get) = (&self.words.put, &self.words.get);
        let peak = get.peak.load(Ordering::Relaxed).max(head.distance_to(tail));
        let waits = [put.waits.load(Ordering::Relaxed), get.waits.load(Ordering::Relaxed)];
        [tail.number(), head.number(), waits[0], waits[1], peak]
    }

    /// How many wait for an item, and how many for room: hints.
    pub(crate) fn waiters(&self) -> (u64, u64) {
        let words = &self.words;
        (words.put.items.waiters(), words.get.space.waiters() + words.get.memory.waiters())
    }
}
