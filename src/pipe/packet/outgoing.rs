//! A packet on its way out.

use std::borrow::Cow;
use std::hash::BuildHasher;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::io::Errno;

use super::{BARE, CAREFUL, Header, INLINE, SPILLED, WARNING};
use crate::EncodeError;
use crate::pipe::error::SendError;
use crate::planted::planted;
use crate::sys::socket::{self, MOST_DESCRIPTORS};
use crate::sys::spill;
use crate::wire::{self, Parting};

/// Up to this length a packet without descriptors is copied to be in one piece, header and all, for which the kernel has less to do.
const SHORT: usize = 256;

/// A number for a packet: counted from a random start in each process, so that no two of a pipe are the same.
fn number() -> u64 {
    static NEXT: LazyLock<AtomicU64> =
        LazyLock::new(|| AtomicU64::new(std::hash::RandomState::new().hash_one(std::process::id())));
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A message on its way out.
#[derive(Debug)]
pub(in crate::pipe) struct Outgoing<'a> {
    bytes: Cow<'a, [u8]>,
    /// The file first, once there is one.
    descriptors: Vec<OwnedFd>,
    header: Header,
    parting: Parting,
    /// Its number among the frames of a byte stream, once a part of it is out.
    pub(in crate::pipe) begun: Option<u64>,
}

impl<'a> Outgoing<'a> {
    pub(in crate::pipe) fn of_bytes(bytes: &'a [u8]) -> Self {
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
    pub(in crate::pipe) fn of_bare(mark: u64, bytes: &'a [u8]) -> Self {
        let mut message = Self::of_bytes(bytes);
        message.header = Header { flags: BARE, mark, ..message.header };
        message
    }

    pub(in crate::pipe) fn into_owned(self) -> Outgoing<'static> {
        let Self { bytes, descriptors, header, parting, begun } = self;
        Outgoing { bytes: bytes.into_owned().into(), descriptors, header, parting, begun }
    }

    pub(in crate::pipe) fn of_packed(packed: wire::Packed) -> Outgoing<'static> {
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

    pub(in crate::pipe) fn length(&self) -> u64 {
        self.header.length
    }

    /// How many bytes it has, if they are all of it and none is out.
    pub(in crate::pipe) fn light_length(&self) -> Option<usize> {
        let is_light = self.descriptors.is_empty() && self.begun.is_none();
        is_light.then_some(self.bytes.len())
    }

    pub(in crate::pipe) fn into_bytes(self) -> Vec<u8> {
        self.bytes.into_owned()
    }

    /// The bytes, unless descriptors belong to them.
    pub(in crate::pipe) fn plain(&mut self) -> Option<&mut Cow<'a, [u8]>> {
        if self.descriptors.is_empty() { Some(&mut self.bytes) } else { None }
    }

    /// A long one goes in a file. Copied before, its sender is not kept at it while others wait.
    pub(in crate::pipe) fn make_ready(&mut self) -> Result<(), SendError> {
        if self.bytes.len() > INLINE { self.spill() } else { Ok(()) }
    }

    /// Sends it if there is room, whole or not at all. `None`: there is none. `has_warned`: what comes from here may be CAREFUL.
    pub(in crate::pipe) fn attempt(
        &mut self,
        socket: BorrowedFd<'_>,
        has_warned: &AtomicBool,
    ) -> Option<Result<(), SendError>> {
        if let Err(error) = self.make_ready() {
            return Some(Err(error));
        }
        let first =
            planted!("pipe-parts-before-it-sends", Parting::default(), std::mem::take(&mut self.parting));
        first.complete();
        let mut sent = self.send(socket, has_warned);
        if matches!(sent, Err(Errno::MSGSIZE | Errno::NOBUFS)) && self.header.flags & SPILLED == 0 {
            if let Err(error) = self.spill() {
                return Some(Err(error));
            }
            sent = self.send(socket, has_warned);
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
        self.descriptors.insert(0, spill::store(&[&self.bytes]).map_err(SendError::Io)?);
        self.header.number = number();
        self.header.flags |= SPILLED | CAREFUL;
        self.bytes = Cow::Borrowed(&[]);
        Ok(())
    }

    fn send(&self, socket: BorrowedFd<'_>, has_warned: &AtomicBool) -> Result<(), Errno> {
        if self.header.flags & CAREFUL != 0 {
            planted!("pipe-warns-of-nothing", warn(socket, has_warned)?, ());
        }
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

/// Once for all packets that this end sends. Whoever sends one has seen that the warning lies before it.
fn warn(socket: BorrowedFd<'_>, has_warned: &AtomicBool) -> Result<(), Errno> {
    if !has_warned.load(Ordering::Acquire) {
        socket::send_bytes(socket, &[WARNING]).map_err(errno)?;
        has_warned.store(true, Ordering::Release);
    }
    Ok(())
}

fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}
