use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{AioQueue, GetError};
use crate::wire::{Codec, Postcard};

/// The items of a queue until it is closed and empty; made by [`AioQueue::iter`].
pub struct QueueIter<'a, T, C = Postcard> {
    queue: &'a AioQueue<T, C>,
}

impl<T, C> AioQueue<T, C>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    C: Codec,
{
    /// Gets item after item, and ends when the queue is closed and empty.
    ///
    /// # Blocking
    ///
    /// Each step blocks the thread as [`get`](Self::get) does.
    pub fn iter(&self) -> QueueIter<'_, T, C> {
        QueueIter { queue: self }
    }
}

impl<T, C> Iterator for QueueIter<'_, T, C>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    C: Codec,
{
    type Item = Result<T, GetError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.queue.get() {
            Err(GetError::Closed) => None,
            other => Some(other),
        }
    }
}

impl<'a, T, C> IntoIterator for &'a AioQueue<T, C>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    C: Codec,
{
    type Item = Result<T, GetError>;
    type IntoIter = QueueIter<'a, T, C>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T, C> fmt::Debug for QueueIter<'_, T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("QueueIter").field(self.queue).finish()
    }
}

#[cfg(feature = "tokio")]
pub use asynchronous::{QueueSink, QueueStream};

#[cfg(feature = "tokio")]
mod asynchronous {
    use std::fmt;
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};

    use futures_core::Stream;
    use futures_sink::Sink;
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use crate::queue::{AioQueue, GetError, PutError};
    use crate::wire::{Codec, Postcard};

    type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

    /// The items of a queue until it is closed and empty; made by [`AioQueue::into_stream`].
    ///
    /// Dropped, it has taken nothing that it did not give.
    pub struct QueueStream<T, C = Postcard> {
        queue: AioQueue<T, C>,
        pending: Option<Pending<Result<T, GetError>>>,
    }

    /// Puts items into a queue; made by [`AioQueue::into_sink`]. Closing it flushes it and leaves the queue open.
    pub struct QueueSink<T, C = Postcard> {
        queue: AioQueue<T, C>,
        pending: Option<Pending<Result<(), PutError<T>>>>,
    }

    impl<T, C> AioQueue<T, C>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        C: Codec,
    {
        /// The items as a [`Stream`], which ends when the queue is closed and empty.
        pub fn into_stream(self) -> QueueStream<T, C> {
            QueueStream { queue: self, pending: None }
        }

        /// The queue as a [`Sink`]. An item is in the queue once the sink is ready again or flushed.
        pub fn into_sink(self) -> QueueSink<T, C> {
            QueueSink { queue: self, pending: None }
        }
    }

    impl<T, C> Stream for QueueStream<T, C>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        C: Codec,
    {
        type Item = Result<T, GetError>;

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            let queue = self.queue.clone();
            let pending = self.pending.get_or_insert_with(|| Box::pin(async move { queue.coro_get().await }));
            let item = ready!(pending.as_mut().poll(cx));
            self.pending = None;
            Poll::Ready(match item {
                Err(GetError::Closed) => None,
                other => Some(other),
            })
        }
    }

    impl<T, C> QueueSink<T, C> {
        fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PutError<T>>> {
            let Some(pending) = &mut self.pending else { return Poll::Ready(Ok(())) };
            let done = ready!(pending.as_mut().poll(cx));
            self.pending = None;
            Poll::Ready(done)
        }
    }

    impl<T, C> Sink<T> for QueueSink<T, C>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        C: Codec,
    {
        type Error = PutError<T>;

        fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            self.poll_pending(cx)
        }

        fn start_send(mut self: Pin<&mut Self>, item: T) -> Result<(), Self::Error> {
            let queue = self.queue.clone();
            self.pending = Some(Box::pin(async move { queue.coro_put(item).await }));
            Ok(())
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            self.poll_pending(cx)
        }

        fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            self.poll_pending(cx)
        }
    }

    // The futures are pinned in their boxes.
    impl<T, C> Unpin for QueueStream<T, C> {}
    impl<T, C> Unpin for QueueSink<T, C> {}

    impl<T, C> fmt::Debug for QueueStream<T, C> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_tuple("QueueStream").field(&self.queue).finish()
        }
    }

    impl<T, C> fmt::Debug for QueueSink<T, C> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_tuple("QueueSink").field(&self.queue).finish()
        }
    }
}
