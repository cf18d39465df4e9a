//! The words of a barrier.

use crate::shm::atomic::{AtomicU32, AtomicU64};
use crate::shm::{Object, shared};
use crate::wait::WaitWords;

/// How many ends of cycles are remembered.
pub(super) const RECENT: usize = 16;

/// The most parties a barrier can have.
pub(crate) const MOST_PARTIES: u32 = COUNT as u32;

shared! {
    /// A barrier in shared memory, but for its slots.
    pub(crate) struct BarrierWords[384] {
        /// See [`State`].
        pub(super) state: AtomicU64,
        pub(super) waiters: WaitWords,
        /// One more than the highest slot that ever arrived.
        pub(super) used: AtomicU32,
        /// Written once.
        pub(super) parties: AtomicU32,
        /// 1 if there is one. Written once.
        pub(super) has_action: AtomicU32,
        reserved: AtomicU32,
        /// Nanoseconds; zero: none. Written once.
        pub(super) timeout: AtomicU64,
        reserved_too: [AtomicU64; 10],
        /// One more than a broken cycle's number, at that number modulo their length; zero: none yet.
        pub(super) broken: [AtomicU64; RECENT],
        /// See [`Exit`].
        pub(super) exits: [AtomicU64; RECENT],
    }

    /// One process's part in a barrier.
    pub(crate) struct BarrierSlot[8] {
        /// See [`Part`](super::part::Part).
        pub(super) part: AtomicU64,
    }
}

impl Object for BarrierWords {
    const KIND: u32 = 41;
}

impl Object for BarrierSlot {
    const KIND: u32 = 42;
}

/// What a cycle has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Parties are to come.
    Filling,
    /// All are there; one that has the action is to run it.
    Full,
    /// One runs the action.
    Acting,
    /// Until it is reset.
    Broken,
}

/// The state of a barrier.
///
/// | bits | meaning |
/// | --- | --- |
/// | 0–1 | [`Phase`] |
/// | 2–16 | how many have arrived |
/// | 17–31 | how many of these have the action |
/// | 32–63 | the cycle's number, wrapping |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State(pub(super) u64);

const COUNT: u64 = (1 << 15) - 1;

impl State {
    pub(super) fn of(cycle: u32, phase: Phase, arrived: u64, able: u64) -> Self {
        Self(u64::from(cycle) << 32 | able.min(COUNT) << 17 | arrived.min(COUNT) << 2 | phase as u64)
    }

    pub(super) fn phase(self) -> Phase {
        match self.0 & 3 {
            0 => Phase::Filling,
            1 => Phase::Full,
            2 => Phase::Acting,
            _ => Phase::Broken,
        }
    }

    pub(super) fn arrived(self) -> u64 {
        self.0 >> 2 & COUNT
    }

    pub(super) fn able(self) -> u64 {
        self.0 >> 17 & COUNT
    }

    pub(super) fn cycle(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(super) fn with(self, phase: Phase) -> Self {
        Self::of(self.cycle(), phase, self.arrived(), self.able())
    }

    pub(super) fn one_more(self, able: bool) -> Self {
        Self::of(self.cycle(), self.phase(), self.arrived() + 1, self.able() + u64::from(able))
    }

    pub(super) fn one_less(self, able: bool) -> Self {
        let left = self.able().saturating_sub(u64::from(able));
        Self::of(self.cycle(), Phase::Filling, self.arrived().saturating_sub(1), left)
    }

    pub(super) fn next_cycle(self) -> Self {
        Self::of(self.cycle().wrapping_add(1), Phase::Filling, 0, 0)
    }
}

/// Who leaves a cycle that tripped: bits 32–63 the cycle, bits 0–31 how many have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exit(pub(super) u64);
