//! The board of a pool: tasks in cells, the order in which they are to be taken, and their results.
//!
//! ```text
//! order   … │ cell 7 │ cell 2 │ cell 9 │ …        head passes by what is taken, tail is the owner's
//! cells   │ state, function, arguments, progress, results │ …
//! blocks  arguments and results that are long
//! ```
//!
//! * The **owner** fills a free cell, makes it `Queued`, and writes it into the order.
//! * A **worker** makes the task at the head `Running` by its name: that one step takes it, so a worker that is killed at any
//!   instruction has taken it and is known to have, or has not. Moving the head on is a courtesy that anybody does.
//! * It writes the results of each item behind those of the last, and then `progress`: so a death in the middle of a task
//!   of many items costs the one that ran. At last it makes the task `Done`, sets the cell's bit, and wakes the owner.
//! * While all that wait for the owner want many results, a worker whose task was short in arguments and results tells nobody, until
//!   half of a word's bits are set or there is nothing to take.
//! * A worker that finds no memory for a result makes the task `Full`, and the owner takes what is there and makes it `Running` again:
//!   so workers that hold memory never wait for one another's.
//! * The owner takes the results of tasks that are done, and those of the dead as far as they came.
//!
//! | who dies | what is left |
//! | --- | --- |
//! | a worker before it took a task | the task, which the next one takes |
//! | a worker that runs a task | the task as `Running` by it, with the results of the items that were done |
//! | a worker after `Done` | the results; without their bit, if it came to that, which the owner makes up for |
//! | the owner | nothing: workers are daemons |
//!
//! Everything read from shared memory is read once and checked.

mod owner;
mod words;
mod worker;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub(crate) use owner::NoRoom;
pub(crate) use words::{CELLS, MOST_ITEMS, Phase, PoolWords};
use words::{Cell, DoneBits, ORDER};
pub(crate) use worker::{TakenTask, Unwritten};

use super::queue::blocks::{BLOCK, Blocks, RING, table_length};
use crate::shm::atomic::{AtomicU64, Ordering};
use crate::shm::{Area, AttachError, Plan, Ref, Region};
use crate::wait::{Bell, Spot};

/// The bells of a pool's region.
const WORKERS: usize = 0;
const OWNER: usize = 1;

const BITS_AT: u64 = ORDER * 8;
const CELLS_AT: u64 = BITS_AT + 512;
const BOARD: u64 = (CELLS_AT + CELLS as u64 * 512).next_multiple_of(4096);

/// What the owner asks for: a function, and what of it to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) function: u64,
    pub(crate) kind: u64,
    pub(crate) items: u32,
    /// In nanoseconds, for each item; zero: none.
    pub(crate) limit: u64,
    /// Descriptors belong to it.
    pub(crate) has_luggage: bool,
}

/// A pool's shared memory.
#[derive(Clone)]
pub(crate) struct Board {
    words: Ref<PoolWords>,
    area: Arc<Area>,
    blocks: Arc<Blocks>,
    /// A worker's: it has finished a task of which the owner was not told yet.
    owes_word: Arc<AtomicBool>,
}

/// A number from shared memory that can't be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nonsense;

impl Board {
    /// `limit`, in bytes: how long all arguments and results together may be.
    pub(crate) fn create(limit: u64) -> Result<Self, AttachError> {
        let payload = limit.min(super::queue::Queue::HIGHEST_LIMIT).div_ceil(BLOCK).max(4);
        let count = RING + u32::try_from(payload).unwrap_or(u32::MAX);
        let mut plan = Plan::new(2);
        let offset = plan.place::<PoolWords>(1);
        let room = plan.room(BOARD + table_length(count) + u64::from(count) * BLOCK);
        let words: Ref<PoolWords> = plan.create()?.object(offset)?;
        words.room.store(room, Ordering::Relaxed);
        words.blocks.store(u64::from(count), Ordering::Relaxed);
        let me = words.region().me();
        let board = Self::attach(words)?;
        board.area.reserve(0, BOARD)?;
        board.blocks.found(&board.words.extents, me)?;
        Ok(board)
    }

    /// The board that these words describe.
    pub(crate) fn attach(words: Ref<PoolWords>) -> Result<Self, AttachError> {
        let nonsense = AttachError::NotARegion("a pool of impossible size");
        let Ok(count) = u32::try_from(words.blocks.load(Ordering::Relaxed)) else { return Err(nonsense) };
        let room = words.room.load(Ordering::Relaxed);
        let Some(behind) = room.checked_add(BOARD) else { return Err(nonsense) };
        if count <= RING {
            return Err(nonsense);
        }
        let area = Area::new(words.region(), room, BOARD)?;
        let length = table_length(count) + u64::from(count) * BLOCK;
        let blocks = Blocks::new(Area::new(words.region(), behind, length)?, count);
        Ok(Self { words, area: Arc::new(area), blocks: Arc::new(blocks), owes_word: Arc::default() })
    }

    pub(crate) fn words(&self) -> &Ref<PoolWords> {
        &self.words
    }

    pub(crate) fn region(&self) -> &Arc<Region> {
        self.words.region()
    }

    fn cell(&self, index: u32) -> Result<&Cell, Nonsense> {
        if index >= CELLS {
            return Err(Nonsense);
        }
        self.area.object(cell_at(index)).ok_or(Nonsense)
    }

    fn entry(&self, number: u64) -> Result<&AtomicU64, Nonsense> {
        self.area.object(number % ORDER * 8).ok_or(Nonsense)
    }

    fn bits(&self) -> Result<&DoneBits, Nonsense> {
        self.area.object(BITS_AT).ok_or(Nonsense)
    }

    fn spot(&self, words: fn(&PoolWords) -> &crate::wait::WaitWords, bell: usize) -> Spot<'_> {
        Spot::new(words(&self.words), Bell::new(self.words.region(), bell))
    }

    /// Where workers wait for tasks.
    fn tasks(&self) -> Spot<'_> {
        self.spot(|words| &words.tasks, WORKERS)
    }

    /// Where the owner waits for results.
    pub(crate) fn results(&self) -> Spot<'_> {
        self.spot(|words| &words.results, OWNER)
    }

    /// Where workers wait for memory.
    fn memory(&self) -> Spot<'_> {
        self.spot(|words| &words.memory, WORKERS)
    }

    /// The bytes of a payload that begins inline at `at` of a cell, and goes on in these blocks.
    fn read(&self, at: u64, blocks: &[u32], length: usize, skip: usize) -> Result<Vec<u8>, Nonsense> {
        let mut into = Vec::new();
        let inline = length.min(skip);
        self.area.append_to(at, inline, &mut into).ok_or(Nonsense)?;
        let mut left = length - inline;
        into.reserve_exact(left);
        for &block in blocks {
            let chunk = left.min(BLOCK as usize);
            let from = self.blocks.offset(u64::from(block) * BLOCK);
            self.blocks.area().append_to(from, chunk, &mut into).ok_or(Nonsense)?;
            left -= chunk;
        }
        if left == 0 { Ok(into) } else { Err(Nonsense) }
    }

    /// The blocks of a payload of `length` bytes, of which `inline` stand elsewhere.
    fn payload(&self, first: u32, length: usize, inline: usize) -> Result<Vec<u32>, Nonsense> {
        let count = length.saturating_sub(inline).div_ceil(BLOCK as usize);
        if count > self.blocks.count() as usize {
            return Err(Nonsense);
        }
        self.blocks.chain(first, count).map_err(|_| Nonsense)
    }
}

fn cell_at(index: u32) -> u64 {
    CELLS_AT + u64::from(index) * 512
}

impl std::fmt::Debug for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let head = self.words.head.load(Ordering::Relaxed);
        let waiting = self.words.tail.load(Ordering::Relaxed).saturating_sub(head);
        f.debug_struct("Board").field("waiting", &waiting).finish_non_exhaustive()
    }
}
