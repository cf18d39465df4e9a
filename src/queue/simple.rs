use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{AioQueue, GetError, GetTimeoutError, TryGetError};
use crate::sync::CreateError;

/// An unbounded queue with little more than `put`, `get` and `empty`: Python's `multiprocessing.SimpleQueue`.
///
/// # Examples
///
/// ```
/// let queue = aioprocessing::AioSimpleQueue::new()?;
/// queue.put(5_u32)?;
/// assert!(!queue.empty());
/// assert_eq!(queue.get()?, 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct AioSimpleQueue<T> {
    inner: AioQueue<T>,
}

impl<T> AioSimpleQueue<T> {
    /// Makes an empty queue.
    ///
    /// # Errors
    ///
    /// As [`AioQueue::unbounded`].
    pub fn new() -> Result<Self, CreateError> {
        Ok(Self { inner: AioQueue::unbounded()? })
    }

    /// Whether no item waits at this moment.
    pub fn empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// As [`AioQueue::close`].
    pub fn close(&self) {
        self.inner.close();
    }
}

impl<T: Serialize + DeserializeOwned + Send + 'static> AioSimpleQueue<T> {
    forward_puts!();

    /// As [`AioQueue::get`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get(&self) -> Result<T, GetError> {
        self.inner.get()
    }

    /// As [`AioQueue::try_get`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_get(&self) -> Result<T, TryGetError> {
        self.inner.try_get()
    }

    /// As [`AioQueue::get_timeout`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, GetTimeoutError> {
        self.inner.get_timeout(timeout)
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
        self.inner.coro_get().await
    }
}

impl<T> Clone for AioSimpleQueue<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<T> fmt::Debug for AioSimpleQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AioSimpleQueue").field(&self.inner).finish()
    }
}
