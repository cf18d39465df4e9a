//! One greeting on one socket: what comes is taken as far as it has come, what is to be said goes out as far as it goes.

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::HandshakeError;
use super::{ours, python};
use crate::PeerCredentials;
use crate::pipe::frames::header;
use crate::planted::planted;
use crate::sys::{socket, stream};

/// No frame of either protocol is longer.
const LONGEST: usize = 256;
const HEADER: usize = 4;

/// The two protocols, as what is to be said to what was heard.
#[derive(Debug)]
pub(super) enum Talk {
    Ours(ours::Talk),
    Python(python::Talk),
}

/// What is said next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) frames: Vec<Vec<u8>>,
    /// Nothing more is to be heard.
    pub(super) is_done: bool,
}

/// Why there is nothing more to say, and the last word.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) last: Option<Vec<u8>>,
    pub(super) error: HandshakeError,
}

impl From<HandshakeError> for Failure {
    fn from(error: HandshakeError) -> Self {
        Self { last: None, error }
    }
}

impl Talk {
    pub(super) fn begin(&mut self) -> Reply {
        match self {
            Self::Ours(talk) => talk.begin(),
            Self::Python(talk) => talk.begin(),
        }
    }

    pub(super) fn hear(&mut self, frame: &[u8]) -> Result<Reply, Failure> {
        match self {
            Self::Ours(talk) => talk.hear(frame),
            Self::Python(talk) => talk.hear(frame),
        }
    }
}

/// What both sides go on with.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) socket: OwnedFd,
    pub(super) keeps_packets: bool,
    pub(super) peer: PeerCredentials,
}

/// A talk on its socket.
#[derive(Debug)]
pub(super) struct Exchange {
    socket: OwnedFd,
    peer: PeerCredentials,
    talk: Talk,
    /// The frame that is being heard.
    heard: Vec<u8>,
    unsaid: Vec<u8>,
    is_done: bool,
    hands_over: HandsOver,
}

/// The packet socket that a local connection goes on over.
#[derive(Debug)]
enum HandsOver {
    /// There is none: the stream itself goes on.
    Never,
    /// The listener makes it, and sends its other end with its last word.
    Gives,
    Takes(Option<OwnedFd>),
}

impl Exchange {
    pub(super) fn new(socket: OwnedFd, mut talk: Talk, is_listener: bool, is_local: bool) -> Self {
        let peer = PeerCredentials::of(socket.as_fd());
        let hands_over = match (&talk, is_local) {
            (Talk::Ours(_), true) if is_listener => HandsOver::Gives,
            (Talk::Ours(_), true) => HandsOver::Takes(None),
            _ => HandsOver::Never,
        };
        let reply = talk.begin();
        let mut exchange =
            Self { socket, peer, talk, heard: Vec::new(), unsaid: Vec::new(), is_done: false, hands_over };
        exchange.say(reply);
        exchange
    }

    pub(super) fn peer(&self) -> PeerCredentials {
        self.peer
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn say(&mut self, reply: Reply) {
        for frame in reply.frames {
            self.unsaid.extend(header(frame.len() as u64));
            self.unsaid.extend(frame);
        }
        self.is_done |= reply.is_done;
    }

    /// Goes on as far as that goes at once. `None`: the other side is to go on.
    pub(super) fn step(&mut self) -> Option<Result<(), HandshakeError>> {
        loop {
            if self.is_done && matches!(self.hands_over, HandsOver::Gives) {
                return Some(Ok(()));
            }
            match self.flush() {
                Ok(true) if self.is_done => return Some(Ok(())),
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
            let frame = match self.listen() {
                Ok(Some(frame)) => frame,
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            };
            match self.talk.hear(&frame) {
                Ok(reply) => self.say(reply),
                Err(failure) => {
                    self.say(Reply { frames: failure.last.into_iter().collect(), is_done: true });
                    // It is told if it listens; nobody waits for it.
                    let _ = self.flush();
                    return Some(Err(failure.error));
                }
            }
        }
    }

    /// Whether everything is said.
    fn flush(&mut self) -> Result<bool, HandshakeError> {
        while !self.unsaid.is_empty() {
            match stream::send(self.socket.as_fd(), &[IoSlice::new(&self.unsaid)]) {
                Ok(sent) => drop(self.unsaid.drain(..sent)),
                Err(Errno::AGAIN) => return Ok(false),
                Err(error) => return Err(gone(error)),
            }
        }
        Ok(true)
    }

    /// The next frame, once it is complete. Not a byte more is taken: what follows it may belong to the connection.
    fn listen(&mut self) -> Result<Option<Vec<u8>>, HandshakeError> {
        loop {
            let whole = match self.heard.first_chunk::<HEADER>() {
                None => HEADER,
                Some(header) => match usize::try_from(i32::from_be_bytes(*header)) {
                    Ok(length) if length <= planted!("a-greeting-has-no-bound", LONGEST, usize::MAX) => {
                        HEADER + length
                    }
                    _ => return Err(HandshakeError::Protocol("a greeting is too long")),
                },
            };
            if self.heard.len() >= HEADER && self.heard.len() == whole {
                let frame = self.heard.split_off(HEADER);
                self.heard.clear();
                return Ok(Some(frame));
            }
            match self.receive(whole - self.heard.len()) {
                Ok(0) => return Err(HandshakeError::Left),
                Ok(_) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::TOOMANYREFS) => return Err(HandshakeError::NoDescriptors),
                Err(error) => return Err(gone(error)),
            }
        }
    }

    fn receive(&mut self, wanted: usize) -> Result<usize, Errno> {
        let HandsOver::Takes(taken) = &mut self.hands_over else {
            // A client has nothing to send along: the kernel closes it.
            return stream::receive(self.socket.as_fd(), &mut self.heard, wanted as u64);
        };
        let mut buffer = vec![0; wanted];
        let packet = socket::receive(&self.socket, &mut buffer)
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        if packet.descriptors_lost {
            return Err(Errno::TOOMANYREFS);
        }
        if let Some(came) = packet.descriptors.into_iter().next() {
            *taken = Some(came);
        }
        self.heard.extend(buffer.get(..packet.length).unwrap_or_default());
        Ok(packet.length)
    }

    /// After a `step` that went well: what the connection goes on over.
    pub(super) fn finish(self) -> Result<Made, HandshakeError> {
        let peer = self.peer;
        match self.hands_over {
            HandsOver::Never => Ok(Made { socket: self.socket, keeps_packets: false, peer }),
            HandsOver::Takes(Some(socket)) if socket::keeps_packets(&socket) => {
                Ok(Made { socket, keeps_packets: true, peer })
            }
            HandsOver::Takes(_) => Err(HandshakeError::Protocol("the connection itself did not come")),
            HandsOver::Gives => {
                let (here, there) = socket::pair().map_err(HandshakeError::Io)?;
                let parts = [IoSlice::new(&self.unsaid)];
                socket::send(&self.socket, &parts, &[there.as_fd()]).map_err(|error| match error.kind() {
                    std::io::ErrorKind::WouldBlock => HandshakeError::TooSlow,
                    std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset => {
                        HandshakeError::Left
                    }
                    _ => HandshakeError::Io(error),
                })?;
                Ok(Made { socket: here, keeps_packets: true, peer })
            }
        }
    }
}

fn gone(error: Errno) -> HandshakeError {
    match error {
        Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN => HandshakeError::Left,
        error => HandshakeError::Io(error.into()),
    }
}
