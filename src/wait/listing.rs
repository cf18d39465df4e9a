//! The wait queue: who waits on a word, and who wakes whom.
//!
//! ```text
//! waiter                                   notifier
//!   seen = turn                              change the state
//!   listed += 1         (RMW)                fence SeqCst                 (B)
//!   fence SeqCst        (A)                  woken += 1 if woken < listed (RMW)
//!   look at the state                        turn += 1; wake a sleeper or ring the bell
//!   sleep while turn == seen
//! ```
//!
//! **No wake-up is lost.** Of the two fences one comes first in the order of all SeqCst operations. If (A) is first, the
//! notifier's read after (B) sees the waiter listed: it moves the turn on, and the waiter, who read `seen` before it was
//! listed, does not sleep or is woken. If (B) is first, the waiter's look after (A) sees the changed state.
//!
//! **A burst makes one wake-up a waiter.** A wake is a token: `woken` counts those given and not yet used. A notifier gives
//! one only while `woken < listed`, so it makes no system call for a waiter that is on its way already. A waiter
//! uses a token up each time it looks, *after* it read `seen` and before the look. A token given later than that changes
//! the turn after `seen` was read, so no waiter sleeps on a token it has not seen.
//!
//! **The dead do no harm.** A killed waiter stays listed, and takes one token with it at the most: `listed` and `woken` are
//! both one too high then, and `woken < listed` still holds while a living waiter is without a token. If it was killed
//! *holding* the only token of the living, the bounded sleep finds the change.
//!
//! The counts are hints in the sense of the house rules: they may only err high.

use crate::planted::planted;
use crate::shm::atomic::{AtomicU32, AtomicU64, Ordering, fence, fence_behind_a_change};
use crate::shm::shared;

shared! {
    /// What a wait queue keeps in shared memory.
    pub(crate) struct WaitWords[16] {
        /// The futex word. Changes with every wake-up, and carries no other information.
        turn: AtomicU32,
        /// The CPU of the last notifier plus one, for deciding whether to spin.
        cpu: AtomicU32,
        /// See [`Listed`].
        listed: AtomicU64,
    }
}

/// The counts of one wait queue in one word.
///
/// | bits | count |
/// | --- | --- |
/// | 0–20 | threads listed, asleep on the futex word |
/// | 21–41 | listeners on the bell: tasks, and threads that wait for long |
/// | 42–62 | tokens given to waiters and not yet used |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed(u64);

const FIELD: u64 = (1 << 21) - 1;
const LISTENER_SHIFT: u32 = 21;
const WOKEN_SHIFT: u32 = 42;

/// In which of the two ways a waiter can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// By a futex wake.
    Sleeper,
    /// By the bell.
    Listener,
}

impl Listed {
    fn sleepers(self) -> u64 {
        self.0 & FIELD
    }

    fn listeners(self) -> u64 {
        self.0 >> LISTENER_SHIFT & FIELD
    }

    fn waiters(self) -> u64 {
        self.sleepers() + self.listeners()
    }

    fn is_empty(self) -> bool {
        self.0 & (FIELD | FIELD << LISTENER_SHIFT) == 0
    }

    fn woken(self) -> u64 {
        self.0 >> WOKEN_SHIFT & FIELD
    }

    fn with_woken(self, woken: u64) -> Self {
        Self(self.0 & !(FIELD << WOKEN_SHIFT) | woken.min(FIELD) << WOKEN_SHIFT)
    }

    const fn one(reach: Reach) -> u64 {
        match reach {
            Reach::Sleeper => 1,
            Reach::Listener => 1 << LISTENER_SHIFT,
        }
    }

    fn count(self, reach: Reach) -> u64 {
        match reach {
            Reach::Sleeper => self.sleepers(),
            Reach::Listener => self.listeners(),
        }
    }

    /// One waiter more. At the end of the count it stays: the waiter then relies on its bounded sleep.
    #[must_use]
    fn joined(self, reach: Reach) -> Self {
        if self.count(reach) == FIELD { self } else { Self(self.0 + Self::one(reach)) }
    }

    /// One waiter less, and no more tokens than waiters are left.
    #[must_use]
    fn left(self, reach: Reach) -> Self {
        let fewer = if self.count(reach) == 0 { self } else { Self(self.0 - Self::one(reach)) };
        fewer.with_woken(fewer.woken().min(fewer.waiters()))
    }

    /// One waiter is reached in another way from now on.
    #[must_use]
    fn shifted(self, from: Reach, to: Reach) -> Self {
        let moved = if self.count(from) == 0 { self } else { Self(self.0 - Self::one(from)) };
        moved.joined(to)
    }

    /// A token used up.
    #[must_use]
    fn arrived(self) -> Self {
        self.with_woken(self.woken().saturating_sub(1))
    }
}

/// Whom to wake after a change of the counts.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    Nobody,
    One { sleepers: bool, listeners: bool },
    All { sleepers: u64, listeners: bool },
}

impl Wake {
    /// Wakes: `wake` up to so many sleepers, and says how many there were; `ring` all listeners.
    ///
    /// The counts may err high, so neither kind is trusted to be there: where fewer sleepers were asleep than were listed, one of
    /// them may be dead, or be leaving the word for the bell just now. Where both kinds wait, both get a chance.
    pub(super) fn deliver(self, wake: impl FnOnce(u32) -> usize, ring: impl FnOnce()) {
        let must_ring = match self {
            Self::Nobody => false,
            Self::One { sleepers, listeners } => {
                !(sleepers && wake(1) > 0) || planted!("tasks-wait-for-threads", listeners, false)
            }
            Self::All { sleepers, listeners } => {
                let woken = if sleepers > 0 { wake(u32::MAX) as u64 } else { 0 };
                listeners || woken < sleepers
            }
        };
        if must_ring {
            ring();
        }
    }
}

impl WaitWords {
    pub(crate) fn turn(&self) -> &AtomicU32 {
        &self.turn
    }

    fn update(&self, change: impl Fn(Listed) -> Listed) -> Listed {
        let mut now = Listed(self.listed.load(Ordering::Relaxed));
        loop {
            let next = change(now);
            match self.listed.compare_exchange_weak(now.0, next.0, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return now,
                Err(other) => now = Listed(other),
            }
        }
    }

    /// Lists a waiter, and gives the turn to sleep on. What the caller looks at next is as new as any notifier that
    /// did not see it listed.
    pub(super) fn join(&self, reach: Reach) -> u32 {
        let seen = self.turn.load(Ordering::Acquire);
        self.update(|listed| listed.joined(reach));
        // (A) in the module's proof.
        planted!("no-fence-when-listing", fence(Ordering::SeqCst), ());
        seen
    }

    /// Before each further look of a listed waiter: uses up a token if there is one.
    pub(super) fn arrive(&self) -> u32 {
        let seen = self.turn.load(Ordering::Acquire);
        if Listed(self.listed.load(Ordering::Relaxed)).woken() > 0 {
            self.update(Listed::arrived);
        }
        fence(Ordering::SeqCst);
        seen
    }

    /// Takes a waiter off the list. True if a token was under way that may have been meant for it: who leaves without
    /// having got what it waited for passes it on.
    pub(super) fn leave(&self, reach: Reach) -> bool {
        self.update(|listed| listed.arrived().left(reach)).woken() > 0
    }

    /// What must not be done between two looks: the waiter is off the list while it makes the next one.
    #[cfg(aioprocessing_planted)]
    pub(super) fn step_back(&self, reach: Reach) {
        self.update(|listed| listed.left(reach));
    }

    /// A waiter moves from the word to the bell, or back. It uses up no token.
    ///
    /// A notifier that counted it where it was may look for it there in vain, and then rings.
    pub(super) fn shift(&self, from: Reach, to: Reach) {
        self.update(|listed| listed.shifted(from, to));
        fence(Ordering::SeqCst);
    }

    /// After a change that lets one waiter go on.
    pub(super) fn wake_one(&self) -> Wake {
        // (B) in the module's proof.
        planted!("no-fence-when-waking-one", fence(Ordering::SeqCst), ());
        self.wake_one_behind_a_fence()
    }

    /// The same, for who comes from a read-modify-write that followed the change. Nearly always nobody waits.
    #[inline]
    pub(super) fn is_anybody_to_wake(&self) -> bool {
        // (B) in the module's proof.
        planted!("no-fence-behind-a-change", fence_behind_a_change(), ());
        !Listed(self.listed.load(Ordering::Relaxed)).is_empty()
    }

    pub(super) fn wake_one_behind_a_fence(&self) -> Wake {
        let mut now = Listed(self.listed.load(Ordering::Relaxed));
        loop {
            let is_enough = now.woken() >= now.waiters();
            if planted!("a-wake-up-under-way-is-enough", is_enough, is_enough || now.woken() > 0) {
                return Wake::Nobody;
            }
            let next = now.with_woken(now.woken() + 1);
            match self.listed.compare_exchange_weak(now.0, next.0, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => break,
                Err(other) => now = Listed(other),
            }
        }
        self.turn.fetch_add(1, Ordering::AcqRel);
        Wake::One { sleepers: now.sleepers() > 0, listeners: now.listeners() > 0 }
    }

    /// After a change that lets all waiters go on.
    pub(super) fn wake_all(&self) -> Wake {
        // (B) in the module's proof.
        planted!("no-fence-when-waking-all", fence(Ordering::SeqCst), ());
        if Listed(self.listed.load(Ordering::Relaxed)).waiters() == 0 {
            return Wake::Nobody;
        }
        let now = self.update(|listed| listed.with_woken(listed.waiters()));
        self.turn.fetch_add(1, Ordering::AcqRel);
        Wake::All { sleepers: now.sleepers(), listeners: now.listeners() > 0 }
    }

    /// How many are listed: a hint that errs high.
    #[inline]
    pub(crate) fn waiters(&self) -> u64 {
        Listed(self.listed.load(Ordering::Relaxed)).waiters()
    }

    /// Leaves word on which CPU the caller runs, for those who wonder whether to spin.
    pub(super) fn sign(&self, cpu: u32) {
        if self.cpu.load(Ordering::Relaxed) != cpu {
            self.cpu.store(cpu, Ordering::Relaxed);
        }
    }

    pub(super) fn last_cpu(&self) -> u32 {
        self.cpu.load(Ordering::Relaxed)
    }
}
