//! The board in models: the pool's own words and the steps of its cells, in an order of two entries.

use std::sync::Arc;

use loom::thread;

use super::words::{Cell, DoneBits, Phase, PoolWords, Progress};
use crate::raw::models::bounded;
use crate::raw::models::killed::{Scene, VICTIM, at_each_access};
use crate::shm::atomic::{AtomicU64, Ordering};
use crate::wait::model::{Kernel, Thread};
use crate::wait::{Spot, Step, blocking, never, until};

const CELLS: usize = 2;
const TURN: u32 = 7;

#[derive(Default)]
struct Board {
    words: PoolWords,
    bits: DoneBits,
    cells: [Cell; CELLS],
    order: [AtomicU64; CELLS],
    kernel: Kernel,
}

impl Scene for Board {
    fn kernel(&self) -> &Kernel {
        &self.kernel
    }
}

impl Board {
    fn results(&self, who: u16) -> Spot<'_> {
        Spot::new(&self.words.results, self.party(who).bell)
    }

    /// Fills a cell and puts it up for taking.
    fn post(&self, index: u32) {
        let cell = &self.cells[index as usize];
        cell.function.store(u64::from(index) + 100, Ordering::Relaxed);
        cell.set(Phase::Queued, TURN);
        let tail = self.words.tail.load(Ordering::Relaxed);
        self.order[tail as usize].store(u64::from(TURN) << 32 | u64::from(index), Ordering::Relaxed);
        self.words.tail.store(tail + 1, Ordering::Release);
    }

    /// The cell of the next task, which is this worker's from now on.
    fn take(&self, serial: u16) -> Option<u32> {
        loop {
            let head = self.words.head.load(Ordering::Acquire);
            if head >= self.words.tail.load(Ordering::Acquire) {
                return None;
            }
            let entry = self.order[head as usize].load(Ordering::Acquire);
            let (index, turn) = ((entry & 0xFFFF_FFFF) as u32, (entry >> 32) as u32);
            let won = self.cells[index as usize].take(turn, u32::from(serial));
            self.words.pass(head);
            if won {
                return Some(index);
            }
        }
    }

    /// Runs it: its result is made of what the owner wrote.
    fn run(&self, index: u32, serial: u16) {
        let cell = &self.cells[index as usize];
        let value = cell.function.load(Ordering::Relaxed);
        cell.results[0][0].store(value + 1, Ordering::Relaxed);
        cell.progress.store(Progress { item: 1, bytes: 8 }.bits(), Ordering::Release);
        if cell.finish(TURN, u32::from(serial)) && !self.words.is_quiet(self.bits.set(index)) {
            self.results(serial).notify_one();
        }
    }

    fn work(&self, serial: u16) {
        while let Some(index) = self.take(serial) {
            self.run(index, serial);
        }
    }

    fn result(&self, index: u32) -> u64 {
        let cell = &self.cells[index as usize];
        assert_eq!(Progress::of(cell.progress.load(Ordering::Acquire)).item, 1);
        cell.results[0][0].load(Ordering::Relaxed)
    }
}

/// Each of two tasks is run by one of two workers, of which one is killed: it is done, or it is known who ran it.
#[test]
fn killed_with_a_task_of_a_pool() {
    at_each_access(
        2,
        |board: &Board| {
            board.post(0);
            board.post(1);
        },
        |board| board.work(VICTIM),
        |board| board.work(1),
        |board, (), died| {
            let mut told: Vec<u32> = board.bits.take(0).collect();
            told.sort_unstable();
            assert!(told.windows(2).all(|two| two[0] != two[1]), "one is named twice: {told:?}");
            for index in 0..CELLS as u32 {
                let state = board.cells[index as usize].state();
                assert_eq!(state.turn, TURN);
                match state.phase {
                    Phase::Done(serial) => {
                        assert_eq!(board.result(index), u64::from(index) + 101);
                        let may_be_untold = died && serial == u32::from(VICTIM);
                        assert!(told.contains(&index) || may_be_untold, "nobody is told of {index}");
                    }
                    Phase::Running(serial) => {
                        assert!(died && serial == u32::from(VICTIM), "{index} is run by {serial}");
                        assert!(!told.contains(&index), "told of {index} before it is done");
                        // What was done before the death counts.
                        let cell = &board.cells[index as usize];
                        if Progress::of(cell.progress.load(Ordering::Acquire)).item == 1 {
                            assert_eq!(board.result(index), u64::from(index) + 101);
                        }
                    }
                    other => panic!("{index} is {other:?}"),
                }
            }
        },
    );
}

/// Results were wanted in numbers, and now somebody waits for this one: the worker tells, or the other sees.
#[test]
fn pool_owner_in_a_hurry() {
    bounded(2, || {
        let board = Arc::new(Board::default());
        board.words.be_patient(true);
        board.post(0);
        board.post(1);
        let worker = {
            let board = board.clone();
            thread::spawn(move || {
                // The other task is still there to be taken, so this may be a quiet end.
                let index = board.take(1).unwrap();
                board.run(index, 1);
            })
        };
        board.words.be_patient(false);
        let found = never(blocking(until(&mut Thread, |_| {
            let found = board.bits.take(0).next();
            found.map_or_else(|| Step::Wait(board.results(0)), Step::Done)
        })));
        assert_eq!((found, board.result(found)), (0, 101));
        worker.join().unwrap();
    });
}
