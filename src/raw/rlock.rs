//! What makes a lock re-entrant: which thread or task of the owning process holds it, and how many times.
//!
//! The words stand beside a [`LockWords`](super::LockWords) and are written by its owner alone. They are cleared before the
//! lock is released and filled after it was taken. So an agent that finds the lock owned by its process and itself in the
//! hold, is the one that holds it: nobody else ever writes its name there. A name that a dead process has left is overwritten by
//! whoever takes the lock over; names are drawn so that another process's is not among one's own.

use crate::planted::planted;
use crate::shm::atomic::{AtomicU64, Ordering};
use crate::shm::{Object, shared};

shared! {
    /// Who of the owner holds a re-entrant lock.
    pub(crate) struct HoldWords[16] {
        /// See [`Hold`].
        hold: AtomicU64,
        /// A number of this hold's own, from its first acquisition to its last release.
        epoch: AtomicU64,
    }
}

impl Object for HoldWords {
    const KIND: u32 = 36;
}

/// How often a lock is held, and by whom.
///
/// | bits | meaning |
/// | --- | --- |
/// | 0–31 | the agent: a thread or a task |
/// | 32–46 | how many times it holds the lock; zero: it does not |
/// | 47–61 | how many of these without a guard |
/// | 62 | a guard was dropped in a panic |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold(u64);

const COUNT_SHIFT: u32 = 32;
const LEAKED_SHIFT: u32 = 47;
const FIELD: u64 = (1 << 15) - 1;
const DIED: u64 = 1 << 62;

/// How many times one agent can hold a lock at once.
pub(crate) const DEEPEST: u64 = FIELD;

impl Hold {
    const NONE: Self = Self(0);

    fn first(agent: u32) -> Self {
        Self(u64::from(agent) | 1 << COUNT_SHIFT)
    }

    fn is_by(self, agent: u32) -> bool {
        self.count() > 0 && self.0 as u32 == agent
    }

    fn count(self) -> u64 {
        self.0 >> COUNT_SHIFT & FIELD
    }

    fn leaked(self) -> u64 {
        self.0 >> LEAKED_SHIFT & FIELD
    }

    pub(crate) fn died(self) -> bool {
        self.0 & DIED != 0
    }

    fn once_more(self) -> Option<Self> {
        (self.count() < DEEPEST).then_some(Self(self.0 + (1 << COUNT_SHIFT)))
    }

    fn once_less(self, died: bool) -> Self {
        Self((self.0 - (1 << COUNT_SHIFT)) | if died { DIED } else { 0 })
    }

    fn leaked_once_more(self) -> Self {
        Self(self.0 + (1 << LEAKED_SHIFT))
    }

    fn leaked_once_less(self) -> Self {
        Self(self.0 - (1 << LEAKED_SHIFT) - (1 << COUNT_SHIFT))
    }
}

/// What a release leaves.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// The agent holds it still.
    Held,
    /// It was the last: the lock is to be released, and its next owner told of a death if that is true.
    Free(bool),
    /// It was given up before.
    Nothing,
}

/// Why an agent does not hold a lock once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAgain {
    Another,
    TooDeep,
}

/// Why there is nothing to release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotLeaked {
    /// The agent does not hold the lock.
    Another,
    /// It holds it, but by guards.
    Guarded,
}

/// All of these are for a process that owns the lock.
impl HoldWords {
    fn hold(&self) -> Hold {
        Hold(self.hold.load(Ordering::Acquire))
    }

    fn change(&self, from: Hold, to: Hold) -> Result<(), Hold> {
        self.hold.compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Acquire).map(drop).map_err(Hold)
    }

    /// The agent holds the lock once more, if it does already; the epoch of the hold.
    pub(crate) fn again(&self, agent: u32) -> Result<u64, NotAgain> {
        let mut now = self.hold();
        while planted!("tasks-of-one-process-are-one-owner", now.is_by(agent), now.count() > 0) {
            let epoch = self.epoch.load(Ordering::Relaxed);
            match self.change(now, now.once_more().ok_or(NotAgain::TooDeep)?) {
                Ok(()) => return Ok(epoch),
                Err(other) => now = other,
            }
        }
        Err(NotAgain::Another)
    }

    /// The lock was taken, by this agent and for the first time.
    pub(crate) fn begin(&self, agent: u32, epoch: u64) {
        self.epoch.store(epoch, Ordering::Relaxed);
        // Release pairs with the Acquire of `hold`: who sees the agent sees the epoch.
        self.hold.store(Hold::first(agent).0, Ordering::Release);
    }

    /// Whether this is the hold that began with this epoch.
    fn is_still(&self, now: Hold, agent: u32, epoch: u64) -> bool {
        now.is_by(agent) && self.epoch.load(Ordering::Relaxed) == epoch
    }

    /// A guard of this hold is dropped.
    pub(crate) fn drop_one(&self, agent: u32, epoch: u64, died: bool) -> Left {
        let mut now = self.hold();
        while self.is_still(now, agent, epoch) {
            let less = now.once_less(died);
            let (next, left) =
                if less.count() == 0 { (Hold::NONE, Left::Free(less.died())) } else { (less, Left::Held) };
            match self.change(now, next) {
                Ok(()) => return left,
                Err(other) => now = other,
            }
        }
        Left::Nothing
    }

    /// A guard of this hold goes, and what it held stays.
    pub(crate) fn leak(&self, agent: u32, epoch: u64) {
        let mut now = self.hold();
        while self.is_still(now, agent, epoch) && now.leaked() < now.count() {
            match self.change(now, now.leaked_once_more()) {
                Ok(()) => return,
                Err(other) => now = other,
            }
        }
    }

    /// One of the agent's holds without a guard ends.
    pub(crate) fn release_leaked(&self, agent: u32) -> Result<Left, NotLeaked> {
        let mut now = self.hold();
        loop {
            if !now.is_by(agent) {
                return Err(NotLeaked::Another);
            }
            if now.leaked() == 0 {
                return Err(NotLeaked::Guarded);
            }
            let less = now.leaked_once_less();
            let (next, left) =
                if less.count() == 0 { (Hold::NONE, Left::Free(less.died())) } else { (less, Left::Held) };
            match self.change(now, next) {
                Ok(()) => return Ok(left),
                Err(other) => now = other,
            }
        }
    }

    /// The agent gives the lock up however often it holds it; what [`take_up`](Self::take_up) is to bring back. The lock is to be
    /// released then.
    pub(crate) fn put_down(&self, agent: u32, epoch: u64) -> Option<Hold> {
        let mut now = self.hold();
        while self.is_still(now, agent, epoch) {
            match self.change(now, Hold::NONE) {
                Ok(()) => return Some(now),
                Err(other) => now = other,
            }
        }
        None
    }

    /// The lock was taken, and is held as it was when it was put down.
    pub(crate) fn take_up(&self, hold: Hold, epoch: u64) {
        self.epoch.store(epoch, Ordering::Relaxed);
        self.hold.store(hold.0, Ordering::Release);
    }
}
