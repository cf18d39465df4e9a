//! The blocks of a long payload: claimed together, chained up in the table's words, and followed from the first on.

use std::collections::HashSet;
use std::io;

use super::{Blocks, HOLE, IDLE, MemoryWords, Nonsense, RING, owned};
use crate::shm::Owner;
use crate::shm::atomic::Ordering;

impl Blocks {
    /// Claims `wanted` blocks for a payload and chains them up. `None`: there are not as many.
    pub(in crate::raw) fn claim_for_payload(
        &self,
        words: &MemoryWords,
        me: Owner,
        wanted: usize,
    ) -> io::Result<Option<Vec<u32>>> {
        if !self.might_have(words, wanted) {
            return Ok(None);
        }
        let mut blocks = Vec::with_capacity(wanted);
        let mut holes = Vec::new();
        let outcome = loop {
            if blocks.len() == wanted {
                break self.reserve(&holes).map(|()| true);
            }
            match self.claim(words, me, RING, &words.extent_hint) {
                Ok(Some((block, has_memory))) => {
                    blocks.push(block);
                    if !has_memory {
                        holes.push(block);
                    }
                }
                Ok(None) => break Ok(false),
                Err(error) => break Err(error),
            }
        };
        if !matches!(outcome, Ok(true)) {
            // Those that had no memory have none, or more than their word says, which does no harm.
            let holes: HashSet<u32> = holes.into_iter().collect();
            for &block in &blocks {
                self.set_free(words, block, if holes.contains(&block) { HOLE } else { IDLE });
            }
            words.extent_hint.store(RING, Ordering::Relaxed);
            return outcome.map(|_| None);
        }
        for pair in blocks.windows(2) {
            self.link(me, pair[0], Some(pair[1]));
        }
        Ok(Some(blocks))
    }

    /// Whether so many blocks seem to be free: asked first, so that claimers who can't all be served don't take and give
    /// back in turns.
    fn might_have(&self, words: &MemoryWords, wanted: usize) -> bool {
        let known = words.entries.load(Ordering::Acquire).min(self.count);
        let beyond = (self.count - known.max(RING)) as usize;
        if beyond >= wanted {
            return true;
        }
        let is_free =
            |&block: &u32| self.entry(block).is_ok_and(|entry| entry.load(Ordering::Relaxed) <= IDLE);
        (RING..known).filter(is_free).take(wanted - beyond).count() == wanted - beyond
    }

    pub(in crate::raw) fn link(&self, me: Owner, block: u32, next: Option<u32>) {
        if let Ok(entry) = self.entry(block) {
            entry.store(owned(me, next), Ordering::Relaxed);
        }
    }

    /// The blocks of a payload, from its first on.
    pub(in crate::raw) fn chain(&self, first: u32, count: usize) -> Result<Vec<u32>, Nonsense> {
        let mut blocks = Vec::with_capacity(count.min(self.count as usize));
        let mut next = first;
        for _ in 0..count {
            let word = self.entry(next)?.load(Ordering::Relaxed);
            if word <= IDLE || next < RING {
                return Err(Nonsense);
            }
            blocks.push(next);
            // A payload's last block says none, which is no block's number.
            next = u32::try_from(word >> 32).unwrap_or(0).wrapping_sub(1);
        }
        Ok(blocks)
    }

    /// Writes a new owner on a payload's blocks, as [`chain`](Self::chain) gave them.
    pub(in crate::raw) fn adopt(&self, me: Owner, blocks: &[u32]) {
        for (index, &block) in blocks.iter().enumerate() {
            self.link(me, block, blocks.get(index + 1).copied());
        }
    }
}
