use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::AioManager;
use super::calls::{calls, made, proxy};
use super::error::ManagerError;
use super::kept::{Bytes, Kept};
use super::message::{Answer, Call, New};
use super::proxy::{Proxy, count, done, flag};
use super::proxy_error::ProxyError;
use super::store::{MapCall, Wants};

/// A set that lives in a manager: Python's `SyncManager().set()`, of Python 3.14. Made by [`AioManager::set`].
///
/// All that holds for an [`AioDict`](crate::AioDict) and its keys holds for it.
///
/// # Examples
///
/// ```
/// use aioprocessing::AioManager;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     aioprocessing::init();
///     let manager = AioManager::start()?;
///     let seen = manager.set::<String>()?;
///     assert!(seen.insert(&"a".to_owned())?);
///     assert!(!seen.insert(&"a".to_owned())?);
///     assert_eq!(seen.to_vec()?, ["a"]);
///     Ok(())
/// }
/// ```
#[doc(alias = "SetProxy")]
pub struct AioSet<T> {
    proxy: Arc<Proxy>,
    types: PhantomData<fn(T) -> T>,
}

proxy!(AioSet<T>, "set");
made! {
    /// Makes an empty set.
    set, coro_set = fn<T>() -> AioSet { |_manager| Ok(New::Map(Vec::new())) }
}

impl<T: Serialize + DeserializeOwned> AioSet<T> {
    fn item(&self, item: &T) -> Result<Bytes, ProxyError> {
        self.proxy.pack(item)?.into_key().map_err(ProxyError::Encode)
    }

    /// A key with nothing to it.
    fn entry(&self, item: &T) -> Result<(Bytes, Kept), ProxyError> {
        Ok((self.item(item)?, Kept::of_key(Bytes(Vec::new()))))
    }

    fn items(&self, answer: Answer) -> Result<Vec<T>, ProxyError> {
        let Answer::Keys(keys) = answer else { return Err(ManagerError::NotAManager.into()) };
        keys.into_iter().map(|key| self.proxy.unpack(Kept::of_key(key))).collect()
    }

    fn ask(call: MapCall) -> Result<Call, ProxyError> {
        Ok(Call::Map(call))
    }

    calls! {
        /// Adds an item; whether it was not there. Python's `add`.
        #[doc(alias = "add")]
        insert, insert_timeout, coro_insert = fn(&self, item: &T) -> bool {
            self.entry(item).and_then(|entry| Self::ask(MapCall::Insert(vec![entry], Wants::Count)))
                => |answer| count(&answer).map(|known| known == 0)
        }

        /// Adds items, in one step; how many of them were there.
        extend, extend_timeout, coro_extend = fn(&self, items: &[T]) -> usize {
            items.iter().map(|item| self.entry(item)).collect::<Result<_, _>>()
                .and_then(|entries| Self::ask(MapCall::Insert(entries, Wants::Count))) => |answer| count(&answer)
        }

        /// Takes an item away; whether it was there. Python's `discard`.
        #[doc(alias = "discard")]
        remove, remove_timeout, coro_remove = fn(&self, item: &T) -> bool {
            self.item(item).and_then(|item| Self::ask(MapCall::Remove(vec![item], Wants::Count)))
                => |answer| count(&answer).map(|known| known > 0)
        }

        /// Whether an item is there.
        contains, contains_timeout, coro_contains = fn(&self, item: &T) -> bool {
            self.item(item).and_then(|item| Self::ask(MapCall::Contains(item))) => |answer| flag(&answer)
        }

        /// How many items there are.
        len, len_timeout, coro_len = fn(&self) -> usize {
            Self::ask(MapCall::Len) => |answer| count(&answer)
        }

        /// Whether there are none.
        is_empty, is_empty_timeout, coro_is_empty = fn(&self) -> bool {
            Self::ask(MapCall::Len) => |answer| count(&answer).map(|count| count == 0)
        }

        /// Takes all items away.
        clear, clear_timeout, coro_clear = fn(&self) -> () {
            Self::ask(MapCall::Clear) => |answer| done(&answer)
        }

        /// All items, in the order in which they came.
        to_vec, to_vec_timeout, coro_to_vec = fn(&self) -> Vec<T> {
            Self::ask(MapCall::Keys) => |answer| self.items(answer)
        }
    }
}
