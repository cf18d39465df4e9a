use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::get_error::Nothing;
use super::item::{buffer, unpack_item};
use super::loan::{Lease, Loan};
use super::{AioQueue, GetError, GetTimeoutError, JoinQueueError, TryGetError};
use crate::raw::queue::{Incoming, Lent, NotTaken, Patience, Queue};
use crate::wait::{Deadline, Park, ParkUntil, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};
use crate::wire::{Codec, Postcard};

/// A queue that lends its items: what was got is delivered again unless its getter says that it is done with it.
///
/// Made by [`QueueBuilder::lease`](crate::QueueBuilder::lease).
///
/// # Limits
///
/// * Items must not hold handles or descriptors, which can't be delivered twice: such a put is an error.
/// * A lease has no time limit. A borrower that lives and does nothing keeps its item; end the process, and the item is
///   delivered again.
/// * Others go past an item that is lent, but the memory of what they finish behind it is free only once it is done with,
///   too. So while one item is lent, items of about the [memory limit](crate::QueueBuilder::memory_limit) can come and go
///   behind it; then puts wait. They count towards [`len`](Self::len) and `max_items` only until they are done with.
/// * An item that came back is looked for among all that are lent or were finished behind one that is: thousands of them at
///   once make that slow.
/// * An item is delivered 65,534 times at most. A process that dies in the middle of a get may use up an attempt.
///
/// # If a process dies
///
/// What it had borrowed goes to others, with its count of attempts. If it dies while it puts an item with the dead letters, another
/// process does so, too: it may be there twice.
///
/// # Examples
///
/// ```
/// use aioprocessing::AioQueue;
///
/// let jobs = AioQueue::builder().lease(3).build::<String>()?;
/// jobs.put("job".to_owned())?;
/// drop(jobs.get()?);
/// let again = jobs.get()?;
/// assert_eq!((again.as_str(), again.attempts()), ("job", 2));
/// again.ack();
/// assert!(jobs.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AioLeaseQueue<T, C = Postcard> {
    inner: AioQueue<T, C>,
    dead: Option<AioQueue<T, C>>,
}

impl<T, C> AioLeaseQueue<T, C> {
    pub(super) fn over(inner: AioQueue<T, C>, dead: Option<AioQueue<T, C>>) -> Self {
        Self { inner, dead }
    }

    forward_state!();

    /// How many items were delivered in vain as often as they may be.
    pub fn given_up(&self) -> u64 {
        self.inner.queue.given_up()
    }

    /// Waits until every item that was put is done with.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; needs no runtime.
    ///
    /// # If a process dies
    ///
    /// What it had borrowed is delivered to others, if there are any, and waited for.
    ///
    /// # Errors
    ///
    /// [`JoinQueueError::Forked`] in a process that was forked without exec.
    pub fn join(&self) -> Result<(), JoinQueueError> {
        self.own_to_join()?;
        never(blocking(self.inner.queue.join_lent(&mut Park::new(), Patience::Waits)));
        Ok(())
    }

    /// [`join`](Self::join), now or never: whether every item is done with at this moment.
    ///
    /// # Errors
    ///
    /// [`JoinQueueError::Timeout`] if one is not; otherwise as [`join`](Self::join).
    pub fn try_join(&self) -> Result<(), JoinQueueError> {
        self.own_to_join()?;
        if self.inner.queue.try_join_lent() { Ok(()) } else { Err(JoinQueueError::Timeout) }
    }

    /// [`join`](Self::join) for `timeout` at the longest.
    ///
    /// # Errors
    ///
    /// [`JoinQueueError::Timeout`]; otherwise as [`join`](Self::join).
    pub fn join_timeout(&self, timeout: Duration) -> Result<(), JoinQueueError> {
        if timeout.is_zero() {
            return self.try_join();
        }
        self.own_to_join()?;
        let mut waiter = ParkUntil::new(Deadline::after(timeout));
        let joined = blocking(self.inner.queue.join_lent(&mut waiter, Patience::Waits));
        joined.map(drop).map_err(|_| JoinQueueError::Timeout)
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
    #[cfg(feature = "tokio")]
    pub async fn coro_join(&self) -> Result<(), JoinQueueError> {
        self.own_to_join()?;
        never(suspended(self.inner.queue.join_lent(&mut Suspend::new(), Patience::Waits)).await);
        Ok(())
    }

    fn own_to_join(&self) -> Result<(), JoinQueueError> {
        if self.inner.is_ours() { Ok(()) } else { Err(JoinQueueError::Forked) }
    }
}

impl<T, C> AioLeaseQueue<T, C>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    C: Codec,
{
    forward_puts!();

    fn dead(&self) -> Option<&Queue> {
        self.dead.as_ref().map(|dead| &dead.queue)
    }

    fn lease(&self, lent: Result<Lent, NotTaken>, bytes: Vec<u8>) -> Result<Lease<T>, Nothing> {
        let lent = lent?;
        let attempts = lent.attempts();
        let flags = lent.flags();
        let mut loan = Loan { queue: self.inner.queue.clone(), lent: Some(lent), attempts };
        if attempts > 1 {
            self.inner.queue.region().tell_of_a_redelivery("queue", attempts);
        }
        let mut message = Incoming::new(bytes);
        message.flags = flags;
        match unpack_item::<T, C>(&self.inner.form, &mut message) {
            Ok(item) => Ok(Lease { item, loan }),
            Err(nothing) => {
                // It would be no more readable the next time.
                if let Some(lent) = loan.lent.take() {
                    loan.queue.finish_lent(&lent);
                }
                Err(nothing)
            }
        }
    }

    /// Borrows the item at the head of the queue, and waits while there is none. Items that were given back come first;
    /// those of a borrower that died come as soon as its death is noticed: at once if a getter waits, else some items later.
    ///
    /// [`try_get`](Self::try_get) does not wait, [`get_timeout`](Self::get_timeout) gives up after a time, and
    /// [`coro_get`](Self::coro_get) suspends the task instead of the thread.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; needs no runtime.
    ///
    /// # Errors
    ///
    /// [`GetError::Closed`] once the queue is closed and every item is done with; [`GetError::Decode`] if the item, which
    /// is not delivered again, is not a `T`.
    pub fn get(&self) -> Result<Lease<T>, GetError> {
        self.inner.own()?;
        let mut bytes = buffer::<T>();
        let mut waiter = Park::new();
        let borrow = self.inner.queue.borrow(&mut waiter, &mut bytes, self.dead(), Patience::Waits);
        let lent = never(blocking(borrow));
        Ok(self.lease(lent, bytes)?)
    }

    /// Borrows an item if there is one, now or never.
    ///
    /// # Errors
    ///
    /// [`TryGetError::Empty`] if there is none; otherwise as [`get`](Self::get).
    pub fn try_get(&self) -> Result<Lease<T>, TryGetError> {
        self.inner.own()?;
        let mut bytes = buffer::<T>();
        let lent = self.inner.queue.try_borrow(&mut bytes, self.dead());
        Ok(self.lease(lent, bytes)?)
    }

    /// [`get`](Self::get) for `timeout` at the longest; zero tries once.
    ///
    /// # Errors
    ///
    /// [`GetTimeoutError::Timeout`] if no item came in time; otherwise as [`get`](Self::get).
    pub fn get_timeout(&self, timeout: Duration) -> Result<Lease<T>, GetTimeoutError> {
        self.inner.own()?;
        let mut bytes = buffer::<T>();
        let lent = if timeout.is_zero() {
            self.inner.queue.try_borrow(&mut bytes, self.dead())
        } else {
            let mut waiter = ParkUntil::new(Deadline::after(timeout));
            let borrow = self.inner.queue.borrow(&mut waiter, &mut bytes, self.dead(), Patience::Waits);
            blocking(borrow).unwrap_or(Err(NotTaken::Empty))
        };
        Ok(self.lease(lent, bytes)?)
    }

    /// [`get`](Self::get), suspending the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it has borrowed nothing.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without I/O or time enabled, when it has to wait.
    #[cfg(feature = "tokio")]
    pub async fn coro_get(&self) -> Result<Lease<T>, GetError> {
        self.inner.own()?;
        let mut bytes = buffer::<T>();
        let mut waiter = Suspend::new();
        let borrow = self.inner.queue.borrow(&mut waiter, &mut bytes, self.dead(), Patience::Waits);
        let lent = never(suspended(borrow).await);
        Ok(self.lease(lent, bytes)?)
    }
}

impl<T, C> Clone for AioLeaseQueue<T, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), dead: self.dead.clone() }
    }
}

impl<T, C> fmt::Debug for AioLeaseQueue<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioLeaseQueue")
            .field("queue", &self.inner)
            .field("given_up", &self.given_up())
            .finish()
    }
}

/// One half of a lease queue's handle.
struct Lending<T, C>(AioQueue<T, C>);

impl<T, C: Codec> Serialize for Lending<T, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.travel(serializer)
    }
}

impl<'de, T, C: Codec> Deserialize<'de> for Lending<T, C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AioQueue::arrive(deserializer, |queue| queue.max_attempts() > 0).map(Self)
    }
}

impl<T, C: Codec> Serialize for AioLeaseQueue<T, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (Lending(self.inner.clone()), &self.dead).serialize(serializer)
    }
}

impl<'de, T, C: Codec> Deserialize<'de> for AioLeaseQueue<T, C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (Lending(inner), dead) = Deserialize::deserialize(deserializer)?;
        Ok(Self { inner, dead })
    }
}
