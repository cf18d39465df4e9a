//! The methods of an end that receives.

/// Written once for the two types that have them.
macro_rules! receiving {
    (impl<$($type:ident),*> $name:ident <$($same:ident),*> receives $item:ident) => {
        impl<$($type,)* C: Codec> $name<$($same,)* C>
        where
            $item: DeserializeOwned,
        {
            /// Waits for the next message and takes it.
            ///
            /// [`try_recv`](Self::try_recv) does not wait, [`recv_timeout`](Self::recv_timeout) gives up after a time, and
            /// [`coro_recv`](Self::coro_recv) suspends the task instead of the thread.
            ///
            /// # Blocking
            ///
            /// Blocks the thread; needs no runtime.
            ///
            /// # If a process dies
            ///
            /// What was sent before is received first; then it is [`RecvError::Closed`], at once.
            ///
            /// # Errors
            ///
            /// [`RecvError::Closed`] at the end of the pipe. [`RecvError::NoDescriptors`] if this process has no room for the descriptors in the
            /// message, which stays where it is, unless another process takes messages from this end at the same time. Otherwise
            /// the message was taken, and [`RecvError`] says what was wrong with it.
            pub fn recv(&self) -> Result<$item, RecvError> {
                never(blocking(self.end.receive(&mut Park::new()))).and_then(|message| unpacked::<C, $item>(&self.receives, message))
            }

            /// As [`recv`](Self::recv), without waiting.
            ///
            /// # Errors
            ///
            /// [`TryRecvError::Empty`] if no message is there; otherwise as [`recv`](Self::recv).
            pub fn try_recv(&self) -> Result<$item, TryRecvError> {
                let message = self.end.receive_now().ok_or(TryRecvError::Empty)?;
                Ok(message.and_then(|message| unpacked::<C, $item>(&self.receives, message))?)
            }

            /// As [`recv`](Self::recv), for at most `timeout`; zero tries once.
            ///
            /// # Errors
            ///
            /// [`RecvTimeoutError::Timeout`] if no message was there in time; otherwise as [`recv`](Self::recv).
            pub fn recv_timeout(&self, timeout: Duration) -> Result<$item, RecvTimeoutError> {
                let message = blocking(self.end.receive(&mut ParkUntil::new(Deadline::after(timeout))));
                let message = message.map_err(|_| RecvTimeoutError::Timeout)?;
                Ok(message.and_then(|message| unpacked::<C, $item>(&self.receives, message))?)
            }

            /// As [`recv`](Self::recv), and suspends the task.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: dropped before it resolves, it has taken nothing, and the next call gets the message whole.
            ///
            /// # Errors
            ///
            /// As [`recv`](Self::recv).
            ///
            /// # Panics
            ///
            /// Outside of a tokio runtime with I/O enabled, when it has to wait.
            #[cfg(feature = "tokio")]
            pub async fn coro_recv(&self) -> Result<$item, RecvError> {
                never(suspended(self.end.receive(&mut Suspend::new())).await).and_then(|message| unpacked::<C, $item>(&self.receives, message))
            }
        }

        impl<$($type,)* C> $name<$($same,)* C> {
            /// Waits for the next message and takes its bytes; of a value that was sent, those of its codec, or its own if it spares that,
            /// and descriptors in it are closed.
            ///
            /// [`try_recv_bytes`](Self::try_recv_bytes) does not wait, [`recv_bytes_timeout`](Self::recv_bytes_timeout) gives up after a
            /// time, [`coro_recv_bytes`](Self::coro_recv_bytes) suspends the task instead of the thread, and
            /// [`recv_bytes_into`](Self::recv_bytes_into) has a buffer of its own.
            ///
            /// # Blocking
            ///
            /// Blocks the thread; needs no runtime.
            ///
            /// # If a process dies
            ///
            /// As for [`recv`](Self::recv).
            ///
            /// # Errors
            ///
            /// As [`recv`](Self::recv), but that any bytes will do.
            pub fn recv_bytes(&self) -> Result<Vec<u8>, RecvError> {
                never(blocking(self.end.receive(&mut Park::new()))).map(|message| message.bytes)
            }

            /// As [`recv_bytes`](Self::recv_bytes), without waiting.
            ///
            /// # Errors
            ///
            /// [`TryRecvError::Empty`] if no message is there; otherwise as [`recv_bytes`](Self::recv_bytes).
            pub fn try_recv_bytes(&self) -> Result<Vec<u8>, TryRecvError> {
                Ok(self.end.receive_now().ok_or(TryRecvError::Empty)?.map(|message| message.bytes)?)
            }

            /// As [`recv_bytes`](Self::recv_bytes), for at most `timeout`; zero tries once.
            ///
            /// # Errors
            ///
            /// [`RecvTimeoutError::Timeout`] if no message was there in time; otherwise as [`recv_bytes`](Self::recv_bytes).
            pub fn recv_bytes_timeout(&self, timeout: Duration) -> Result<Vec<u8>, RecvTimeoutError> {
                let message = blocking(self.end.receive(&mut ParkUntil::new(Deadline::after(timeout))));
                Ok(message.map_err(|_| RecvTimeoutError::Timeout)?.map(|message| message.bytes)?)
            }

            /// As [`recv_bytes`](Self::recv_bytes), and suspends the task.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: dropped before it resolves, it has taken nothing, and the next call gets the message whole.
            ///
            /// # Errors
            ///
            /// As [`recv_bytes`](Self::recv_bytes).
            ///
            /// # Panics
            ///
            /// Outside of a tokio runtime with I/O enabled, when it has to wait.
            #[cfg(feature = "tokio")]
            pub async fn coro_recv_bytes(&self) -> Result<Vec<u8>, RecvError> {
                never(suspended(self.end.receive(&mut Suspend::new())).await).map(|message| message.bytes)
            }

            /// Waits for the next message, copies its bytes to the start of `buffer`, and says how many there are. To have them
            /// elsewhere in it, pass a part of a buffer.
            ///
            /// [`try_recv_bytes_into`](Self::try_recv_bytes_into) does not wait,
            /// [`recv_bytes_into_timeout`](Self::recv_bytes_into_timeout) gives up after a time, and
            /// [`coro_recv_bytes_into`](Self::coro_recv_bytes_into) suspends the task instead of the thread.
            ///
            /// # Blocking
            ///
            /// Blocks the thread; needs no runtime.
            ///
            /// # If a process dies
            ///
            /// As for [`recv`](Self::recv).
            ///
            /// # Errors
            ///
            /// [`RecvError::BufferTooSmall`], which holds the message, if there are more bytes than in `buffer`; otherwise as
            /// [`recv_bytes`](Self::recv_bytes).
            pub fn recv_bytes_into(&self, buffer: &mut [u8]) -> Result<usize, RecvError> {
                never(blocking(self.end.receive(&mut Park::new()))).and_then(|message| copied(message, buffer))
            }

            /// As [`recv_bytes_into`](Self::recv_bytes_into), without waiting.
            ///
            /// # Errors
            ///
            /// [`TryRecvError::Empty`] if no message is there; otherwise as [`recv_bytes_into`](Self::recv_bytes_into).
            pub fn try_recv_bytes_into(&self, buffer: &mut [u8]) -> Result<usize, TryRecvError> {
                let message = self.end.receive_now().ok_or(TryRecvError::Empty)?;
                Ok(message.and_then(|message| copied(message, buffer))?)
            }

            /// As [`recv_bytes_into`](Self::recv_bytes_into), for at most `timeout`; zero tries once.
            ///
            /// # Errors
            ///
            /// [`RecvTimeoutError::Timeout`] if no message was there in time; otherwise as
            /// [`recv_bytes_into`](Self::recv_bytes_into).
            pub fn recv_bytes_into_timeout(
                &self,
                buffer: &mut [u8],
                timeout: Duration,
            ) -> Result<usize, RecvTimeoutError> {
                let message = blocking(self.end.receive(&mut ParkUntil::new(Deadline::after(timeout))));
                let message = message.map_err(|_| RecvTimeoutError::Timeout)?;
                Ok(message.and_then(|message| copied(message, buffer))?)
            }

            /// As [`recv_bytes_into`](Self::recv_bytes_into), and suspends the task.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: dropped before it resolves, it has taken nothing, and the next call gets the message whole.
            ///
            /// # Errors
            ///
            /// As [`recv_bytes_into`](Self::recv_bytes_into).
            ///
            /// # Panics
            ///
            /// Outside of a tokio runtime with I/O enabled, when it has to wait.
            #[cfg(feature = "tokio")]
            pub async fn coro_recv_bytes_into(&self, buffer: &mut [u8]) -> Result<usize, RecvError> {
                let message = never(suspended(self.end.receive(&mut Suspend::new())).await);
                message.and_then(|message| copied(message, buffer))
            }

            /// Whether a message is there, or the end of the pipe; waits for one for at most `timeout`, and without limit if that
            /// is `None`. Nothing is taken: the answer stays true until somebody receives. At an end of which there are several it may be
            /// true before the first message with descriptors, if that could not be sent.
            ///
            /// [`coro_poll`](Self::coro_poll) suspends the task instead of the thread.
            ///
            /// # Blocking
            ///
            /// Blocks the thread; needs no runtime. Zero looks once.
            ///
            /// # Errors
            ///
            /// [`PollError::Moved`] if this end was sent away; [`PollError::Io`] if the system refuses.
            pub fn poll(&self, timeout: impl Into<Option<Duration>>) -> Result<bool, PollError> {
                match timeout.into() {
                    None => never(blocking(self.end.readable(&mut Park::new()))).map(|()| true),
                    Some(timeout) => {
                        let mut waiter = ParkUntil::new(Deadline::after(timeout));
                        blocking(self.end.readable(&mut waiter))
                            .map_or(Ok(false), |looked| looked.map(|()| true))
                    }
                }
            }

            /// Waits until a message is there, or the end of the pipe, and suspends the task meanwhile. Bound it with
            /// `tokio::time::timeout`. As [`poll`](Self::poll).
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: it takes nothing.
            ///
            /// # Errors
            ///
            /// As [`poll`](Self::poll).
            ///
            /// # Panics
            ///
            /// Outside of a tokio runtime with I/O enabled, when it has to wait.
            #[cfg(feature = "tokio")]
            pub async fn coro_poll(&self) -> Result<(), PollError> {
                never(suspended(self.end.readable(&mut Suspend::new())).await)
            }
        }
    };
}

pub(super) use receiving;
