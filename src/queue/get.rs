use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::get_error::Nothing;
use super::item::{incoming, unpack_item};
use super::{AioQueue, GetError, GetTimeoutError, TryGetError};
use crate::raw::queue::{Incoming, NotTaken, Patience};
#[cfg(feature = "tokio")]
use crate::wait::{Cost, Suspend, at_once, suspended};
use crate::wait::{Deadline, Park, ParkUntil, blocking, never};
use crate::wire::Codec;

impl<T, C> AioQueue<T, C>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    C: Codec,
{
    /// What an item costs of a task's time: the codec may take long over one.
    #[cfg(feature = "tokio")]
    pub(super) fn cost(&self) -> Cost {
        if self.form.bare::<C>().is_some() { Cost::ITEM } else { Cost::UNIT }
    }

    pub(super) fn own(&self) -> Result<(), Nothing> {
        if self.is_ours() { Ok(()) } else { Err(Nothing::Forked) }
    }

    /// What was taken as an item.
    #[inline(always)]
    fn arrived(&self, taken: Result<(), NotTaken>, message: &mut Incoming) -> Result<T, Nothing> {
        taken?;
        unpack_item::<T, C>(&self.form, message)
    }

    /// Takes the item at the head of the queue, and waits while there is none.
    ///
    /// [`try_get`](Self::try_get) does not wait, [`get_timeout`](Self::get_timeout) gives up after a time, and
    /// [`coro_get`](Self::coro_get) suspends the task instead of the thread. Python's `Queue.get`.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; needs no runtime.
    ///
    /// # If a process dies
    ///
    /// The item that a process got is lost with it; one for which it only waited is there for the others.
    ///
    /// # Errors
    ///
    /// [`GetError::Closed`] once the queue is closed and empty; [`GetError::Decode`] if the item, which is taken, is not a
    /// `T`.
    pub fn get(&self) -> Result<T, GetError> {
        self.own()?;
        let mut message = incoming::<T>();
        let taken = match self.queue.get_at_once(&mut message, Patience::Waits) {
            Some(taken) => taken,
            None => never(blocking(self.queue.get(&mut Park::new(), &mut message, Patience::Waits))),
        };
        Ok(self.arrived(taken, &mut message)?)
    }

    /// Takes an item if there is one, now or never. Python's `Queue.get_nowait`.
    ///
    /// # Errors
    ///
    /// [`TryGetError::Empty`] if there is none (or a process was stopped in the middle of a get); otherwise as
    /// [`get`](Self::get).
    #[doc(alias = "get_nowait")]
    pub fn try_get(&self) -> Result<T, TryGetError> {
        self.own()?;
        let mut message = incoming::<T>();
        let taken = self.queue.try_get(&mut message);
        Ok(self.arrived(taken, &mut message)?)
    }

    /// [`get`](Self::get) for `timeout` at the longest; zero tries once.
    ///
    /// # Errors
    ///
    /// [`GetTimeoutError::Timeout`] if no item came in time; otherwise as [`get`](Self::get).
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, GetTimeoutError> {
        self.own()?;
        let mut message = incoming::<T>();
        let taken = if timeout.is_zero() {
            self.queue.try_get(&mut message)
        } else {
            let mut waiter = ParkUntil::new(Deadline::after(timeout));
            blocking(self.queue.get(&mut waiter, &mut message, Patience::Waits))
                .unwrap_or(Err(NotTaken::Empty))
        };
        Ok(self.arrived(taken, &mut message)?)
    }

    /// [`get`](Self::get), suspending the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it has taken nothing, and a wake-up that was meant for it goes to the next who waits.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without I/O or time enabled, when it has to wait.
    #[cfg(feature = "tokio")]
    pub async fn coro_get(&self) -> Result<T, GetError> {
        self.own()?;
        let mut message = incoming::<T>();
        let taken = match at_once(self.cost(), || self.queue.get_at_once(&mut message, Patience::Waits)).await
        {
            Some(taken) => taken,
            None => {
                never(suspended(self.queue.get(&mut Suspend::new(), &mut message, Patience::Waits)).await)
            }
        };
        Ok(self.arrived(taken, &mut message)?)
    }
}
