use std::fmt;
use std::sync::Arc;

use super::Inner;
use crate::sync::lock::Guard;
use crate::sync::{AioLockGuard, Holder};

/// A lock that is held to read; dropping the guard releases it, on whichever thread.
#[must_use = "the lock is released when the guard is dropped"]
pub struct AioRwLockReadGuard {
    pub(super) inner: Arc<Inner>,
    pub(super) last: AioLockGuard,
}

impl AioRwLockReadGuard {
    /// As [`AioLockGuard::dead_holder`]: the writer that died.
    pub fn dead_holder(&self) -> Option<&Holder> {
        self.last.dead_holder()
    }
}

impl Guard for AioRwLockReadGuard {
    fn lock_guard(&self) -> &AioLockGuard {
        &self.last
    }
}

impl Drop for AioRwLockReadGuard {
    fn drop(&mut self) {
        if self.inner.is_ours() {
            self.inner.raw().count_out(self.inner.party());
        }
    }
}

impl fmt::Debug for AioRwLockReadGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioRwLockReadGuard").field("last", &self.last).finish_non_exhaustive()
    }
}

/// A lock that is held to write; dropping the guard releases it, on whichever thread.
#[must_use = "the lock is released when the guard is dropped"]
pub struct AioRwLockWriteGuard {
    pub(super) inner: Arc<Inner>,
    pub(super) gate: AioLockGuard,
}

impl AioRwLockWriteGuard {
    /// As [`AioLockGuard::dead_holder`].
    pub fn dead_holder(&self) -> Option<&Holder> {
        self.gate.dead_holder()
    }
}

impl Guard for AioRwLockWriteGuard {
    fn lock_guard(&self) -> &AioLockGuard {
        &self.gate
    }
}

impl Drop for AioRwLockWriteGuard {
    fn drop(&mut self) {
        if self.inner.is_ours() {
            // The state first, then those who wait for it.
            drop(std::mem::replace(&mut self.gate, AioLockGuard::empty()));
            self.inner.raw().admit(self.inner.party());
        }
    }
}

impl fmt::Debug for AioRwLockWriteGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioRwLockWriteGuard").field("gate", &self.gate).finish_non_exhaustive()
    }
}
