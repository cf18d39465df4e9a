//! Messages of any size over the socket between a parent and its child.
//!
//! A message is one packet, {magic, kind, flags, length, descriptors} and the bytes; too many bytes go into a file whose
//! descriptor comes first, and descriptors past the 253rd follow in packets of their own. So neither side ever waits for
//! the other: what is sent lies ready, even for a child that has not started, or from one that has ended.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use crate::sys::socket::{self, MOST_DESCRIPTORS};
use crate::sys::spill;

const MAGIC: u32 = u32::from_le_bytes(*b"aiop");
const HEADER: usize = 20;
/// Longer messages go into a file.
const INLINE: usize = 64 * 1024;
const SPILLED: u8 = 1;

/// One message.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) bytes: Vec<u8>,
    pub(crate) descriptors: Vec<OwnedFd>,
}

/// Why a message could not be sent or taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error(transparent)]
    Os(#[from] io::Error),
    #[error("the message is damaged: {0}")]
    Damaged(&'static str),
    #[error("no room for the descriptors of the message: raise the limit of open files (ulimit -n)")]
    NoDescriptors,
}

impl From<Errno> for FrameError {
    fn from(error: Errno) -> Self {
        Self::Os(error.into())
    }
}

#[derive(Clone, Copy)]
struct Header {
    kind: u8,
    flags: u8,
    length: u64,
    descriptors: u32,
}

impl Header {
    fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0..4].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[4] = self.kind;
        bytes[5] = self.flags;
        bytes[8..16].copy_from_slice(&self.length.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.descriptors.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; HEADER]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        if word(0)? != MAGIC {
            return None;
        }
        let length = u64::from(word(8)?) | u64::from(word(12)?) << 32;
        Some(Self { kind: bytes[4], flags: bytes[5], length, descriptors: word(16)? })
    }
}

/// Sends a message. Never waits: what does not fit into the socket goes into a file.
pub(crate) fn send(to: impl AsFd, kind: u8, bytes: &[u8], descriptors: &[OwnedFd]) -> Result<(), FrameError> {
    send_parts(to, kind, [bytes, &[]], descriptors)
}

/// The same for bytes that lie in two places.
pub(crate) fn send_parts(
    to: impl AsFd,
    kind: u8,
    parts: [&[u8]; 2],
    descriptors: &[OwnedFd],
) -> Result<(), FrameError> {
    let to = to.as_fd();
    let length = parts[0].len() + parts[1].len();
    if length <= INLINE {
        match send_as(to, kind, 0, parts, length, &borrowed(None, descriptors)) {
            // A small socket buffer: the file is the longer way, and always open.
            Err(Errno::AGAIN | Errno::MSGSIZE | Errno::NOBUFS) => {}
            other => return Ok(other?),
        }
    }
    let file = spill::store(&parts)?;
    Ok(send_as(to, kind, SPILLED, [&[]; 2], length, &borrowed(Some(&file), descriptors))?)
}

fn borrowed<'a>(file: Option<&'a OwnedFd>, descriptors: &'a [OwnedFd]) -> Vec<BorrowedFd<'a>> {
    file.into_iter().chain(descriptors).map(AsFd::as_fd).collect()
}

fn send_as(
    to: BorrowedFd<'_>,
    kind: u8,
    flags: u8,
    inline: [&[u8]; 2],
    length: usize,
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), Errno> {
    let count = u32::try_from(descriptors.len()).map_err(|_| Errno::MSGSIZE)?;
    let header = Header { kind, flags, length: length as u64, descriptors: count }.to_bytes();
    let mut packets = descriptors.chunks(MOST_DESCRIPTORS);
    let first = packets.next().unwrap_or_default();
    let [start, rest] = inline;
    errno(socket::send(to, &[&header, start, rest].map(IoSlice::new), first))?;
    for more in packets {
        // Once the first is out a full buffer is no longer an invitation to try the longer way.
        errno(socket::send(to, &[IoSlice::new(&[0])], more)).map_err(|_| Errno::TOOMANYREFS)?;
    }
    Ok(())
}

fn errno(result: io::Result<()>) -> Result<(), Errno> {
    result.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

/// Takes a message, or `None` where none lies ready. Nobody else may take from this socket meanwhile.
///
/// In line, and as bytes if it can be: a new process meets each page of code for the first time, and what it does not meet is not
/// paid for.
#[inline]
pub(crate) fn receive(from: impl AsFd) -> Result<Option<Frame>, FrameError> {
    let from = from.as_fd();
    // Asked first: in a new process every page of a buffer for the longest has to be made first. Where that gives no length there
    // may be a message all the same: a reset is told of once, by this look, and what was sent before lies behind it.
    let longest = HEADER + INLINE;
    let mut next = [0; HEADER];
    let length = socket::peek_bytes(from, &mut next).ok().filter(|&length| length > 0).unwrap_or(longest);
    let is_plain = Header::from_bytes(&next).is_some_and(|header| header.descriptors == 0);
    let mut buffer = vec![0; length.clamp(HEADER, longest)];
    let Some(packet) = packet(from, &mut buffer, is_plain)? else { return Ok(None) };
    buffer.truncate(packet.length);
    let header =
        buffer.first_chunk().and_then(Header::from_bytes).ok_or(FrameError::Damaged("its header"))?;
    let mut descriptors = packet.descriptors;
    let expected = usize::try_from(header.descriptors).map_err(|_| FrameError::Damaged("its count"))?;
    while descriptors.len() < expected {
        match self::packet(from, &mut [0], false)? {
            Some(more) if !more.descriptors.is_empty() => descriptors.extend(more.descriptors),
            _ => return Err(FrameError::Damaged("descriptors are missing")),
        }
    }
    let bytes = if header.flags & SPILLED != 0 {
        if descriptors.is_empty() {
            return Err(FrameError::Damaged("its file is missing"));
        }
        spill::fetch(descriptors.remove(0), header.length)?
    } else {
        buffer.copy_within(HEADER.., 0);
        buffer.truncate(buffer.len() - HEADER);
        buffer
    };
    if bytes.len() as u64 != header.length {
        return Err(FrameError::Damaged("its length"));
    }
    Ok(Some(Frame { kind: header.kind, bytes, descriptors }))
}

/// Takes one packet; one that is plain, without room for descriptors.
#[inline]
fn packet(
    from: BorrowedFd<'_>,
    buffer: &mut [u8],
    is_plain: bool,
) -> Result<Option<socket::Packet>, FrameError> {
    let mut was_reset = false;
    loop {
        let taken =
            if is_plain { socket::receive_bytes(from, buffer) } else { socket::receive(from, buffer) };
        match taken {
            Ok(packet) if packet.descriptors_lost => return Err(FrameError::NoDescriptors),
            Ok(packet) if packet.bytes_lost => return Err(FrameError::Damaged("it is too long")),
            Ok(packet) if packet.length == 0 => return Ok(None),
            Ok(packet) => return Ok(Some(packet)),
            // A peer that left something unread; what it had sent before still lies there.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset && !was_reset => was_reset = true,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}
