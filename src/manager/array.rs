use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::calls::{calls, made, proxy};
use super::error::ManagerError;
use super::list::made_of;
use super::message::{Answer, Call, New};
use super::proxy::{Proxy, count, done};
use super::proxy_error::{ProxyError, ProxyTimeoutError};
use super::store::ListCall;
use super::{AioList, AioManager};

/// So many values of a type in a manager: Python's `SyncManager().Array()`. Made by [`AioManager::array`].
///
/// It keeps its length. All that holds for an [`AioDict`](crate::AioDict) holds for it. Plain data between processes of one machine is
/// faster in an [`AioArray`](crate::AioArray), which is shared memory.
///
/// # Examples
///
/// ```
/// use aioprocessing::AioManager;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     aioprocessing::init();
///     let manager = AioManager::start()?;
///     let array = manager.array([0.5, 1.5, 2.5])?;
///     array.set(0, &9.0)?;
///     array.update(1, |x| -x)?;
///     assert_eq!(array.to_vec()?, [9.0, -1.5, 2.5]);
///     assert!(array.set(3, &0.0).is_err());
///     Ok(())
/// }
/// ```
#[doc(alias = "ArrayProxy")]
pub struct AioManagedArray<T> {
    proxy: Arc<Proxy>,
    types: PhantomData<fn(T) -> T>,
}

proxy!(AioManagedArray<T>, "array");
made! {
    /// Makes an array of these items.
    array, coro_array = fn<T>(items: impl IntoIterator<Item = T>) -> AioManagedArray where T: Serialize { |manager| made_of(manager, items) }
}

impl<T: Serialize + DeserializeOwned> AioManagedArray<T> {
    fn ask(call: ListCall) -> Result<Call, ProxyError> {
        Ok(Call::List(call))
    }

    fn one(&self, answer: Answer) -> Result<T, ProxyError> {
        let Answer::Value(value) = answer else { return Err(ManagerError::NotAManager.into()) };
        self.proxy.unpack(value)
    }

    fn items(&self, answer: Answer) -> Result<Vec<T>, ProxyError> {
        let Answer::List(_, items) = answer else { return Err(ManagerError::NotAManager.into()) };
        items.into_iter().map(|item| self.proxy.unpack(item)).collect()
    }

    /// What it is to its manager.
    fn list(&self) -> AioList<T> {
        AioList::new(self.proxy.clone())
    }

    calls! {
        /// The item at a place, from 0 on.
        get, get_timeout, coro_get = fn(&self, at: usize) -> T {
            Self::ask(ListCall::Get(at as u64)) => |answer| self.one(answer)
        }

        /// Puts an item in the place of another.
        set, set_timeout, coro_set = fn(&self, at: usize, item: &T) -> () {
            self.proxy.pack(item).and_then(|item| Self::ask(ListCall::Set(at as u64, vec![item]))) => |answer| done(&answer)
        }

        /// Puts items in the places of others, from a place on, in one step: all of them, or none if there are too few places.
        set_many, set_many_timeout, coro_set_many = fn(&self, at: usize, items: &[T]) -> () {
            items.iter().map(|item| self.proxy.pack(item)).collect::<Result<_, _>>()
                .and_then(|items| Self::ask(ListCall::Set(at as u64, items))) => |answer| done(&answer)
        }

        /// How many items there are.
        len, len_timeout, coro_len = fn(&self) -> usize {
            Self::ask(ListCall::Len) => |answer| count(&answer)
        }

        /// Whether there are none.
        is_empty, is_empty_timeout, coro_is_empty = fn(&self) -> bool {
            Self::ask(ListCall::Len) => |answer| count(&answer).map(|count| count == 0)
        }

        /// All items, in one step.
        to_vec, to_vec_timeout, coro_to_vec = fn(&self) -> Vec<T> {
            Self::ask(ListCall::Range(0, u64::MAX)) => |answer| self.items(answer)
        }

        /// The items at these places, as far as there are some, in one step.
        range, range_timeout, coro_range = fn(&self, places: std::ops::Range<usize>) -> Vec<T> {
            Self::ask(ListCall::Range(places.start as u64, places.end as u64)) => |answer| self.items(answer)
        }
    }

    /// Changes the item at a place, in one step: where somebody else changes it meanwhile, `change` is called again with what is there
    /// then.
    ///
    /// # Errors
    ///
    /// [`ProxyError`].
    pub fn update(&self, at: usize, change: impl FnMut(T) -> T + Send) -> Result<(), ProxyError> {
        self.list().update(at, change)
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
        self.list().update_timeout(at, change, timeout)
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
        self.list().coro_update(at, change).await
    }
}
