use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::item::Parcel;
use super::put_error::Failure;
use super::{AioQueue, PutError, PutTimeoutError, TryPutError};
use crate::raw::queue::{Patience, Refused};
use crate::wait::{Deadline, Park, ParkUntil, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, at_once, suspended};
use crate::wire::{Codec, EncodeError, needs_description};

impl<T, C> AioQueue<T, C>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    C: Codec,
{
    /// Whether this handle may put, and what it puts can be read back.
    #[inline]
    pub(super) fn may_put(&self) -> Result<(), Failure> {
        if !self.is_ours() {
            return Err(Failure::Forked);
        }
        if self.is_readable.load(Ordering::Relaxed) {
            return Ok(());
        }
        if !C::SELF_DESCRIBING && needs_description::<T>() {
            let message = format!(
                "{} asks the codec what comes next (`untagged`, `flatten`, `tag = …`, a JSON value), and {} can't say; give every \
                 variant a name, or use a codec that describes itself",
                std::any::type_name::<T>(),
                C::NAME
            );
            return Err(Failure::Encode(EncodeError::Value { message }));
        }
        self.is_readable.store(true, Ordering::Relaxed);
        Ok(())
    }

    #[inline]
    pub(super) fn parcel(&self, item: &T) -> Result<Parcel<T>, Failure> {
        self.may_put()?;
        let parcel = Parcel::pack::<C>(&self.form, item)?;
        if self.queue.max_attempts() > 0 && !parcel.message(item).luggage.is_empty() {
            let message = "a queue with leases can't deliver descriptors twice".to_owned();
            return Err(Failure::Encode(EncodeError::Handle { message }));
        }
        Ok(parcel)
    }

    #[inline]
    fn settle<E>(
        &self,
        done: Result<(), Refused>,
        parcel: Parcel<T>,
        item: T,
        error: impl FnOnce(Failure, T) -> E,
    ) -> Result<(), E> {
        if let Err(refused) = done {
            return Err(self.refused(refused, &parcel, item, error));
        }
        parcel.sent();
        Ok(())
    }

    #[cold]
    fn refused<E>(
        &self,
        refused: Refused,
        parcel: &Parcel<T>,
        item: T,
        error: impl FnOnce(Failure, T) -> E,
    ) -> E {
        error(Failure::new(refused, parcel.len(&item), self.queue.limit()), item)
    }

    /// Puts an item at the end of the queue, and waits while the queue is full.
    ///
    /// When this returns the item is in the queue: a `try_get` in another process finds it. [`try_put`](Self::try_put)
    /// does not wait, [`put_timeout`](Self::put_timeout) gives up after a time, and [`coro_put`](Self::coro_put) suspends
    /// the task instead of the thread. Python's `Queue.put`.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; needs no runtime.
    ///
    /// # If a process dies
    ///
    /// The one that puts: the item is in the queue, whole, or it is not. Another: nobody is held up.
    ///
    /// # Errors
    ///
    /// [`PutError`], with the item, if the queue is closed, the item can't be encoded or is too large, or the system has no
    /// memory for it.
    pub fn put(&self, item: T) -> Result<(), PutError<T>> {
        let parcel = match self.parcel(&item) {
            Ok(parcel) => parcel,
            Err(failure) => return Err(PutError::new(failure, item)),
        };
        let done = match self.queue.put_at_once(&parcel.message(&item), Patience::Waits) {
            Some(done) => done,
            None => {
                never(blocking(self.queue.put(&mut Park::new(), &parcel.message(&item), Patience::Waits)))
            }
        };
        self.settle(done, parcel, item, PutError::new)
    }

    /// Puts an item if there is room, now or never. Python's `Queue.put_nowait`.
    ///
    /// # Errors
    ///
    /// [`TryPutError::Full`] if the queue is full (or a process was stopped in the middle of a put); otherwise as
    /// [`put`](Self::put).
    #[doc(alias = "put_nowait")]
    pub fn try_put(&self, item: T) -> Result<(), TryPutError<T>> {
        let parcel = match self.parcel(&item) {
            Ok(parcel) => parcel,
            Err(failure) => return Err(TryPutError::new(failure, item)),
        };
        let done = self.queue.try_put(&parcel.message(&item));
        self.settle(done, parcel, item, TryPutError::new)
    }

    /// [`put`](Self::put) for `timeout` at the longest; zero tries once.
    ///
    /// # Errors
    ///
    /// [`PutTimeoutError::Timeout`] if the queue was full for all of the time; otherwise as [`put`](Self::put).
    pub fn put_timeout(&self, item: T, timeout: Duration) -> Result<(), PutTimeoutError<T>> {
        let parcel = match self.parcel(&item) {
            Ok(parcel) => parcel,
            Err(failure) => return Err(PutTimeoutError::new(failure, item)),
        };
        let done = if timeout.is_zero() {
            self.queue.try_put(&parcel.message(&item))
        } else {
            let mut waiter = ParkUntil::new(Deadline::after(timeout));
            let message = parcel.message(&item);
            let put = self.queue.put(&mut waiter, &message, Patience::Waits);
            blocking(put).unwrap_or(Err(Refused::Full))
        };
        self.settle(done, parcel, item, PutTimeoutError::new)
    }

    /// [`put`](Self::put), suspending the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it has put nothing, and the item is gone with it.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without I/O or time enabled, when it has to wait.
    #[cfg(feature = "tokio")]
    pub async fn coro_put(&self, item: T) -> Result<(), PutError<T>> {
        let parcel = match self.parcel(&item) {
            Ok(parcel) => parcel,
            Err(failure) => return Err(PutError::new(failure, item)),
        };
        let message = parcel.message(&item);
        let done = match at_once(self.cost(), || self.queue.put_at_once(&message, Patience::Waits)).await {
            Some(done) => done,
            None => never(suspended(self.queue.put(&mut Suspend::new(), &message, Patience::Waits)).await),
        };
        self.settle(done, parcel, item, PutError::new)
    }
}
