//! Where the parts of a list stand in its block.

use super::handle::SharedMemory;
use super::layout::WORD;

/// Where everything stands: read once and held against the size of the block.
pub(super) struct Places {
    /// Of each slot, and where the last one ends, from the beginning of the block.
    pub(super) slots: Vec<usize>,
    pub(super) formats: usize,
    pub(super) codes: usize,
}

impl Places {
    pub(super) fn new(sizes: impl IntoIterator<Item = usize>) -> Option<Self> {
        let mut offsets = vec![0];
        let mut end = 0_usize;
        for size in sizes {
            end = end.checked_add(size)?;
            offsets.push(end);
        }
        Self::of_offsets(offsets)
    }

    fn of_offsets(mut offsets: Vec<usize>) -> Option<Self> {
        let length = offsets.len() - 1;
        let data = length.checked_add(2)?.checked_mul(WORD)?;
        let mut least = 0;
        for offset in &mut offsets {
            // Each slot has room for a number.
            (*offset >= least).then_some(())?;
            least = offset.checked_add(WORD)?;
            *offset = offset.checked_add(data)?;
        }
        let formats = *offsets.last()?;
        let codes = formats.checked_add(length.checked_mul(WORD)?)?;
        codes.checked_add(length)?;
        Some(Self { slots: offsets, formats, codes })
    }

    /// Reads them from a block, whose contents may be anything.
    pub(super) fn read(memory: &SharedMemory) -> Option<Self> {
        let length = usize::try_from(memory.get::<i64>(0).ok()?).ok()?;
        // Before anything is allocated for them: an item takes 25 bytes.
        if length > memory.size() / 25 {
            return None;
        }
        let offset = |index| usize::try_from(memory.get::<i64>((index + 1) * WORD).ok()?).ok();
        let offsets: Option<Vec<usize>> = (0..=length).map(offset).collect();
        let offsets = offsets.filter(|offsets| offsets.first() == Some(&0))?;
        Self::of_offsets(offsets).filter(|places| places.size() <= memory.size())
    }

    pub(super) fn length(&self) -> usize {
        self.slots.len() - 1
    }

    pub(super) fn size(&self) -> usize {
        self.codes + self.length()
    }

    /// Where the item's slot begins, and its length.
    pub(super) fn slot(&self, index: usize) -> Option<(usize, usize)> {
        let start = *self.slots.get(index)?;
        Some((start, self.slots.get(index + 1)? - start))
    }
}
