//! The three forms of a call, written once.

/// `name, name_timeout, coro_name = fn(&self, arguments) -> Output { ask => |self, answer| output }`: `ask` gives the [`Call`](super::message::Call), and
/// the rest makes the output of an [`Answer`](super::message::Answer).
macro_rules! calls {
    (
        $(
            $(#[$doc:meta])*
            $name:ident, $timed:ident, $coro:ident = fn(&$self:ident $(, $argument:ident: $type:ty)* $(,)?) -> $output:ty
            { $ask:expr => |$answer:ident| $read:expr }
        )*
    ) => { $(
        $(#[$doc])*
        ///
        /// # Errors
        ///
        /// [`ProxyError`](crate::ProxyError).
        pub fn $name(&$self $(, $argument: $type)*) -> Result<$output, $crate::manager::ProxyError> {
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
        pub fn $timed(
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
        /// Dropped before it resolves, what changes something has happened or not: nobody can take back what is sent.
        ///
        /// # Errors
        ///
        /// [`ProxyError`](crate::ProxyError).
        #[cfg(feature = "tokio")]
        pub fn $coro(
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

pub(super) use calls;
