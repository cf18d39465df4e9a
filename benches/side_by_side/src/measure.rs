//! What those who measure have in common.

use std::time::{Duration, Instant};

use crate::cases::holder_killed::{KILLS_FOR_P50, KILLS_FOR_P99};

/// One cell of one case, for one system.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub case: &'static str,
    pub payload: usize,
    pub mode: crate::place::Mode,
    /// How long to measure.
    pub time: Duration,
    /// Which of the processes: 0 is the one that measures.
    pub role: usize,
}

/// Messages until the clock is asked again.
const STRIDE: u64 = 64;

/// A producer's message of this number and length.
pub fn message(number: u64, length: usize) -> Vec<u8> {
    let mut message = vec![number as u8; length];
    message[..8].copy_from_slice(&number.to_le_bytes());
    message
}

/// The number of a message that was made by [`message`], checked for its length.
pub fn number(message: &[u8], length: usize) -> u64 {
    assert_eq!(message.len(), length, "a message of another length");
    u64::from_le_bytes(message[..8].try_into().unwrap())
}

/// Counts what comes until the time is over: messages must come in their order, each once.
pub struct Meter {
    time: Duration,
    warm: u64,
    count: u64,
    begun: Option<Instant>,
    stride: u64,
}

impl Meter {
    pub fn new(time: Duration, length: usize) -> Self {
        let stride = if length > 4096 { 4 } else { STRIDE };
        Self { time, warm: stride * 16, count: 0, begun: None, stride }
    }

    /// `Some`: messages a second.
    pub fn take(&mut self, number: u64) -> Option<f64> {
        assert_eq!(number, self.count, "a message is missing, or came twice");
        self.count += 1;
        if self.count == self.warm {
            self.begun = Some(Instant::now());
        } else if self.count.is_multiple_of(self.stride)
            && let Some(begun) = self.begun
        {
            let took = begun.elapsed();
            if took >= self.time {
                return Some((self.count - self.warm) as f64 / took.as_secs_f64());
            }
        }
        None
    }
}

/// The median of many trips, in microseconds.
pub struct Trips {
    time: Duration,
    begun: Instant,
    last: Instant,
    warm: u32,
    trips: Vec<f64>,
}

impl Trips {
    pub fn new(time: Duration) -> Self {
        let now = Instant::now();
        Self { time, begun: now, last: now, warm: 100, trips: Vec::new() }
    }

    /// Of those that take so long that a few warm up enough.
    pub fn of_long(time: Duration) -> Self {
        Self { warm: 10, ..Self::new(time) }
    }

    /// What was done since the last trip is no part of the next.
    pub fn set_out(&mut self) {
        self.last = Instant::now();
    }

    /// To be called at the end of each trip. `Some`: the median.
    pub fn end(&mut self) -> Option<f64> {
        let now = Instant::now();
        if self.warm > 0 {
            self.warm -= 1;
            (self.begun, self.last) = (now, now);
            return None;
        }
        self.trips.push((now - self.last).as_secs_f64() * 1e6);
        self.last = now;
        (now - self.begun > self.time).then(|| median(&mut self.trips))
    }
}

/// So often a second, for as long as the time: `turn` is called for so many turns at once.
pub fn rate(time: Duration, turns: u64, mut turn: impl FnMut()) -> f64 {
    (0..turns).for_each(|_| turn());
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < time {
        (0..turns).for_each(|_| turn());
        count += turns;
    }
    count as f64 / begun.elapsed().as_secs_f64()
}

pub fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// A current-thread runtime.
pub fn on_one_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A runtime of two threads.
pub fn on_threads() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// One who takes messages, in the order of their numbers.
pub fn consume(setting: &Setting, mut get: impl FnMut() -> Vec<u8>) -> f64 {
    let mut meter = Meter::new(setting.time, setting.payload);
    loop {
        if let Some(rate) = meter.take(number(&get(), setting.payload)) {
            return rate;
        }
    }
}

/// As [`consume`], in a task.
pub async fn coro_consume(setting: &Setting, mut get: impl AsyncFnMut() -> Vec<u8>) -> f64 {
    let mut meter = Meter::new(setting.time, setting.payload);
    loop {
        if let Some(rate) = meter.take(number(&get().await, setting.payload)) {
            return rate;
        }
    }
}

/// One who puts messages for as long as they are taken.
pub fn produce(setting: &Setting, mut put: impl FnMut(Vec<u8>) -> bool) {
    let _ = (0..).try_for_each(|sequence| put(message(sequence, setting.payload)).then_some(()));
}

/// As [`produce`], in a task.
pub async fn coro_produce(setting: &Setting, mut put: impl AsyncFnMut(Vec<u8>) -> bool) {
    for sequence in 0.. {
        if !put(message(sequence, setting.payload)).await {
            return;
        }
    }
}

/// A message there and back, until the time is over.
pub fn bounce(setting: &Setting, mut trip: impl FnMut(Vec<u8>) -> Vec<u8>) -> f64 {
    let mut trips = Trips::new(setting.time);
    for sequence in 0.. {
        let back = trip(message(sequence, setting.payload));
        assert_eq!(number(&back, setting.payload), sequence, "another message came back");
        if let Some(median) = trips.end() {
            return median;
        }
    }
    unreachable!()
}

/// As [`bounce`], in a task.
pub async fn coro_bounce(setting: &Setting, mut trip: impl AsyncFnMut(Vec<u8>) -> Vec<u8>) -> f64 {
    let mut trips = Trips::new(setting.time);
    for sequence in 0.. {
        let back = trip(message(sequence, setting.payload)).await;
        assert_eq!(number(&back, setting.payload), sequence, "another message came back");
        if let Some(median) = trips.end() {
            return median;
        }
    }
    unreachable!()
}

/// How many holders to kill.
pub fn kills(setting: &Setting) -> usize {
    if setting.case == "holder_killed_p99" { KILLS_FOR_P99 } else { KILLS_FOR_P50 }
}

/// The quantile that the case asks for.
pub fn quantile(figures: &mut [f64], setting: &Setting) -> f64 {
    figures.sort_by(f64::total_cmp);
    let hundredths = if setting.case == "holder_killed_p99" { 99 } else { 50 };
    figures[(figures.len() - 1) * hundredths / 100]
}
