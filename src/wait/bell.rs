//! A doorbell of a region, and waking through it.

use std::sync::Arc;

use super::leave;
use super::listing::{WaitWords, Wake};
use super::waiter::Spins;
use crate::shm::Region;
use crate::sys::{Source, cpu, eventfd, futex};

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

    /// How many looks to spend on a wait before it sleeps. Where the last notifier ran on this CPU, spinning would keep it from
    /// running: it is let run instead, which takes a fraction of a sleep and a wake-up.
    pub(super) fn spins(words: &WaitWords) -> Spins {
        match words.last_cpu() {
            0 => Spins::NONE,
            // Who finds others waiting goes behind them at once: whoever gave way again and again would come late to every wake-up.
            last if last == cpu::current() && words.waiters() > 0 => Spins::NONE,
            last if last == cpu::current() => {
                if leave::is_worth_it() {
                    Spins::HERE
                } else {
                    Spins::NONE
                }
            }
            _ => Spins::ELSEWHERE,
        }
    }
}
