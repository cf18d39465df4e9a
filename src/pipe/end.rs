//! One end of a pipe: what all its faces have in common.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::de::{Deserializer, Error as _};
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};

use super::error::{PipeError, PollError, RecvError, SendError};
use super::frames::{Frames, UnderWay};
use super::link::Link;
use super::packet::{Incoming, Outgoing};
use super::peer::PeerCredentials;
use crate::planted::planted;
use crate::sys::{socket, stream};
use crate::wait::{Ready, Waiter};
use crate::wire::{Codec, Form, claim, is_given, pack, refuse_to_pack, refuse_to_unpack, stow_and_part};

/// One end. A message takes it away from here, which is why the link is behind a lock.
#[derive(Clone)]
pub(super) struct End(Arc<Mutex<Option<Arc<Link>>>>);

impl End {
    pub(super) fn new(link: Link) -> Self {
        Self::of(Arc::new(link))
    }

    fn of(link: Arc<Link>) -> Self {
        Self(Arc::new(Mutex::new(Some(link))))
    }

    pub(super) fn pair(max_length: u64) -> Result<(Self, Self), PipeError> {
        let (one, other) = socket::pair().map_err(PipeError::Io)?;
        let end = |socket| Self::new(Link::packets(socket, max_length, None));
        Ok((end(one), end(other)))
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
        if link.as_frames().is_some() {
            // What is half sent and half received is one for all of them.
            return Ok(Self::of(link));
        }
        let socket = link.socket().try_clone_to_owned().map_err(PipeError::Io)?;
        link.share();
        let in_use = (true, link.is_warned());
        Ok(Self::new(Link::packets_in_use(socket, link.max_length(), link.peer, in_use)))
    }

    pub(super) fn max_length(&self) -> Option<u64> {
        self.link().map(|link| link.max_length())
    }

    pub(super) fn set_max_length(&self, bytes: u64) {
        if let Some(link) = self.link() {
            link.set_max_length(bytes);
        }
    }

    pub(super) fn with_descriptor<O>(&self, look: impl FnOnce(BorrowedFd<'_>) -> O) -> Option<O> {
        self.link().map(|link| look(link.source.as_fd()))
    }

    pub(super) fn peer(&self) -> Option<PeerCredentials> {
        self.link().map(|link| link.peer())
    }

    /// Makes a message of a value, to be sent from here.
    pub(super) fn pack<'v, C: Codec, T: Serialize>(
        &self,
        form: &Form<T>,
        value: &'v T,
    ) -> Result<Outgoing<'v>, SendError> {
        if let Some(bare) = form.bare::<C>()
            && self.link().is_some_and(|link| link.is_of_a_pipe())
        {
            return Ok(Outgoing::of_bare(bare.mark(), bare.bytes(value)));
        }
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
            Ok(link) => link.send(&mut message),
            Err(error) => Some(Err(error)),
        }
    }

    pub(super) fn make_ready(&self, message: &mut Outgoing<'_>) -> Result<(), SendError> {
        self.to_send(message)?.make_ready(message)
    }

    /// The same for a message that stays with the caller until it is out.
    pub(super) fn send_some(&self, message: &mut Outgoing<'_>) -> Option<Result<(), SendError>> {
        match self.to_send(message) {
            Ok(link) => link.send(message),
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
        waiter.on_fd(&link.source, Ready::Write, || link.send(&mut message)).await
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
        // This end's own share, and the one here.
        let is_alone = Arc::strong_count(&link) == 2;
        let taken = link.receive(waiter, is_alone).await;
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

    /// Makes `attempt` each time that the socket is ready, until it gives something. `Ok(None)`: this end was sent away.
    pub(super) async fn when_ready<W: Waiter, T: Send>(
        &self,
        waiter: &mut W,
        ready: Ready,
        attempt: impl FnMut() -> Option<T> + Send,
    ) -> Result<Option<T>, W::GaveUp> {
        let Some(link) = self.link() else { return Ok(None) };
        waiter.on_fd(&link.source, ready, attempt).await.map(Some)
    }

    /// Sends what is left of a frame whose sender is gone, as far as there is room.
    pub(super) fn flush(&self) {
        if let Some(link) = self.link()
            && let Some(frames) = link.as_frames()
            && frames.has_rest()
        {
            frames.flush(link.socket());
        }
    }

    /// Waits until a message is there, or the end of the pipe.
    pub(super) async fn readable<W: Waiter>(
        &self,
        waiter: &mut W,
    ) -> Result<Result<(), PollError>, W::GaveUp> {
        let Some(link) = self.link() else { return Ok(Err(PollError::Moved)) };
        link.when_readable(waiter, || link.look()).await
    }
}

/// `(luggage, the most bytes of a message, the peer, what else is known of one that is in use, what is half done on a byte stream)`.
impl Serialize for End {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let refuse = |why: &dyn fmt::Display| S::Error::custom(refuse_to_pack(why));
        let link = self.link().ok_or_else(|| refuse(&PipeError::Moved))?;
        let half_done = link.as_frames().map(Frames::under_way);
        // This end's own, and the one here.
        if half_done.is_some() && Arc::strong_count(&link) > 2 {
            return Err(refuse(&PipeError::InUse));
        }
        let socket = link.socket().try_clone_to_owned();
        let socket = socket.map_err(|error| refuse(&PipeError::Io(error)))?;
        let here = self.clone();
        let luggage = stow_and_part(socket, move || here.part()).map_err(S::Error::custom)?;
        // An operation under way here holds it for longer than this end has it; and one that is sent while its owner keeps it may be used,
        // and meet a warning, until it is out.
        let may_be_used = planted!("an-end-is-not-used-before-it-is-sent", !is_given(), false);
        let is_shared = link.is_shared() || may_be_used || Arc::strong_count(&link) > 2;
        link.share();
        let is_warned = planted!("a-moved-end-forgets-its-warning", may_be_used || link.is_warned(), false);
        let in_use = (is_shared, is_warned);
        (luggage, link.max_length(), link.peer, in_use, half_done).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for End {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (luggage, max_length, peer, in_use, half_done) =
            <(u32, u64, Option<PeerCredentials>, (bool, bool), Option<UnderWay>)>::deserialize(deserializer)?;
        let socket = claim(luggage).map_err(D::Error::custom)?;
        match half_done {
            None if socket::keeps_packets(&socket) => {
                Ok(Self::new(Link::packets_in_use(socket, max_length, peer, in_use)))
            }
            Some(half_done) if stream::is_one(&socket) => {
                Ok(Self::new(Link::frames(socket, max_length, peer, half_done)))
            }
            _ => Err(D::Error::custom(refuse_to_unpack("the descriptor that came is no end of a pipe"))),
        }
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.link() {
            Some(link) => f
                .debug_struct("End")
                .field("fd", &link.socket().as_raw_fd())
                .field("has_message", &matches!(link.look(), Some(Ok(()))))
                .field("max_length", &link.max_length())
                .finish(),
            None => f.write_str("Moved"),
        }
    }
}
