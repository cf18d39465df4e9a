//! A doorbell of a region, and waking through it.

use std::sync::Arc;

use super::listing::{WaitWords, Wake};
use crate::shm::Region;
use crate::sys::{Source, cpu, eventfd, futex};

/// About one wake-up's worth of looks: past that, whoever is awaited is asleep itself.
const SPINS: u32 = 90;

/// Which bell of which region a wait queue rings.
#[derive(Clone, Copy)]
pub(crate) struct Bell<'a> {
    region: &'a Arc<Region>,
    index: usize,
}

impl<'a> Bell<'a> {
    #[inline]
    pub(crate) fn new(region: &'a Arc<Region>, index: usize) -> Self {
        Self { region, index }
    }

    pub(super) fn region(self) -> &'a Arc<Region> {
        self.region
    }

    pub(super) fn source(self) -> &'a Source {
        self.region.bell(self.index)
    }

    pub(super) fn deliver(self, words: &WaitWords, wake: Wake) {
        wake.deliver(|count| futex::wake(words.turn(), count), || eventfd::ring(self.source()));
    }

    pub(super) fn sign(words: &WaitWords) {
        words.sign(cpu::current());
    }

    /// How many looks to spend on a wait before it sleeps: none where the last notifier ran on this CPU, for then spinning keeps it
    /// from running.
    pub(super) fn spins(words: &WaitWords) -> u32 {
        let last = words.last_cpu();
        if last != 0 && last != cpu::current() { SPINS } else { 0 }
    }
}
