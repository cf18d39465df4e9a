use std::fmt;
use std::sync::Arc;

use super::core::{Core, Holder};
use crate::planted::planted;

/// How the holder before this one went.
#[derive(Debug)]
pub(super) enum Last {
    Panicked,
    Died(Option<Holder>),
}

/// A lock that is held; dropping it releases the lock, on whichever thread.
///
/// It owns a share of the lock, so it may outlive the handle, move to another thread and be held across an `.await`.
#[must_use = "the lock is released when the guard is dropped"]
pub struct AioLockGuard {
    /// `None` once leaked.
    core: Option<Arc<Core>>,
    was_panicking: bool,
    last: Option<Box<Last>>,
}

/// What the errors of the locks want to know of the guard in them.
pub trait Guard {
    /// The lock's guard inside of this one.
    fn lock_guard(&self) -> &AioLockGuard;

    /// How the last holder went, in words.
    fn last_holder(&self) -> String {
        self.lock_guard().last_holder_text()
    }
}

impl Guard for AioLockGuard {
    fn lock_guard(&self) -> &AioLockGuard {
        self
    }
}

impl AioLockGuard {
    #[inline]
    pub(super) fn new(core: Arc<Core>, last: Option<Box<Last>>) -> Self {
        Self { core: Some(core), was_panicking: std::thread::panicking(), last }
    }

    /// A guard of nothing.
    pub(in crate::sync) fn empty() -> Self {
        Self::of_nothing(None)
    }

    pub(super) fn of_nothing(last: Option<Box<Last>>) -> Self {
        Self { core: None, was_panicking: false, last }
    }

    /// Leaves the lock held; whoever calls this releases it in another way.
    pub(in crate::sync) fn disarm(&mut self) {
        self.core = None;
    }

    /// The lock that it holds; `None` once leaked.
    pub(in crate::sync) fn core(&self) -> Option<&Arc<Core>> {
        self.core.as_ref()
    }

    /// Keeps the lock without a guard, until [`AioLock::release`](crate::AioLock::release) is called in this process, or the process ends or drops its
    /// last handle of the lock: then it goes to the next who asks, as that of a dead holder.
    pub fn leak(mut self) {
        if let Some(core) = self.core.take() {
            core.words.leak();
        }
    }

    /// The holder that died with the lock, if this guard came out of an [`AcquireError::OwnerDied`](crate::AcquireError::OwnerDied) and it is known: a holder
    /// that left in a panic is not.
    pub fn dead_holder(&self) -> Option<&Holder> {
        match self.last.as_deref()? {
            Last::Died(holder) => holder.as_ref(),
            Last::Panicked => None,
        }
    }

    fn last_holder_text(&self) -> String {
        match (self.dead_holder(), self.last.as_deref()) {
            (Some(holder), _) => format!("process {}, pid {}", holder.name, holder.pid),
            (None, Some(Last::Panicked)) => "by a panic".to_owned(),
            (None, _) => "unknown".to_owned(),
        }
    }
}

impl Drop for AioLockGuard {
    #[inline]
    fn drop(&mut self) {
        let Some(core) = &self.core else { return };
        let died = planted!("a-panic-is-forgotten", std::thread::panicking() && !self.was_panicking, false);
        if !core.is_ours() || !died && core.words.release_quickly(core.words.region().me()) {
            return;
        }
        core.release_slowly(died);
    }
}

impl fmt::Debug for AioLockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioLockGuard").field("last", &self.last).finish_non_exhaustive()
    }
}
