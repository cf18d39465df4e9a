use std::fmt;
use std::marker::PhantomData;

use super::connection::{AioConnection, AioReceiver, AioSender};
use super::end::End;
use super::error::PipeError;
use crate::wire::{Codec, Postcard};

/// The most bytes of a message unless the builder says otherwise: 1 GiB.
pub(crate) const MAX_LENGTH: u64 = 1 << 30;

/// Makes pipes: Python's `multiprocessing.Pipe`.
///
/// `AioPipe::<Request, Reply>::duplex()` gives two ends that both send and receive, `AioPipe::<Item>::simplex()` a receiver and a
/// sender, [`builder`](AioPipe::builder) has settings. One end usually goes to another process, as an argument of
/// [`spawn`](crate::AioProcess::spawn) or in a message; it is then closed here.
///
/// # If a process dies
///
/// Its ends close. Who receives at the other end gets what was sent before, and then `Closed`; who sends gets `Closed` at once. Clones of an end
/// must all be gone for that.
///
/// # Examples
///
/// ```
/// use aioprocessing::{AioConnection, AioPipe, AioProcess};
///
/// fn double(pipe: AioConnection<u64, u64>) {
///     while let Ok(n) = pipe.recv() {
///         pipe.send(&(n * 2)).unwrap();
///     }
/// }
///
/// fn main() {
///     aioprocessing::init();
///     let (here, there) = AioPipe::<u64, u64>::duplex().unwrap();
///     let child = AioProcess::spawn(double, (there,)).unwrap();
///     here.send(&21).unwrap();
///     assert_eq!(here.recv().unwrap(), 42);
///     drop(here);
///     child.join().unwrap();
/// }
/// ```
pub struct AioPipe<S, R = S> {
    types: PhantomData<fn(S) -> R>,
}

impl<S, R> AioPipe<S, R> {
    /// Two ends: the first sends `S` and receives `R`, the second the other way round.
    ///
    /// # Errors
    ///
    /// If the system has no two descriptors left.
    #[allow(clippy::type_complexity, reason = "the two types are the point")]
    pub fn duplex() -> Result<(AioConnection<S, R>, AioConnection<R, S>), PipeError> {
        AioPipe::builder().duplex()
    }
}

impl<T> AioPipe<T, T> {
    /// An end that receives and an end that sends.
    ///
    /// # Errors
    ///
    /// If the system has no two descriptors left.
    pub fn simplex() -> Result<(AioReceiver<T>, AioSender<T>), PipeError> {
        AioPipe::builder().simplex()
    }
}

impl AioPipe<(), ()> {
    /// A pipe of other than the usual settings, for messages of any type.
    pub fn builder() -> PipeBuilder {
        PipeBuilder { max_length: MAX_LENGTH, codec: PhantomData }
    }
}

impl<S, R> fmt::Debug for AioPipe<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AioPipe")
    }
}

/// How a pipe is to be. Made by [`AioPipe::builder`].
///
/// # Examples
///
/// ```
/// let (rx, tx) = aioprocessing::AioPipe::builder().max_length(4096).simplex::<String>()?;
/// assert!(tx.send(&"a".repeat(5000)).is_err());
/// tx.send(&"a".to_owned())?;
/// assert_eq!(rx.recv()?, "a");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a builder makes nothing until `duplex` or `simplex`"]
pub struct PipeBuilder<C = Postcard> {
    max_length: u64,
    codec: PhantomData<fn() -> C>,
}

impl<C: Codec> PipeBuilder<C> {
    /// The most bytes of a message, 1 GiB by default. A longer one is an error where it is sent, and where it arrives it is
    /// thrown away unread: that holds against a peer that does not keep to it.
    pub fn max_length(mut self, bytes: u64) -> Self {
        self.max_length = bytes;
        self
    }

    /// How values become bytes.
    pub fn codec<D: Codec>(self) -> PipeBuilder<D> {
        PipeBuilder { max_length: self.max_length, codec: PhantomData }
    }

    /// As [`AioPipe::duplex`].
    ///
    /// # Errors
    ///
    /// If the system has no two descriptors left.
    #[allow(clippy::type_complexity, reason = "the two types are the point")]
    pub fn duplex<S, R>(self) -> Result<(AioConnection<S, R, C>, AioConnection<R, S, C>), PipeError> {
        let (one, other) = End::pair(self.max_length)?;
        Ok((AioConnection::new(one), AioConnection::new(other)))
    }

    /// As [`AioPipe::simplex`].
    ///
    /// # Errors
    ///
    /// If the system has no two descriptors left.
    #[allow(clippy::type_complexity, reason = "the types are the point")]
    pub fn simplex<T>(self) -> Result<(AioReceiver<T, C>, AioSender<T, C>), PipeError> {
        let (one, other) = End::pair(self.max_length)?;
        Ok((AioReceiver::new(one), AioSender::new(other)))
    }
}

impl<C> fmt::Debug for PipeBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeBuilder").field("max_length", &self.max_length).finish_non_exhaustive()
    }
}
