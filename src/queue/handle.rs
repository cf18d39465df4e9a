use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::QueueBuilder;
use crate::raw::queue::{Queue, QueueWords};
use crate::shm::Ref;
use crate::sync::CreateError;
use crate::wait::{AnyWaiter, Readiness, Waitable, never};
use crate::wire::{Codec, Form, Postcard, handle};

/// A queue between any number of putters and getters, in any processes, threads and tasks: Python's
/// `multiprocessing.Queue`.
///
/// A clone names the same queue, and so does a handle that travelled to another process as an argument of
/// [`spawn`](crate::AioProcess::spawn) or in a message.
///
/// * Each item is delivered to exactly one getter. The items of one putter arrive in the order in which it put them.
/// * A put is complete when it returns: there is no thread behind it, a `try_get` in another process finds the item at
///   once, and it is still there if the putter's process ends.
/// * Items are encoded by the [`Codec`] `C`. Without it, as the bytes that they are, travel `Vec<u8>`, `String` and (feature
///   `bytes`) `Bytes`; numbers, but for `usize`, arrays of up to 32 of them, and structs made with [`plain!`](crate::plain); and
///   `Vec`s of numbers or of such structs. A codec that all of these must go through, too, says
///   [`FOR_ALL`](Codec::FOR_ALL).
///
/// # Fairness
///
/// Items leave in the order in which their puts took effect. Which getter has the next is not fixed: whoever asks first, which
/// is the fastest way to share the work, and one that does not wait may come before those that do. An item wakes one of the
/// threads that wait, in the order in which they fell asleep, and the tasks, of which the first to look has it. So among those
/// who wait, in any processes, nobody is passed over for ever; puts that wait for room are treated alike.
///
/// # If a process dies
///
/// A put is whole or has not happened, whichever instruction its process was killed at. Nobody else is held up. An item is
/// lost only if the process that got it dies with it.
///
/// # Examples
///
/// ```
/// use aioprocessing::AioQueue;
///
/// let queue = AioQueue::bounded(10)?;
/// queue.put("first".to_owned())?;
/// queue.put("second".to_owned())?;
/// queue.close();
/// assert_eq!(queue.get()?, "first");
/// assert_eq!(queue.get()?, "second");
/// assert!(queue.get().unwrap_err().is_closed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AioQueue<T, C = Postcard> {
    pub(super) queue: Queue,
    /// Whether it is known that what this handle puts can be read back.
    pub(super) is_readable: AtomicBool,
    /// How its items travel.
    pub(super) form: Form<T>,
    types: PhantomData<fn(T) -> (T, C)>,
}

impl<T> AioQueue<T> {
    /// Makes a queue in which up to `max_items` wait; puts wait while there are as many. Python's `Queue(max_items)`.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if `max_items` is 0, or if the system has no memory or no descriptors left; a queue takes three
    /// descriptors in each process.
    pub fn bounded(max_items: usize) -> Result<Self, CreateError> {
        QueueBuilder::new().max_items(max_items).build()
    }

    /// Makes a queue that takes items up to its memory limit of 1 GiB. Python's `Queue()`.
    ///
    /// # Errors
    ///
    /// As [`bounded`](Self::bounded).
    pub fn unbounded() -> Result<Self, CreateError> {
        QueueBuilder::new().build()
    }
}

impl AioQueue<()> {
    /// A queue with settings of its own; the type of its items is said at the end, `build::<Job>()`.
    pub fn builder() -> QueueBuilder {
        QueueBuilder::new()
    }
}

impl<T, C> AioQueue<T, C> {
    pub(super) fn over(queue: Queue) -> Self {
        Self { queue, is_readable: AtomicBool::new(false), form: Form::new(), types: PhantomData }
    }

    pub(super) fn is_ours(&self) -> bool {
        self.queue.region().is_ours()
    }

    /// How many items wait: exact at a moment during the call.
    #[doc(alias = "qsize")]
    pub fn len(&self) -> usize {
        usize::try_from(self.queue.len()).unwrap_or(usize::MAX)
    }

    /// Whether no item waits at this moment.
    pub fn is_empty(&self) -> bool {
        self.queue.len() == 0
    }

    /// Whether as many items wait at this moment as may. An unbounded queue never is.
    pub fn is_full(&self) -> bool {
        let max = self.queue.max_items();
        max > 0 && self.queue.len() >= max
    }

    /// How many items may wait; `None`: as many as there is memory for.
    pub fn max_items(&self) -> Option<usize> {
        let max = self.queue.max_items();
        if max == 0 { None } else { usize::try_from(max).ok() }
    }

    /// Whether the queue was closed. Items may be left in it.
    pub fn is_closed(&self) -> bool {
        self.queue.words().tail().is_closed()
    }

    /// Closes the queue: puts fail from now on, those that wait among them; gets drain what is left and then fail.
    /// Closing it again changes nothing.
    ///
    /// A put that runs at the same time comes before this, and its item will be got, or fails. Never blocks and takes no
    /// lock. In a process that was forked without exec it does nothing.
    pub fn close(&self) {
        if self.is_ours() {
            self.queue.close(false);
        }
    }

    /// [`close`](Self::close), for gets too: items that are left are never delivered.
    pub fn close_now(&self) {
        if self.is_ours() {
            self.queue.close(true);
        }
    }
}

/// Ready when an item is there, or the queue is closed.
impl<T, C> Waitable for AioQueue<T, C> {
    fn until_ready<'a>(&'a self, mut waiter: AnyWaiter<'a>) -> Readiness<'a> {
        Box::pin(async move {
            if self.is_ours() {
                never(self.queue.until_there(&mut waiter).await);
            }
            Ok(())
        })
    }
}

impl<T, C> Clone for AioQueue<T, C> {
    fn clone(&self) -> Self {
        let is_readable = AtomicBool::new(self.is_readable.load(Ordering::Relaxed));
        Self { queue: self.queue.clone(), is_readable, form: self.form.clone(), types: PhantomData }
    }
}

impl<T, C> fmt::Debug for AioQueue<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (getters, putters) = self.queue.waiters();
        f.debug_struct("AioQueue")
            .field("len", &self.len())
            .field("max_items", &self.max_items())
            .field("memory_limit", &self.queue.limit())
            .field("is_closed", &self.is_closed())
            .field("waiting_getters", &getters)
            .field("waiting_putters", &putters)
            .finish()
    }
}

/// How a handle travels.
#[derive(Serialize, Deserialize)]
struct Travelling {
    #[serde(with = "handle")]
    words: Ref<QueueWords>,
    kind: String,
}

/// What a handle says it is one of.
fn kind<C: Codec>(queue: &Queue) -> String {
    let kind = match (queue.max_attempts() > 0, queue.is_joinable()) {
        (true, _) => "lease queue",
        (false, true) => "joinable queue",
        (false, false) => "queue",
    };
    format!("{kind} of {}", C::NAME)
}

impl<T, C: Codec> AioQueue<T, C> {
    pub(super) fn travel<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = kind::<C>(&self.queue);
        Travelling { words: self.queue.words().clone(), kind }.serialize(serializer)
    }

    /// A handle that travelled, if it is one that `is_right`.
    pub(super) fn arrive<'de, D: Deserializer<'de>>(
        deserializer: D,
        is_right: impl Fn(&Queue) -> bool,
    ) -> Result<Self, D::Error> {
        let Travelling { words, kind: theirs } = Travelling::deserialize(deserializer)?;
        let queue = Queue::attach(words).map_err(D::Error::custom)?;
        let ours = kind::<C>(&queue);
        if theirs != ours || !is_right(&queue) {
            return Err(D::Error::custom(format!("a handle of a {theirs} is none of the expected type")));
        }
        Ok(Self::over(queue))
    }
}

impl<T, C: Codec> Serialize for AioQueue<T, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.travel(serializer)
    }
}

impl<'de, T, C: Codec> Deserialize<'de> for AioQueue<T, C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::arrive(deserializer, |queue| queue.max_attempts() == 0 && !queue.is_joinable())
    }
}
