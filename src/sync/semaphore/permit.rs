use std::fmt;
use std::sync::Arc;

use super::Core;

/// Permits of a semaphore; dropping them gives them back, on whichever thread.
///
/// It owns a share of the semaphore, so it may outlive the handle, move to another thread and be held across an `.await`.
#[must_use = "the permit is given back when it is dropped"]
pub struct Permit {
    pub(super) core: Arc<Core>,
    pub(super) count: u32,
}

impl Permit {
    /// How many permits these are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Keeps the permits without this value: they come back by [`AioSemaphore::release`](crate::AioSemaphore::release) alone,
    /// whoever calls it, and not when the process ends. With that, a permit can be taken in one process and given back in another.
    pub fn forget(mut self) {
        if self.core.is_ours() {
            self.core.raw().forget(self.core.party(), self.count);
        }
        self.count = 0;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.count > 0 && self.core.is_ours() {
            self.core.raw().give_back(self.core.party(), self.count);
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("count", &self.count).finish_non_exhaustive()
    }
}
