//! A packet that is taken.

use std::cell::RefCell;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use super::{ALL_FLAGS, BARE, CAREFUL, CPU_SHIFT, Cpu, Header, INLINE, LONGEST_HEADER, SPILLED, WARNING};
use crate::pipe::error::RecvError;
use crate::planted::planted;
use crate::sys::{socket, spill};

thread_local! {
    /// Where packets are received, before it is known how long they are.
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A message that was taken.
#[derive(Debug)]
pub(in crate::pipe) struct Incoming {
    /// If it is a value that is its own bytes: of what kind.
    pub(in crate::pipe) mark: Option<u64>,
    pub(in crate::pipe) bytes: Vec<u8>,
    pub(in crate::pipe) descriptors: Vec<OwnedFd>,
}

/// A packet that was taken; a long message is still in its file.
#[derive(Debug)]
pub(in crate::pipe) struct Received {
    mark: Option<u64>,
    bytes: Vec<u8>,
    descriptors: Vec<OwnedFd>,
    /// The length of the message, and whether its file comes first among the descriptors.
    length: u64,
    is_spilled: bool,
    /// Where its sender ran.
    pub(in crate::pipe) cpu: Cpu,
}

impl Received {
    /// The message, if it has no more than `limit` bytes.
    pub(in crate::pipe) fn open(mut self, limit: u64) -> Result<Incoming, RecvError> {
        if self.length > limit {
            return Err(RecvError::TooLong { length: self.length, limit });
        }
        if self.is_spilled {
            if self.descriptors.is_empty() {
                return Err(RecvError::Damaged("its file is missing"));
            }
            self.bytes = spill::fetch(self.descriptors.remove(0), self.length).map_err(|error| {
                if error.kind() == io::ErrorKind::InvalidData {
                    RecvError::Damaged("its file is not what it should be")
                } else {
                    RecvError::Io(error)
                }
            })?;
        }
        Ok(Incoming { mark: self.mark, bytes: self.bytes, descriptors: self.descriptors })
    }
}

/// The first byte of the next packet, as a look has found it.
pub(in crate::pipe) type Flags = u8;

/// Blocks the thread until a packet is there, or the end, which gives `None`; that, too, if it could not block.
pub(in crate::pipe) fn wait(socket: BorrowedFd<'_>) -> Option<Flags> {
    socket::wait_for_byte(socket).unwrap_or_default()
}

/// How a receiver goes about it.
#[derive(Clone, Copy)]
pub(in crate::pipe) enum Care {
    /// No packet is CAREFUL.
    Blind,
    /// The flags of the next packet are known, or looked at.
    Looks(Option<Flags>),
    /// The same, where somebody else, here or in another process, may take a packet in between.
    Shares(Option<Flags>),
}

/// What a packet was.
pub(in crate::pipe) enum Taken {
    Message(Received),
    Warning,
}

/// Takes a packet. `None`: there is none. One without room for its descriptors stays where it is.
pub(in crate::pipe) fn take(socket: BorrowedFd<'_>, care: Care) -> Option<Result<Taken, RecvError>> {
    match settled(|| attempt(socket, care)) {
        Ok(taken) => Some(Ok(taken)),
        Err(Failed::Receive(error)) => Some(Err(error)),
        Err(Failed::Socket(error)) if error.kind() == io::ErrorKind::WouldBlock => None,
        Err(Failed::Socket(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
            Some(Err(RecvError::Closed))
        }
        Err(Failed::Socket(error)) => Some(Err(RecvError::Io(error))),
    }
}

/// The flags of the next packet, which stays where it is; none are set at the end of the pipe. `None`: nothing is there.
pub(in crate::pipe) fn look(socket: BorrowedFd<'_>) -> io::Result<Option<Flags>> {
    let looked = settled(|| socket::peek_byte(socket).map_err(Failed::Socket));
    match looked {
        Ok(flags) => Ok(Some(flags.unwrap_or_default())),
        Err(Failed::Socket(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(Failed::Socket(error)) if error.kind() != io::ErrorKind::ConnectionReset => Err(error),
        Err(_) => Ok(Some(0)),
    }
}

pub(in crate::pipe) fn is_warning(flags: Flags) -> bool {
    flags & ALL_FLAGS == WARNING
}

fn is_careful(flags: Flags) -> bool {
    planted!("pipe-takes-without-a-look", flags & CAREFUL != 0, false)
}

enum Failed {
    Receive(RecvError),
    Socket(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Socket(error)
    }
}

/// A peer that leaves something unread resets the connection, once; what it had sent before lies there still.
fn settled<T>(mut attempt: impl FnMut() -> Result<T, Failed>) -> Result<T, Failed> {
    match attempt() {
        Err(Failed::Socket(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
            planted!("pipe-forgets-what-came-before-a-reset", attempt(), Err(Failed::Socket(error)))
        }
        other => other,
    }
}

fn attempt(socket: BorrowedFd<'_>, care: Care) -> Result<Taken, Failed> {
    let is_careful = match care {
        Care::Blind => false,
        Care::Looks(Some(flags)) | Care::Shares(Some(flags)) => is_careful(flags),
        Care::Looks(None) | Care::Shares(None) => {
            is_careful(socket::peek_byte(socket)?.ok_or(Failed::Receive(RecvError::Closed))?)
        }
    };
    let looked_at = if is_careful { Some(look_at_descriptors(socket)?) } else { None };
    ROOM.with_borrow_mut(|room| {
        room.resize(LONGEST_HEADER + INLINE, 0);
        // What was seen is what is taken, unless it is shared.
        let is_shared = planted!("pipe-takes-bytes-alone", matches!(care, Care::Shares(_)), false);
        let has_descriptors = is_careful || is_shared;
        let mut packet = if has_descriptors {
            socket::receive(socket, room)?
        } else {
            socket::receive_bytes(socket, room)?
        };
        if packet.length < planted!("pipe-empty-is-the-end", 1, 2) {
            return Err(Failed::Receive(RecvError::Closed));
        }
        let bytes = room.get(..packet.length).unwrap_or_default();
        if bytes.first().is_some_and(|&flags| is_warning(flags)) {
            return Ok(Taken::Warning);
        }
        let parsed = if packet.bytes_lost { None } else { Header::from_bytes(bytes) };
        let (header, rest) = parsed.ok_or(Failed::Receive(RecvError::Damaged("it has another form")))?;
        if !has_descriptors && header.flags & CAREFUL != 0 {
            return Err(Failed::Receive(RecvError::Damaged(
                "it came without a warning, and its descriptors are gone",
            )));
        }
        if packet.descriptors_lost {
            // Somebody took the room since the look. What was seen then is the same, if it was of this packet.
            match looked_at {
                Some((number, seen)) if number == header.number => packet.descriptors = seen,
                _ => return Err(Failed::Receive(RecvError::Damaged("its descriptors did not fit"))),
            }
        }
        let is_spilled = header.flags & SPILLED != 0;
        let length = if is_spilled { header.length } else { rest.len() as u64 };
        let mark = (header.flags & BARE != 0).then_some(header.mark);
        let cpu = Cpu::from_bits(bytes.first().map_or(0, |first| first >> CPU_SHIFT));
        Ok(Taken::Message(Received {
            mark,
            bytes: rest.to_vec(),
            descriptors: packet.descriptors,
            length,
            is_spilled,
            cpu,
        }))
    })
}

/// The number of the next packet, and copies of its descriptors: there is room for them.
fn look_at_descriptors(socket: BorrowedFd<'_>) -> Result<(u64, Vec<OwnedFd>), Failed> {
    let mut header = [0; LONGEST_HEADER];
    let packet = socket::peek(socket, &mut header)?;
    if packet.descriptors_lost {
        return Err(Failed::Receive(RecvError::NoDescriptors));
    }
    let seen = header.get(..packet.length).unwrap_or_default();
    let number = Header::from_bytes(seen).map_or(0, |(header, _)| header.number);
    Ok((number, packet.descriptors))
}
