//! Finding the memory that dead processes left.
//!
//! A block with a dead owner belongs to the queue if it holds a record between head and tail or the payload of one; else
//! nobody will ever free it. Under both locks neither end moves, and the dead claim nothing, so what the walk does not
//! reach is free. What it does reach gets the sweeper's name, so that it is looked at once and not at every sweep.

use std::collections::HashMap;

use super::blocks::BLOCK;
use super::{GETTERS, PUTTERS, Queue};
use crate::planted::planted;
use crate::shm::Alive as _;
use crate::shm::atomic::Ordering;

impl Queue {
    /// Frees what the dead left, if it can have both locks now, and says how many blocks that were.
    #[cold]
    pub(super) fn sweep(&self) -> usize {
        let lock = &self.words.put.lock;
        if lock.try_acquire(self.party(PUTTERS)).is_none() {
            return 0;
        }
        let _held = self.hold(lock, PUTTERS);
        self.sweep_as_putter()
    }

    /// The same, once for every death that was noticed.
    pub(super) fn sweep_after_deaths(&self) {
        if self.words.memory.swept.load(Ordering::Relaxed) != self.region().deaths() {
            self.sweep();
        }
    }

    /// The same for whoever has the put lock.
    #[cold]
    pub(super) fn sweep_as_putter(&self) -> usize {
        let lock = &self.words.get.lock;
        if lock.try_acquire(self.party(GETTERS)).is_none() {
            return 0;
        }
        let deaths = self.region().deaths();
        // Those who are done with an item may not have had the lock to move the head.
        let freed = self.having_advanced(|| self.free_what_the_dead_left());
        self.words.memory.swept.store(deaths, Ordering::Relaxed);
        freed
    }

    fn free_what_the_dead_left(&self) -> usize {
        let mut alive = HashMap::new();
        let known = self.words.memory.entries.load(Ordering::Acquire).min(self.blocks.count());
        let mut orphans: Vec<u32> = (0..known)
            .filter(|&block| {
                let Some(owner) = self.blocks.owner(block) else { return false };
                !*alive.entry(owner).or_insert_with(|| self.region().is_alive(owner))
            })
            .collect();
        planted!("no-sweep", { orphans.clear() });
        if orphans.is_empty() {
            return 0;
        }
        let Some(needed) = self.needed() else { return 0 };
        let me = self.region().me();
        orphans.retain(|&block| {
            let is_needed = needed.get(block as usize).copied().unwrap_or(true);
            if is_needed {
                self.blocks.rename(me, block);
            }
            !is_needed
        });
        if !orphans.is_empty() {
            self.blocks.free_cold(&self.words.memory, &orphans);
            self.memory().notify_all();
        }
        orphans.len()
    }

    /// For each block whether the queue needs it. `None`: what stands there can't be true, and nothing must be freed.
    fn needed(&self) -> Option<Vec<bool>> {
        let mut needed = vec![false; self.blocks.count() as usize];
        for end in [self.words.head(), self.words.tail()] {
            *needed.get_mut(usize::try_from(end.position() / BLOCK).ok()?)? = true;
        }
        let mut need = |block: usize| {
            if let Some(needed) = needed.get_mut(block) {
                *needed = true;
            }
        };
        self.walk(|at, facts, length| {
            need((at / BLOCK) as usize);
            if facts.flags.has(super::record::Flags::EXTENT) {
                self.payload_blocks(facts, length)?.into_iter().for_each(|block| {
                    need(block as usize);
                });
            }
            Ok(())
        })
        .ok()?;
        Some(needed)
    }
}
