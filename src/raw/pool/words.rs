//! What a pool keeps at fixed places, and the state of a task.

use crate::planted::planted;
use crate::raw::LockWords;
use crate::raw::queue::words::MemoryWords;
use crate::shm::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use crate::shm::{Object, shared};
use crate::wait::WaitWords;

/// So many tasks stand in shared memory at a time.
pub(crate) const CELLS: u32 = 1024;
/// So many entries has the order in which they are to be taken. More than cells: one of a task that was withdrawn stays until it is
/// passed by.
pub(super) const ORDER: u64 = 2 * CELLS as u64;
/// Arguments and results up to this length stand in the cell itself.
pub(super) const INLINE: usize = 192;

shared! {
    /// A pool in shared memory.
    pub(crate) struct PoolWords[512] {
        /// Where in the region the order begins, the cells behind it, and the blocks behind them. This and the next are written
        /// before anybody else sees the pool.
        pub(super) room: AtomicU64,
        pub(super) blocks: AtomicU64,
        /// 1: who finds nothing to do is done.
        pub(super) closed: AtomicU32,
        /// So many results may stand in one word of the bits before the owner is told. Written by it.
        pub(super) patience: AtomicU32,
        reserved: [AtomicU32; 2],
        pub(super) tasks: WaitWords,
        pub(super) results: WaitWords,
        pub(super) memory: WaitWords,
        /// Whoever takes a task to which descriptors belong, from the taking until it has them.
        pub(super) luggage: LockWords,
        reserved_too: [AtomicU64; 2],
        /// The first entry of the order that nobody has passed by. Moved on by whoever sees that it is passed.
        pub(super) head: AtomicU64,
        reserved_head: [AtomicU64; 15],
        /// Behind the last entry of the order. Moved on by the pool's owner alone.
        pub(super) tail: AtomicU64,
        reserved_tail: [AtomicU64; 15],
        pub(super) extents: MemoryWords,
    }

    /// A bit for each cell: a hint that it is done.
    pub(super) struct DoneBits[128] {
        pub(super) words: [AtomicU64; 16],
    }

    /// A task. Written by the pool's owner while it is free; then `state` says who may write what.
    pub(super) struct Cell[512] {
        /// See [`State`].
        pub(super) state: AtomicU64,
        /// The function, as an offset in the image and what it must be.
        pub(super) function: AtomicU64,
        pub(super) kind: AtomicU64,
        pub(super) args_length: AtomicU64,
        /// The first block of the arguments, if they are long.
        pub(super) args_first: AtomicU32,
        /// How many items the task consists of, and at which of them to begin.
        pub(super) items: AtomicU32,
        pub(super) from: AtomicU32,
        /// 1: descriptors belong to the task. 2: to its results; written by the runner.
        pub(super) flags: AtomicU32,
        /// How long an item may take, in nanoseconds; zero: for ever.
        pub(super) limit: AtomicU64,
        /// When the item that runs is to be killed. Written by the runner.
        pub(super) deadline: AtomicU64,
        /// See [`Progress`]. Written by the runner.
        pub(super) progress: AtomicU64,
        /// The first block of long results. Written by the runner.
        pub(super) results_first: AtomicU32,
        reserved: AtomicU32,
        pub(super) args: [[AtomicU64; 12]; 2],
        pub(super) results: [[AtomicU64; 12]; 2],
        reserved_too: [AtomicU64; 6],
    }
}

impl Object for PoolWords {
    const KIND: u32 = 48;
}

/// A patient owner is told when so many of 64 neighbouring cells are done.
const PATIENCE: u32 = 32;

impl PoolWords {
    /// The owner wants to be told of each task that is done, or of many together. Followed by a wait, or by a look behind a fence.
    pub(super) fn be_patient(&self, is_patient: bool) {
        let patience = if is_patient { PATIENCE } else { 0 };
        if self.patience.load(Ordering::Relaxed) != patience {
            self.patience.store(patience, Ordering::Relaxed);
        }
    }

    /// Whether the owner need not be told yet that so many neighbouring cells are done: of others it will be, while there is
    /// something to take.
    pub(super) fn is_quiet(&self, neighbours: u32) -> bool {
        // Pairs with the fence of a listed waiter: either this sees that somebody has less patience, or that one's look sees
        // the bit.
        planted!("no-fence-before-a-quiet-end", fence(Ordering::SeqCst), ());
        neighbours < self.patience.load(Ordering::Relaxed)
            && self.head.load(Ordering::Relaxed) < self.tail.load(Ordering::Relaxed)
    }

    /// Moves the head behind an entry that nobody can take any more.
    pub(super) fn pass(&self, head: u64) {
        let _ = self.head.compare_exchange(head, head + 1, Ordering::AcqRel, Ordering::Relaxed);
    }
}

impl DoneBits {
    /// Sets a cell's bit, and says how many of its word are set.
    pub(super) fn set(&self, cell: u32) -> u32 {
        let bit = 1 << (cell % 64);
        // Release pairs with the Acquire of `take`.
        (self.words[cell as usize / 64].fetch_or(bit, Ordering::AcqRel) | bit).count_ones()
    }

    /// The cells of one word whose bits were set; none is named twice.
    pub(super) fn take(&self, word: usize) -> impl Iterator<Item = u32> {
        let word_of = &self.words[word];
        let mut set =
            if word_of.load(Ordering::Relaxed) == 0 { 0 } else { word_of.swap(0, Ordering::AcqRel) };
        std::iter::from_fn(move || {
            let bit = (set != 0).then(|| set.trailing_zeros())?;
            set &= set - 1;
            Some(word as u32 * 64 + bit)
        })
    }
}

/// Where the short arguments and the short results stand in a cell.
pub(super) const ARGS_AT: u64 = std::mem::offset_of!(Cell, args) as u64;
pub(super) const RESULTS_AT: u64 = std::mem::offset_of!(Cell, results) as u64;

/// What a task is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Free,
    /// Whoever comes first may take it.
    Queued,
    /// The worker of that serial number runs it, or died while it did.
    Running(u32),
    /// Its results are there. Made by that worker.
    Done(u32),
    /// Withdrawn while that worker ran it, which must not go on.
    Aborted(u32),
    /// That worker runs it, and waits until the owner has taken the results that are there: there is no memory for the next.
    Full(u32),
}

/// The state of a task, in one word: one step takes it, and says who did.
///
/// | bits | meaning |
/// | --- | --- |
/// | 0–2 | the [`Phase`] |
/// | 3–31 | the worker's serial number |
/// | 32–63 | which use of the cell it is: an entry of the order that is older means nothing |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    pub(crate) turn: u32,
}

const SERIAL: u32 = (1 << 29) - 1;

impl State {
    pub(super) fn of(bits: u64) -> Self {
        let serial = (bits >> 3) as u32 & SERIAL;
        let phase = match bits & 7 {
            1 => Phase::Queued,
            2 => Phase::Running(serial),
            3 => Phase::Done(serial),
            4 => Phase::Aborted(serial),
            5 => Phase::Full(serial),
            _ => Phase::Free,
        };
        Self { phase, turn: (bits >> 32) as u32 }
    }

    pub(super) fn bits(self) -> u64 {
        let (number, serial) = match self.phase {
            Phase::Free => (0, 0),
            Phase::Queued => (1, 0),
            Phase::Running(serial) => (2, serial),
            Phase::Done(serial) => (3, serial),
            Phase::Aborted(serial) => (4, serial),
            Phase::Full(serial) => (5, serial),
        };
        u64::from(self.turn) << 32 | u64::from(serial & SERIAL) << 3 | number
    }

    fn with(self, phase: Phase) -> Self {
        Self { phase, turn: self.turn }
    }
}

/// How far a task has come: items that are done, and the bytes of their results, as one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The item that runs, or is to run next.
    pub(crate) item: u32,
    pub(crate) bytes: u64,
}

const BYTES_BITS: u32 = 40;
/// A task has fewer items than this.
pub(crate) const MOST_ITEMS: u32 = 1 << (64 - BYTES_BITS);

impl Progress {
    pub(super) fn of(bits: u64) -> Self {
        Self { item: (bits >> BYTES_BITS) as u32, bytes: bits & ((1 << BYTES_BITS) - 1) }
    }

    pub(super) fn bits(self) -> u64 {
        u64::from(self.item) << BYTES_BITS | self.bytes
    }
}

pub(super) const TASK_LUGGAGE: u32 = 1;
pub(super) const RESULT_LUGGAGE: u32 = 2;

impl Cell {
    pub(super) fn has(&self, flag: u32) -> bool {
        self.flags.load(Ordering::Relaxed) & flag != 0
    }

    pub(super) fn state(&self) -> State {
        // Acquire pairs with the Release of every change: who sees a phase sees what was written before it.
        State::of(self.state.load(Ordering::Acquire))
    }

    fn change(&self, from: State, to: Phase) -> bool {
        let to = from.with(to).bits();
        self.state.compare_exchange(from.bits(), to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The step by which a task gets its one runner.
    pub(super) fn take(&self, turn: u32, serial: u32) -> bool {
        let name = planted!("a-taker-leaves-no-name", serial, 0);
        self.change(State { phase: Phase::Queued, turn }, Phase::Running(name))
    }

    /// The step by which its results count. False: it was withdrawn meanwhile.
    pub(super) fn finish(&self, turn: u32, serial: u32) -> bool {
        self.change(State { phase: Phase::Running(serial), turn }, Phase::Done(serial))
    }

    pub(super) fn is_queued(&self, turn: u32) -> bool {
        self.state() == State { phase: Phase::Queued, turn }
    }

    /// Nobody will take it any more.
    pub(super) fn withdraw(&self, turn: u32) -> bool {
        self.change(State { phase: Phase::Queued, turn }, Phase::Free)
    }

    /// The step by which the results that are there may be taken. False: it was withdrawn meanwhile.
    pub(super) fn fill_up(&self, turn: u32, serial: u32) -> bool {
        self.change(State { phase: Phase::Running(serial), turn }, Phase::Full(serial))
    }

    /// Its results won't count any more.
    pub(super) fn abort(&self, turn: u32, serial: u32) -> bool {
        let to = Phase::Aborted(serial);
        // From running to full it goes by itself; back it goes by the owner, whose this call is.
        self.change(State { phase: Phase::Running(serial), turn }, to)
            || self.change(State { phase: Phase::Full(serial), turn }, to)
    }

    /// For the pool's owner, when nobody else has a say in the cell.
    pub(super) fn set(&self, phase: Phase, turn: u32) {
        self.state.store(State { phase, turn }.bits(), Ordering::Release);
    }
}

#[cfg(all(test, not(aioprocessing_loom)))]
mod tests {
    use super::*;

    #[test]
    fn states_and_progress_come_back() {
        for phase in [
            Phase::Free,
            Phase::Queued,
            Phase::Running(7),
            Phase::Done(SERIAL),
            Phase::Aborted(0),
            Phase::Full(1),
        ] {
            let state = State { phase, turn: u32::MAX };
            assert_eq!(State::of(state.bits()), state);
        }
        let progress = Progress { item: MOST_ITEMS - 1, bytes: (1 << BYTES_BITS) - 1 };
        assert_eq!(Progress::of(progress.bits()), progress);
    }
}
