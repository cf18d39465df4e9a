use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::AioManager;
use super::calls::{calls, made, proxy};
use super::error::ManagerError;
use super::kept::{Bytes, Kept};
use super::message::{Answer, Call, New};
use super::proxy::{Proxy, count, done};
use super::proxy_error::ProxyError;
use super::store::{MapCall, Wants};

/// Values of any types under names, in a manager: Python's `SyncManager().Namespace()`. Made by [`AioManager::namespace`].
///
/// All that holds for an [`AioDict`](crate::AioDict) holds for it. A value is got as the type that it was set as, or one that is
/// encoded alike; another is a decode error.
///
/// # Examples
///
/// ```
/// use aioprocessing::AioManager;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     aioprocessing::init();
///     let manager = AioManager::start()?;
///     let settings = manager.namespace()?;
///     settings.set("level", &3_u8)?;
///     settings.set("title", &"hello".to_owned())?;
///     assert_eq!(settings.get::<u8>("level")?, Some(3));
///     assert_eq!(settings.get::<String>("title")?.as_deref(), Some("hello"));
///     Ok(())
/// }
/// ```
#[doc(alias = "Namespace")]
#[doc(alias = "NamespaceProxy")]
pub struct AioNamespace {
    proxy: Arc<Proxy>,
    types: PhantomData<fn()>,
}

proxy! { AioNamespace<>, "namespace" }
made! {
    /// Makes an empty namespace.
    namespace, coro_namespace = fn<>() -> AioNamespace { |_manager| Ok(New::Map(Vec::new())) }
}

fn key(name: &str) -> Bytes {
    Bytes(name.as_bytes().to_vec())
}

impl AioNamespace {
    fn value<T: DeserializeOwned>(&self, answer: Answer) -> Result<Option<T>, ProxyError> {
        let Answer::Values(mut values) = answer else { return Err(ManagerError::NotAManager.into()) };
        values.pop().flatten().map(|value: Kept| self.proxy.unpack(value)).transpose()
    }

    fn ask(call: MapCall) -> Result<Call, ProxyError> {
        Ok(Call::Map(call))
    }

    calls! {
        /// The value under a name.
        get, get_timeout, coro_get = fn<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
            Self::ask(MapCall::Get(vec![key(name)])) => |answer| self.value(answer)
        }

        /// Sets the value under a name; whether there was one.
        set, set_timeout, coro_set = fn<T: Serialize>(&self, name: &str, value: &T) -> bool {
            self.proxy.pack(value).and_then(|value| Self::ask(MapCall::Insert(vec![(key(name), value)], Wants::Count)))
                => |answer| count(&answer).map(|known| known > 0)
        }

        /// Takes a name away; whether there was one.
        remove, remove_timeout, coro_remove = fn(&self, name: &str) -> bool {
            Self::ask(MapCall::Remove(vec![key(name)], Wants::Count)) => |answer| count(&answer).map(|known| known > 0)
        }

        /// All names, in the order in which they came.
        names, names_timeout, coro_names = fn(&self) -> Vec<String> {
            Self::ask(MapCall::Keys) => |answer| {
                let Answer::Keys(keys) = answer else { return Err(ManagerError::NotAManager.into()) };
                Ok(keys.into_iter().map(|Bytes(name)| String::from_utf8_lossy(&name).into_owned()).collect())
            }
        }

        /// Takes all names away.
        clear, clear_timeout, coro_clear = fn(&self) -> () {
            Self::ask(MapCall::Clear) => |answer| done(&answer)
        }
    }
}
