//! The three forms of a call, written once.

/// `name, name_timeout, coro_name = fn(&self, arguments) -> Output { ask => |self, answer| output }`: `ask` gives the [`Call`](super::message::Call), and
/// the rest makes the output of an [`Answer`](super::message::Answer).
macro_rules! calls {
    (
        $(
            $(#[$doc:meta])*
            $name:ident, $timed:ident, $coro:ident = fn$(<$generic:ident: $bound:ident>)?(&$self:ident $(, $argument:ident: $type:ty)* $(,)?) -> $output:ty
            { $ask:expr => |$answer:ident| $read:expr }
        )*
    ) => { $(
        $(#[$doc])*
        ///
        #[doc = concat!("[`", stringify!($timed), "`](Self::", stringify!($timed), ") gives up after a time, and [`", stringify!($coro), "`](Self::", stringify!($coro), ") suspends the task instead of the thread.")]
        ///
        /// # Blocking
        ///
        /// Blocks the thread until the manager has answered; needs no runtime.
        ///
        /// # If a process dies
        ///
        /// If the manager does, it is an error at once.
        ///
        /// # Errors
        ///
        /// [`ProxyError`](crate::ProxyError).
        pub fn $name$(<$generic: $bound>)?(&$self $(, $argument: $type)*) -> Result<$output, $crate::manager::ProxyError> {
            let call = $ask?;
            let answer = $crate::wait::blocking($self.proxy.call(&mut $crate::wait::Park::new(), call));
            let $answer = $crate::wait::never(answer)?;
            $read
        }

        #[doc = concat!("As [`", stringify!($name), "`](Self::", stringify!($name), "), for at most `timeout`.")]
        ///
        /// # Errors
        ///
        /// [`ProxyTimeoutError::Timeout`](crate::ProxyTimeoutError::Timeout) if the manager has not answered in time; what changes something may happen after
        /// that.
        pub fn $timed$(<$generic: $bound>)?(
            &$self $(, $argument: $type)*,
            timeout: std::time::Duration,
        ) -> Result<$output, $crate::manager::ProxyTimeoutError> {
            let mut waiter = $crate::wait::ParkUntil::new($crate::wait::Deadline::after(timeout));
            let call = $ask?;
            let answer = $crate::wait::blocking($self.proxy.call(&mut waiter, call));
            let $answer = answer.map_err(|_| $crate::manager::ProxyTimeoutError::Timeout)??;
            let read: Result<$output, $crate::manager::ProxyError> = $read;
            Ok(read?)
        }

        #[doc = concat!("As [`", stringify!($name), "`](Self::", stringify!($name), "), and suspends the task. The arguments are encoded by the call.")]
        ///
        /// # Cancel safety
        ///
        /// Dropped before it resolves, what changes something has happened or not: nobody can take back what is sent. A lock or an item that
        /// was on its way comes back.
        ///
        /// # Errors
        ///
        /// [`ProxyError`](crate::ProxyError).
        ///
        /// # Panics
        ///
        /// Outside of a tokio runtime with I/O enabled, when it has to wait.
        #[cfg(feature = "tokio")]
        pub fn $coro$(<$generic: $bound>)?(
            &$self $(, $argument: $type)*
        ) -> impl Future<Output = Result<$output, $crate::manager::ProxyError>> + Send {
            let call: Result<$crate::manager::message::Call, $crate::manager::ProxyError> = $ask;
            async move {
                let mut waiter = $crate::wait::Suspend::new();
                let answer = $self.proxy.call(&mut waiter, call?);
                let $answer = $crate::wait::never($crate::wait::suspended(answer).await)?;
                $read
            }
        }
    )* };
}

/// What all proxies of built-in types have: `KIND` is what they say that they are when they travel.
macro_rules! proxy {
    ($name:ident < $($type:ident),* >, $kind:literal) => {
        impl<$($type),*> $name<$($type),*> {
            pub(super) fn new(proxy: std::sync::Arc<$crate::manager::proxy::Proxy>) -> Self {
                Self { proxy, types: std::marker::PhantomData }
            }
        }

        impl<$($type),*> Clone for $name<$($type),*> {
            fn clone(&self) -> Self {
                Self::new(self.proxy.clone())
            }
        }

        /// Only inside of a message or of arguments: what keeps the object travels with it. One that came over TCP can go to its manager
        /// alone.
        impl<$($type),*> serde::Serialize for $name<$($type),*> {
            fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
                self.proxy.serialize($kind, serializer)
            }
        }

        impl<'de, $($type),*> serde::Deserialize<'de> for $name<$($type),*> {
            fn deserialize<Z: serde::Deserializer<'de>>(deserializer: Z) -> Result<Self, Z::Error> {
                $crate::manager::proxy::Proxy::deserialize($kind, deserializer).map(Self::new)
            }
        }

        impl<$($type),*> std::fmt::Debug for $name<$($type),*> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.proxy).finish()
            }
        }
    };
}

/// How one is made: `$new` is a [`New`](super::message::New).
macro_rules! made {
    ($(#[$doc:meta])* $name:ident, $coro:ident = fn<$($type:ident),*>($($argument:ident: $argument_type:ty),*) -> $made:ident
        $(where $($bound:ident: $($of:ident)+),+)? { |$manager:ident| $new:expr }
    ) => {
        impl AioManager {
            $(#[$doc])*
            ///
            /// # Errors
            ///
            /// [`ProxyError`](crate::ProxyError).
            pub fn $name<$($type),*>(&self $(, $argument: $argument_type)*) -> Result<$made<$($type),*>, ProxyError>
            $(where $($bound: $(serde::$of)+),+)?
            {
                let $manager = self;
                let new: Result<New, ProxyError> = $new;
                let made = $crate::wait::blocking(self.make(&mut $crate::wait::Park::new(), new?));
                Ok($made::new($crate::wait::never(made)?))
            }

            #[doc = concat!("As [`", stringify!($name), "`](Self::", stringify!($name), "), and suspends the task.")]
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: dropped before it resolves, there is none.
            ///
            /// # Errors
            ///
            /// [`ProxyError`](crate::ProxyError).
            #[cfg(feature = "tokio")]
            pub fn $coro<$($type),*>(&self $(, $argument: $argument_type)*) -> impl Future<Output = Result<$made<$($type),*>, ProxyError>> + Send
            $(where $($bound: $(serde::$of)+),+)?
            {
                let $manager = self;
                let new: Result<New, ProxyError> = $new;
                async move {
                    let mut waiter = $crate::wait::Suspend::new();
                    let made = self.make(&mut waiter, new?);
                    Ok($made::new($crate::wait::never($crate::wait::suspended(made).await)?))
                }
            }
        }
    };
}

pub(super) use {calls, made, proxy};
