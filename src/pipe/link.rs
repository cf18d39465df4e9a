//! The socket of an end: packets on local sockets, frames where there is only a byte stream.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::{PollError, RecvError, SendError};
use super::frames::{Frames, UnderWay};
use super::packet::{Incoming, Outgoing};
use super::packets::Packets;
use super::peer::PeerCredentials;
use crate::planted::planted;
use crate::sys::{Source, stream};
use crate::wait::{Ready, TIMES_TO_GIVE_WAY, Waiter};

/// An operation under way holds it.
pub(super) struct Link {
    pub(super) source: Source,
    max_length: AtomicU64,
    /// Who was there when the connection was made, where the socket does not say so itself.
    pub(super) peer: Option<PeerCredentials>,
    transport: Transport,
}

enum Transport {
    Packets(Packets),
    Frames(Frames),
}

impl Link {
    pub(super) fn packets(socket: OwnedFd, max_length: u64, peer: Option<PeerCredentials>) -> Self {
        Self::packets_in_use(socket, max_length, peer, (false, false))
    }

    /// The same, of a pipe in use: whether others may receive from it, and whether packets with descriptors may come.
    pub(super) fn packets_in_use(
        socket: OwnedFd,
        max_length: u64,
        peer: Option<PeerCredentials>,
        (is_shared, is_warned): (bool, bool),
    ) -> Self {
        let packets = Packets::new(is_warned);
        if is_shared {
            packets.share();
        }
        Self::new(socket, max_length, peer, Transport::Packets(packets))
    }

    pub(super) fn frames(
        socket: OwnedFd,
        max_length: u64,
        peer: Option<PeerCredentials>,
        under_way: UnderWay,
    ) -> Self {
        stream::send_at_once(&socket);
        Self::new(socket, max_length, peer, Transport::Frames(Frames::new(under_way)))
    }

    fn new(socket: OwnedFd, max_length: u64, peer: Option<PeerCredentials>, transport: Transport) -> Self {
        let (source, max_length) = (Source::new(socket), AtomicU64::new(max_length));
        Self { source, max_length, peer, transport }
    }

    /// `None`: it sends packets, and so nothing is ever half done.
    pub(super) fn as_frames(&self) -> Option<&Frames> {
        match &self.transport {
            Transport::Packets(_) => None,
            Transport::Frames(frames) => Some(frames),
        }
    }

    /// Whether the other end was made together with this one, and so is of the same types. Who connects names types of its own, of
    /// which the codec may think as of these.
    pub(super) fn is_of_a_pipe(&self) -> bool {
        self.peer.is_none() && self.as_frames().is_none()
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }

    pub(super) fn is_shared(&self) -> bool {
        matches!(&self.transport, Transport::Packets(packets) if packets.is_shared())
    }

    pub(super) fn is_warned(&self) -> bool {
        matches!(&self.transport, Transport::Packets(packets) if packets.is_warned())
    }

    /// From now on others may receive from this socket, too.
    pub(super) fn share(&self) {
        if let Transport::Packets(packets) = &self.transport {
            packets.share();
        }
    }

    pub(super) fn max_length(&self) -> u64 {
        self.max_length.load(Ordering::Relaxed)
    }

    pub(super) fn set_max_length(&self, bytes: u64) {
        self.max_length.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn peer(&self) -> PeerCredentials {
        self.peer.unwrap_or_else(|| PeerCredentials::of(self.socket()))
    }

    /// Does beforehand what takes its time in sending.
    pub(super) fn make_ready(&self, message: &mut Outgoing<'_>) -> Result<(), SendError> {
        match &self.transport {
            Transport::Packets(_) => message.make_ready(),
            Transport::Frames(_) => Ok(()),
        }
    }

    /// Sends it if there is room. `None`: there is none.
    pub(super) fn send(&self, message: &mut Outgoing<'_>) -> Option<Result<(), SendError>> {
        match &self.transport {
            Transport::Packets(packets) => packets.send(self.socket(), message),
            Transport::Frames(frames) => frames.send(self.socket(), message),
        }
    }

    /// Takes a message if one is there.
    pub(super) fn take(&self) -> Option<Result<Incoming, RecvError>> {
        match &self.transport {
            Transport::Packets(packets) => packets.take(self.socket(), self.max_length()),
            Transport::Frames(frames) => {
                let taken = frames.take(self.socket(), self.max_length())?;
                Some(taken.map(|bytes| Incoming { mark: None, bytes, descriptors: Vec::new() }))
            }
        }
    }

    /// Takes a message, once one is there. `is_alone`: nobody else is using this end at the moment.
    ///
    /// A packet wakes one of those who block in a look, and all of those who poll. One that was woken and dies, or leaves the packet
    /// where it is, would leave the others asleep: so only who is the only receiver blocks in its look.
    pub(super) async fn receive<W: Waiter>(
        &self,
        waiter: &mut W,
        is_alone: bool,
    ) -> Result<Result<Incoming, RecvError>, W::GaveUp> {
        if let Transport::Packets(packets) = &self.transport {
            let may_block =
                planted!("one-of-several-blocks-in-its-look", is_alone && !packets.is_shared(), true);
            // Threads of which each might be the one that is woken come late if they give way to each other.
            let gives_way = packets.has_sender_here() && (may_block || !waiter.is_done_at_first_poll());
            for turn in 0..if gives_way { TIMES_TO_GIVE_WAY } else { 0 } {
                let taken = if turn == 0 {
                    packets.take_or_let_send(self.socket(), self.max_length())
                } else {
                    self.take()
                };
                if let Some(taken) = taken {
                    return Ok(taken);
                }
                if !waiter.give_way().await {
                    break;
                }
            }
            if W::ATTEMPT_MAY_BLOCK
                && may_block
                && let Some(taken) = packets.wait_and_take(self.socket(), self.max_length())
            {
                return Ok(taken);
            }
        }
        self.when_readable(waiter, || self.take()).await
    }

    /// Whether a message is there, or the end; both stay.
    pub(super) fn look(&self) -> Option<Result<(), PollError>> {
        let looked = match &self.transport {
            Transport::Packets(packets) => packets.look(self.socket()),
            Transport::Frames(frames) => Ok(frames.look(self.socket(), self.max_length())),
        };
        match looked {
            Ok(false) => None,
            Ok(true) => Some(Ok(())),
            Err(error) => Some(Err(PollError::Io(error))),
        }
    }

    /// Makes `attempt` each time that something comes, until it gives something.
    ///
    /// What is left of a frame goes out meanwhile: the peer may not answer before it has all of it.
    pub(super) async fn when_readable<W: Waiter, T: Send>(
        &self,
        waiter: &mut W,
        mut attempt: impl FnMut() -> Option<T> + Send,
    ) -> Result<T, W::GaveUp> {
        if let Some(frames) = self.as_frames()
            && frames.has_rest()
        {
            let got_or_flushed = || match attempt() {
                None => frames.flush(self.socket()).then_some(None),
                got => Some(got),
            };
            if let Some(got) = waiter.on_fd(&self.source, Ready::Either, got_or_flushed).await? {
                return Ok(got);
            }
        }
        waiter.on_fd(&self.source, Ready::Read, attempt).await
    }
}
