//! One message, one packet of a SOCK_SEQPACKET socket: whole or absent, never interleaved with another.
//!
//! ```text
//! 0      flags: SPILLED, CAREFUL, BARE; in the upper five bits where the sender ran, a hint
//! 1..9   CAREFUL: a number that no other packet of the pipe has
//! 9..17  SPILLED: the length of the message, which lies in a sealed file, the first descriptor
//! 8 more BARE: the mark of a value that is its own bytes, as `wire/bare.rs` makes it
//! ...    the bytes
//! ```
//!
//! The flags make an empty message different from the end of the pipe. A packet with descriptors is CAREFUL: a receiver
//! looks whether it has room for them before it takes the packet, because the kernel drops what does not fit.

use std::borrow::Cow;
use std::cell::RefCell;
use std::hash::BuildHasher;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;

use super::error::{RecvError, SendError};
use crate::planted::planted;
use crate::sys::socket::{self, MOST_DESCRIPTORS};
use crate::sys::{cpu, spill};
use crate::wire::Parting;
use crate::{EncodeError, wire};

const SPILLED: u8 = 1;
const CAREFUL: u8 = 2;
const BARE: u8 = 4;
const ALL_FLAGS: u8 = SPILLED | CAREFUL | BARE;
const CPU_SHIFT: u32 = 3;
/// Longer messages go into a file.
const INLINE: usize = 64 * 1024;
const LONGEST_HEADER: usize = 25;
/// Up to this length a packet without descriptors is copied to be in one piece, header and all, for which the kernel has less to do.
const SHORT: usize = 256;

thread_local! {
    /// Where packets are received, before it is known how long they are.
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A number for a packet: counted from a random start in each process, so that no two of a pipe are the same.
fn number() -> u64 {
    static NEXT: LazyLock<AtomicU64> =
        LazyLock::new(|| AtomicU64::new(std::hash::RandomState::new().hash_one(std::process::id())));
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Where somebody ran, as far as five bits can tell; zero: not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cpu(u8);

impl Cpu {
    pub(super) const UNKNOWN: Self = Self(0);

    pub(super) fn here() -> Self {
        Self(cpu::current().checked_sub(1).map_or(0, |cpu| (cpu % 31) as u8 + 1))
    }

    pub(super) fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    pub(super) fn to_bits(self) -> u8 {
        self.0
    }
}

/// A message on its way out.
#[derive(Debug)]
pub(super) struct Outgoing<'a> {
    bytes: Cow<'a, [u8]>,
    /// The file first, once there is one.
    descriptors: Vec<OwnedFd>,
    header: Header,
    parting: Parting,
    /// Its number among the frames of a byte stream, once a part of it is out.
    pub(super) begun: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Header {
    flags: u8,
    number: u64,
    length: u64,
    mark: u64,
}

impl Header {
    const EMPTY: Self = Self { flags: 0, number: 0, length: 0, mark: 0 };

    fn to_bytes(self) -> ([u8; LONGEST_HEADER], usize) {
        let mut bytes = [0; LONGEST_HEADER];
        bytes[0] = self.flags | Cpu::here().to_bits() << CPU_SHIFT;
        bytes[1..9].copy_from_slice(&self.number.to_le_bytes());
        bytes[9..17].copy_from_slice(&self.length.to_le_bytes());
        let mut length = Self::length_without_mark(self.flags);
        if self.flags & BARE != 0 {
            bytes[length..length + 8].copy_from_slice(&self.mark.to_le_bytes());
            length += 8;
        }
        (bytes, length)
    }

    fn length_without_mark(flags: u8) -> usize {
        match flags & !BARE {
            0 => 1,
            CAREFUL => 9,
            _ => 17,
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let flags = *bytes.first()? & ALL_FLAGS;
        if !matches!(flags & !BARE, 0 | CAREFUL) && flags & !BARE != SPILLED | CAREFUL {
            return None;
        }
        let (header, rest) = bytes.split_at_checked(Self::length_without_mark(flags))?;
        let word = |at: usize| Some(u64::from_le_bytes(header.get(at..at + 8)?.try_into().ok()?));
        let (number, length) = (word(1).unwrap_or(0), word(9).unwrap_or(0));
        if flags & BARE == 0 {
            return Some((Self { flags, number, length, mark: 0 }, rest));
        }
        let (mark, rest) = rest.split_first_chunk()?;
        Some((Self { flags, number, length, mark: u64::from_le_bytes(*mark) }, rest))
    }
}

impl<'a> Outgoing<'a> {
    pub(super) fn of_bytes(bytes: &'a [u8]) -> Self {
        let header = Header { length: bytes.len() as u64, ..Header::EMPTY };
        Self {
            bytes: bytes.into(),
            descriptors: Vec::new(),
            header,
            parting: Parting::default(),
            begun: None,
        }
    }

    /// A value that is its own bytes.
    pub(super) fn of_bare(mark: u64, bytes: &'a [u8]) -> Self {
        let mut message = Self::of_bytes(bytes);
        message.header = Header { flags: BARE, mark, ..message.header };
        message
    }

    pub(super) fn into_owned(self) -> Outgoing<'static> {
        let Self { bytes, descriptors, header, parting, begun } = self;
        Outgoing { bytes: bytes.into_owned().into(), descriptors, header, parting, begun }
    }

    pub(super) fn of_packed(packed: wire::Packed) -> Outgoing<'static> {
        let careful = !packed.descriptors.is_empty();
        let header = Header {
            flags: if careful { CAREFUL } else { 0 },
            number: if careful { number() } else { 0 },
            length: packed.bytes.len() as u64,
            mark: 0,
        };
        let (bytes, descriptors) = (packed.bytes.into(), packed.descriptors);
        Outgoing { bytes, descriptors, header, parting: packed.parting, begun: None }
    }

    pub(super) fn length(&self) -> u64 {
        self.header.length
    }

    /// How many bytes it has, if they are all of it and none is out.
    pub(super) fn light_length(&self) -> Option<usize> {
        let is_light = self.descriptors.is_empty() && self.begun.is_none();
        is_light.then_some(self.bytes.len())
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes.into_owned()
    }

    /// The bytes, unless descriptors belong to them.
    pub(super) fn plain(&mut self) -> Option<&mut Cow<'a, [u8]>> {
        if self.descriptors.is_empty() { Some(&mut self.bytes) } else { None }
    }

    /// A long one goes in a file. Copied before, its sender is not kept at it while others wait.
    pub(super) fn make_ready(&mut self) -> Result<(), SendError> {
        if self.bytes.len() > INLINE { self.spill() } else { Ok(()) }
    }

    /// Sends it if there is room, whole or not at all. `None`: there is none.
    pub(super) fn attempt(&mut self, socket: BorrowedFd<'_>) -> Option<Result<(), SendError>> {
        if let Err(error) = self.make_ready() {
            return Some(Err(error));
        }
        let first =
            planted!("pipe-parts-before-it-sends", Parting::default(), std::mem::take(&mut self.parting));
        first.complete();
        let mut sent = self.send(socket);
        if matches!(sent, Err(Errno::MSGSIZE | Errno::NOBUFS)) && self.header.flags & SPILLED == 0 {
            if let Err(error) = self.spill() {
                return Some(Err(error));
            }
            sent = self.send(socket);
        }
        match sent {
            Ok(()) => {
                let parting = std::mem::take(&mut self.parting);
                planted!("pipe-keeps-what-it-sent", parting.complete(), drop(parting));
                Some(Ok(()))
            }
            Err(Errno::AGAIN) => None,
            // Whichever of these comes depends on where the other end was in going away.
            Err(Errno::PIPE | Errno::CONNRESET | Errno::CONNREFUSED | Errno::NOTCONN) => {
                Some(Err(SendError::Closed))
            }
            Err(error) => Some(Err(SendError::Io(error.into()))),
        }
    }

    /// Puts the bytes into a file, once.
    fn spill(&mut self) -> Result<(), SendError> {
        let count = self.descriptors.len() + 1;
        if count > MOST_DESCRIPTORS {
            // The file takes the place of one of them.
            let limit = MOST_DESCRIPTORS - 1;
            return Err(SendError::Encode(EncodeError::TooManyDescriptors { count: count - 1, limit }));
        }
        self.descriptors.insert(0, spill::store(&self.bytes).map_err(SendError::Io)?);
        self.header.number = number();
        self.header.flags |= SPILLED | CAREFUL;
        self.bytes = Cow::Borrowed(&[]);
        Ok(())
    }

    fn send(&self, socket: BorrowedFd<'_>) -> Result<(), Errno> {
        let (header, length) = self.header.to_bytes();
        let whole = length + self.bytes.len();
        let mut copy = [0; SHORT];
        if self.descriptors.is_empty()
            && let Some((first, rest)) =
                copy.get_mut(..whole).and_then(|copy| copy.split_at_mut_checked(length))
        {
            first.copy_from_slice(&header[..length]);
            rest.copy_from_slice(&self.bytes);
            let sent = planted!("pipe-sends-in-two-parts", socket::send_bytes(socket, &copy[..whole]), {
                let half = length + (whole - length) / 2;
                socket::send_bytes(socket, &copy[..half]).and_then(|()| {
                    copy.copy_within(half..whole, length);
                    socket::send_bytes(socket, &copy[..length + whole - half])
                })
            });
            return sent.map_err(errno);
        }
        let parts = [IoSlice::new(&header[..length]), IoSlice::new(&self.bytes)];
        let descriptors: Vec<_> = self.descriptors.iter().map(AsFd::as_fd).collect();
        let sent = planted!("pipe-sends-in-two-parts", socket::send(socket, &parts, &descriptors), {
            let (half, rest) = self.bytes.split_at(self.bytes.len() / 2);
            socket::send(socket, &[parts[0], IoSlice::new(half)], &descriptors)
                .and_then(|()| socket::send(socket, &[parts[0], IoSlice::new(rest)], &[]))
        });
        sent.map_err(errno)
    }
}

fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

/// A message that was taken.
#[derive(Debug)]
pub(super) struct Incoming {
    /// If it is a value that is its own bytes: of what kind.
    pub(super) mark: Option<u64>,
    pub(super) bytes: Vec<u8>,
    pub(super) descriptors: Vec<OwnedFd>,
}

/// A packet that was taken; a long message is still in its file.
#[derive(Debug)]
pub(super) struct Received {
    mark: Option<u64>,
    bytes: Vec<u8>,
    descriptors: Vec<OwnedFd>,
    /// The length of the message, and whether its file comes first among the descriptors.
    length: u64,
    is_spilled: bool,
    /// Where its sender ran.
    pub(super) cpu: Cpu,
}

impl Received {
    /// The message, if it has no more than `limit` bytes.
    pub(super) fn open(mut self, limit: u64) -> Result<Incoming, RecvError> {
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
pub(super) type Flags = u8;

/// Blocks the thread until a packet is there, or the end, which gives `None`; that, too, if it could not block.
pub(super) fn wait(socket: BorrowedFd<'_>) -> Option<Flags> {
    socket::wait_for_byte(socket).unwrap_or_default()
}

/// Takes a packet, whose flags may be known already. `None`: there is none. One without room for its descriptors stays where it
/// is. `is_shared`: somebody else, here or in another process, may take one in between.
pub(super) fn take(
    socket: BorrowedFd<'_>,
    is_shared: bool,
    mut known: Option<Flags>,
) -> Option<Result<Received, RecvError>> {
    match settled(|| attempt(socket, is_shared, known.take())) {
        Ok(taken) => Some(Ok(taken)),
        Err(Failed::Receive(error)) => Some(Err(error)),
        Err(Failed::Socket(error)) if error.kind() == io::ErrorKind::WouldBlock => None,
        Err(Failed::Socket(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
            Some(Err(RecvError::Closed))
        }
        Err(Failed::Socket(error)) => Some(Err(RecvError::Io(error))),
    }
}

/// Whether something is there, a message or the end of the pipe; both stay.
pub(super) fn look(socket: BorrowedFd<'_>) -> io::Result<bool> {
    let looked = settled(|| socket::peek_byte(socket).map_err(Failed::Socket));
    match looked {
        Err(Failed::Socket(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(Failed::Socket(error)) if error.kind() != io::ErrorKind::ConnectionReset => Err(error),
        _ => Ok(true),
    }
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

fn attempt(socket: BorrowedFd<'_>, is_shared: bool, known: Option<Flags>) -> Result<Received, Failed> {
    let flags = match known {
        Some(flags) => flags,
        None => socket::peek_byte(socket)?.ok_or(Failed::Receive(RecvError::Closed))?,
    };
    let is_careful = planted!("pipe-takes-without-a-look", flags & CAREFUL != 0, false);
    let looked_at = if is_careful { Some(look_at_descriptors(socket)?) } else { None };
    ROOM.with_borrow_mut(|room| {
        room.resize(LONGEST_HEADER + INLINE, 0);
        // What was seen is what is taken, unless it is shared.
        let has_descriptors = planted!("pipe-takes-bytes-alone", is_careful || is_shared, is_careful);
        let mut packet = if has_descriptors {
            socket::receive(socket, room)?
        } else {
            socket::receive_bytes(socket, room)?
        };
        if packet.length < planted!("pipe-empty-is-the-end", 1, 2) {
            return Err(Failed::Receive(RecvError::Closed));
        }
        let bytes = room.get(..packet.length).unwrap_or_default();
        let parsed = if packet.bytes_lost { None } else { Header::from_bytes(bytes) };
        let (header, rest) = parsed.ok_or(Failed::Receive(RecvError::Damaged("it has another form")))?;
        if !has_descriptors && header.flags & CAREFUL != 0 {
            return Err(Failed::Receive(RecvError::Damaged(
                "it is not what was seen, and its descriptors are gone",
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
        Ok(Received { mark, bytes: rest.to_vec(), descriptors: packet.descriptors, length, is_spilled, cpu })
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
