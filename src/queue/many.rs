use std::convert::Infallible;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::get_error::Nothing;
use super::item::{Parcel, unpack_item};
use super::put_error::Failure;
use super::{AioQueue, GetError, GetManyError, PutError, PutManyError};
use crate::raw::queue::{Message, Patience};
use crate::wait::{Park, Waiter, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};
use crate::wire::Codec;

/// How many items are encoded ahead of the lock.
const BATCH: usize = 64;
/// Nor more bytes than this.
const BATCH_BYTES: usize = 64 * 1024;

impl<T, C> AioQueue<T, C>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    C: Codec,
{
    /// Puts many items, in their order, and waits whenever the queue is full; gives how many there were. One lock and one
    /// wake-up serve a batch of them.
    ///
    /// [`coro_put_many`](Self::coro_put_many) suspends the task instead of the thread.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; needs no runtime.
    ///
    /// # Errors
    ///
    /// [`PutManyError`] says how many were put and gives back the items that it had taken out of `items` and not put.
    pub fn put_many(&self, items: impl IntoIterator<Item = T>) -> Result<usize, PutManyError<T>> {
        blocking(self.put_all(Park::new, items.into_iter()))
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
        suspended(self.put_all(Suspend::new, items.into_iter())).await
    }

    async fn put_all<W: Waiter<GaveUp = Infallible>>(
        &self,
        waiter: impl Fn() -> W,
        mut items: impl Iterator<Item = T>,
    ) -> Result<usize, PutManyError<T>> {
        let mut put = 0;
        loop {
            let (mut batch, mut bytes) = (Vec::new(), 0);
            let mut refused = None;
            while batch.len() < BATCH && bytes < BATCH_BYTES {
                let Some(item) = items.next() else { break };
                match self.parcel(item) {
                    Ok(parcel) => {
                        bytes += parcel.len();
                        batch.push(parcel);
                    }
                    Err(error) => {
                        refused = Some(error);
                        break;
                    }
                }
            }
            let wanted = batch.len();
            let (done, failure) = self.put_parcels(&waiter, &batch).await;
            put += done;
            let mut left: Vec<T> = batch.drain(done..).map(Parcel::into_item).collect();
            let reason = match (failure, refused) {
                (Some(failure), refused) => {
                    left.extend(refused.map(|(_, item)| item));
                    failure
                }
                (None, Some((failure, item))) => {
                    left.push(item);
                    failure
                }
                (None, None) if wanted == 0 => return Ok(put),
                (None, None) => continue,
            };
            return Err(PutManyError { put, left, reason: PutError::new(reason, ()) });
        }
    }

    /// Puts these, and says how many it could.
    fn put_parcels<W: Waiter<GaveUp = Infallible>>(
        &self,
        waiter: &impl Fn() -> W,
        batch: &[Parcel<T>],
    ) -> impl Future<Output = (usize, Option<Failure>)> {
        // Not an `async fn`: its future must hold the bytes and not the items, which need not be `Sync`.
        let messages: Vec<Message<'_>> = batch.iter().map(Parcel::message).collect();
        async move {
            let mut done = 0;
            while let Some(message) = messages.get(done) {
                let plain = messages[done..].iter().take_while(|message| message.is_plain()).count();
                let mut waiter = waiter();
                let outcome = if plain > 0 {
                    never(self.queue.put_batch(&mut waiter, &messages[done..done + plain]).await)
                } else {
                    never(self.queue.put(&mut waiter, *message, Patience::Waits).await).map(|()| 1)
                };
                match outcome {
                    Ok(count) => done += count,
                    Err(refused) => {
                        let failure = Failure::new(refused, message.bytes.len(), self.queue.limit());
                        return (done, Some(failure));
                    }
                }
            }
            (done, None)
        }
    }

    /// Waits for an item, and takes up to `most` of those that are there. One lock serves them all.
    ///
    /// [`coro_get_many`](Self::coro_get_many) suspends the task instead of the thread.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; needs no runtime.
    ///
    /// # Errors
    ///
    /// [`GetManyError`], with the items that could be read if one could not.
    pub fn get_many(&self, most: usize) -> Result<Vec<T>, GetManyError<T>> {
        blocking(self.get_all(&mut Park::new(), most))
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
        suspended(self.get_all(&mut Suspend::new(), most)).await
    }

    async fn get_all<W: Waiter<GaveUp = Infallible>>(
        &self,
        waiter: &mut W,
        most: usize,
    ) -> Result<Vec<T>, GetManyError<T>> {
        let nothing = |nothing: Nothing| GetManyError { items: Vec::new(), reasons: vec![nothing.into()] };
        if most == 0 {
            return Ok(Vec::new());
        }
        if !self.is_ours() {
            return Err(nothing(Nothing::Forked));
        }
        let taken = never(self.queue.get_batch(waiter, most).await);
        let all = taken.map_err(|not| nothing(not.into()))?;
        let mut items = Vec::with_capacity(all.len());
        let mut reasons: Vec<GetError> = Vec::new();
        for (taken, bytes) in all {
            match unpack_item::<T, C>(&self.form, taken, bytes) {
                Ok(item) => items.push(item),
                Err(nothing) => reasons.push(nothing.into()),
            }
        }
        if reasons.is_empty() { Ok(items) } else { Err(GetManyError { items, reasons }) }
    }
}
