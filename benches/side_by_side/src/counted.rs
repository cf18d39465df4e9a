//! What two who contend for one lock count up under it, and how often each had it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::peers::shared::Shared;

/// From here on the shared memory is the peer's own.
pub const LENGTH: usize = 4096;

/// Turns between two looks at the clock, or at whether it is over.
const STRIDE: u64 = 100;

#[repr(C, align(128))]
struct Word(AtomicU64);

/// Zeroed memory is one with which nobody has begun.
#[repr(C)]
pub struct Counted {
    is_there: Word,
    is_over: Word,
    count: Word,
    others: Word,
    has_ended: Word,
}

impl Counted {
    pub fn on(shared: &Shared) -> &'static Self {
        shared.object(0)
    }

    /// Under the lock: a step that another one at the same time would spoil.
    pub fn step(&self) {
        let count = self.count.0.load(Ordering::Relaxed);
        self.count.0.store(count + 1, Ordering::Relaxed);
    }

    /// Of the one that measures: until when it goes on.
    pub fn begin(&self, time: Duration) -> Round<'_> {
        while self.is_there.0.load(Ordering::Acquire) == 0 {
            std::thread::yield_now();
        }
        Round { of: self, until: Some((Instant::now(), time)), turns: 0 }
    }

    /// Of the other one.
    pub fn join(&self) -> Round<'_> {
        self.is_there.0.store(1, Ordering::Release);
        Round { of: self, until: None, turns: 0 }
    }
}

pub struct Round<'a> {
    of: &'a Counted,
    /// None: until the other one says so.
    until: Option<(Instant, Duration)>,
    turns: u64,
}

impl Round<'_> {
    /// Whether there is one more turn.
    pub fn goes_on(&mut self) -> bool {
        let is_over = self.turns.is_multiple_of(STRIDE)
            && match self.until {
                Some((begun, time)) => begun.elapsed() >= time,
                None => self.of.is_over.0.load(Ordering::Acquire) != 0,
            };
        self.turns += u64::from(!is_over);
        !is_over
    }

    /// Turns of both a second, once they have come to the count; zero for the other one.
    pub fn end(self) -> f64 {
        let of = self.of;
        let Some((begun, _)) = self.until else {
            of.others.0.store(self.turns, Ordering::Relaxed);
            of.has_ended.0.store(1, Ordering::Release);
            return 0.0;
        };
        let took = begun.elapsed();
        of.is_over.0.store(1, Ordering::Release);
        while of.has_ended.0.load(Ordering::Acquire) == 0 {
            std::thread::yield_now();
        }
        let turns = self.turns + of.others.0.load(Ordering::Relaxed);
        assert_eq!(turns, of.count.0.load(Ordering::Relaxed), "two were under the lock at once");
        turns as f64 / took.as_secs_f64()
    }
}
