use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::calls::{calls, made, proxy};
use super::error::ManagerError;
use super::kept::Kept;
use super::message::{Answer, Call, New};
use super::proxy::{Proxy, done};
use super::proxy_error::{ProxyError, ProxyTimeoutError};
use super::store::ListCall;
use super::{AioList, AioManager};
use crate::wire::Postcard;

/// A value of any type in a manager: Python's `SyncManager().Value()`. Made by [`AioManager::value`].
///
/// All that holds for an [`AioDict`](crate::AioDict) holds for it. Plain data between processes of one machine is faster in an
/// [`AioValue`](crate::AioValue), which is shared memory.
///
/// # Examples
///
/// ```
/// use aioprocessing::AioManager;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     aioprocessing::init();
///     let manager = AioManager::start()?;
///     let name = manager.value(&"Ada".to_owned())?;
///     name.update(|name| name + " Lovelace")?;
///     assert_eq!(name.get()?, "Ada Lovelace");
///     Ok(())
/// }
/// ```
#[doc(alias = "ValueProxy")]
pub struct AioManagedValue<T> {
    proxy: Arc<Proxy>,
    types: PhantomData<fn(T) -> T>,
}

proxy!(AioManagedValue<T>, "value");
made! {
    /// Makes a value.
    value, coro_value = fn<T>(value: &T) -> AioManagedValue where T: Serialize { |manager| {
        let packed = Kept::pack::<Postcard, T>(value, manager.link.manager()).map_err(ProxyError::Encode);
        packed.map(|(kept, _)| New::List(vec![kept]))
    } }
}

impl<T: Serialize + DeserializeOwned> AioManagedValue<T> {
    fn one(&self, answer: Answer) -> Result<T, ProxyError> {
        let Answer::Value(value) = answer else { return Err(ManagerError::NotAManager.into()) };
        self.proxy.unpack(value)
    }

    /// What it is to its manager: a list of one.
    fn list(&self) -> AioList<T> {
        AioList::new(self.proxy.clone())
    }

    calls! {
        /// The value at this moment.
        get, get_timeout, coro_get = fn(&self) -> T {
            Ok::<_, ProxyError>(Call::List(ListCall::Get(0))) => |answer| self.one(answer)
        }

        /// Replaces the value.
        set, set_timeout, coro_set = fn(&self, value: &T) -> () {
            self.proxy.pack(value).map(|value| Call::List(ListCall::Set(0, vec![value]))) => |answer| done(&answer)
        }
    }

    /// Changes the value, in one step: where somebody else changes it meanwhile, `change` is called again with what is there then.
    ///
    /// # Errors
    ///
    /// [`ProxyError`].
    pub fn update(&self, change: impl FnMut(T) -> T + Send) -> Result<(), ProxyError> {
        self.list().update(0, change)
    }

    /// As [`update`](Self::update), for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`ProxyTimeoutError::Timeout`] if the manager has not answered in time; it may be changed after that.
    pub fn update_timeout(
        &self,
        change: impl FnMut(T) -> T + Send,
        timeout: Duration,
    ) -> Result<(), ProxyTimeoutError> {
        self.list().update_timeout(0, change, timeout)
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
    pub async fn coro_update(&self, change: impl FnMut(T) -> T + Send) -> Result<(), ProxyError> {
        self.list().coro_update(0, change).await
    }
}
