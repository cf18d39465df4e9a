//! One end of a pipe: what all its faces have in common.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::de::{Deserializer, Error as _};
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};

use super::error::{PipeError, PollError, RecvError, SendError};
use super::packet::{self, Incoming, Outgoing};
use crate::planted::planted;
use crate::sys::{Source, socket};
use crate::wait::{Ready, Waiter};
use crate::wire::{Codec, claim, pack, refuse_to_pack, refuse_to_unpack, stow_and_part};

/// One end. A message takes it away from here, which is why the link is behind a lock.
#[derive(Clone)]
pub(super) struct End(Arc<Mutex<Option<Arc<Link>>>>);

/// The socket of an end. An operation under way holds it.
pub(super) struct Link {
    source: Source,
    /// Between the look at a packet and its taking. Nobody waits while holding it.
    taking: Mutex<()>,
    max_length: AtomicU64,
}

impl End {
    pub(super) fn new(socket: OwnedFd, max_length: u64) -> Self {
        let max_length = AtomicU64::new(max_length);
        let link = Link { source: Source::duplex(socket), taking: Mutex::new(()), max_length };
        Self(Arc::new(Mutex::new(Some(Arc::new(link)))))
    }

    pub(super) fn pair(max_length: u64) -> Result<(Self, Self), PipeError> {
        let (one, other) = socket::pair().map_err(PipeError::Io)?;
        Ok((Self::new(one, max_length), Self::new(other, max_length)))
    }

    /// `None`: it was sent away.
    fn link(&self) -> Option<Arc<Link>> {
        self.0.lock().clone()
    }

    /// Closes it here.
    fn part(&self) {
        let link = self.0.lock().take();
        // Its registrations end outside of the lock.
        drop(link);
    }

    pub(super) fn try_clone(&self) -> Result<Self, PipeError> {
        let link = self.link().ok_or(PipeError::Moved)?;
        let socket = link.source.as_fd().try_clone_to_owned().map_err(PipeError::Io)?;
        Ok(Self::new(socket, link.max_length()))
    }

    pub(super) fn max_length(&self) -> Option<u64> {
        self.link().map(|link| link.max_length())
    }

    pub(super) fn set_max_length(&self, bytes: u64) {
        if let Some(link) = self.link() {
            link.max_length.store(bytes, Ordering::Relaxed);
        }
    }

    pub(super) fn with_descriptor<O>(&self, look: impl FnOnce(BorrowedFd<'_>) -> O) -> Option<O> {
        self.link().map(|link| look(link.source.as_fd()))
    }

    /// Encodes a value, to be sent from here.
    pub(super) fn pack<C: Codec, T: Serialize + ?Sized>(
        &self,
        value: &T,
    ) -> Result<Outgoing<'static>, SendError> {
        pack::<C, T>(value).map(Outgoing::of_packed).map_err(SendError::Encode)
    }

    fn to_send(&self, message: &Outgoing<'_>) -> Result<Arc<Link>, SendError> {
        let link = self.link().ok_or(SendError::Moved)?;
        let (length, limit) = (message.length(), link.max_length());
        if length > limit { Err(SendError::TooLong { length, limit }) } else { Ok(link) }
    }

    /// Sends it if there is room. `None`: there is none.
    pub(super) fn send_now(&self, mut message: Outgoing<'_>) -> Option<Result<(), SendError>> {
        match self.to_send(&message) {
            Ok(link) => message.attempt(link.source.as_fd()),
            Err(error) => Some(Err(error)),
        }
    }

    pub(super) async fn send<W: Waiter>(
        &self,
        waiter: &mut W,
        mut message: Outgoing<'_>,
    ) -> Result<Result<(), SendError>, W::GaveUp> {
        let link = match self.to_send(&message) {
            Ok(link) => link,
            Err(error) => return Ok(Err(error)),
        };
        let source = &link.source;
        waiter.on_fd(source, Ready::Write, || message.attempt(source.as_fd())).await
    }

    /// Takes a message if one is there.
    pub(super) fn receive_now(&self) -> Option<Result<Incoming, RecvError>> {
        match self.link() {
            Some(link) => link.take(),
            None => Some(Err(RecvError::Moved)),
        }
    }

    pub(super) async fn receive<W: Waiter>(
        &self,
        waiter: &mut W,
    ) -> Result<Result<Incoming, RecvError>, W::GaveUp> {
        let Some(link) = self.link() else { return Ok(Err(RecvError::Moved)) };
        let taken = waiter.on_fd(&link.source, Ready::Read, || link.take()).await;
        planted!("pipe-waits-after-taking", taken, {
            let mut is_first = true;
            let pause = std::future::poll_fn(|cx| {
                cx.waker().wake_by_ref();
                if std::mem::take(&mut is_first) {
                    std::task::Poll::Pending
                } else {
                    std::task::Poll::Ready(())
                }
            });
            pause.await;
            taken
        })
    }

    /// Waits until a message is there, or the end of the pipe.
    pub(super) async fn readable<W: Waiter>(
        &self,
        waiter: &mut W,
    ) -> Result<Result<(), PollError>, W::GaveUp> {
        let Some(link) = self.link() else { return Ok(Err(PollError::Moved)) };
        waiter.on_fd(&link.source, Ready::Read, || link.look()).await
    }
}

impl Link {
    fn max_length(&self) -> u64 {
        self.max_length.load(Ordering::Relaxed)
    }

    fn take(&self) -> Option<Result<Incoming, RecvError>> {
        let taken = {
            let _alone = self.taking.lock();
            packet::take(self.source.as_fd())?
        };
        Some(taken.and_then(|taken| taken.open(self.max_length())))
    }

    fn look(&self) -> Option<Result<(), PollError>> {
        match packet::look(self.source.as_fd()) {
            Ok(false) => None,
            Ok(true) => Some(Ok(())),
            Err(error) => Some(Err(PollError::Io(error))),
        }
    }
}

/// `(luggage, the most bytes of a message)`.
impl Serialize for End {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let link = self.link().ok_or_else(|| S::Error::custom(refuse_to_pack(PipeError::Moved)))?;
        let socket = link.source.as_fd().try_clone_to_owned();
        let socket = socket.map_err(|error| S::Error::custom(refuse_to_pack(PipeError::Io(error))))?;
        let here = self.clone();
        let luggage = stow_and_part(socket, move || here.part()).map_err(S::Error::custom)?;
        (luggage, link.max_length()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for End {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (luggage, max_length) = <(u32, u64)>::deserialize(deserializer)?;
        let socket = claim(luggage).map_err(D::Error::custom)?;
        if !socket::keeps_packets(&socket) {
            return Err(D::Error::custom(refuse_to_unpack("the descriptor that came is no end of a pipe")));
        }
        Ok(Self::new(socket, max_length))
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.link() {
            Some(link) => f
                .debug_struct("End")
                .field("fd", &link.source.as_fd().as_raw_fd())
                .field("has_message", &packet::look(link.source.as_fd()).unwrap_or(false))
                .field("max_length", &link.max_length())
                .finish(),
            None => f.write_str("Moved"),
        }
    }
}
