//! The methods of an end that sends.

/// Written once for the two types that have them.
macro_rules! sending {
    (impl<$($type:ident),*> $name:ident <$($same:ident),*> sends $item:ident) => {
        impl<$($type,)* C: Codec> $name<$($same,)* C>
        where
            $item: Serialize,
        {
            /// Sends a message, and waits as long as the pipe is full. The value stays here.
            ///
            /// [`try_send`](Self::try_send) does not wait, [`send_timeout`](Self::send_timeout) gives up after a time, and
            /// [`coro_send`](Self::coro_send) suspends the task instead of the thread. A message may have any size up to the pipe's
            /// [`max_length`](crate::PipeBuilder::max_length), and up to 253 descriptors in it, 252 beyond 64 KiB, and none over TCP or with
            /// Python. Ends of pipes in the value are closed here once it is sent.
            ///
            /// # Blocking
            ///
            /// Blocks the thread; needs no runtime. A pipe holds some 200 KiB of messages, those beyond 64 KiB not counted.
            ///
            /// # If a process dies
            ///
            /// If the other end is gone it is [`SendError::Closed`], at once and without SIGPIPE. The message of a sender that dies is
            /// there whole, or not at all.
            ///
            /// # Errors
            ///
            /// [`SendError`]. Nothing was sent then, and everything in the value is usable still.
            pub fn send(&self, value: &$item) -> Result<(), SendError> {
                let message = self.end.pack::<C, $item>(&self.sends, value)?;
                never(blocking(self.end.send(&mut Park::new(), message)))
            }

            /// As [`send`](Self::send), without waiting.
            ///
            /// # Errors
            ///
            /// [`TrySendError::Full`] if the pipe is full; otherwise as [`send`](Self::send). On a byte stream as after a time that is over:
            /// [`send_timeout`](Self::send_timeout).
            pub fn try_send(&self, value: &$item) -> Result<(), TrySendError> {
                let message = self.end.pack::<C, $item>(&self.sends, value)?;
                Ok(self.end.send_now(message).ok_or(TrySendError::Full)??)
            }

            /// As [`send`](Self::send), for at most `timeout`; zero tries once.
            ///
            /// # Errors
            ///
            /// [`SendTimeoutError::Timeout`] if the pipe was full for all of it; on a byte stream (TCP, or with Python) a part of the message may
            /// be out then, and it is still delivered, whole and before the next. Otherwise as [`send`](Self::send).
            pub fn send_timeout(&self, value: &$item, timeout: Duration) -> Result<(), SendTimeoutError> {
                let deadline = Deadline::after(timeout);
                let message = self.end.pack::<C, $item>(&self.sends, value)?;
                let sent = blocking(self.end.send(&mut ParkUntil::new(deadline), message));
                Ok(sent.map_err(|_| SendTimeoutError::Timeout)??)
            }

            /// As [`send`](Self::send), and suspends the task. The value is encoded by the call, before the future is polled.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: dropped before it resolves, nothing was sent. On a byte stream (TCP, or with Python) a message of which a part is
            /// out already is still delivered, whole and before the next.
            ///
            /// # Errors
            ///
            /// As [`send`](Self::send).
            ///
            /// # Panics
            ///
            /// Outside of a tokio runtime with I/O enabled, when it has to wait.
            #[cfg(feature = "tokio")]
            pub fn coro_send<'a>(
                &'a self,
                value: &$item,
            ) -> impl Future<Output = Result<(), SendError>> + Send + use<'a, $($type,)* C> {
                let message = self.end.pack::<C, $item>(&self.sends, value).map(Outgoing::into_owned);
                async move { never(suspended(self.end.send(&mut Suspend::new(), message?)).await) }
            }
        }

        impl<$($type,)* C> $name<$($same,)* C> {
            /// Sends these bytes as a message, without a codec. Any part of a buffer will do; none at all is a message, too.
            ///
            /// [`try_send_bytes`](Self::try_send_bytes) does not wait, [`send_bytes_timeout`](Self::send_bytes_timeout) gives up after a
            /// time, and [`coro_send_bytes`](Self::coro_send_bytes) suspends the task instead of the thread.
            ///
            /// # Blocking
            ///
            /// Blocks the thread while the pipe is full; needs no runtime.
            ///
            /// # If a process dies
            ///
            /// As for [`send`](Self::send).
            ///
            /// # Errors
            ///
            /// [`SendError`]. Nothing was sent then.
            pub fn send_bytes(&self, bytes: &[u8]) -> Result<(), SendError> {
                never(blocking(self.end.send(&mut Park::new(), Outgoing::of_bytes(bytes))))
            }

            /// As [`send_bytes`](Self::send_bytes), without waiting.
            ///
            /// # Errors
            ///
            /// [`TrySendError::Full`] if the pipe is full; otherwise as [`send_bytes`](Self::send_bytes).
            pub fn try_send_bytes(&self, bytes: &[u8]) -> Result<(), TrySendError> {
                Ok(self.end.send_now(Outgoing::of_bytes(bytes)).ok_or(TrySendError::Full)??)
            }

            /// As [`send_bytes`](Self::send_bytes), for at most `timeout`; zero tries once.
            ///
            /// # Errors
            ///
            /// [`SendTimeoutError::Timeout`] if the pipe was full for all of it; otherwise as [`send_bytes`](Self::send_bytes).
            pub fn send_bytes_timeout(&self, bytes: &[u8], timeout: Duration) -> Result<(), SendTimeoutError> {
                let mut waiter = ParkUntil::new(Deadline::after(timeout));
                let sent = blocking(self.end.send(&mut waiter, Outgoing::of_bytes(bytes)));
                Ok(sent.map_err(|_| SendTimeoutError::Timeout)??)
            }

            /// As [`send_bytes`](Self::send_bytes), and suspends the task.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: dropped before it resolves, nothing was sent. On a byte stream (TCP, or with Python) a message of which a part is
            /// out already is still delivered, whole and before the next.
            ///
            /// # Errors
            ///
            /// As [`send_bytes`](Self::send_bytes).
            ///
            /// # Panics
            ///
            /// Outside of a tokio runtime with I/O enabled, when it has to wait.
            #[cfg(feature = "tokio")]
            pub async fn coro_send_bytes(&self, bytes: &[u8]) -> Result<(), SendError> {
                never(suspended(self.end.send(&mut Suspend::new(), Outgoing::of_bytes(bytes))).await)
            }
        }
    };
}

pub(super) use sending;
