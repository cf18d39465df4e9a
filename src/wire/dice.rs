//! What fuzz tests have in common: numbers that a seed repeats, and rounds for as long as one likes.

use std::time::{Duration, Instant};

/// A linear congruential generator with its high bits: small, and the same everywhere.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 ^ self.0 >> 33
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.word() % limit.max(1) as u64).unwrap()
    }

    pub(crate) fn fill<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.word().to_le_bytes()[4])
    }

    pub(crate) fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.word().to_le_bytes()[3]).collect()
    }
}

/// Runs `round` with new dice until the time is over.
pub(crate) fn rounds(mut round: impl FnMut(&mut Dice)) {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let time = number("AIOPROCESSING_FUZZ_SECONDS").map_or(Duration::from_millis(500), Duration::from_secs);
    let begun = Instant::now();
    let first =
        number("AIOPROCESSING_FUZZ_SEED").unwrap_or_else(|| Dice(u64::from(std::process::id())).word());
    for seed in std::iter::successors(Some(first), |seed| Some(seed.wrapping_add(1))) {
        println!("AIOPROCESSING_FUZZ_SEED={seed}");
        round(&mut Dice(seed));
        if begun.elapsed() > time {
            return;
        }
    }
}
