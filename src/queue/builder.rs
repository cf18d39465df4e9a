use std::marker::PhantomData;

use super::{AioJoinableQueue, AioLeaseQueue, AioQueue};
use crate::raw::queue::{Options, Queue, Settings};
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
    options: Options,
    codec: PhantomData<fn() -> C>,
}

/// Settings of a queue to be that lends its items; made by [`QueueBuilder::lease`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct LeaseBuilder<C = Postcard> {
    settings: QueueBuilder<C>,
    max_attempts: u16,
}

const DEFAULT_LIMIT: u64 = 1 << 30;
/// Numbers of items are told apart up to twice this.
const MOST_ITEMS: u64 = 1 << 33;

impl QueueBuilder {
    pub(super) fn new() -> Self {
        let options = Options::default();
        Self { max_items: None, memory_limit: DEFAULT_LIMIT, options, codec: PhantomData }
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
        let Self { max_items, memory_limit, options, .. } = self;
        QueueBuilder { max_items, memory_limit, options, codec: PhantomData }
    }

    /// Whether the queue closes by itself when its last sender is gone: has dropped its last handle, ended, or was killed.
    /// Getters then get what is left and are told that it is closed.
    ///
    /// Every process that holds a handle counts as a sender, and so does a handle that is under way, as an argument of a
    /// process that starts or in a message. Only a process that has got from the queue, or waited for it, and never put does
    /// not. So who hands the queue to its workers and then gets what they put need do nothing; who only hands it on drops its
    /// own handles, as with a channel of std. A queue to which nobody has ever put, and from which nobody has gone who might
    /// have, stays open.
    pub fn close_with_last_sender(mut self, closes: bool) -> Self {
        self.options = self.options.with(Options::CLOSES_WITH_SENDERS, closes);
        self
    }

    /// Whether the queue closes by itself when its last receiver is gone. Puts then fail, those that wait among them.
    ///
    /// Who counts is as for [`close_with_last_sender`](Self::close_with_last_sender), the other way round: every process that
    /// holds a handle, and every handle under way, but for processes that have put and never got. What was put is
    /// [delivered](crate::AioQueue::get) still, to whoever comes.
    pub fn close_with_last_receiver(mut self, closes: bool) -> Self {
        self.options = self.options.with(Options::CLOSES_WITH_RECEIVERS, closes);
        self
    }

    /// Items are lent and not given: `get` gives a [`Lease`](crate::Lease). One that is dropped without `ack`, or whose
    /// process died, goes to another getter, up to `max_attempts` times in all. Zero is taken as one.
    pub fn lease(self, max_attempts: u16) -> LeaseBuilder<C> {
        LeaseBuilder { settings: self, max_attempts: max_attempts.clamp(1, u16::MAX - 1) }
    }

    /// Makes the queue.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if the system has no memory or no descriptors left (a queue takes five descriptors in each
    /// process), or if `max_items` is 0, or a limit is beyond what a queue can have (14 GiB, 2^33 items).
    pub fn build<T>(self) -> Result<AioQueue<T, C>, CreateError> {
        Ok(AioQueue::over(self.make(0)?))
    }

    /// Makes a queue that can be joined.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    pub fn build_joinable<T>(mut self) -> Result<AioJoinableQueue<T, C>, CreateError> {
        self.options = self.options.with(Options::JOINABLE, true);
        Ok(AioJoinableQueue::over(AioQueue::over(self.make(0)?)))
    }

    fn make(self, max_attempts: u16) -> Result<Queue, CreateError> {
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
        let settings = Settings { max_items, limit: self.memory_limit, options: self.options, max_attempts };
        Ok(Queue::create(&settings)?)
    }
}

impl<C: Codec> LeaseBuilder<C> {
    /// As [`QueueBuilder::max_items`]; items that are lent count until they are done with.
    pub fn max_items(mut self, items: usize) -> Self {
        self.settings = self.settings.max_items(items);
        self
    }

    /// As [`QueueBuilder::memory_limit`]; items that are lent count until they are done with.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.settings = self.settings.memory_limit(bytes);
        self
    }

    /// As [`QueueBuilder::codec`].
    pub fn codec<D: Codec>(self) -> LeaseBuilder<D> {
        LeaseBuilder { settings: self.settings.codec(), max_attempts: self.max_attempts }
    }

    /// As [`QueueBuilder::close_with_last_sender`].
    pub fn close_with_last_sender(mut self, closes: bool) -> Self {
        self.settings = self.settings.close_with_last_sender(closes);
        self
    }

    /// As [`QueueBuilder::close_with_last_receiver`].
    pub fn close_with_last_receiver(mut self, closes: bool) -> Self {
        self.settings = self.settings.close_with_last_receiver(closes);
        self
    }

    /// Makes the queue. An item that nobody finishes is dropped after its last attempt and
    /// [counted](AioLeaseQueue::given_up).
    ///
    /// # Errors
    ///
    /// As [`QueueBuilder::build`].
    pub fn build<T>(self) -> Result<AioLeaseQueue<T, C>, CreateError> {
        Ok(AioLeaseQueue::over(AioQueue::over(self.settings.make(self.max_attempts)?), None))
    }

    /// Makes the queue. An item that nobody finishes is put into `dead` after its last attempt; if that queue is full or
    /// closed then, it is dropped and counted.
    ///
    /// # Errors
    ///
    /// As [`QueueBuilder::build`].
    pub fn build_with_dead_letters<T>(
        self,
        dead: &AioQueue<T, C>,
    ) -> Result<AioLeaseQueue<T, C>, CreateError> {
        Ok(AioLeaseQueue::over(AioQueue::over(self.settings.make(self.max_attempts)?), Some(dead.clone())))
    }
}
