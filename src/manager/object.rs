//! Objects of a program's own types, and what `manager_object!` is made of.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serde::de::{DeserializeOwned, Deserializer};
use serde::{Deserialize, Serialize, Serializer};

use super::AioManager;
use super::error::{ManagerError, ProxyError};
use super::hall;
use super::kept::Kept;
use super::message::{Answer, Call, New};
use super::proxy::Proxy;
use super::session::Session;
use crate::process::ProcessFn;
use crate::sys::entry::{self, Entry};
use crate::wait::{Deadline, Park, ParkUntil, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};
use crate::wire::{Postcard, unpack};

/// What went wrong with an object of a program's own type.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Failure {
    OtherBuild,
    NoMethod(String),
    Panicked(String),
    Arguments(String),
    Output(String),
}

/// Why a call has no answer.
#[derive(Debug)]
pub struct Failed(pub(super) Failure);

/// An object in a manager.
pub(super) trait Object: Send {
    fn call(&mut self, calling: Calling<'_>) -> Result<Kept, Failed>;
}

/// Runs in a manager: calls the methods that the proxy `P` has.
pub trait Dispatch<P>: Send + Sized + 'static {
    /// One call.
    ///
    /// # Errors
    ///
    /// If there is no such method, or what travels can't.
    fn dispatch(&mut self, calling: Calling<'_>) -> Result<Reply, Failed>;
}

/// A call as it comes to an object.
#[derive(Debug)]
pub struct Calling<'a> {
    method: String,
    arguments: Kept,
    own: &'a Arc<Session>,
}

/// What it comes to.
#[derive(Debug)]
pub struct Reply(Kept);

impl<'a> Calling<'a> {
    pub(super) fn new(method: String, arguments: Kept, own: &'a Arc<Session>) -> Self {
        Self { method, arguments, own }
    }

    /// The name of the method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Calls it.
    ///
    /// # Errors
    ///
    /// If the arguments or the output can't travel.
    pub fn with<A: DeserializeOwned, R: Serialize>(self, call: impl FnOnce(A) -> R) -> Result<Reply, Failed> {
        let arguments = self.arguments.unpack::<Postcard, A>(self.own);
        let arguments = arguments.map_err(|error| Failed(Failure::Arguments(error.to_string())))?;
        let output = call(arguments);
        let packed = Kept::pack::<Postcard, R>(&output, self.own.manager());
        let (kept, parting) = packed.map_err(|error| Failed(Failure::Output(error.to_string())))?;
        // Ends of pipes go with the output itself.
        drop((parting, output));
        Ok(Reply(kept))
    }

    /// There is none of that name.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn refuse(self) -> Result<Reply, Failed> {
        Err(Failed(Failure::NoMethod(self.method)))
    }
}

/// An object behind a proxy of type `P`.
struct Held<T, P>(T, PhantomData<fn() -> P>);

impl<T: Dispatch<P>, P: 'static> Object for Held<T, P> {
    fn call(&mut self, calling: Calling<'_>) -> Result<Kept, Failed> {
        caught(|| self.0.dispatch(calling)).and_then(|reply| reply).map(|reply| reply.0)
    }
}

/// A panic ends the call, and neither the object nor the manager.
fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Failed> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| Failed(Failure::Panicked(message(&*panic))))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned())
}

/// What making an object gives.
pub(super) type Made = Result<Box<dyn Object>, Failed>;

/// The entry by which another process of this build has one made.
struct Maker<F, A, P>(PhantomData<(F, A, P)>);

impl<F, A, P> Maker<F, A, P>
where
    F: ProcessFn<A, Output: Dispatch<P>>,
    A: DeserializeOwned + 'static,
    P: 'static,
{
    const ENTRY: &'static Entry<Made> = &Entry::new(TypeId::of::<(F, A, P)>, type_name::<F>, Self::run);

    fn run(bytes: &[u8], descriptors: Vec<OwnedFd>) -> Made {
        let arguments = unpack::<Postcard, A>(bytes, descriptors);
        let arguments = arguments.map_err(|error| Failed(Failure::Arguments(error.to_string())))?;
        let object = caught(|| entry::function::<F>().call(arguments))?;
        Ok(Box::new(Held::<F::Output, P>(object, PhantomData)))
    }
}

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

impl fmt::Debug for dyn Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Object")
    }
}

/// Lets objects of a type live in a manager, behind a proxy with the methods that are listed: what Python's `BaseManager.register` does, with a chosen
/// `exposed` list.
///
/// Each line names a method of the type with its arguments and output, and the name of its async twin. The proxy has these methods, and
/// no other: each takes `&self`, whatever the type's own takes, and gives `Result<Output, ProxyError>`. A type may have several
/// proxies with other methods. Arguments and outputs are any messages; proxies and handles among them.
///
/// The proxy is `Clone + Send + Sync + Debug + Serialize + Deserialize`, travels as an [`AioDict`](crate::AioDict) does, keeps the object as that does, and
/// has besides
///
/// * `create(&manager, function, (arguments, …))` and `coro_create`: the object is what `function` returns, in the manager. The program of the
///   manager must be this very one; other programs get proxies by a name, and need the same `manager_object!` alone.
/// * `keep(object)`: for methods that run in a manager and return proxies of new objects.
/// * `within(time)`: the same proxy, whose blocking calls give up after that time.
///
/// Methods run in the manager's process, one at a time. One that takes long holds up everybody, and one that calls a proxy of its own
/// manager is refused. A method that panics is [`ProxyError::Panicked`](crate::ProxyError::Panicked) with the message, and the object stays; errors that a method returns
/// are returned, as the type that they are.
///
/// # Examples
///
/// ```
/// use aioprocessing::AioManager;
///
/// struct Counter(u64);
///
/// impl Counter {
///     fn add(&mut self, n: u64) -> u64 {
///         self.0 += n;
///         self.0
///     }
///     fn half(&self) -> Result<u64, String> {
///         if self.0 % 2 == 0 { Ok(self.0 / 2) } else { Err(format!("{} is odd", self.0)) }
///     }
/// }
///
/// aioprocessing::manager_object! {
///     /// A counter in a manager.
///     pub proxy CounterProxy for Counter {
///         fn add, coro_add(&self, n: u64) -> u64;
///         fn half, coro_half(&self) -> Result<u64, String>;
///     }
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     aioprocessing::init();
///     let manager = AioManager::start()?;
///     let counter = CounterProxy::create(&manager, |start: u64| Counter(start), (40,))?;
///     assert_eq!(counter.add(2)?, 42);
///     assert_eq!(counter.half()?, Ok(21));
///     counter.add(1)?;
///     assert_eq!(counter.half()?, Err("43 is odd".to_owned()));
///     Ok(())
/// }
/// ```
#[macro_export]
macro_rules! manager_object {
    (
        $(#[$meta:meta])*
        $visible:vis proxy $proxy:ident for $object:ty {
            $(
                $(#[$doc:meta])*
                fn $name:ident, $coro:ident(&self $(, $argument:ident: $type:ty)* $(,)?) $(-> $output:ty)?;
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        $visible struct $proxy($crate::__manager::ObjectProxy);

        impl $proxy {
            /// Has an object made by a function that runs in the manager.
            ///
            /// # Errors
            ///
            /// [`ProxyError`]($crate::ProxyError).
            #[allow(dead_code)]
            $visible fn create<F, A>(
                manager: &$crate::AioManager,
                function: F,
                arguments: A,
            ) -> ::std::result::Result<Self, $crate::ProxyError>
            where
                F: $crate::ProcessFn<A, Output = $object>,
                A: $crate::__manager::Serialize + $crate::__manager::DeserializeOwned + 'static,
            {
                $crate::__manager::ObjectProxy::create::<F, A, Self>(manager, function, &arguments).map(Self)
            }

            $crate::__manager_tokio! {
                /// As [`create`](Self::create), and suspends the task. Cancel safe: dropped before it resolves, there is none.
                ///
                /// # Errors
                ///
                /// [`ProxyError`]($crate::ProxyError).
                #[allow(dead_code)]
                $visible async fn coro_create<F, A>(
                    manager: &$crate::AioManager,
                    function: F,
                    arguments: A,
                ) -> ::std::result::Result<Self, $crate::ProxyError>
                where
                    F: $crate::ProcessFn<A, Output = $object>,
                    A: $crate::__manager::Serialize + $crate::__manager::DeserializeOwned + 'static,
                {
                    let made = $crate::__manager::ObjectProxy::coro_create::<F, A, Self>(manager, function, &arguments);
                    drop(arguments);
                    made.await.map(Self)
                }
            }

            /// In a manager: has it keep an object.
            ///
            /// # Errors
            ///
            /// [`ManagerError::NotInManager`]($crate::ManagerError::NotInManager) anywhere else.
            #[allow(dead_code)]
            $visible fn keep(object: $object) -> ::std::result::Result<Self, $crate::ProxyError> {
                $crate::__manager::ObjectProxy::keep::<$object, Self>(object).map(Self)
            }

            /// The same one, whose blocking calls give up after that time with [`ProxyError::TooSlow`]($crate::ProxyError::TooSlow).
            #[allow(dead_code)]
            #[must_use]
            $visible fn within(&self, time: ::std::time::Duration) -> Self {
                Self(self.0.within(time))
            }

            $(
                $(#[$doc])*
                #[allow(dead_code)]
                $visible fn $name(
                    &self $(, $argument: $type)*
                ) -> ::std::result::Result<$crate::manager_object!(@output $($output)?), $crate::ProxyError> {
                    self.0.call(stringify!($name), &($($argument,)*))
                }

                $crate::__manager_tokio! {
                    #[doc = concat!("As [`", stringify!($name), "`](Self::", stringify!($name), "), and suspends the task.")]
                    #[allow(dead_code)]
                    $visible fn $coro(
                        &self $(, $argument: $type)*
                    ) -> impl ::std::future::Future<
                        Output = ::std::result::Result<$crate::manager_object!(@output $($output)?), $crate::ProxyError>,
                    > + Send {
                        self.0.coro_call(stringify!($name), &($($argument,)*))
                    }
                }
            )*
        }

        impl $crate::__manager::Dispatch<$proxy> for $object {
            fn dispatch(
                &mut self,
                calling: $crate::__manager::Calling<'_>,
            ) -> ::std::result::Result<$crate::__manager::Reply, $crate::__manager::Failed> {
                match calling.method() {
                    $(
                        stringify!($name) => calling.with(|($($argument,)*): ($($type,)*)| self.$name($($argument),*)),
                    )*
                    _ => calling.refuse(),
                }
            }
        }

        impl $crate::__manager::Serialize for $proxy {
            fn serialize<S: $crate::__manager::Serializer>(
                &self,
                serializer: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                self.0.serialize(stringify!($proxy), serializer)
            }
        }

        impl<'de> $crate::__manager::Deserialize<'de> for $proxy {
            fn deserialize<D: $crate::__manager::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                $crate::__manager::ObjectProxy::deserialize(stringify!($proxy), deserializer).map(Self)
            }
        }
    };
    (@output) => { () };
    (@output $output:ty) => { $output };
}

/// What is there with the feature `tokio` alone.
#[doc(hidden)]
#[cfg(feature = "tokio")]
#[macro_export]
macro_rules! __manager_tokio {
    ($($item:item)*) => { $($item)* };
}

/// What is there with the feature `tokio` alone.
#[doc(hidden)]
#[cfg(not(feature = "tokio"))]
#[macro_export]
macro_rules! __manager_tokio {
    ($($item:tt)*) => {};
}
