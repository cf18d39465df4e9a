use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::AioManager;
use super::calls::{calls, made, proxy};
use super::error::ManagerError;
use super::kept::{Bytes, Kept};
use super::message::{Answer, Call, New};
use super::proxy::{Proxy, count, done, flag};
use super::proxy_error::{ProxyError, ProxyTimeoutError};
use super::store::{MapCall, Wants};
use crate::wait::{Deadline, Park, ParkUntil, Waiter, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};
use crate::wire::Postcard;

/// A dictionary that lives in a manager: Python's `SyncManager().dict()`. Made by [`AioManager::dict`].
///
/// A clone names the same dictionary, and so does a handle that travelled: as an argument of [`spawn`](crate::AioProcess::spawn), in a
/// message, registered under a name, or as a value of another dictionary or list. Its keys are in the order in which they came.
///
/// Each call is one step, and one round trip: what others do comes before it or after it. [`get_many`](Self::get_many),
/// [`extend`](Self::extend) and [`remove_many`](Self::remove_many) do many things in one, and [`update`](Self::update) changes what is there. Calls of several tasks and
/// threads are under way at the same time over one connection.
///
/// Keys are the same if their encoding is: a `HashMap` or a `HashSet`, whose order is any, makes no good key.
///
/// # If a process dies
///
/// The dictionary lives for as long as any handle does, in a process, in a message under way, or in another object; those of
/// a process that was killed are gone. Dictionaries that hold each other live as long as their manager. If the
/// manager dies, every call is an error at once.
///
/// # Examples
///
/// ```
/// use aioprocessing::AioManager;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     aioprocessing::init();
///     let manager = AioManager::start()?;
///     let ages = manager.dict::<String, u32>()?;
///     ages.insert(&"Ada".to_owned(), &36)?;
///     ages.update(&"Ada".to_owned(), |age| age.map(|age| age + 1))?;
///     assert_eq!(ages.get(&"Ada".to_owned())?, Some(37));
///     Ok(())
/// }
/// ```
#[doc(alias = "DictProxy")]
pub struct AioDict<K, V> {
    proxy: Arc<Proxy>,
    types: PhantomData<fn() -> (K, V)>,
}

proxy!(AioDict<K, V>, "dict");
made! {
    /// Makes an empty dictionary.
    dict, coro_dict = fn<K, V>() -> AioDict { |_manager| Ok(New::Map(Vec::new())) }
}

impl<K: Serialize + DeserializeOwned, V: Serialize + DeserializeOwned> AioDict<K, V> {
    fn key(&self, key: &K) -> Result<Bytes, ProxyError> {
        let (kept, _) =
            Kept::pack::<Postcard, K>(key, self.proxy.session().manager()).map_err(ProxyError::Encode)?;
        kept.into_key().map_err(ProxyError::Encode)
    }

    fn value(&self, value: &V) -> Result<Kept, ProxyError> {
        self.proxy.pack(value)
    }

    fn values(&self, answer: Answer) -> Result<Vec<Option<V>>, ProxyError> {
        let Answer::Values(values) = answer else { return Err(ManagerError::NotAManager.into()) };
        values.into_iter().map(|value| value.map(|value| self.proxy.unpack(value)).transpose()).collect()
    }

    fn one_value(&self, answer: Answer) -> Result<Option<V>, ProxyError> {
        Ok(self.values(answer)?.pop().flatten())
    }

    fn keys_of(&self, answer: Answer) -> Result<Vec<K>, ProxyError> {
        let Answer::Keys(keys) = answer else { return Err(ManagerError::NotAManager.into()) };
        keys.into_iter().map(|key| self.proxy.unpack(Kept::of_key(key))).collect()
    }

    fn items_of(&self, answer: Answer) -> Result<Vec<(K, V)>, ProxyError> {
        let Answer::Items(items) = answer else { return Err(ManagerError::NotAManager.into()) };
        let item = |(key, value)| Ok((self.proxy.unpack(Kept::of_key(key))?, self.proxy.unpack(value)?));
        items.into_iter().map(item).collect()
    }

    fn call_with(call: MapCall) -> Result<Call, ProxyError> {
        Ok(Call::Map(call))
    }

    calls! {
        /// The value of a key.
        get, get_timeout, coro_get = fn(&self, key: &K) -> Option<V> {
            self.key(key).and_then(|key| Self::call_with(MapCall::Get(vec![key]))) => |answer| self.one_value(answer)
        }

        /// The values of some keys, in one step.
        get_many, get_many_timeout, coro_get_many = fn(&self, keys: &[K]) -> Vec<Option<V>> {
            keys.iter().map(|key| self.key(key)).collect::<Result<_, _>>().and_then(|keys| Self::call_with(MapCall::Get(keys)))
                => |answer| self.values(answer)
        }

        /// Sets the value of a key; what it was before.
        insert, insert_timeout, coro_insert = fn(&self, key: &K, value: &V) -> Option<V> {
            self.item(key, value).and_then(|item| Self::call_with(MapCall::Insert(vec![item], Wants::Values)))
                => |answer| self.one_value(answer)
        }

        /// Sets the values of some keys, in one step; how many of them there were before. Python's `update`.
        extend, extend_timeout, coro_extend = fn(&self, items: &[(K, V)]) -> usize {
            items.iter().map(|(key, value)| self.item(key, value)).collect::<Result<_, _>>()
                .and_then(|items| Self::call_with(MapCall::Insert(items, Wants::Count)))
                => |answer| count(&answer)
        }

        /// Takes a key away; what its value was. Python's `pop`.
        #[doc(alias = "pop")]
        remove, remove_timeout, coro_remove = fn(&self, key: &K) -> Option<V> {
            self.key(key).and_then(|key| Self::call_with(MapCall::Remove(vec![key], Wants::Values))) => |answer| self.one_value(answer)
        }

        /// Takes some keys away, in one step; what their values were.
        remove_many, remove_many_timeout, coro_remove_many = fn(&self, keys: &[K]) -> Vec<Option<V>> {
            keys.iter().map(|key| self.key(key)).collect::<Result<_, _>>()
                .and_then(|keys| Self::call_with(MapCall::Remove(keys, Wants::Values))) => |answer| self.values(answer)
        }

        /// Whether there is such a key.
        contains_key, contains_key_timeout, coro_contains_key = fn(&self, key: &K) -> bool {
            self.key(key).and_then(|key| Self::call_with(MapCall::Contains(key))) => |answer| flag(&answer)
        }

        /// How many keys there are.
        len, len_timeout, coro_len = fn(&self) -> usize {
            Self::call_with(MapCall::Len) => |answer| count(&answer)
        }

        /// Whether there are none.
        is_empty, is_empty_timeout, coro_is_empty = fn(&self) -> bool {
            Self::call_with(MapCall::Len) => |answer| count(&answer).map(|count| count == 0)
        }

        /// Takes all keys away.
        clear, clear_timeout, coro_clear = fn(&self) -> () {
            Self::call_with(MapCall::Clear) => |answer| done(&answer)
        }

        /// All keys, in the order in which they came.
        keys, keys_timeout, coro_keys = fn(&self) -> Vec<K> {
            Self::call_with(MapCall::Keys) => |answer| self.keys_of(answer)
        }

        /// All keys with their values, in one step.
        items, items_timeout, coro_items = fn(&self) -> Vec<(K, V)> {
            Self::call_with(MapCall::Items) => |answer| self.items_of(answer)
        }
    }

    fn item(&self, key: &K, value: &V) -> Result<(Bytes, Kept), ProxyError> {
        Ok((self.key(key)?, self.value(value)?))
    }
}

impl<K: Serialize + DeserializeOwned, V: Serialize + DeserializeOwned> AioDict<K, V> {
    async fn update_with<W: Waiter>(
        &self,
        waiter: &mut W,
        key: Result<Bytes, ProxyError>,
        mut change: impl FnMut(Option<V>) -> Option<V> + Send,
    ) -> Result<Result<(), ProxyError>, W::GaveUp> {
        let key = match key {
            Ok(key) => key,
            Err(error) => return Ok(Err(error)),
        };
        let ask = || Call::Map(MapCall::Get(vec![key.clone()]));
        self.proxy.update(waiter, ask, |answer| self.changed(&key, answer, &mut change)).await
    }

    fn changed(
        &self,
        key: &Bytes,
        answer: Answer,
        change: &mut impl FnMut(Option<V>) -> Option<V>,
    ) -> Result<Call, ProxyError> {
        let Answer::Values(mut values) = answer else { return Err(ManagerError::NotAManager.into()) };
        let kept = values.pop().flatten();
        let old = kept.as_ref().map(|kept| kept.as_bytes().clone());
        let value = kept.map(|kept| self.proxy.unpack(kept)).transpose()?;
        let new = change(value).map(|value| self.value(&value)).transpose()?;
        Ok(Call::Map(MapCall::Swap { key: key.clone(), old, new }))
    }

    /// Changes the value of a key, in one step: `change` gets what is there and gives what is to be there, `None` for no such key. Where
    /// somebody else changes it meanwhile, it is called again with what is there then.
    ///
    /// # Errors
    ///
    /// [`ProxyError`].
    pub fn update(
        &self,
        key: &K,
        change: impl FnMut(Option<V>) -> Option<V> + Send,
    ) -> Result<(), ProxyError> {
        never(blocking(self.update_with(&mut Park::new(), self.key(key), change)))
    }

    /// As [`update`](Self::update), for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`ProxyTimeoutError::Timeout`] if the manager has not answered in time; it may be changed after that.
    pub fn update_timeout(
        &self,
        key: &K,
        change: impl FnMut(Option<V>) -> Option<V> + Send,
        timeout: Duration,
    ) -> Result<(), ProxyTimeoutError> {
        let mut waiter = ParkUntil::new(Deadline::after(timeout));
        let updated = blocking(self.update_with(&mut waiter, self.key(key), change));
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
    pub fn coro_update(
        &self,
        key: &K,
        change: impl FnMut(Option<V>) -> Option<V> + Send,
    ) -> impl Future<Output = Result<(), ProxyError>> + Send {
        let key = self.key(key);
        async move { never(suspended(self.update_with(&mut Suspend::new(), key, change)).await) }
    }
}
