//! What the other queues have in common with [`AioQueue`](crate::AioQueue), whose docs say more.

/// The methods that a queue forwards to the `AioQueue` in its field `inner`.
macro_rules! forward_puts {
    () => {
        /// As [`AioQueue::put`](crate::AioQueue::put).
        ///
        /// # Errors
        ///
        /// As there.
        pub fn put(&self, item: T) -> Result<(), $crate::PutError<T>> {
            self.inner.put(item)
        }

        /// As [`AioQueue::try_put`](crate::AioQueue::try_put).
        ///
        /// # Errors
        ///
        /// As there.
        pub fn try_put(&self, item: T) -> Result<(), $crate::TryPutError<T>> {
            self.inner.try_put(item)
        }

        /// As [`AioQueue::put_timeout`](crate::AioQueue::put_timeout).
        ///
        /// # Errors
        ///
        /// As there.
        pub fn put_timeout(
            &self,
            item: T,
            timeout: std::time::Duration,
        ) -> Result<(), $crate::PutTimeoutError<T>> {
            self.inner.put_timeout(item, timeout)
        }

        /// As [`AioQueue::coro_put`](crate::AioQueue::coro_put).
        ///
        /// # Cancel safety
        ///
        /// Dropped before it is done, it has put nothing.
        ///
        /// # Errors
        ///
        /// As there.
        #[cfg(feature = "tokio")]
        pub async fn coro_put(&self, item: T) -> Result<(), $crate::PutError<T>> {
            self.inner.coro_put(item).await
        }
    };
}

macro_rules! forward_state {
    () => {
        /// How many items are in the queue. Items that are lent count until they are done with.
        pub fn len(&self) -> usize {
            self.inner.len()
        }

        /// Whether [`len`](Self::len) is zero.
        pub fn is_empty(&self) -> bool {
            self.inner.is_empty()
        }

        /// Whether as many items are in the queue as may be.
        pub fn is_full(&self) -> bool {
            self.inner.is_full()
        }

        /// How many items may be; `None`: as many as there is memory for.
        pub fn max_items(&self) -> Option<usize> {
            self.inner.max_items()
        }

        /// Whether the queue was closed. Items may be left in it.
        pub fn is_closed(&self) -> bool {
            self.inner.is_closed()
        }

        /// As [`AioQueue::close`](crate::AioQueue::close).
        pub fn close(&self) {
            self.inner.close();
        }

        /// As [`AioQueue::close_now`](crate::AioQueue::close_now).
        pub fn close_now(&self) {
            self.inner.close_now();
        }

        /// Counts of what has happened.
        pub fn stats(&self) -> $crate::QueueStats {
            self.inner.stats()
        }
    };
}
