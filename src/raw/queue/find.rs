//! Records as they stand in memory, found and checked: nothing that is read there is believed before.

use super::Queue;
use super::blocks::{BLOCK, Nonsense};
use super::cursor::{Cursor, UNIT};
use super::record::{self, Descriptor, Facts, Flags};

/// A record that passed all checks.
pub(super) struct Found<'a> {
    pub(super) at: u64,
    pub(super) descriptor: &'a Descriptor,
    pub(super) facts: Facts,
    pub(super) length: usize,
    /// The block that leads to it, if that is another.
    pub(super) left: Option<u32>,
}

/// A record that passed all checks, and to which there is no more than its bytes.
pub(super) struct Short<'a> {
    pub(super) at: u64,
    /// Where the next record begins.
    pub(super) end: u64,
    pub(super) descriptor: &'a Descriptor,
    pub(super) flags: Flags,
    pub(super) length: usize,
}

impl<'a> Found<'a> {
    /// As it is said to be, if that can be true of the record that the head stands at.
    fn checked(mut self, head: Cursor) -> Result<Self, Nonsense> {
        let facts = &self.facts;
        let length = usize::try_from(facts.length).map_err(|_| Nonsense)?;
        let is_long = length > record::INLINE;
        let is_right = facts.number == head.number()
            && !facts.flags.has(Flags::JUMP)
            && facts.flags.has(Flags::EXTENT) == is_long
            && self.at % BLOCK + record::size(length) + UNIT <= BLOCK;
        self.length = length;
        if is_right { Ok(self) } else { Err(Nonsense) }
    }

    pub(super) fn short(&self) -> Option<Short<'a>> {
        let &Found { at, descriptor, length, facts: Facts { flags, .. }, .. } = self;
        let end = at + record::size(length);
        (!flags.has(Flags::MORE_THAN_BYTES)).then_some(Short { at, end, descriptor, flags, length })
    }
}

impl Queue {
    /// The record that the head stands at, checked. `None`: there is more to it, or it stands elsewhere, or can't be true; to be
    /// [found](Self::find) out.
    // Always: of a batch, this and the copy is all that is done for each.
    #[inline(always)]
    pub(super) fn find_short(&self, head: Cursor) -> Option<Short<'_>> {
        let at = head.position();
        let descriptor = self.descriptor(at).ok()?;
        let Facts { number, length, flags, .. } = descriptor.read();
        let length = usize::try_from(length).ok().filter(|&length| length <= record::INLINE)?;
        let size = record::size(length);
        let is_right = number == head.number()
            && !flags.has(Flags::MORE_THAN_BYTES)
            && at % BLOCK + size + UNIT <= BLOCK;
        is_right.then_some(Short { at, end: at + size, descriptor, flags, length })
    }

    /// The record that the head stands at, checked.
    pub(super) fn find(&self, head: Cursor) -> Result<Found<'_>, Nonsense> {
        let at = head.position();
        let descriptor = self.descriptor(at)?;
        let facts = descriptor.read();
        if facts.flags.has(Flags::JUMP) {
            return self.find_behind_a_jump(head, facts.offset);
        }
        Found { at, descriptor, facts, length: 0, left: None }.checked(head)
    }

    #[cold]
    fn find_behind_a_jump(&self, head: Cursor, at: u64) -> Result<Found<'_>, Nonsense> {
        let left = Some(u32::try_from(head.position() / BLOCK).map_err(|_| Nonsense)?);
        if !at.is_multiple_of(BLOCK) {
            return Err(Nonsense);
        }
        let descriptor = self.descriptor(at)?;
        Found { at, descriptor, facts: descriptor.read(), length: 0, left }.checked(head)
    }

    #[inline]
    pub(super) fn descriptor(&self, at: u64) -> Result<&Descriptor, Nonsense> {
        self.blocks.area().object(self.blocks.offset(at)).ok_or(Nonsense)
    }

    /// The blocks of the long payload that a record names.
    pub(super) fn payload_blocks(&self, facts: &Facts, length: usize) -> Result<Vec<u32>, Nonsense> {
        let count = length.div_ceil(BLOCK as usize);
        let first = u32::try_from(facts.offset / BLOCK).map_err(|_| Nonsense)?;
        if count > self.blocks.count() as usize {
            return Err(Nonsense);
        }
        self.blocks.chain(first, count)
    }

    /// Every record between the ends, for a sweep. Under both locks.
    pub(super) fn walk(
        &self,
        mut visit: impl FnMut(u64, &Facts, usize) -> Result<(), Nonsense>,
    ) -> Result<(), Nonsense> {
        let (mut head, tail) = (self.words.head(), self.words.tail());
        while head.number() != tail.number() {
            let found = self.find(head)?;
            visit(found.at, &found.facts, found.length)?;
            head = head.after_one(found.at + record::size(found.length));
        }
        Ok(())
    }
}
