use std::fmt;
use std::marker::PhantomData;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};

use super::end::End;
use super::error::{
    PipeError, PollError, RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError,
    TrySendError,
};
use super::frames::UnderWay;
use super::link::Link;
use super::packet::{Incoming, Outgoing};
use super::peer::PeerCredentials;
use super::receiving::receiving;
use super::sending::sending;
use crate::wait::{
    AnyWaiter, Deadline, Park, ParkUntil, Readiness, Ready, Waitable, Waiter, blocking, never,
};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};
use crate::wire::{Codec, DecodeError, Form, Postcard, of_another_type, refuse_to_unpack, unpack};

/// An end of a pipe that sends `S` and receives `R`: Python's `multiprocessing.connection.Connection`.
///
/// Threads and tasks may share it: each message goes out whole, and to one receiver. It is not `Clone`, because the pipe
/// ends when its last end is gone; [`try_clone`](Self::try_clone) says that another is wanted.
///
/// As an argument of [`spawn`](crate::AioProcess::spawn) or in a message it goes to another process and is closed here, once the
/// message is sent; a send that fails leaves it usable.
///
/// # If a process dies
///
/// Its ends close at once: the other end receives what was sent before, and then `Closed`. A message is there whole or not at
/// all, at whichever instruction its sender died. A message that a process took is lost with it.
///
/// # Examples
///
/// ```
/// let (a, b) = aioprocessing::AioPipe::<String, u64>::duplex()?;
/// a.send(&"four".to_owned())?;
/// b.send(&(b.recv()?.len() as u64))?;
/// assert_eq!(a.recv()?, 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AioConnection<S, R, C = Postcard> {
    end: End,
    sends: Form<S>,
    receives: Form<R>,
    types: PhantomData<fn(S, C) -> R>,
}

/// The end of a one-way pipe that receives `T`. As [`AioConnection`].
///
/// # Examples
///
/// ```
/// let (rx, tx) = aioprocessing::AioPipe::<Vec<u32>>::simplex()?;
/// tx.send(&vec![1, 2])?;
/// drop(tx);
/// assert_eq!(rx.recv()?, [1, 2]);
/// assert!(rx.recv().unwrap_err().is_closed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The other direction does not exist:
///
/// ```compile_fail,E0599
/// let (rx, tx) = aioprocessing::AioPipe::<u8>::simplex().unwrap();
/// rx.send(&1);
/// ```
pub struct AioReceiver<T, C = Postcard> {
    end: End,
    receives: Form<T>,
    types: PhantomData<fn(C) -> T>,
}

/// The end of a one-way pipe that sends `T`. As [`AioConnection`].
///
/// # Examples
///
/// ```
/// let (rx, tx) = aioprocessing::AioPipe::<f64>::simplex()?;
/// tx.send(&0.5)?;
/// assert_eq!(rx.recv()?, 0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The other direction does not exist:
///
/// ```compile_fail,E0599
/// let (rx, tx) = aioprocessing::AioPipe::<u8>::simplex().unwrap();
/// tx.recv();
/// ```
pub struct AioSender<T, C = Postcard> {
    end: End,
    sends: Form<T>,
    types: PhantomData<fn(T, C)>,
}

/// The value that a message holds.
fn unpacked<C: Codec, T: DeserializeOwned>(form: &Form<T>, message: Incoming) -> Result<T, RecvError> {
    let mut bytes = message.bytes;
    let value = match message.mark {
        None => unpack::<C, T>(&bytes, message.descriptors),
        Some(mark) => match form.bare::<C>() {
            Some(bare) if bare.mark() == mark => bare.value(&mut bytes),
            _ => Err(of_another_type::<T>()),
        }
        .map_err(|message| DecodeError::Value { message }),
    };
    value.map_err(|error| RecvError::Decode { error, bytes })
}

fn copied(message: Incoming, buffer: &mut [u8]) -> Result<usize, RecvError> {
    match buffer.get_mut(..message.bytes.len()) {
        Some(place) => {
            place.copy_from_slice(&message.bytes);
            Ok(message.bytes.len())
        }
        None => Err(RecvError::BufferTooSmall { bytes: message.bytes }),
    }
}

macro_rules! end {
    ($name:ident < $($type:ident),* > $($form:ident)*) => {
        impl<$($type,)* C> $name<$($type,)* C> {
            pub(super) fn new(end: End) -> Self {
                Self { end, $($form: Form::new(),)* types: PhantomData }
            }

            /// A second handle on this end, with a descriptor of its own. The pipe ends when all of an end's are gone.
            ///
            /// # Errors
            ///
            /// [`PipeError::Moved`] if this end was sent away; [`PipeError::Io`] if the system has no descriptor left.
            pub fn try_clone(&self) -> Result<Self, PipeError> {
                Ok(Self::new(self.end.try_clone()?))
            }
        }

        impl<$($type,)* C> $name<$($type,)* C> {
            /// The most bytes of a message that this end sends and receives; 0 once it was sent away.
            #[must_use]
            pub fn max_length(&self) -> u64 {
                self.end.max_length().unwrap_or(0)
            }

            /// Its descriptor, for a set of those that somebody waits on; `None` once it was sent away.
            #[allow(dead_code, reason = "for one of the three kinds of ends, and with tokio")]
            pub(crate) fn with_descriptor<O>(&self, look: impl FnOnce(BorrowedFd<'_>) -> O) -> Option<O> {
                self.end.with_descriptor(look)
            }

            /// Sets [`max_length`](Self::max_length) for this end, and not for the other one.
            pub fn set_max_length(&self, bytes: u64) {
                self.end.set_max_length(bytes);
            }
        }

        /// Only inside of a message or of arguments: its descriptor travels with it.
        impl<$($type,)* C: Codec> Serialize for $name<$($type,)* C> {
            fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
                (&self.end, C::NAME).serialize(serializer)
            }
        }

        impl<'de, $($type,)* C: Codec> Deserialize<'de> for $name<$($type,)* C> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let (end, codec) = <(End, String)>::deserialize(deserializer)?;
                if codec != C::NAME {
                    let (ours, theirs) = (C::NAME, codec);
                    return Err(D::Error::custom(refuse_to_unpack(format_args!(
                        "the pipe was made with the codec {theirs} and is received as one with {ours}"
                    ))));
                }
                Ok(Self::new(end))
            }
        }

        impl<$($type,)* C> fmt::Debug for $name<$($type,)* C> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.end).finish()
            }
        }
    };
}

macro_rules! readable {
    ($name:ident < $($type:ident),* >) => {
        impl<$($type,)* C> Waitable for $name<$($type,)* C> {
            fn until_ready<'a>(&'a self, mut waiter: AnyWaiter<'a>) -> Readiness<'a> {
                Box::pin(async move {
                    // An end that was sent away says so to whoever uses it.
                    let _ = never(self.end.readable(&mut waiter).await);
                    Ok(())
                })
            }
        }
    };
}

impl<S, R, C> AioConnection<S, R, C> {
    /// A connection on a socket that keeps packets apart.
    pub(crate) fn on_packets(socket: OwnedFd, max_length: u64, peer: PeerCredentials) -> Self {
        Self::new(End::new(Link::packets(socket, max_length, Some(peer))))
    }

    /// A connection on a byte stream.
    pub(crate) fn on_stream(socket: OwnedFd, max_length: u64, peer: PeerCredentials) -> Self {
        Self::new(End::new(Link::frames(socket, max_length, Some(peer), UnderWay::default())))
    }
}

/// A message that is encoded, and sent in as many attempts as it takes.
pub(crate) struct Letter(Outgoing<'static>);

impl Letter {
    /// The length of its bytes, if they are all of it.
    pub(crate) fn light_length(&self) -> Option<usize> {
        self.0.light_length()
    }

    /// Its bytes, without what it carries beside them.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

impl<S: Serialize, R, C: Codec> AioConnection<S, R, C> {
    pub(crate) fn letter(&self, value: &S) -> Result<Letter, SendError> {
        self.end.pack::<C, S>(&self.sends, value).map(|message| Letter(message.into_owned()))
    }
}

impl<S, R: DeserializeOwned, C: Codec> AioConnection<S, R, C> {
    /// Copies a long one to where it is sent from, where that is elsewhere: attempts are quick from here on.
    pub(crate) fn make_ready(&self, letter: &mut Letter) -> Result<(), SendError> {
        self.end.make_ready(&mut letter.0)
    }

    /// Sends it if there is room. `None`: there is none for all of it.
    pub(crate) fn attempt(&self, letter: &mut Letter) -> Option<Result<(), SendError>> {
        self.end.send_some(&mut letter.0)
    }

    pub(crate) async fn post<W: Waiter>(
        &self,
        waiter: &mut W,
        letter: Letter,
    ) -> Result<Result<(), SendError>, W::GaveUp> {
        self.end.send(waiter, letter.0).await
    }

    pub(crate) async fn next<W: Waiter>(&self, waiter: &mut W) -> Result<Result<R, RecvError>, W::GaveUp> {
        Ok(self.end.receive(waiter).await?.and_then(|message| unpacked::<C, R>(&self.receives, message)))
    }

    /// Makes `attempt` each time that there may be something to receive, or room to send. `Ok(None)`: this end was sent away.
    pub(crate) async fn when_ready<W: Waiter, T: Send>(
        &self,
        waiter: &mut W,
        ready: Ready,
        attempt: impl FnMut() -> Option<T> + Send,
    ) -> Result<Option<T>, W::GaveUp> {
        self.end.when_ready(waiter, ready, attempt).await
    }

    /// Goes on with a message of which a part is out, and whose sender is gone.
    pub(crate) fn flush(&self) {
        self.end.flush();
    }
}

impl<S, R, C> AioConnection<S, R, C> {
    /// The process at the other end, as the kernel vouches for it: who connected, or who listens; over TCP nobody is known, and
    /// at a pipe it is who made the pipe. Once this end was sent away, nobody.
    #[must_use]
    pub fn peer(&self) -> PeerCredentials {
        self.end.peer().unwrap_or(PeerCredentials::UNKNOWN)
    }
}

end!(AioConnection<S, R> sends receives);
end!(AioReceiver<T> receives);
end!(AioSender<T> sends);
readable!(AioConnection<S, R>);
readable!(AioReceiver<T>);
sending!(impl<S, R> AioConnection<S, R> sends S);
sending!(impl<T> AioSender<T> sends T);
receiving!(impl<S, R> AioConnection<S, R> receives R);
receiving!(impl<T> AioReceiver<T> receives T);
