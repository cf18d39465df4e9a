use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::batch::{Batch, Gathered};
use super::get_error::Nothing;
use super::put_error::{Failure, Stopped};
use super::{
    AioQueue, GetManyError, GetManyTimeoutError, PutManyError, PutManyTimeoutError, TryGetManyError,
    TryPutManyError,
};
use crate::raw::queue::{Messages as _, NotTaken, Patience, Queue, Refused};
use crate::wait::{Deadline, Park, ParkUntil, Waiter, blocking};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};
use crate::wire::Codec;

impl<T, C> AioQueue<T, C>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    C: Codec,
{
    /// Puts many items, in their order, and waits whenever the queue is full; gives how many there were. One lock, one step and one
    /// wake-up serve up to 64 of them, or 64 KiB: as many of these as there is room for appear at once. An item with handles in it,
    /// and one of more than 32,640 bytes, is put by itself.
    ///
    /// [`try_put_many`](Self::try_put_many) does not wait, [`put_many_timeout`](Self::put_many_timeout) gives up after a time, and
    /// [`coro_put_many`](Self::coro_put_many) suspends the task instead of the thread.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; needs no runtime.
    ///
    /// # If a process dies
    ///
    /// The one that puts: some of the first items are in the queue, each whole, and the others are not. Another: nobody is held up.
    ///
    /// # Errors
    ///
    /// [`PutManyError`] says how many were put and gives back the items that it had taken out of `items` and not put.
    pub fn put_many(&self, items: impl IntoIterator<Item = T>) -> Result<usize, PutManyError<T>> {
        Ok(blocking(self.put_all(Park::new, Patience::Waits, None, &mut items.into_iter()))?)
    }

    /// Puts as many of these items as there is room for, now or never.
    ///
    /// # Errors
    ///
    /// [`TryPutManyError`], with the reason [`TryPutError::Full`](super::TryPutError::Full) if there was not room for all (or a process
    /// was stopped in the middle of a put), says how many were put and gives back the others: all of them, so `items` must have an end.
    pub fn try_put_many(&self, items: impl IntoIterator<Item = T>) -> Result<usize, TryPutManyError<T>> {
        Ok(self.put_now(items.into_iter())?)
    }

    /// [`put_many`](Self::put_many) for `timeout` at the longest, which is for all of them together; zero tries once.
    ///
    /// # Errors
    ///
    /// [`PutManyTimeoutError`], with the reason [`PutTimeoutError::Timeout`](super::PutTimeoutError::Timeout) if not all could be put in
    /// time, says how many were put and gives back the others: all of them, so `items` must have an end.
    pub fn put_many_timeout(
        &self,
        items: impl IntoIterator<Item = T>,
        timeout: Duration,
    ) -> Result<usize, PutManyTimeoutError<T>> {
        let mut items = items.into_iter();
        if timeout.is_zero() {
            return Ok(self.put_now(items)?);
        }
        let deadline = Deadline::after(timeout);
        let put = self.put_all(|| ParkUntil::new(deadline), Patience::Waits, Some(deadline), &mut items);
        Ok(blocking(put).map_err(|stopped| stopped.with_all(items))?)
    }

    /// [`put_many`](Self::put_many), suspending the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it has put some of the first items, each whole; the others are gone with it.
    ///
    /// # Errors
    ///
    /// As [`put_many`](Self::put_many).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without I/O or time enabled, when it has to wait.
    #[cfg(feature = "tokio")]
    pub async fn coro_put_many<I>(&self, items: I) -> Result<usize, PutManyError<T>>
    where
        I: IntoIterator<Item = T>,
        I::IntoIter: Send,
    {
        Ok(suspended(self.put_all(Suspend::new, Patience::Waits, None, &mut items.into_iter())).await?)
    }

    fn put_now(&self, mut items: impl Iterator<Item = T>) -> Result<usize, Stopped<T>> {
        let waiter = || ParkUntil::new(Queue::grace());
        let put = self.put_all(waiter, Patience::Tries, None, &mut items);
        blocking(put).map_err(|stopped| stopped.with_all(items))
    }

    async fn put_all<W: Waiter>(
        &self,
        waiter: impl Fn() -> W,
        patience: Patience,
        limit: Option<Deadline>,
        items: &mut impl Iterator<Item = T>,
    ) -> Result<usize, Stopped<T>> {
        let mut batch = Batch::<T, C>::new(&self.form, items.size_hint().0);
        let mut put = 0;
        loop {
            let filled = self.fill(&mut batch, items);
            // Who never has to wait, or never for long, would not hear of it otherwise.
            let is_late = put > 0 && batch.len() > 0 && limit.is_some_and(Deadline::has_passed);
            let (done, failure) = if is_late {
                (0, Some(Failure::NoRoom))
            } else {
                self.put_batch(&waiter, patience, &mut batch).await
            };
            put += done;
            let (failure, refused) = match (failure, filled) {
                (None, Ok(more)) => {
                    batch.clear();
                    if more {
                        continue;
                    }
                    return Ok(put);
                }
                (None, Err((failure, item))) => (failure, Some(item)),
                (Some(failure), filled) => (failure, filled.err().map(|(_, item)| item)),
            };
            let left = batch.take_back(done).chain(refused).collect();
            return Err(Stopped { put, left, failure });
        }
    }

    /// Encodes the next items. Whether there may be more; or one that can't be put.
    fn fill(
        &self,
        batch: &mut Batch<'_, T, C>,
        items: &mut impl Iterator<Item = T>,
    ) -> Result<bool, (Failure, T)> {
        while !batch.is_full() {
            let Some(item) = items.next() else { return Ok(false) };
            if batch.len() == 0
                && let Err(failure) = self.may_put()
            {
                return Err((failure, item));
            }
            batch.add(item)?;
        }
        Ok(true)
    }

    /// Puts these, and says how many it could.
    async fn put_batch<W: Waiter>(
        &self,
        waiter: &impl Fn() -> W,
        patience: Patience,
        batch: &mut Batch<'_, T, C>,
    ) -> (usize, Option<Failure>) {
        let mut done = 0;
        while let Some(message) = batch.at(done) {
            let outcome = if !message.is_plain() {
                let put = self.queue.put(&mut waiter(), &message, patience).await;
                put.unwrap_or(Err(Refused::Full)).map(|()| 1)
            } else if let Some(outcome) = self.queue.put_batch_at_once(batch, done, patience) {
                outcome
            } else {
                let put = self.queue.put_batch(&mut waiter(), batch, done, patience).await;
                put.unwrap_or(Err(Refused::Full))
            };
            match outcome {
                Ok(count) => done += count,
                Err(refused) => {
                    let failure = Failure::new(refused, batch.length_of(done), self.queue.limit());
                    return (done, Some(failure));
                }
            }
        }
        (done, None)
    }

    /// Waits for an item, and takes up to `most` of those that are there. One lock and one step serve them all, but for items with
    /// handles in them and those of more than 32,640 bytes.
    ///
    /// [`try_get_many`](Self::try_get_many) does not wait, [`get_many_timeout`](Self::get_many_timeout) gives up after a time, and
    /// [`coro_get_many`](Self::coro_get_many) suspends the task instead of the thread.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; needs no runtime.
    ///
    /// # If a process dies
    ///
    /// The items that a process got are lost with it; those that it had not taken are there for the others.
    ///
    /// # Errors
    ///
    /// [`GetManyError`], with the items that could be read if one could not.
    pub fn get_many(&self, most: usize) -> Result<Vec<T>, GetManyError<T>> {
        Ok(blocking(self.get_all(Park::new, Patience::Waits, most))?)
    }

    /// Takes up to `most` of the items that are there, now or never.
    ///
    /// # Errors
    ///
    /// [`TryGetManyError`], with the reason [`TryGetError::Empty`](super::TryGetError::Empty) if there is none (or a process was stopped
    /// in the middle of a get); otherwise as [`get_many`](Self::get_many).
    pub fn try_get_many(&self, most: usize) -> Result<Vec<T>, TryGetManyError<T>> {
        Ok(self.get_now(most)?)
    }

    /// [`get_many`](Self::get_many) for `timeout` at the longest; zero tries once.
    ///
    /// # Errors
    ///
    /// [`GetManyTimeoutError`], with the reason [`GetTimeoutError::Timeout`](super::GetTimeoutError::Timeout) if no item came in time;
    /// otherwise as [`get_many`](Self::get_many).
    pub fn get_many_timeout(&self, most: usize, timeout: Duration) -> Result<Vec<T>, GetManyTimeoutError<T>> {
        if timeout.is_zero() {
            return Ok(self.get_now(most)?);
        }
        let waiter = || ParkUntil::new(Deadline::after(timeout));
        Ok(blocking(self.get_all(waiter, Patience::Waits, most))?)
    }

    /// [`get_many`](Self::get_many), suspending the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it has taken nothing.
    ///
    /// # Errors
    ///
    /// As [`get_many`](Self::get_many).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without I/O or time enabled, when it has to wait.
    #[cfg(feature = "tokio")]
    pub async fn coro_get_many(&self, most: usize) -> Result<Vec<T>, GetManyError<T>> {
        Ok(suspended(self.get_all(Suspend::new, Patience::Waits, most)).await?)
    }

    fn get_now(&self, most: usize) -> Result<Vec<T>, (Vec<T>, Vec<Nothing>)> {
        blocking(self.get_all(|| ParkUntil::new(Queue::grace()), Patience::Tries, most))
    }

    async fn get_all<W: Waiter>(
        &self,
        waiter: impl FnOnce() -> W,
        patience: Patience,
        most: usize,
    ) -> Result<Vec<T>, (Vec<T>, Vec<Nothing>)> {
        if most == 0 {
            return Ok(Vec::new());
        }
        self.own().map_err(|nothing| (Vec::new(), vec![nothing]))?;
        let mut gathered = Gathered::<T, C>::new(&self.form);
        let outcome = match self.queue.get_batch_at_once(most, &mut gathered, patience) {
            Some(outcome) => outcome,
            None => {
                let got = self.queue.get_batch(&mut waiter(), most, &mut gathered, patience).await;
                got.unwrap_or(Err(NotTaken::Empty))
            }
        };
        let (items, reasons) = gathered.done(outcome.map_err(Nothing::from));
        if reasons.is_empty() { Ok(items) } else { Err((items, reasons)) }
    }
}
