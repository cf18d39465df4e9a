use std::fmt;

use super::AioRLock;
use crate::raw::{Hold, Left};
use crate::sync::lock::Guard;
use crate::sync::{AioLockGuard, Holder};

/// One hold of a re-entrant lock. The lock is free when the last guard of its holder is dropped, on whichever thread.
#[must_use = "the lock is released when the guard is dropped"]
pub struct AioRLockGuard {
    /// `None` once leaked or put down.
    lock: Option<AioRLock>,
    agent: u32,
    epoch: u64,
    was_panicking: bool,
    /// Holds nothing, but knows how the last holder went.
    last: AioLockGuard,
}

impl AioRLockGuard {
    pub(super) fn new(lock: &AioRLock, agent: u32, epoch: u64, last: AioLockGuard) -> Self {
        let was_panicking = std::thread::panicking();
        Self { lock: Some(lock.clone()), agent, epoch, was_panicking, last }
    }

    /// Keeps the hold without a guard, until its holder calls [`AioRLock::release`] or the process ends.
    pub fn leak(mut self) {
        if let Some(lock) = self.lock.take()
            && lock.lock.core.is_ours()
        {
            lock.hold.leak(self.agent, self.epoch);
        }
    }

    /// As [`AioLockGuard::dead_holder`].
    pub fn dead_holder(&self) -> Option<&Holder> {
        self.last.dead_holder()
    }

    pub(in crate::sync) fn lock(&self) -> Option<&AioRLock> {
        self.lock.as_ref()
    }

    /// Gives the lock up, however often its holder holds it. `Err`: it was given up before.
    pub(in crate::sync) fn put_down(mut self) -> Result<PutDown, Self> {
        let Some(lock) = self.lock.take() else { return Err(self) };
        let (agent, epoch) = (self.agent, self.epoch);
        match lock.hold.put_down(agent, epoch) {
            Some(hold) => {
                lock.leave(Left::Free(false));
                Ok(PutDown { lock, agent, epoch, hold })
            }
            None => Err(self),
        }
    }
}

/// A hold that was given up for a while.
pub(in crate::sync) struct PutDown {
    lock: AioRLock,
    agent: u32,
    epoch: u64,
    hold: Hold,
}

impl PutDown {
    /// Holds the lock as before; `guard` is of a fresh acquisition.
    pub(in crate::sync) fn take_up(self, mut guard: AioLockGuard) -> AioRLockGuard {
        self.lock.hold.take_up(self.hold, self.epoch);
        guard.disarm();
        AioRLockGuard::new(&self.lock, self.agent, self.epoch, guard)
    }
}

impl Guard for AioRLockGuard {
    fn lock_guard(&self) -> &AioLockGuard {
        &self.last
    }
}

impl Drop for AioRLockGuard {
    fn drop(&mut self) {
        if let Some(lock) = &self.lock
            && lock.lock.core.is_ours()
        {
            let died = std::thread::panicking() && !self.was_panicking;
            let left = lock.hold.drop_one(self.agent, self.epoch, died);
            lock.leave(left);
        }
    }
}

impl fmt::Debug for AioRLockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioRLockGuard").field("last", &self.last).finish_non_exhaustive()
    }
}
