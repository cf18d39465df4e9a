use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::de::{DeserializeOwned, Deserializer};
use serde::{Serialize, Serializer};

use super::AioManager;
use super::error::ManagerError;
use super::hall;
use super::kept::Kept;
use super::message::{Answer, Call, New};
use super::object::{Dispatch, Held, Maker};
use super::proxy::Proxy;
use super::proxy_error::ProxyError;
use crate::process::ProcessFn;
use crate::wait::{Deadline, Park, ParkUntil, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};
use crate::wire::Postcard;

/// What is behind each proxy that `manager_object!` makes.
#[derive(Clone, Debug)]
pub struct ObjectProxy {
    proxy: Arc<Proxy>,
    limit: Option<Duration>,
}

fn read<R: DeserializeOwned>(proxy: &Proxy, answer: Answer) -> Result<R, ProxyError> {
    match answer {
        Answer::Value(kept) => proxy.unpack(kept),
        _ => Err(ManagerError::NotAManager.into()),
    }
}

impl ObjectProxy {
    fn over(proxy: Arc<Proxy>) -> Self {
        Self { proxy, limit: None }
    }

    fn new_object<F, A, P>(manager: &AioManager, arguments: &A) -> Result<New, ProxyError>
    where
        F: ProcessFn<A, Output: Dispatch<P>>,
        A: Serialize + DeserializeOwned + 'static,
        P: 'static,
    {
        let place = Maker::<F, A, P>::ENTRY.place().ok_or(ProxyError::OtherBuild)?;
        let packed = Kept::pack::<Postcard, A>(arguments, manager.link.manager());
        let (arguments, _) = packed.map_err(ProxyError::Encode)?;
        Ok(New::User { place, arguments })
    }

    /// Has an object made by a function that runs in the manager.
    ///
    /// # Errors
    ///
    /// [`ProxyError`].
    pub fn create<F, A, P>(manager: &AioManager, _: F, arguments: &A) -> Result<Self, ProxyError>
    where
        F: ProcessFn<A, Output: Dispatch<P>>,
        A: Serialize + DeserializeOwned + 'static,
        P: 'static,
    {
        let new = Self::new_object::<F, A, P>(manager, arguments)?;
        never(blocking(manager.make(&mut Park::new(), new))).map(Self::over)
    }

    /// As [`create`](Self::create), and suspends the task.
    ///
    /// # Errors
    ///
    /// [`ProxyError`].
    #[cfg(feature = "tokio")]
    pub fn coro_create<'a, F, A, P>(
        manager: &'a AioManager,
        _: F,
        arguments: &A,
    ) -> impl Future<Output = Result<Self, ProxyError>> + Send + use<'a, F, A, P>
    where
        F: ProcessFn<A, Output: Dispatch<P>>,
        A: Serialize + DeserializeOwned + 'static,
        P: 'static,
    {
        let new = Self::new_object::<F, A, P>(manager, arguments);
        async move {
            let mut waiter = Suspend::new();
            let made = manager.make(&mut waiter, new?);
            never(suspended(made).await).map(Self::over)
        }
    }

    /// In a manager: has it keep an object.
    ///
    /// # Errors
    ///
    /// [`ManagerError::NotInManager`] anywhere else.
    pub fn keep<T: Dispatch<P>, P: 'static>(object: T) -> Result<Self, ProxyError> {
        Ok(Self::over(hall::keep(Box::new(Held::<T, P>(object, PhantomData)))?))
    }

    /// The same one, whose blocking calls give up after that time.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        Self { proxy: self.proxy.clone(), limit: Some(limit) }
    }

    fn calling<A: Serialize>(&self, method: &str, arguments: &A) -> Result<Call, ProxyError> {
        Ok(Call::User { method: method.to_owned(), arguments: self.proxy.pack(arguments)? })
    }

    /// Calls a method.
    ///
    /// # Errors
    ///
    /// [`ProxyError`].
    pub fn call<A: Serialize, R: DeserializeOwned>(
        &self,
        method: &str,
        arguments: &A,
    ) -> Result<R, ProxyError> {
        let call = self.calling(method, arguments)?;
        let answer = match self.limit {
            None => never(blocking(self.proxy.call(&mut Park::new(), call))),
            Some(limit) => blocking(self.proxy.call(&mut ParkUntil::new(Deadline::after(limit)), call))
                .map_err(|_| ProxyError::TooSlow)?,
        };
        read(&self.proxy, answer?)
    }

    /// As [`call`](Self::call), and suspends the task. The arguments are encoded by the call.
    ///
    /// # Errors
    ///
    /// [`ProxyError`].
    #[cfg(feature = "tokio")]
    pub fn coro_call<A: Serialize, R: DeserializeOwned>(
        &self,
        method: &str,
        arguments: &A,
    ) -> impl Future<Output = Result<R, ProxyError>> + Send + use<'_, A, R> {
        let call = self.calling(method, arguments);
        async move {
            let mut waiter = Suspend::new();
            let answer = self.proxy.call(&mut waiter, call?);
            read(&self.proxy, never(suspended(answer).await)?)
        }
    }

    /// For the impls of proxies.
    ///
    /// # Errors
    ///
    /// Outside of messages.
    pub fn serialize<S: Serializer>(&self, kind: &str, serializer: S) -> Result<S::Ok, S::Error> {
        self.proxy.serialize(kind, serializer)
    }

    /// For the impls of proxies.
    ///
    /// # Errors
    ///
    /// If it is none of that kind.
    pub fn deserialize<'de, D: Deserializer<'de>>(kind: &str, deserializer: D) -> Result<Self, D::Error> {
        Proxy::deserialize(kind, deserializer).map(Self::over)
    }
}
