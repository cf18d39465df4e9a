use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::core::{Core, Holder};
use super::spare;
use crate::planted::planted;

/// How the holder before this one went.
#[derive(Debug)]
pub(super) enum Last {
    Panicked,
    Died(Option<Holder>),
}

/// What few guards have to say. It stands in a core of their own, so that a guard is one word: it stays in a register, where one of
/// several words was written and read back in other pieces, which took as long as the locking.
pub(super) struct Tale {
    was_panicking: bool,
    last: Option<Last>,
    /// Whether the guard holds the lock.
    holds: AtomicBool,
}

impl Tale {
    pub(super) fn new(last: Option<Last>, holds: bool) -> Self {
        Self { was_panicking: std::thread::panicking(), last, holds: AtomicBool::new(holds) }
    }
}

/// A lock that is held; dropping it releases the lock, on whichever thread.
///
/// It owns a share of the lock, so it may outlive the handle, move to another thread and be held across an `.await`.
#[must_use = "the lock is released when the guard is dropped"]
pub struct AioLockGuard {
    /// `None` once leaked.
    core: Option<Arc<Core>>,
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
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core: Some(core) }
    }

    /// A guard of nothing.
    pub(in crate::sync) fn empty() -> Self {
        Self { core: None }
    }

    fn tale(&self) -> Option<&Tale> {
        self.core.as_ref()?.tale.as_ref()
    }

    /// Leaves the lock held; whoever calls this releases it in another way.
    #[inline]
    pub(in crate::sync) fn disarm(&mut self) {
        match self.tale() {
            Some(tale) => tale.holds.store(false, Ordering::Relaxed),
            None => self.core = None,
        }
    }

    /// The lock that it holds; `None` once leaked.
    pub(in crate::sync) fn core(&self) -> Option<&Arc<Core>> {
        self.core
            .as_ref()
            .filter(|core| core.tale.as_ref().is_none_or(|tale| tale.holds.load(Ordering::Relaxed)))
    }

    /// Keeps the lock without a guard, until [`AioLock::release`](crate::AioLock::release) is called in this process, or the process ends or drops its
    /// last handle of the lock: then it goes to the next who asks, as that of a dead holder.
    pub fn leak(mut self) {
        if let Some(core) = self.core() {
            core.words.leak();
        }
        self.disarm();
    }

    /// The holder that died with the lock, if this guard came out of an [`AcquireError::OwnerDied`](crate::AcquireError::OwnerDied) and it is known: a holder
    /// that left in a panic is not.
    pub fn dead_holder(&self) -> Option<&Holder> {
        match self.last()? {
            Last::Died(holder) => holder.as_ref(),
            Last::Panicked => None,
        }
    }

    fn last(&self) -> Option<&Last> {
        self.tale()?.last.as_ref()
    }

    fn last_holder_text(&self) -> String {
        match (self.dead_holder(), self.last()) {
            (Some(holder), _) => format!("process {}, pid {}", holder.name, holder.pid),
            (None, Some(Last::Panicked)) => "by a panic".to_owned(),
            (None, _) => "unknown".to_owned(),
        }
    }
}

impl Drop for AioLockGuard {
    #[inline]
    fn drop(&mut self) {
        // Taken out of the guard, it stays in a register.
        let Some(core) = self.core.take() else { return };
        if core.tale.is_some() || std::thread::panicking() || !core.release_quickly() {
            release_slowly(&core);
        }
        spare::keep(core);
    }
}

#[cold]
fn release_slowly(core: &Core) {
    if !core.is_ours() {
        return;
    }
    let (holds, was_panicking) = match &core.tale {
        Some(tale) => (tale.holds.load(Ordering::Relaxed), tale.was_panicking),
        None => (true, false),
    };
    if holds {
        let died = planted!("a-panic-is-forgotten", std::thread::panicking() && !was_panicking, false);
        core.words.release(core.party(), died);
    }
}

impl fmt::Debug for AioLockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioLockGuard").field("last", &self.last()).finish_non_exhaustive()
    }
}
