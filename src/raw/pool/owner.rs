//! What the pool's owner does with its board. One thread at a time: the owner sees to that.

use std::collections::HashSet;
use std::io;

use super::words::{ARGS_AT, Cell, INLINE, ORDER, Phase, Progress, RESULT_LUGGAGE, RESULTS_AT, TASK_LUGGAGE};
use super::{BLOCK, Board, CELLS, Nonsense, Order, RING, cell_at};
use crate::planted::planted;
use crate::shm::Alive as _;
use crate::shm::atomic::Ordering;

/// Why a task can't be posted.
#[derive(Debug)]
pub(crate) enum NoRoom {
    /// Now; there will be when others are done.
    Now,
    Io(io::Error),
    Nonsense,
}

impl From<Nonsense> for NoRoom {
    fn from(_: Nonsense) -> Self {
        Self::Nonsense
    }
}

/// How far a task came, and what it gave.
#[derive(Debug)]
pub(crate) struct Collected {
    /// Items before this one are done.
    pub(crate) item: u32,
    pub(crate) results: Vec<u8>,
    /// When the item that ran was to be killed; zero if at no time.
    pub(crate) deadline: u64,
    /// Descriptors belong to the results.
    pub(crate) has_luggage: bool,
}

impl Board {
    /// Fills a free cell. `turn` is one more than at the cell's last use.
    pub(crate) fn fill(&self, index: u32, turn: u32, order: &Order, args: &[u8]) -> Result<(), NoRoom> {
        let cell = self.cell(index)?;
        let mut first = 0;
        if args.len() <= INLINE {
            self.area.write(cell_at(index) + ARGS_AT, args).ok_or(Nonsense)?;
        } else {
            let wanted = args.len().div_ceil(BLOCK as usize);
            let me = self.region().me();
            let claimed =
                self.blocks.claim_for_payload(&self.words.extents, me, wanted).map_err(NoRoom::Io)?;
            let blocks = claimed.ok_or(NoRoom::Now)?;
            for (&block, chunk) in blocks.iter().zip(args.chunks(BLOCK as usize)) {
                let at = self.blocks.offset(u64::from(block) * BLOCK);
                self.blocks.area().write(at, chunk).ok_or(Nonsense)?;
            }
            first = blocks.first().copied().unwrap_or(0);
        }
        cell.function.store(order.function, Ordering::Relaxed);
        cell.kind.store(order.kind, Ordering::Relaxed);
        cell.args_length.store(args.len() as u64, Ordering::Relaxed);
        cell.args_first.store(first, Ordering::Relaxed);
        cell.items.store(order.items, Ordering::Relaxed);
        cell.flags.store(if order.has_luggage { TASK_LUGGAGE } else { 0 }, Ordering::Relaxed);
        cell.limit.store(order.limit, Ordering::Relaxed);
        cell.set(Phase::Free, turn);
        Ok(())
    }

    /// Whether the order has room for one more entry.
    pub(crate) fn has_room(&self) -> bool {
        let tail = self.words.tail.load(Ordering::Relaxed);
        tail.wrapping_sub(self.words.head.load(Ordering::Acquire)) < ORDER
    }

    /// Puts a filled cell up for taking, from the item `from` on, and wakes a worker. There must be room.
    pub(crate) fn post(&self, index: u32, turn: u32, from: u32) -> Result<(), Nonsense> {
        let cell = self.cell(index)?;
        cell.from.store(from, Ordering::Relaxed);
        cell.flags.fetch_and(!RESULT_LUGGAGE, Ordering::Relaxed);
        cell.deadline.store(0, Ordering::Relaxed);
        cell.results_first.store(0, Ordering::Relaxed);
        cell.progress.store(Progress { item: from, bytes: 0 }.bits(), Ordering::Relaxed);
        cell.set(Phase::Queued, turn);
        let tail = self.words.tail.load(Ordering::Relaxed);
        self.entry(tail)?.store(u64::from(turn) << 32 | u64::from(index), Ordering::Relaxed);
        // Release pairs with the Acquire of a worker's look at the tail.
        self.words.tail.store(tail + 1, Ordering::Release);
        let spot = self.tasks();
        if self.words.tasks.waiters() > 0 {
            spot.sign();
        }
        spot.notify_one();
        Ok(())
    }

    /// Whether the owner wants to be told of each task that is done, or of many together. For who is about to wait.
    pub(crate) fn be_patient(&self, is_patient: bool) {
        self.words.be_patient(is_patient);
    }

    /// The cells whose tasks are said to be done; each is named once.
    pub(crate) fn done(&self) -> Vec<u32> {
        self.bits().map_or_else(|_| Vec::new(), |bits| (0..16).flat_map(|word| bits.take(word)).collect())
    }

    /// What a task is about, if the cell is in this use.
    pub(crate) fn phase(&self, index: u32, turn: u32) -> Option<Phase> {
        let state = self.cell(index).ok()?.state();
        (state.turn == turn).then_some(state.phase)
    }

    /// Takes a task back that nobody runs. False: it is too late.
    pub(crate) fn withdraw(&self, index: u32, turn: u32) -> bool {
        self.cell(index).is_ok_and(|cell| cell.withdraw(turn))
    }

    /// From now on the worker that runs it must be killed, and its results don't count. False: it is done.
    pub(crate) fn abort(&self, index: u32, turn: u32, serial: u32) -> bool {
        self.cell(index).is_ok_and(|cell| cell.abort(turn, serial))
    }

    /// Takes the results of a task that is done, or whose worker is dead, and frees their memory.
    pub(crate) fn collect(&self, index: u32) -> Result<Collected, Nonsense> {
        let cell = self.cell(index)?;
        let progress = Progress::of(cell.progress.load(Ordering::Acquire));
        let items = cell.items.load(Ordering::Relaxed);
        let length = usize::try_from(progress.bytes).map_err(|_| Nonsense)?;
        let blocks = self.payload(cell.results_first.load(Ordering::Relaxed), length, INLINE)?;
        let results = self.read(cell_at(index) + RESULTS_AT, &blocks, length, INLINE)?;
        self.release(&blocks);
        Ok(Collected {
            item: progress.item.min(items),
            results,
            deadline: cell.deadline.load(Ordering::Relaxed),
            has_luggage: cell.has(RESULT_LUGGAGE),
        })
    }

    /// Lets a worker go on that waited for its results to be [collected](Self::collect), up to `item`.
    pub(crate) fn hand_back(&self, index: u32, turn: u32, serial: u32, item: u32) {
        let Ok(cell) = self.cell(index) else { return };
        cell.flags.fetch_and(!RESULT_LUGGAGE, Ordering::Relaxed);
        cell.results_first.store(0, Ordering::Relaxed);
        let progress = Progress { item, bytes: 0 }.bits();
        planted!("what-was-handed-over-stays", cell.progress.store(progress, Ordering::Relaxed), ());
        cell.set(Phase::Running(serial), turn);
        self.memory().notify_all();
    }

    /// Frees a cell that nobody runs, with its arguments.
    pub(crate) fn clear(&self, index: u32, turn: u32) {
        let Ok(cell) = self.cell(index) else { return };
        if let Ok(blocks) = self.args_blocks(cell) {
            self.release(&blocks);
        }
        cell.args_length.store(0, Ordering::Relaxed);
        cell.set(Phase::Free, turn);
    }

    pub(super) fn args_blocks(&self, cell: &Cell) -> Result<Vec<u32>, Nonsense> {
        let length = usize::try_from(cell.args_length.load(Ordering::Relaxed)).map_err(|_| Nonsense)?;
        if length <= INLINE {
            return Ok(Vec::new());
        }
        self.payload(cell.args_first.load(Ordering::Relaxed), length, 0)
    }

    fn result_blocks(&self, index: u32) -> Result<Vec<u32>, Nonsense> {
        let cell = self.cell(index)?;
        let length = Progress::of(cell.progress.load(Ordering::Acquire)).bytes;
        let length = usize::try_from(length).map_err(|_| Nonsense)?;
        self.payload(cell.results_first.load(Ordering::Relaxed), length, INLINE)
    }

    fn release(&self, blocks: &[u32]) {
        if !blocks.is_empty() {
            self.blocks.free(&self.words.extents, self.region().me(), blocks);
            self.memory().notify_all();
        }
    }

    /// Frees the memory that dead workers left, but for the results in these cells, which are still to be collected: another worker
    /// may have died since those were that the caller knows of.
    pub(crate) fn sweep(&self, cells: impl Iterator<Item = u32>) {
        let known = self.words.extents.entries.load(Ordering::Acquire).min(self.blocks.count());
        let is_orphan =
            |&block: &u32| self.blocks.owner(block).is_some_and(|owner| !self.region().is_alive(owner));
        let mut orphans: Vec<u32> = (0..known).filter(is_orphan).collect();
        // Asked when the owners are known to be dead: the living go on writing, and may die before they are looked at.
        let needed: HashSet<u32> =
            cells.filter_map(|index| self.result_blocks(index).ok()).flatten().collect();
        planted!("the-needed-are-found-before-the-dead", {
            // As if the owner had lost its CPU here: the window is short otherwise.
            std::thread::sleep(std::time::Duration::from_millis(10));
            orphans = (0..known).filter(is_orphan).collect();
        });
        orphans.retain(|block| !needed.contains(block));
        if !orphans.is_empty() {
            self.blocks.free_cold(&self.words.extents, &orphans);
            self.memory().notify_all();
        }
    }

    /// How many blocks there are for arguments: some are left for results whatever happens.
    pub(crate) fn room_for_args(&self) -> u64 {
        u64::from(self.blocks.count().saturating_sub(RING)) / 2 * BLOCK
    }

    /// How many bytes of shared memory these arguments take up, beside their cell.
    pub(crate) fn cost(args: usize) -> u64 {
        if args <= INLINE { 0 } else { (args as u64).next_multiple_of(BLOCK) }
    }

    /// Sends workers home that find nothing to do.
    pub(crate) fn close(&self) {
        self.words.closed.store(1, Ordering::Release);
        self.tasks().notify_all();
    }

    pub(crate) fn cells() -> impl Iterator<Item = u32> {
        0..CELLS
    }
}
