//! Several producers and consumers of one thing, and what they tell each other in a piece of shared memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::peers::shared::Shared;

/// How much shared memory the board takes: what follows it is the peer's own.
pub const LENGTH: usize = 4096;

/// A producer's last message.
const END: u64 = u64::MAX;
/// Turns between two looks at the board.
const STRIDE: u64 = 32;

#[repr(C, align(128))]
struct Side {
    count: AtomicU64,
    sum: AtomicU64,
    is_done: AtomicU64,
}

/// Zeroed memory is one on which nothing has happened.
#[repr(C)]
pub struct Board {
    is_over: AtomicU64,
    /// For the peer's own use: numbers of descriptors.
    pub numbers: [AtomicU64; 2],
    consumers: [Side; 2],
    producers: [Side; 2],
}

/// Roles in the case: the one that measures is a consumer, and so is the first other one.
pub const CONSUMER: usize = 1;
pub const PRODUCERS: [usize; 2] = [2, 3];

impl Board {
    pub fn on(shared: &Shared) -> &'static Self {
        shared.object(0)
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire) != 0
    }

    /// A producer: numbers of messages, until the one who measures has enough.
    pub fn numbers(&self, role: usize) -> impl Iterator<Item = u64> + '_ {
        let index = PRODUCERS.iter().position(|known| *known == role).expect("a producer");
        let (side, mut count, mut sum, mut has_ended) = (&self.producers[index], 0, 0_u64, false);
        std::iter::from_fn(move || {
            if has_ended {
                return None;
            }
            if count % STRIDE == 0 && self.is_over() {
                side.count.store(count, Ordering::Relaxed);
                side.sum.store(sum, Ordering::Relaxed);
                side.is_done.store(1, Ordering::Release);
                has_ended = true;
                return Some(END);
            }
            let number = (index as u64) << 48 | count;
            count += 1;
            sum = sum.wrapping_add(number);
            Some(number)
        })
    }

    /// What one consumer has seen.
    pub fn consumer(&self, role: usize) -> Taking<'_> {
        Taking { side: &self.consumers[role], count: 0, sum: 0, last: [None; 2] }
    }

    /// What was taken by both since the beginning.
    fn taken(&self) -> u64 {
        self.consumers.iter().map(|side| side.count.load(Ordering::Acquire)).sum()
    }

    fn have_both_begun(&self) -> bool {
        self.consumers.iter().all(|side| side.count.load(Ordering::Acquire) > 0)
    }

    /// Whether all four agree on what there was.
    pub fn check(&self) {
        for side in self.consumers.iter().chain(&self.producers) {
            while side.is_done.load(Ordering::Acquire) == 0 {
                std::thread::yield_now();
            }
        }
        let total = |sides: &[Side; 2], word: fn(&Side) -> &AtomicU64| {
            sides.iter().fold(0_u64, |sum, side| sum.wrapping_add(word(side).load(Ordering::Relaxed)))
        };
        let both = |word| (total(&self.producers, word), total(&self.consumers, word));
        let ((put, taken), (put_sum, taken_sum)) = (both(|side| &side.count), both(|side| &side.sum));
        assert_eq!(put, taken, "messages are missing, or came twice");
        assert_eq!(put_sum, taken_sum, "other messages came than were put");
    }
}

pub struct Taking<'a> {
    side: &'a Side,
    count: u64,
    sum: u64,
    last: [Option<u64>; 2],
}

impl Taking<'_> {
    /// Whether there are more.
    pub fn take(&mut self, number: u64) -> bool {
        if number == END {
            self.side.sum.store(self.sum, Ordering::Relaxed);
            self.side.count.store(self.count, Ordering::Release);
            self.side.is_done.store(1, Ordering::Release);
            return false;
        }
        let last = &mut self.last[(number >> 48) as usize];
        assert!(last.is_none_or(|last| last < number), "one producer's messages came out of order");
        *last = Some(number);
        self.count += 1;
        self.sum = self.sum.wrapping_add(number);
        if self.count.is_multiple_of(STRIDE) {
            self.side.count.store(self.count, Ordering::Release);
        }
        true
    }
}

/// The clock of the consumer that measures.
pub struct Clock<'a> {
    board: &'a Board,
    time: Duration,
    turns: u64,
    begun: Option<(Instant, u64)>,
    rate: f64,
}

impl<'a> Clock<'a> {
    pub fn new(board: &'a Board, time: Duration) -> Self {
        Self { board, time, turns: 0, begun: None, rate: 0.0 }
    }

    /// After each message.
    pub fn turn(&mut self) {
        self.turns += 1;
        if !self.turns.is_multiple_of(STRIDE) || self.rate > 0.0 {
            return;
        }
        match self.begun {
            None if self.turns >= STRIDE * 16 && self.board.have_both_begun() => {
                self.begun = Some((Instant::now(), self.board.taken()))
            }
            Some((begun, before)) if begun.elapsed() >= self.time => {
                self.rate = (self.board.taken() - before) as f64 / begun.elapsed().as_secs_f64();
                self.board.is_over.store(1, Ordering::Release);
            }
            _ => {}
        }
    }

    /// Messages a second, once everything was taken and is right.
    pub fn rate(self) -> f64 {
        self.board.check();
        self.rate
    }
}

/// The whole part of a consumer, for all whose `get` blocks.
pub fn consume(board: &Board, role: usize, time: Duration, mut get: impl FnMut() -> u64) -> f64 {
    let (mut taking, mut clock) = (board.consumer(role), Clock::new(board, time));
    while taking.take(get()) {
        if role == 0 {
            clock.turn();
        }
    }
    if role == 0 { clock.rate() } else { 0.0 }
}

/// As [`consume`], in a task.
pub async fn coro_consume(
    board: &Board,
    role: usize,
    time: Duration,
    mut get: impl AsyncFnMut() -> u64,
) -> f64 {
    let (mut taking, mut clock) = (board.consumer(role), Clock::new(board, time));
    while taking.take(get().await) {
        if role == 0 {
            clock.turn();
        }
    }
    if role == 0 { clock.rate() } else { 0.0 }
}
