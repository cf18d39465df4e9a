use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{AioQueue, GetError, GetTimeoutError, QueueBuilder, TryGetError};
use crate::raw::queue::WorkerLost;
use crate::sync::CreateError;
use crate::wait::{Deadline, Park, ParkUntil, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};
use crate::wire::{Codec, Postcard};

/// A queue whose items are finished after they are got, and that can be joined: Python's `JoinableQueue`.
///
/// The process that got an item says [`task_done`](Self::task_done) when it has finished it.
///
/// # If a process dies
///
/// What it had got and not finished is lost, and [`join`](Self::join) says so. A queue with
/// [leases](QueueBuilder::lease) gives such items to others instead.
///
/// # Examples
///
/// ```
/// let queue = aioprocessing::AioJoinableQueue::unbounded()?;
/// queue.put("work".to_owned())?;
/// queue.get()?;
/// queue.task_done()?;
/// queue.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AioJoinableQueue<T, C = Postcard> {
    inner: AioQueue<T, C>,
}

/// Why [`AioJoinableQueue::task_done`] counted nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskDoneError {
    /// This process has no item that it got and has not finished.
    #[error("task_done was called more often than this process got items")]
    TooOften,
    /// This process was forked, without exec, from the one that opened the queue.
    #[error(
        "this process is a fork of the one that opened the queue; start processes with `AioProcess::spawn`"
    )]
    Forked,
}

/// Why a join of a queue ended before all was finished.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinQueueError {
    /// Processes died with items that they had got and not finished; nobody will finish those.
    #[error(
        "{items} items were got by processes that died before they finished them; put them again, or use a queue with leases"
    )]
    WorkerLost {
        /// How many.
        items: u64,
    },
    /// The time is over and items are unfinished.
    #[error("items were unfinished for all of the time")]
    Timeout,
    /// This process was forked, without exec, from the one that opened the queue.
    #[error(
        "this process is a fork of the one that opened the queue; start processes with `AioProcess::spawn`"
    )]
    Forked,
}

impl JoinQueueError {
    /// Whether the time was over.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout)
    }

    /// Whether processes died with items.
    pub fn is_worker_lost(&self) -> bool {
        matches!(self, Self::WorkerLost { .. })
    }
}

impl From<WorkerLost> for JoinQueueError {
    fn from(WorkerLost(items): WorkerLost) -> Self {
        Self::WorkerLost { items }
    }
}

impl<T> AioJoinableQueue<T> {
    /// As [`AioQueue::bounded`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn bounded(max_items: usize) -> Result<Self, CreateError> {
        QueueBuilder::new().max_items(max_items).build_joinable()
    }

    /// As [`AioQueue::unbounded`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn unbounded() -> Result<Self, CreateError> {
        QueueBuilder::new().build_joinable()
    }
}

impl<T, C> AioJoinableQueue<T, C> {
    pub(super) fn over(inner: AioQueue<T, C>) -> Self {
        Self { inner }
    }

    forward_state!();

    /// How many items were put and not finished.
    pub fn unfinished(&self) -> u64 {
        self.inner.queue.unfinished()
    }

    /// One of the items that this process got is finished. Never blocks.
    ///
    /// # Errors
    ///
    /// [`TaskDoneError::TooOften`] if this process has none.
    pub fn task_done(&self) -> Result<(), TaskDoneError> {
        if !self.inner.is_ours() {
            return Err(TaskDoneError::Forked);
        }
        if self.inner.queue.finish_one() { Ok(()) } else { Err(TaskDoneError::TooOften) }
    }

    /// Waits until every item that was put is finished: at once if that is so already.
    ///
    /// [`try_join`](Self::try_join) does not wait, [`join_timeout`](Self::join_timeout) gives up after a time, and
    /// [`coro_join`](Self::coro_join) suspends the task instead of the thread.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; needs no runtime.
    ///
    /// # Errors
    ///
    /// [`JoinQueueError::WorkerLost`] if a process died with items.
    pub fn join(&self) -> Result<(), JoinQueueError> {
        self.own()?;
        Ok(never(blocking(self.inner.queue.join(&mut Park::new())))?)
    }

    /// [`join`](Self::join), now or never: whether every item is finished at this moment.
    ///
    /// # Errors
    ///
    /// [`JoinQueueError::Timeout`] if one is not; otherwise as [`join`](Self::join).
    pub fn try_join(&self) -> Result<(), JoinQueueError> {
        self.join_timeout(Duration::ZERO)
    }

    /// [`join`](Self::join) for `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// [`JoinQueueError::Timeout`]; otherwise as [`join`](Self::join).
    pub fn join_timeout(&self, timeout: Duration) -> Result<(), JoinQueueError> {
        self.own()?;
        let mut waiter = ParkUntil::new(Deadline::after(timeout));
        match blocking(self.inner.queue.join(&mut waiter)) {
            Ok(done) => Ok(done?),
            Err(_) => Err(JoinQueueError::Timeout),
        }
    }

    /// [`join`](Self::join), suspending the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has had no effect.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without I/O or time enabled, when it has to wait.
    #[cfg(feature = "tokio")]
    pub async fn coro_join(&self) -> Result<(), JoinQueueError> {
        self.own()?;
        Ok(never(suspended(self.inner.queue.join(&mut Suspend::new())).await)?)
    }

    fn own(&self) -> Result<(), JoinQueueError> {
        if self.inner.is_ours() { Ok(()) } else { Err(JoinQueueError::Forked) }
    }

    /// An item that can't be read was taken, and nobody else will finish it.
    fn finish_unreadable(&self, is_unreadable: bool) {
        if is_unreadable {
            self.inner.queue.finish_one();
        }
    }
}

impl<T, C> AioJoinableQueue<T, C>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    C: Codec,
{
    forward_puts!();

    /// As [`AioQueue::get`]. An item that can't be read counts as finished.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get(&self) -> Result<T, GetError> {
        let got = self.inner.get();
        self.finish_unreadable(matches!(got, Err(GetError::Decode { .. })));
        got
    }

    /// As [`AioQueue::try_get`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_get(&self) -> Result<T, TryGetError> {
        let got = self.inner.try_get();
        self.finish_unreadable(matches!(got, Err(TryGetError::Decode { .. })));
        got
    }

    /// As [`AioQueue::get_timeout`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, GetTimeoutError> {
        let got = self.inner.get_timeout(timeout);
        self.finish_unreadable(matches!(got, Err(GetTimeoutError::Decode { .. })));
        got
    }

    /// As [`AioQueue::coro_get`].
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it has taken nothing.
    ///
    /// # Errors
    ///
    /// As there.
    #[cfg(feature = "tokio")]
    pub async fn coro_get(&self) -> Result<T, GetError> {
        let got = self.inner.coro_get().await;
        self.finish_unreadable(matches!(got, Err(GetError::Decode { .. })));
        got
    }
}

impl<T, C> Clone for AioJoinableQueue<T, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<T, C> fmt::Debug for AioJoinableQueue<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioJoinableQueue")
            .field("queue", &self.inner)
            .field("unfinished", &self.unfinished())
            .finish()
    }
}

impl<T, C: Codec> Serialize for AioJoinableQueue<T, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.inner.travel(serializer)
    }
}

impl<'de, T, C: Codec> Deserialize<'de> for AioJoinableQueue<T, C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AioQueue::arrive(deserializer, crate::raw::queue::Queue::is_joinable).map(Self::over)
    }
}
