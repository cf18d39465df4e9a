//! Waiting as a suspended task, until a deadline.

use std::time::Duration;

use tokio::time::timeout;

use super::listing::Reach;
use super::waiter::{Ready, Spins, TimedOut, Waiter, Woken};
use super::{Deadline, Spot, Suspend};
use crate::sys::Source;

/// Suspends the task until a deadline at the longest.
pub(crate) struct SuspendUntil {
    suspend: Suspend,
    deadline: Deadline,
}

impl SuspendUntil {
    pub(crate) fn new(deadline: Deadline) -> Self {
        Self { suspend: Suspend::new(), deadline }
    }

    fn left(&self) -> Duration {
        Duration::from_nanos(self.deadline.left())
    }
}

impl Waiter for SuspendUntil {
    type GaveUp = TimedOut;

    fn spins(&self, spot: Spot<'_>) -> Spins {
        self.suspend.spins(spot)
    }

    fn pause(&mut self, spins: Spins, turn: u32) -> impl Future<Output = bool> + Send {
        self.suspend.pause(spins, turn)
    }

    fn give_way(&mut self) -> impl Future<Output = bool> + Send {
        self.suspend.give_way()
    }

    fn reach(&self) -> Reach {
        self.suspend.reach()
    }

    async fn on_word(&mut self, spot: Spot<'_>, seen: u32) -> Result<Woken, TimedOut> {
        let left = self.left();
        match timeout(left, self.suspend.on_word(spot, seen)).await {
            Ok(Ok(woken)) => Ok(woken),
            Err(_) => Err(TimedOut),
        }
    }

    async fn on_fd<T: Send>(
        &mut self,
        source: &Source,
        ready: Ready,
        attempt: impl FnMut() -> Option<T> + Send,
    ) -> Result<T, TimedOut> {
        let left = self.left();
        match timeout(left, self.suspend.on_fd(source, ready, attempt)).await {
            Ok(Ok(out)) => Ok(out),
            Err(_) => Err(TimedOut),
        }
    }
}
