//! One record of the queue: a descriptor of 64 bytes, and behind it the payload if that is short.

use super::cursor::UNIT;
use crate::shm::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::shm::{Owner, shared};

shared! {
    /// What stands at the head of every record. Written under the put lock before the tail moves past it; after that only
    /// `marks` changes, under the get lock, and `state`, under that or by the borrower alone.
    pub(super) struct Descriptor[64] {
        /// Counted from the queue's beginning, wrapping with the cursors.
        number: AtomicU64,
        /// Of the payload, or of a jump's target, in bytes from the first block on.
        offset: AtomicU64,
        length: AtomicU64,
        /// Who has taken it, in a queue with leases.
        state: AtomicU32,
        /// Attempts above, [`Flags`] in the lower 16 bits.
        marks: AtomicU32,
        /// Tells which packet of descriptors belongs to it, or what its bytes are.
        nonce: AtomicU64,
        /// A payload of up to 24 bytes.
        small: [AtomicU64; 3],
    }
}

/// A payload up to this length stands in the descriptor itself.
pub(super) const SMALL: usize = 24;
/// A payload up to this length stands behind its descriptor; two such records fit into a block.
pub(super) const INLINE: usize = 32_640;

/// What kind of record it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags {
    /// In 16 bits; a whole word, for words are written and read back without a wait where parts of one are not.
    bits: u64,
    /// Of one that is [`RAW`](Self::RAW): what its bytes are, as its putter says it. It stands in the place of the nonce, since no
    /// descriptors belong to such a record.
    mark: u64,
}

impl Flags {
    const fn of(bits: u64) -> Self {
        Self { bits, mark: 0 }
    }

    /// The payload was encoded by the queue's codec.
    pub(crate) const ENCODED: Self = Self::of(0);
    /// The payload is the item's own bytes.
    pub(super) const RAW: Self = Self::of(1);
    /// Descriptors belong to it.
    pub(crate) const LUGGAGE: Self = Self::of(2);
    /// The payload stands in blocks of its own.
    pub(super) const EXTENT: Self = Self::of(4);
    /// No item: the queue goes on at `offset`.
    pub(super) const JUMP: Self = Self::of(8);
    /// Any of those that say so.
    pub(super) const MORE_THAN_BYTES: Self = Self::of(2 | 4 | 8);

    pub(crate) fn has(self, other: Self) -> bool {
        self.bits & other.bits != 0
    }

    /// What it says of the message, and not of where it stands.
    #[must_use]
    pub(super) fn without_place(self) -> Self {
        Self { bits: self.bits & (Self::RAW.bits | Self::LUGGAGE.bits), ..self }
    }

    /// A message that did not go through the codec.
    pub(crate) fn bare(mark: u64) -> Self {
        Self { mark, ..Self::RAW }
    }

    /// What the bytes of a message are that did not go through the codec.
    pub(crate) fn mark(self) -> Option<u64> {
        self.has(Self::RAW).then_some(self.mark)
    }

    #[must_use]
    pub(crate) fn with(self, other: Self) -> Self {
        Self { bits: self.bits | other.bits, ..self }
    }
}

/// Where a record stands in a queue that lends its items.
///
/// | bits | meaning |
/// | --- | --- |
/// | 31 | `DONE`: nobody will ask for it again |
/// | 30 | `LENT` to the owner below; with `DONE`: not yet counted by that one |
/// | 0–29 | the owner's slot + 1 and generation; all zero: `READY` |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lending(u32);

impl Lending {
    pub(super) const READY: Self = Self(0);
    pub(super) const DONE: Self = Self(1 << 31);

    pub(super) fn to(owner: Owner) -> Self {
        Self(1 << 30 | owner.to_bits())
    }

    /// Done with, and about to be counted by its borrower.
    pub(super) fn being_counted_by(owner: Owner) -> Self {
        Self(Self::DONE.0 | Self::to(owner).0)
    }

    /// Who has it.
    pub(super) fn borrower(self) -> Option<Owner> {
        if self.0 >> 30 == 0b01 { Owner::from_bits(self.0) } else { None }
    }

    /// Who is about to count it.
    pub(super) fn counter(self) -> Option<Owner> {
        if self.0 >> 30 == 0b11 { Owner::from_bits(self.0) } else { None }
    }
}

/// What a descriptor says: read from shared memory once, and believed no further than it is checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) number: u64,
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) flags: Flags,
    pub(super) nonce: u64,
}

impl Descriptor {
    #[inline]
    pub(super) fn write(&self, facts: &Facts) {
        // Relaxed: the store of the tail publishes all of it.
        self.number.store(facts.number, Ordering::Relaxed);
        self.offset.store(facts.offset, Ordering::Relaxed);
        self.length.store(facts.length, Ordering::Relaxed);
        self.state.store(0, Ordering::Relaxed);
        self.marks.store(facts.flags.bits as u32, Ordering::Relaxed);
        // At most one of them is not zero.
        self.nonce.store(facts.nonce | facts.flags.mark, Ordering::Relaxed);
    }

    /// `bytes` are at most [`SMALL`].
    #[inline]
    pub(super) fn write_small(&self, bytes: &[u8]) {
        let (whole, rest) = bytes.as_chunks();
        for (word, bytes) in self.small.iter().zip(whole) {
            word.store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
        if !rest.is_empty()
            && let Some(word) = self.small.get(whole.len())
        {
            let mut full = [0; 8];
            full[..rest.len()].copy_from_slice(rest);
            word.store(u64::from_ne_bytes(full), Ordering::Relaxed);
        }
    }

    #[inline]
    pub(super) fn read(&self) -> Facts {
        let marks = self.marks.load(Ordering::Relaxed);
        let nonce = self.nonce.load(Ordering::Relaxed);
        Facts {
            number: self.number.load(Ordering::Relaxed),
            offset: self.offset.load(Ordering::Relaxed),
            length: self.length.load(Ordering::Relaxed),
            flags: Flags { bits: u64::from(marks & 0xFFFF), mark: nonce },
            nonce,
        }
    }

    pub(super) fn lending(&self) -> Lending {
        // Acquire pairs with the Release of `change`.
        Lending(self.state.load(Ordering::Acquire))
    }

    /// One step from a state to another; false if it was not in that state.
    pub(super) fn change(&self, from: Lending, to: Lending) -> bool {
        self.state.compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// How often it was lent.
    pub(super) fn attempts(&self) -> u16 {
        (self.marks.load(Ordering::Relaxed) >> 16) as u16
    }

    /// Under the get lock.
    pub(super) fn set_attempts(&self, attempts: u16) {
        let flags = self.marks.load(Ordering::Relaxed) & 0xFFFF;
        self.marks.store(u32::from(attempts) << 16 | flags, Ordering::Relaxed);
    }

    /// `length` is at most [`SMALL`].
    #[inline]
    pub(super) fn append_small_to(&self, length: usize, into: &mut Vec<u8>) {
        let mut full = [0; SMALL];
        for (chunk, word) in full.as_chunks_mut().0.iter_mut().zip(&self.small) {
            *chunk = word.load(Ordering::Relaxed).to_ne_bytes();
        }
        // All of it, which takes fewer instructions than to copy so many bytes.
        let end = into.len() + length.min(SMALL);
        into.extend_from_slice(&full);
        into.truncate(end);
    }
}

/// How many bytes a record with this payload takes up, descriptor included.
#[inline]
pub(super) fn size(length: usize) -> u64 {
    if length <= SMALL || length > INLINE { UNIT } else { UNIT + (length as u64).next_multiple_of(UNIT) }
}
