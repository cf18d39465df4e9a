//! What a queue keeps at fixed places. The lines of the put side and those of the get side are kept apart.

use super::cursor::{CLOSED, Cursor};
use crate::planted::planted;
use crate::raw::LockWords;
use crate::shm::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::shm::{Object, shared};
use crate::wait::{LAST_LONGER_TURN, WaitWords};

shared! {
    /// A queue in shared memory.
    pub(crate) struct QueueWords[512] {
        /// Zero: unbounded. This and the next three are written before anybody else sees the queue.
        pub(super) max_items: AtomicU64,
        /// How many bytes the longest item may have.
        pub(super) limit: AtomicU64,
        /// Where in the region the table of blocks begins, and the blocks behind it.
        pub(super) room: AtomicU64,
        pub(super) blocks: AtomicU64,
        /// 1: closed for gets, too.
        pub(super) ended: AtomicU32,
        /// How often an item is lent at most; zero: items are taken for good.
        pub(super) max_attempts: AtomicU32,
        /// [`Options`].
        pub(super) options: AtomicU32,
        reserved: AtomicU32,
        /// Where in the region the [`Holders`](super::holders::Holders) stand.
        pub(super) holders: AtomicU64,
        reserved_too: [AtomicU64; 9],
        pub(super) put: PutSide,
        pub(super) get: GetSide,
        pub(super) memory: MemoryWords,
    }

    /// What putters write.
    pub(super) struct PutSide[128] {
        pub(super) lock: LockWords,
        /// The end of the queue, a [`Cursor`]: moving it on is the put. `CLOSED` is set by anybody, all else by the lock's owner.
        pub(super) tail: AtomicU64,
        /// A head of a while ago. Written by the lock's owner.
        pub(super) head_seen: AtomicU64,
        /// How often a put had to wait: a hint.
        pub(super) waits: AtomicU64,
        /// For how long putters leave getters alone.
        pub(super) ease: Ease,
        reserved: AtomicU32,
        /// Who waits for an item. Here, because putters read it after every put.
        pub(super) items: WaitWords,
        reserved_too: [AtomicU64; 6],
    }

    /// What getters write.
    pub(super) struct GetSide[128] {
        pub(super) lock: LockWords,
        /// The beginning of the queue, a [`Cursor`]: moving it on is the get. Written by the lock's owner.
        pub(super) head: AtomicU64,
        /// A tail of a while ago. Written by the lock's owner.
        pub(super) tail_seen: AtomicU64,
        /// How often a get had to wait: a hint.
        pub(super) waits: AtomicU64,
        /// The most items that a getter has found. Written by the lock's owner.
        pub(super) peak: AtomicU64,
        /// Who waits for the number of items to shrink.
        pub(super) space: WaitWords,
        /// Who waits for memory.
        pub(super) memory: WaitWords,
        /// Up to where records were lent, a [`Cursor`]; those from the head to here are lent, done with, or given back. Written
        /// by the lock's owner.
        pub(super) lent: AtomicU64,
        /// About how many of those were given back.
        pub(super) returned: AtomicU32,
        /// How many are done with: never too many. Too few by what the dead did not count, or took off without moving the head, until
        /// who asks for the dead has counted, or none is lent.
        pub(super) done: AtomicU32,
        /// How many items were lent in vain as often as they may be: a hint.
        pub(super) given_up: AtomicU64,
        /// The region's count of deaths when the lent records were last looked at.
        pub(super) scanned: AtomicU32,
        /// For how long getters leave putters alone.
        pub(super) ease: Ease,
    }

    /// How many pauses whoever has to wait makes before it looks again: a hint, as all peers write it. Two sides that work at one time
    /// are the faster the less the one looks at what the other is writing.
    pub(super) struct Ease[4] {
        pauses: AtomicU32,
    }

    /// Where to look for free blocks and how many there are: hints, all of them.
    pub(in crate::raw) struct MemoryWords[128] {
        /// Below this few blocks are free for the queue itself; below the next, few for payloads.
        pub(super) ring_hint: AtomicU32,
        pub(super) extent_hint: AtomicU32,
        /// How many entries of the table have memory.
        pub(in crate::raw) entries: AtomicU32,
        /// The region's count of deaths at the last sweep.
        pub(super) swept: AtomicU32,
        /// How many blocks are owned, and how many are free and have memory.
        pub(super) used: AtomicU32,
        pub(super) idle: AtomicU32,
        reserved: [AtomicU64; 13],
    }
}

/// What a queue was built with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options(pub(super) u32);

impl Options {
    pub(crate) const CLOSES_WITH_SENDERS: Self = Self(1);
    pub(crate) const CLOSES_WITH_RECEIVERS: Self = Self(2);
    /// With the one or the other: then it is noted who puts and who gets.
    pub(super) const CLOSES_BY_ITSELF: Self = Self(3);
    /// Counts what each process has taken and not finished.
    pub(crate) const JOINABLE: Self = Self(4);

    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    #[must_use]
    pub(crate) fn with(self, other: Self, wanted: bool) -> Self {
        if wanted { Self(self.0 | other.0) } else { self }
    }
}

impl Object for QueueWords {
    const KIND: u32 = 16;
}

impl PutSide {
    /// The put: the tail goes from before a record to behind it, unless the queue was closed meanwhile.
    #[inline]
    pub(super) fn commit(&self, from: Cursor, to: Cursor) -> Result<(), Cursor> {
        // Release pairs with the Acquire of a getter's look at the tail.
        let order = planted!("a-commit-publishes-nothing", Ordering::AcqRel, Ordering::Relaxed);
        self.tail.compare_exchange(from.0, to.0, order, Ordering::Relaxed).map(drop).map_err(Cursor)
    }
}

impl GetSide {
    /// The get: the head moves behind a record.
    #[inline]
    pub(super) fn commit(&self, to: Cursor) {
        // Release pairs with the Acquire of a putter's look at the head.
        self.head.store(to.0, Ordering::Release);
    }
}

impl Ease {
    pub(super) fn pauses(&self) -> u32 {
        self.pauses.load(Ordering::Relaxed)
    }

    /// A wait is over, whatever it was for. `more`: by then there was more than was waited for, so the other side is at work and a
    /// later look would have found more still; where there never is, each looks as soon as it can.
    pub(super) fn learn(&self, more: bool) {
        let now = self.pauses().min(LAST_LONGER_TURN);
        let next = if more { (now + now / 2 + 2).min(LAST_LONGER_TURN) } else { now - now.div_ceil(4) };
        if next != now {
            self.pauses.store(next, Ordering::Relaxed);
        }
    }
}

impl QueueWords {
    #[inline]
    pub(crate) fn tail(&self) -> Cursor {
        // Acquire pairs with the commit of a put: who sees the tail behind a record sees the record.
        Cursor(self.put.tail.load(Ordering::Acquire))
    }

    #[inline]
    pub(crate) fn head(&self) -> Cursor {
        // Acquire pairs with the commit of a get: who sees the head behind a record may write over it.
        Cursor(self.get.head.load(Ordering::Acquire))
    }

    /// Both ends as they were at one moment.
    pub(crate) fn ends(&self) -> (Cursor, Cursor) {
        let mut head = self.head();
        loop {
            let tail = self.tail();
            let again = self.head();
            if again == head {
                return (head, tail);
            }
            head = again;
        }
    }

    /// How many are left between the ends without what is done with: never less than there are.
    pub(super) fn left(&self, done: impl Fn() -> u64) -> u64 {
        let mut ends = self.ends();
        loop {
            let done = done();
            // Of records between these ends, if they are the ends still.
            let again = if done == 0 { ends } else { self.ends() };
            if again == ends {
                let (head, tail) = ends;
                return head.distance_to(tail).saturating_sub(done);
            }
            ends = again;
        }
    }

    /// From now on puts fail; `now`: gets too. True for the call that closed it.
    pub(super) fn close(&self, now: bool) -> bool {
        if now {
            self.ended.store(1, Ordering::Release);
        }
        // One step that takes no lock. A putter's commit compares the whole word, so it comes before this or fails.
        self.put.tail.fetch_or(CLOSED, Ordering::AcqRel) & CLOSED == 0
    }

    #[inline]
    pub(super) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire) != 0
    }
}

#[cfg(all(test, not(aioprocessing_loom)))]
mod tests {
    use super::{Ease, LAST_LONGER_TURN};

    #[test]
    fn pauses_grow_where_there_is_more_and_go_where_there_is_not() {
        let ease = Ease::default();
        ease.learn(false);
        assert_eq!(ease.pauses(), 0);
        for more in [true, false] {
            for _ in 0..30 {
                ease.learn(more);
            }
            assert_eq!(ease.pauses(), if more { LAST_LONGER_TURN } else { 0 });
        }
    }

    #[test]
    fn what_a_peer_wrote_is_bounded() {
        let ease = Ease { pauses: u32::MAX.into() };
        ease.learn(false);
        assert!(ease.pauses() < LAST_LONGER_TURN);
    }
}
