//! The words of a semaphore, and what stands in the slot of a process.

use crate::raw::LockWords;
use crate::shm::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::shm::{Object, shared};
use crate::wait::WaitWords;

shared! {
    /// A semaphore in shared memory, but for its slots.
    pub(crate) struct SemaphoreWords[128] {
        pub(super) lock: LockWords,
        /// Those who wait for one permit.
        pub(super) ones: WaitWords,
        /// Those who wait for several.
        pub(super) several: WaitWords,
        /// How many were ever released beside the permits that were taken, wrapping.
        pub(super) released: AtomicU64,
        /// Written once, before anybody else knows the semaphore.
        pub(super) initial: AtomicU32,
        /// How many there may be. Written once.
        pub(super) limit: AtomicU32,
        /// See the module's text. Under the lock.
        pub(super) spare: AtomicU32,
        /// One more than the highest slot that ever held a permit. Under the lock.
        pub(super) used: AtomicU32,
        reserved: [AtomicU64; 5],
    }

    /// What one process has of a semaphore.
    pub(crate) struct SemaphoreSlot[16] {
        /// See [`Share`].
        share: AtomicU64,
        /// Whose `held` it is: the slot's generation then. Under the lock.
        pub(super) generation: AtomicU32,
        reserved: AtomicU32,
    }
}

impl Object for SemaphoreWords {
    const KIND: u32 = 34;
}

impl Object for SemaphoreSlot {
    const KIND: u32 = 35;
}

/// One process's share.
///
/// | bits | meaning |
/// | --- | --- |
/// | 0–31 | `held`: permits that it holds |
/// | 32–63 | `forgotten`: permits that were taken in this slot and never come back by themselves, wrapping |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share(u64);

impl Share {
    pub(super) fn held(self) -> u32 {
        self.0 as u32
    }

    pub(super) fn forgotten(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn of(held: u32, forgotten: u32) -> Self {
        Self(u64::from(forgotten) << 32 | u64::from(held))
    }

    #[must_use]
    pub(super) fn taken(self, count: u32) -> Self {
        Self::of(self.held().saturating_add(count), self.forgotten())
    }

    #[must_use]
    pub(super) fn given_back(self, count: u32) -> Self {
        Self::of(self.held().saturating_sub(count), self.forgotten())
    }

    #[must_use]
    pub(super) fn forgot(self, count: u32) -> Self {
        Self::of(self.held().saturating_sub(count), self.forgotten().wrapping_add(count))
    }

    #[must_use]
    pub(super) fn emptied(self) -> Self {
        Self::of(0, self.forgotten())
    }
}

impl SemaphoreSlot {
    pub(super) fn share(&self) -> Share {
        Share(self.share.load(Ordering::Acquire))
    }

    pub(super) fn change(&self, change: impl Fn(Share) -> Share) {
        let mut now = Share(self.share.load(Ordering::Relaxed));
        while let Err(other) =
            self.share.compare_exchange_weak(now.0, change(now).0, Ordering::AcqRel, Ordering::Relaxed)
        {
            now = Share(other);
        }
    }
}
