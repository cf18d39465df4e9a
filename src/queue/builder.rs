use std::marker::PhantomData;

use super::AioQueue;
use crate::raw::queue::Queue;
use crate::sync::CreateError;
use crate::wire::{Codec, Postcard};

/// Settings of a queue to be; made by [`AioQueue::builder`].
///
/// # Examples
///
/// ```
/// use aioprocessing::AioQueue;
///
/// let queue = AioQueue::builder().max_items(100).memory_limit(64 << 20).build::<String>()?;
/// assert_eq!(queue.max_items(), Some(100));
/// # Ok::<(), aioprocessing::CreateError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct QueueBuilder<C = Postcard> {
    max_items: Option<usize>,
    memory_limit: u64,
    codec: PhantomData<fn() -> C>,
}

const DEFAULT_LIMIT: u64 = 1 << 30;
/// Numbers of items are told apart up to twice this.
const MOST_ITEMS: u64 = 1 << 33;

impl QueueBuilder {
    pub(super) fn new() -> Self {
        Self { max_items: None, memory_limit: DEFAULT_LIMIT, codec: PhantomData }
    }
}

impl<C: Codec> QueueBuilder<C> {
    /// How many items may wait in the queue; puts wait while there are as many. Unbounded unless this is called.
    pub fn max_items(mut self, items: usize) -> Self {
        self.max_items = Some(items);
        self
    }

    /// How many bytes of memory the items that wait may take up together, and so how long one item may be; puts wait while
    /// there is no room. 1 GiB unless this is called, and rounded up to 256 KiB. Memory is taken as it is needed, and each
    /// item needs 64 bytes more than its own.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = bytes;
        self
    }

    /// How items become bytes: [`Postcard`] unless this is called.
    pub fn codec<D: Codec>(self) -> QueueBuilder<D> {
        QueueBuilder { max_items: self.max_items, memory_limit: self.memory_limit, codec: PhantomData }
    }

    /// Makes the queue.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if the system has no memory or no descriptors left (a queue takes three descriptors in each
    /// process), or if `max_items` is 0, or a limit is beyond what a queue can have (14 GiB, 2^33 items).
    pub fn build<T>(self) -> Result<AioQueue<T, C>, CreateError> {
        let max_items = match self.max_items {
            None => 0,
            Some(0) => return Err(CreateError::Invalid("a queue of no items: `max_items` is 1 at least")),
            Some(items) => items as u64,
        };
        if max_items > MOST_ITEMS {
            return Err(CreateError::Invalid("a queue is bounded to 2^33 items at most"));
        }
        if self.memory_limit > Queue::HIGHEST_LIMIT {
            return Err(CreateError::Invalid("a queue has 14 GiB of memory at most"));
        }
        Ok(AioQueue::over(Queue::create(max_items, self.memory_limit)?))
    }
}
