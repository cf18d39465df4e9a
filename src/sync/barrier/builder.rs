use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::action::Action;
use super::{AioBarrier, Inner, SLOTS};
use crate::raw::{BarrierSlot, BarrierWords, MOST_PARTIES};
use crate::shm::{Plan, Row};
use crate::sync::CreateError;

/// Settings of an [`AioBarrier`] to be made; from [`AioBarrier::builder`].
#[must_use = "a builder makes nothing before `build`"]
pub struct BarrierBuilder {
    pub(super) parties: usize,
    pub(super) action: Option<Action>,
    pub(super) timeout: Option<Duration>,
}

impl BarrierBuilder {
    /// Calls `action` each time that all have arrived, before any of them goes on, in one of them. If it panics, the barrier is
    /// broken.
    ///
    /// A function, or a closure that captures nothing, goes along with a handle to other processes. One that captures
    /// variables stays in this process, and one of the parties that wait here calls it.
    pub fn action<F: Fn() + Send + Sync + 'static>(mut self, action: F) -> Self {
        self.action = Some(Action::new(action));
        self
    }

    /// How long [`AioBarrier::wait`] and [`AioBarrier::coro_wait`] wait at the longest, before they break the barrier.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Makes the barrier.
    ///
    /// # Errors
    ///
    /// [`CreateError`] for no parties or more than 32,767, or if the system has no memory or no descriptors left; a barrier
    /// takes two descriptors in each process.
    pub fn build(self) -> Result<AioBarrier, CreateError> {
        let parties = u32::try_from(self.parties).unwrap_or(u32::MAX);
        if parties == 0 || parties > MOST_PARTIES {
            return Err(CreateError::Invalid("a barrier has from 1 to 32,767 parties"));
        }
        let mut plan = Plan::new(1);
        let words = plan.place::<BarrierWords>(1);
        let slots = Row::<BarrierSlot>::plan(&mut plan);
        debug_assert_eq!(slots, words + SLOTS);
        let inner = Inner::open(plan.create()?.object(words)?)?;
        let nanos =
            self.timeout.map_or(0, |timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX).max(1));
        inner.raw().begin(parties, self.action.is_some(), nanos);
        Ok(AioBarrier { inner: Arc::new(inner), action: self.action })
    }
}

impl fmt::Debug for BarrierBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierBuilder")
            .field("parties", &self.parties)
            .field("has_action", &self.action.is_some())
            .field("timeout", &self.timeout)
            .finish()
    }
}
