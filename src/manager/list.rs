use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::AioManager;
use super::calls::{calls, made, proxy};
use super::error::ManagerError;
use super::kept::Kept;
use super::message::{Answer, Call, New};
use super::proxy::{Proxy, count, done};
use super::proxy_error::{ProxyError, ProxyTimeoutError};
use super::store::ListCall;
use crate::wait::{Deadline, Park, ParkUntil, Waiter, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};
use crate::wire::Postcard;

/// A list that lives in a manager: Python's `SyncManager().list()`. Made by [`AioManager::list`].
///
/// All that holds for an [`AioDict`](crate::AioDict) holds for it: clones and travelling, one step for each call, and what keeps it.
///
/// # Examples
///
/// ```
/// use aioprocessing::AioManager;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     aioprocessing::init();
///     let manager = AioManager::start()?;
///     let list = manager.list([3, 1, 2])?;
///     list.push(&4)?;
///     list.update_all(|all| all.sort())?;
///     assert_eq!(list.to_vec()?, [1, 2, 3, 4]);
///     assert_eq!(list.pop()?, Some(4));
///     Ok(())
/// }
/// ```
#[doc(alias = "ListProxy")]
pub struct AioList<T> {
    proxy: Arc<Proxy>,
    types: PhantomData<fn(T) -> T>,
}

proxy!(AioList<T>, "list");
made! {
    /// Makes a list of these items.
    list, coro_list = fn<T>(items: impl IntoIterator<Item = T>) -> AioList where T: Serialize { |manager| made_of(manager, items) }
}

/// A list of these items, to be made by the manager.
pub(super) fn made_of<T: Serialize>(
    manager: &AioManager,
    items: impl IntoIterator<Item = T>,
) -> Result<New, ProxyError> {
    let packed = items.into_iter().map(|item| {
        let packed = Kept::pack::<Postcard, T>(&item, manager.link.manager());
        packed.map(|(kept, _)| kept).map_err(ProxyError::Encode)
    });
    packed.collect::<Result<_, _>>().map(New::List)
}

fn place(at: usize) -> u64 {
    at as u64
}

impl<T: Serialize + DeserializeOwned> AioList<T> {
    fn value(&self, value: &T) -> Result<Kept, ProxyError> {
        self.proxy.pack(value)
    }

    fn one(&self, answer: Answer) -> Result<T, ProxyError> {
        let Answer::Value(value) = answer else { return Err(ManagerError::NotAManager.into()) };
        self.proxy.unpack(value)
    }

    fn last(&self, answer: Answer) -> Result<Option<T>, ProxyError> {
        match answer {
            Answer::Missing => Ok(None),
            answer => self.one(answer).map(Some),
        }
    }

    fn all(&self, answer: Answer) -> Result<(u64, Vec<T>), ProxyError> {
        let Answer::List(changes, items) = answer else { return Err(ManagerError::NotAManager.into()) };
        let items = items.into_iter().map(|item| self.proxy.unpack(item));
        Ok((changes, items.collect::<Result<_, _>>()?))
    }

    fn ask(call: ListCall) -> Result<Call, ProxyError> {
        Ok(Call::List(call))
    }

    calls! {
        /// The item at a place, from 0 on.
        get, get_timeout, coro_get = fn(&self, at: usize) -> T {
            Self::ask(ListCall::Get(place(at))) => |answer| self.one(answer)
        }

        /// Puts an item in the place of another.
        set, set_timeout, coro_set = fn(&self, at: usize, item: &T) -> () {
            self.value(item).and_then(|item| Self::ask(ListCall::Set(place(at), vec![item]))) => |answer| done(&answer)
        }

        /// Adds an item at the end. Python's `append`.
        #[doc(alias = "append")]
        push, push_timeout, coro_push = fn(&self, item: &T) -> () {
            self.value(item).and_then(|item| Self::ask(ListCall::Push(vec![item]))) => |answer| done(&answer)
        }

        /// Adds items at the end, in one step.
        extend, extend_timeout, coro_extend = fn(&self, items: &[T]) -> () {
            items.iter().map(|item| self.value(item)).collect::<Result<_, _>>().and_then(|items| Self::ask(ListCall::Push(items)))
                => |answer| done(&answer)
        }

        /// Inserts an item before the one at that place.
        insert, insert_timeout, coro_insert = fn(&self, at: usize, item: &T) -> () {
            self.value(item).and_then(|item| Self::ask(ListCall::Insert(place(at), item))) => |answer| done(&answer)
        }

        /// Takes the last item away, if there is one.
        pop, pop_timeout, coro_pop = fn(&self) -> Option<T> {
            Self::ask(ListCall::Remove(None)) => |answer| self.last(answer)
        }

        /// Takes the item at a place away. Python's `pop(at)`.
        remove, remove_timeout, coro_remove = fn(&self, at: usize) -> T {
            Self::ask(ListCall::Remove(Some(place(at)))) => |answer| self.one(answer)
        }

        /// How many items there are.
        len, len_timeout, coro_len = fn(&self) -> usize {
            Self::ask(ListCall::Len) => |answer| count(&answer)
        }

        /// Whether there are none.
        is_empty, is_empty_timeout, coro_is_empty = fn(&self) -> bool {
            Self::ask(ListCall::Len) => |answer| count(&answer).map(|count| count == 0)
        }

        /// Takes all items away.
        clear, clear_timeout, coro_clear = fn(&self) -> () {
            Self::ask(ListCall::Clear) => |answer| done(&answer)
        }

        /// All items, in one step.
        to_vec, to_vec_timeout, coro_to_vec = fn(&self) -> Vec<T> {
            Self::ask(ListCall::Range(0, u64::MAX)) => |answer| self.all(answer).map(|(_, items)| items)
        }

        /// The items at these places, as far as there are some.
        range, range_timeout, coro_range = fn(&self, places: std::ops::Range<usize>) -> Vec<T> {
            Self::ask(ListCall::Range(place(places.start), place(places.end)))
                => |answer| self.all(answer).map(|(_, items)| items)
        }
    }

    async fn update_with<W: Waiter>(
        &self,
        waiter: &mut W,
        at: usize,
        mut change: impl FnMut(T) -> T + Send,
    ) -> Result<Result<(), ProxyError>, W::GaveUp> {
        let ask = || Call::List(ListCall::Get(place(at)));
        self.proxy.update(waiter, ask, |answer| self.changed(at, answer, &mut change)).await
    }

    fn changed(
        &self,
        at: usize,
        answer: Answer,
        change: &mut impl FnMut(T) -> T,
    ) -> Result<Call, ProxyError> {
        let Answer::Value(kept) = answer else { return Err(ManagerError::NotAManager.into()) };
        let old = kept.as_bytes().clone();
        let new = self.value(&change(self.proxy.unpack(kept)?))?;
        Ok(Call::List(ListCall::Swap { place: place(at), old, new }))
    }

    async fn update_all_with<W: Waiter>(
        &self,
        waiter: &mut W,
        mut change: impl FnMut(&mut Vec<T>) + Send,
    ) -> Result<Result<(), ProxyError>, W::GaveUp> {
        let ask = || Call::List(ListCall::Range(0, u64::MAX));
        self.proxy.update(waiter, ask, |answer| self.all_changed(answer, &mut change)).await
    }

    fn all_changed(&self, answer: Answer, change: &mut impl FnMut(&mut Vec<T>)) -> Result<Call, ProxyError> {
        let (changes, mut items) = self.all(answer)?;
        change(&mut items);
        let items = items.iter().map(|item| self.value(item)).collect::<Result<_, _>>()?;
        Ok(Call::List(ListCall::Replace(changes, items)))
    }

    /// Changes the item at a place, in one step: where somebody else changes it meanwhile, `change` is called again with what is there
    /// then.
    ///
    /// # Errors
    ///
    /// [`ProxyError`].
    pub fn update(&self, at: usize, change: impl FnMut(T) -> T + Send) -> Result<(), ProxyError> {
        never(blocking(self.update_with(&mut Park::new(), at, change)))
    }

    /// As [`update`](Self::update), for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`ProxyTimeoutError::Timeout`] if the manager has not answered in time; it may be changed after that.
    pub fn update_timeout(
        &self,
        at: usize,
        change: impl FnMut(T) -> T + Send,
        timeout: Duration,
    ) -> Result<(), ProxyTimeoutError> {
        let mut waiter = ParkUntil::new(Deadline::after(timeout));
        let updated = blocking(self.update_with(&mut waiter, at, change));
        Ok(updated.map_err(|_| ProxyTimeoutError::Timeout)??)
    }

    /// As [`update`](Self::update), and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it resolves, it was changed or not: nobody can take back what is sent.
    ///
    /// # Errors
    ///
    /// [`ProxyError`].
    #[cfg(feature = "tokio")]
    pub async fn coro_update(&self, at: usize, change: impl FnMut(T) -> T + Send) -> Result<(), ProxyError> {
        never(suspended(self.update_with(&mut Suspend::new(), at, change)).await)
    }

    /// Changes the whole list, in one step: sorts it, say. Where somebody else changes it meanwhile, `change` is called again.
    ///
    /// # Errors
    ///
    /// [`ProxyError`].
    pub fn update_all(&self, change: impl FnMut(&mut Vec<T>) + Send) -> Result<(), ProxyError> {
        never(blocking(self.update_all_with(&mut Park::new(), change)))
    }

    /// As [`update_all`](Self::update_all), for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`ProxyTimeoutError::Timeout`] if the manager has not answered in time; it may be changed after that.
    pub fn update_all_timeout(
        &self,
        change: impl FnMut(&mut Vec<T>) + Send,
        timeout: Duration,
    ) -> Result<(), ProxyTimeoutError> {
        let mut waiter = ParkUntil::new(Deadline::after(timeout));
        let updated = blocking(self.update_all_with(&mut waiter, change));
        Ok(updated.map_err(|_| ProxyTimeoutError::Timeout)??)
    }

    /// As [`update_all`](Self::update_all), and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it resolves, it was changed or not: nobody can take back what is sent.
    ///
    /// # Errors
    ///
    /// [`ProxyError`].
    #[cfg(feature = "tokio")]
    pub async fn coro_update_all(&self, change: impl FnMut(&mut Vec<T>) + Send) -> Result<(), ProxyError> {
        never(suspended(self.update_all_with(&mut Suspend::new(), change)).await)
    }
}
