//! Messages on a byte stream: TCP, and what Python speaks on local sockets.
//!
//! ```text
//! 0..4   the length, most significant byte first; or -1, and
//! 4..12  the length, if it is more than 31 bits can say
//! ...    the bytes
//! ```
//!
//! A socket takes and gives any part of a frame. What it has not taken yet of a frame whose sender is gone lies in the
//! [`Outbox`], and goes out before the next; what it has given of one that is not complete lies in the [`Inbox`], for whoever
//! receives next. So nobody waits for anybody but the peer, and who leaves at any point harms nobody.

use std::io::IoSlice;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::error::{RecvError, SendError};
use super::packet::Outgoing;
use crate::EncodeError;
use crate::planted::planted;
use crate::sys::stream;

const SHORT: usize = 4;
const LONG: usize = 12;
/// What is received at once of a long message.
const PORTION: u64 = 128 * 1024;
/// Memory is set aside for so much of a message before its bytes have come: its length is the peer's word alone.
const TRUSTED: u64 = 1 << 20;

/// The header of a frame.
pub(crate) fn header(length: u64) -> Vec<u8> {
    match i32::try_from(length) {
        Ok(length) => length.to_be_bytes().to_vec(),
        Err(_) => [&(-1_i32).to_be_bytes()[..], &length.to_be_bytes()].concat(),
    }
}

/// The state of one connection's two directions.
#[derive(Default)]
pub(super) struct Frames {
    inbox: Mutex<Inbox>,
    outbox: Mutex<Outbox>,
    /// Something lies in the outbox. A hint: it is looked at under the lock.
    has_rest: AtomicBool,
}

/// What is under way when a connection moves to another process.
pub(super) type UnderWay = (Inbox, Vec<u8>);

impl Frames {
    pub(super) fn new((inbox, rest): UnderWay) -> Self {
        let has_rest = AtomicBool::new(!rest.is_empty());
        Self { inbox: Mutex::new(inbox), outbox: Mutex::new(Outbox { rest, ..Outbox::default() }), has_rest }
    }

    pub(super) fn under_way(&self) -> UnderWay {
        let outbox = self.outbox.lock();
        (self.inbox.lock().clone_for_a_move(), outbox.left().to_vec())
    }

    pub(super) fn has_rest(&self) -> bool {
        self.has_rest.load(Ordering::Relaxed)
    }

    /// Sends what is left of a frame whose sender is gone; whether nothing is left.
    pub(super) fn flush(&self, socket: BorrowedFd<'_>) -> bool {
        let mut outbox = self.outbox.lock();
        // Whoever sends next is told of an error.
        let is_done = !matches!(outbox.flush(socket), Ok(false));
        self.has_rest.store(!is_done, Ordering::Relaxed);
        is_done
    }

    /// Sends the message, or what is left of it. `None`: there is no room for all of it.
    pub(super) fn send(
        &self,
        socket: BorrowedFd<'_>,
        message: &mut Outgoing<'_>,
    ) -> Option<Result<(), SendError>> {
        let mut outbox = self.outbox.lock();
        let sent = outbox.send(socket, message);
        self.has_rest.store(!outbox.left().is_empty(), Ordering::Relaxed);
        match sent {
            Ok(true) => Some(Ok(())),
            Ok(false) => None,
            Err(Failed::Socket(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN)) => {
                Some(Err(SendError::Closed))
            }
            Err(Failed::Socket(error)) => Some(Err(SendError::Io(error.into()))),
            Err(Failed::Message(error)) => Some(Err(error)),
        }
    }

    /// Takes a message if all of it is here.
    pub(super) fn take(&self, socket: BorrowedFd<'_>, limit: u64) -> Option<Result<Vec<u8>, RecvError>> {
        let mut inbox = self.inbox.lock();
        if inbox.fill(socket, limit) { inbox.ready.take() } else { None }
    }

    /// Whether a message is here, or the end.
    pub(super) fn look(&self, socket: BorrowedFd<'_>, limit: u64) -> bool {
        self.inbox.lock().fill(socket, limit)
    }
}

enum Failed {
    Socket(Errno),
    Message(SendError),
}

/// The unsent rest of the frame that was begun last.
#[derive(Default)]
struct Outbox {
    rest: Vec<u8>,
    sent: usize,
    /// How many frames were begun.
    begun: u64,
}

impl Outbox {
    fn left(&self) -> &[u8] {
        self.rest.get(self.sent..).unwrap_or_default()
    }

    /// Whether all is out.
    fn flush(&mut self, socket: BorrowedFd<'_>) -> Result<bool, Errno> {
        while !self.left().is_empty() {
            match stream::send(socket, &[IoSlice::new(self.left())]) {
                Ok(sent) => self.sent += sent,
                Err(Errno::AGAIN) => return Ok(false),
                Err(error) => {
                    *self = Self { begun: self.begun, ..Self::default() };
                    return Err(error);
                }
            }
        }
        *self = Self { begun: self.begun, ..Self::default() };
        Ok(true)
    }

    /// Whether all of `message` is out.
    fn send(&mut self, socket: BorrowedFd<'_>, message: &mut Outgoing<'_>) -> Result<bool, Failed> {
        let is_flushed = planted!(
            "stream-forgets-a-left-frame",
            self.flush(socket).map_err(Failed::Socket)?,
            message.begun.is_none() || self.flush(socket).map_err(Failed::Socket)?
        );
        match message.begun {
            // What was begun after it began when it was out.
            Some(number) => return Ok(is_flushed || self.begun > number),
            None if !is_flushed => return Ok(false),
            None => {}
        }
        let Some(bytes) = message.plain() else {
            let message =
                "descriptors can't travel over TCP or to Python: connect over a local socket".to_owned();
            return Err(Failed::Message(SendError::Encode(EncodeError::Handle { message })));
        };
        let header = header(bytes.len() as u64);
        let sent = match stream::send(socket, &[IoSlice::new(&header), IoSlice::new(bytes)]) {
            Err(Errno::AGAIN) => return Ok(false),
            other => other.map_err(Failed::Socket)?,
        };
        let is_out = sent == header.len() + bytes.len();
        if !is_out {
            (self.rest, self.sent) = match (sent.checked_sub(header.len()), std::mem::take(bytes)) {
                (Some(sent), bytes) => (bytes.into_owned(), sent),
                (None, bytes) => ([&header, &*bytes].concat(), sent),
            };
        }
        self.begun += 1;
        message.begun = Some(self.begun);
        if is_out {
            return Ok(true);
        }
        // An attempt that gives nothing is followed by a wait for room, which there may be.
        self.flush(socket).map_err(Failed::Socket)
    }
}

/// The frame that is being received.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Inbox {
    state: State,
    /// A message that has come and was not taken yet, or what is wrong with it, or the end.
    #[serde(skip)]
    ready: Option<Result<Vec<u8>, RecvError>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum State {
    Header(Vec<u8>),
    Body {
        length: u64,
        bytes: Vec<u8>,
    },
    /// Too long: it goes by unread.
    Skip(u64),
    Ended,
}

impl Default for State {
    fn default() -> Self {
        Self::Header(Vec::new())
    }
}

impl Inbox {
    /// A message that lies ready travels as one whose last byte has just come.
    fn clone_for_a_move(&self) -> Self {
        let state = match &self.ready {
            Some(Ok(bytes)) => State::Body { length: bytes.len() as u64, bytes: bytes.clone() },
            _ => self.state.clone(),
        };
        Self { state, ready: None }
    }

    /// Receives what is there, up to the end of one message; whether something is ready.
    fn fill(&mut self, socket: BorrowedFd<'_>, limit: u64) -> bool {
        while self.ready.is_none() {
            self.ready = match self.step(socket, limit) {
                Ok(ready) => ready,
                Err(Errno::AGAIN) => return false,
                Err(Errno::CONNRESET) => Some(Err(self.end())),
                Err(error) => Some(Err(RecvError::Io(error.into()))),
            };
        }
        true
    }

    /// Nothing more can come: what was begun is gone with its sender.
    fn end(&mut self) -> RecvError {
        self.state = State::Ended;
        RecvError::Closed
    }

    /// Receives some, or begins and ends what the last step has made possible.
    fn step(
        &mut self,
        socket: BorrowedFd<'_>,
        limit: u64,
    ) -> Result<Option<Result<Vec<u8>, RecvError>>, Errno> {
        let received = match &mut self.state {
            State::Ended => return Ok(Some(Err(RecvError::Closed))),
            State::Header(bytes) => {
                let is_long = bytes.len() > SHORT || *bytes == (-1_i32).to_be_bytes();
                let whole = if is_long { LONG } else { SHORT };
                if bytes.len() == whole {
                    return Ok(self.begin(limit));
                }
                let wanted = (whole - bytes.len()) as u64;
                stream::receive(socket, bytes, wanted)?
            }
            State::Body { length, bytes } => {
                let left = *length - bytes.len() as u64;
                if left == 0 {
                    let bytes = std::mem::take(bytes);
                    self.state = State::default();
                    return Ok(Some(Ok(bytes)));
                }
                stream::receive(socket, bytes, left.min(PORTION))?
            }
            State::Skip(0) => {
                self.state = State::default();
                return Ok(None);
            }
            State::Skip(left) => {
                let received = stream::receive(socket, &mut Vec::new(), (*left).min(PORTION))?;
                *left -= received as u64;
                received
            }
        };
        Ok(if received == 0 { Some(Err(self.end())) } else { None })
    }

    /// The header is complete.
    fn begin(&mut self, limit: u64) -> Option<Result<Vec<u8>, RecvError>> {
        let State::Header(header) = &self.state else { return None };
        let word = header.get(..SHORT).and_then(|bytes| bytes.try_into().ok()).map_or(0, i32::from_be_bytes);
        let long = header.get(SHORT..LONG).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
        let Some(length) = long.or_else(|| u64::try_from(word).ok()) else {
            // Where the next frame begins, nobody can tell.
            self.state = State::Ended;
            return Some(Err(RecvError::Damaged("its length is negative")));
        };
        if length > limit {
            self.state = planted!("stream-keeps-what-is-too-long", State::Skip(length), State::default());
            return Some(Err(RecvError::TooLong { length, limit }));
        }
        let mut bytes = Vec::new();
        // Without that memory, receiving will say so.
        let _ = bytes.try_reserve(usize::try_from(length.min(TRUSTED)).unwrap_or(0));
        self.state = State::Body { length, bytes };
        None
    }
}
