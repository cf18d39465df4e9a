//! Memory in blocks of 64 KiB, for the queue itself and for long payloads: claimed and freed without a lock.
//!
//! The table has a word for each block:
//!
//! | word | meaning |
//! | --- | --- |
//! | 0 | free, without memory |
//! | 1 | free, with memory |
//! | owner's 30 bits, and above bit 32 the next block of the payload plus one | owned by a process |
//!
//! A claim is one compare-and-swap to the claimer's name, so a block is never in between: if its owner dies, and no record
//! in the queue leads to it, it is free. The lowest free block is claimed first, so that a short queue goes on using the
//! same warm memory. A freed block keeps its memory, for the next to claim it, until there are [`WARM`] such blocks and
//! twice as many as are in use; then the highest of them give theirs back. So a steady backlog costs no system calls, and one
//! that drains leaves little.

mod payload;
#[cfg(all(test, not(aioprocessing_loom)))]
mod tests;

use std::io;

use super::words::MemoryWords;
use crate::shm::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::shm::{Area, Owner};

pub(in crate::raw) const BLOCK: u64 = 64 * 1024;
/// The first blocks are for the queue itself, so that it goes on when payloads have taken all the others: it needs one
/// to put into, one to get from, and some that dead processes may have left.
pub(in crate::raw) const RING: u32 = 8;
/// So many free blocks may keep their memory.
const WARM: u32 = 44;
/// So many entries stand in one page of the table.
const PER_PAGE: u32 = 512;

const HOLE: u64 = 0;
const IDLE: u64 = 1;

/// The blocks of a queue.
#[derive(Debug)]
pub(in crate::raw) struct Blocks {
    area: Area,
    count: u32,
    /// Where the first block begins, behind the table.
    first: u64,
}

/// A number from shared memory that can't be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::raw) struct Nonsense;

/// How long the table is, in bytes.
pub(in crate::raw) fn table_length(count: u32) -> u64 {
    (u64::from(count) * 8).next_multiple_of(4096)
}

fn owned(by: Owner, next: Option<u32>) -> u64 {
    u64::from(by.to_bits()) | next.map_or(0, |next| u64::from(next) + 1) << 32
}

impl Blocks {
    /// `area` is [`table_length`] and `count` blocks long.
    pub(in crate::raw) fn new(area: Area, count: u32) -> Self {
        Self { area, count, first: table_length(count) }
    }

    #[inline]
    pub(in crate::raw) fn area(&self) -> &Area {
        &self.area
    }

    pub(in crate::raw) fn count(&self) -> u32 {
        self.count
    }

    /// From a position in the blocks to one in the area.
    #[inline]
    pub(in crate::raw) fn offset(&self, position: u64) -> u64 {
        self.first.saturating_add(position)
    }

    fn entry(&self, block: u32) -> Result<&AtomicU64, Nonsense> {
        if block >= self.count {
            return Err(Nonsense);
        }
        self.area.object(u64::from(block) * 8).ok_or(Nonsense)
    }

    /// Makes a new queue's table, and block 0 as `me`'s.
    pub(in crate::raw) fn found(&self, words: &MemoryWords, me: Owner) -> io::Result<()> {
        self.extend(words, 0)?;
        self.area.reserve(self.first, BLOCK)?;
        let entry = self.entry(0).map_err(|_| io::ErrorKind::InvalidData)?;
        entry.store(owned(me, None), Ordering::Release);
        words.used.store(1, Ordering::Relaxed);
        Ok(())
    }

    /// One page more of the table.
    fn extend(&self, words: &MemoryWords, known: u32) -> io::Result<()> {
        self.area.reserve(u64::from(known) * 8, 4096)?;
        words.entries.fetch_max((known + PER_PAGE).min(self.count), Ordering::AcqRel);
        Ok(())
    }

    /// Claims a free block that is no lower than `from`. `None`: there is none. The flag says whether it has memory.
    fn claim(
        &self,
        words: &MemoryWords,
        me: Owner,
        from: u32,
        hint: &AtomicU32,
    ) -> io::Result<Option<(u32, bool)>> {
        loop {
            let known = words.entries.load(Ordering::Acquire).min(self.count);
            let hinted = hint.load(Ordering::Relaxed);
            let start = hinted.clamp(from, known.max(from));
            let Some((block, seen)) = self.free_block(words, from, start, known) else {
                if known == self.count {
                    return Ok(None);
                }
                self.extend(words, known)?;
                continue;
            };
            let Ok(entry) = self.entry(block) else { return Ok(None) };
            // Acquire pairs with the Release of `free`: its last owner is done with the block.
            let taken = entry.compare_exchange(seen, owned(me, None), Ordering::Acquire, Ordering::Relaxed);
            if taken.is_ok() {
                // Not where a block below was freed meanwhile.
                let _ = hint.compare_exchange(hinted, block + 1, Ordering::Relaxed, Ordering::Relaxed);
                words.used.fetch_add(1, Ordering::Relaxed);
                if seen == IDLE {
                    decrease(&words.idle, 1);
                }
                return Ok(Some((block, seen == IDLE)));
            }
        }
    }

    /// The first free block from `start` on, and its word; but rather one with memory than one without.
    fn free_block(&self, words: &MemoryWords, from: u32, start: u32, known: u32) -> Option<(u32, u64)> {
        let free = |block: u32, most: u64| {
            let word = self.entry(block).ok()?.load(Ordering::Relaxed);
            (word <= most).then_some((block, word))
        };
        let first = (start..known).chain(from..start).find_map(|block| free(block, IDLE))?;
        if first.1 == HOLE && words.idle.load(Ordering::Relaxed) > 0 {
            // Freed while somebody moved the hint on, a block may lie below it for long, and with it others, until there are many.
            let below = (from..start).find_map(|block| free(block, IDLE).filter(|found| found.1 == IDLE));
            return below.or(Some(first));
        }
        Some(first)
    }

    /// Claims a block for the queue itself.
    pub(in crate::raw) fn claim_for_ring(&self, words: &MemoryWords, me: Owner) -> io::Result<Option<u32>> {
        let Some((block, has_memory)) = self.claim(words, me, 0, &words.ring_hint)? else { return Ok(None) };
        if !has_memory && let Err(error) = self.reserve(&[block]) {
            self.set_free(words, block, HOLE);
            return Err(error);
        }
        Ok(Some(block))
    }

    fn reserve(&self, blocks: &[u32]) -> io::Result<()> {
        for (start, count) in runs(blocks) {
            self.area.reserve(self.offset(u64::from(start) * BLOCK), count * BLOCK)?;
        }
        Ok(())
    }

    fn set_free(&self, words: &MemoryWords, block: u32, how: u64) {
        if let Ok(entry) = self.entry(block) {
            // Release pairs with the Acquire of the next claim.
            entry.store(how, Ordering::Release);
            decrease(&words.used, 1);
            if how == IDLE {
                words.idle.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Frees blocks that the caller owns. Killed in the middle, it leaves the rest with its name on.
    pub(in crate::raw) fn free(&self, words: &MemoryWords, me: Owner, blocks: &[u32]) {
        for &block in blocks {
            self.set_free(words, block, IDLE);
            words.ring_hint.fetch_min(block, Ordering::Relaxed);
            words.extent_hint.fetch_min(block, Ordering::Relaxed);
        }
        let used = words.used.load(Ordering::Relaxed);
        if words.idle.load(Ordering::Relaxed) > WARM.saturating_add(used.saturating_mul(2)) {
            self.trim(words, me);
        }
    }

    /// Gives back the memory of free blocks, from the highest down, until about half as many are left as may be.
    #[cold]
    fn trim(&self, words: &MemoryWords, me: Owner) {
        let known = words.entries.load(Ordering::Acquire).min(self.count);
        let mut idle = Vec::new();
        let mut used = 0;
        for block in 0..known {
            match self.entry(block).map_or(HOLE, |entry| entry.load(Ordering::Relaxed)) {
                HOLE => {}
                IDLE => idle.push(block),
                _ => used += 1,
            }
        }
        // Whoever was killed left the counts wrong: here is the truth of a moment ago.
        words.used.store(used, Ordering::Relaxed);
        words.idle.store(u32::try_from(idle.len()).unwrap_or(0), Ordering::Relaxed);
        let mut high = idle.split_off(idle.len().min((WARM / 2 + used) as usize));
        // Claimed for as long as it takes, or another might claim one as having memory.
        high.retain(|&block| {
            let name = owned(me, None);
            self.entry(block).is_ok_and(|entry| {
                entry.compare_exchange(IDLE, name, Ordering::Acquire, Ordering::Relaxed).is_ok()
            })
        });
        words.used.fetch_add(u32::try_from(high.len()).unwrap_or(0), Ordering::Relaxed);
        decrease(&words.idle, u32::try_from(high.len()).unwrap_or(0));
        self.free_cold(words, &high);
    }

    /// Frees blocks together with their memory: those that the caller owns, or that belonged to the dead, who may have died
    /// before they got memory for them.
    pub(in crate::raw) fn free_cold(&self, words: &MemoryWords, blocks: &[u32]) {
        for (start, count) in runs(blocks) {
            self.area.give_back(self.offset(u64::from(start) * BLOCK), count * BLOCK);
        }
        for &block in blocks {
            self.set_free(words, block, HOLE);
            words.ring_hint.fetch_min(block, Ordering::Relaxed);
            words.extent_hint.fetch_min(block, Ordering::Relaxed);
        }
    }

    /// Whose it is.
    pub(in crate::raw) fn owner(&self, block: u32) -> Option<Owner> {
        let word = self.entry(block).ok()?.load(Ordering::Relaxed);
        if word <= IDLE { None } else { Owner::from_bits((word & 0xFFFF_FFFF) as u32) }
    }

    /// Writes a new owner on a block and leaves the rest of its word.
    pub(in crate::raw) fn rename(&self, me: Owner, block: u32) {
        if let Ok(entry) = self.entry(block) {
            let word = entry.load(Ordering::Relaxed);
            entry.store(word & !0xFFFF_FFFF | u64::from(me.to_bits()), Ordering::Relaxed);
        }
    }
}

/// One of the counts, which may be wrong but not below zero.
fn decrease(count: &AtomicU32, by: u32) {
    let _ = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| Some(now.saturating_sub(by)));
}

/// Stretches of blocks that follow one another, as (first, count).
fn runs(blocks: &[u32]) -> impl Iterator<Item = (u32, u64)> {
    blocks.chunk_by(|a, b| *b == a.wrapping_add(1)).map(|run| (run[0], run.len() as u64))
}
