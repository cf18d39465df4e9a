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
