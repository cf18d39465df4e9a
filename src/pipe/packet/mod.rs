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
//!
//! A packet of a lone WARNING is no message: from there on, packets may be CAREFUL. As long as none has come, who is the only
//! receiver takes packets without a look, which is half of what a receive costs.

use crate::sys::cpu;

mod outgoing;
mod taking;

pub(super) use outgoing::Outgoing;
pub(super) use taking::{Care, Flags, Incoming, Taken, is_warning, look, take, wait};

const SPILLED: u8 = 1;
const CAREFUL: u8 = 2;
const BARE: u8 = 4;
/// Otherwise no packet is SPILLED without being CAREFUL.
const WARNING: u8 = SPILLED;
const ALL_FLAGS: u8 = SPILLED | CAREFUL | BARE;
const CPU_SHIFT: u32 = 3;
/// Longer messages go into a file.
const INLINE: usize = 64 * 1024;
const LONGEST_HEADER: usize = 25;

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
