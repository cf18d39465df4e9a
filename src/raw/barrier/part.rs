//! What stands in the slot of a process.

use super::words::BarrierSlot;
use crate::shm::atomic::Ordering;

/// In which cycle a process is, and how often.
///
/// | bits | meaning |
/// | --- | --- |
/// | 0–19 | how often |
/// | 20–39 | the slot's generation |
/// | 40–63 | the end of the cycle's number |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part(u64);

const PART_FIELD: u64 = (1 << 20) - 1;

const CYCLE_FIELD: u32 = (1 << 24) - 1;

impl Part {
    fn of(cycle: u32, generation: u32, count: u64) -> Self {
        let generation = u64::from(generation) & PART_FIELD;
        Self(u64::from(cycle & CYCLE_FIELD) << 40 | generation << 20 | count & PART_FIELD)
    }

    fn count(self) -> u64 {
        self.0 & PART_FIELD
    }

    pub(super) fn generation(self) -> u32 {
        (self.0 >> 20 & PART_FIELD) as u32
    }

    pub(super) fn is_in(self, cycle: u32) -> bool {
        self.count() > 0 && (self.0 >> 40) as u32 == cycle & CYCLE_FIELD
    }
}

impl BarrierSlot {
    pub(super) fn part(&self) -> Part {
        Part(self.part.load(Ordering::Acquire))
    }

    fn change(&self, from: Part, to: Part) -> bool {
        self.part.compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// `false`: whoever had the slot before died in this cycle.
    pub(super) fn enter(&self, cycle: u32, generation: u32) -> bool {
        loop {
            let now = self.part();
            let count = match (now.generation() == generation, now.is_in(cycle)) {
                (true, true) => now.count() + 1,
                (false, true) => return false,
                (_, false) => 1,
            };
            if self.change(now, Part::of(cycle, generation, count)) {
                return true;
            }
        }
    }

    pub(super) fn leave(&self, cycle: u32, generation: u32) {
        let mut now = self.part();
        while now.generation() == generation
            && now.is_in(cycle)
            && !self.change(now, Part::of(cycle, generation, now.count() - 1))
        {
            now = self.part();
        }
    }
}
