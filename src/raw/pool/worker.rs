//! What a worker does with the board.

use super::words::{ARGS_AT, INLINE, Phase, Progress, RESULT_LUGGAGE, RESULTS_AT, TASK_LUGGAGE};
use super::{BLOCK, Board, CELLS, Nonsense, WORKERS, cell_at};
use crate::planted::planted;
use crate::raw::Party;
use crate::shm::Region;
use crate::shm::atomic::Ordering;
use crate::wait::{Bell, Look, Step, Waiter, until};

/// A task that this worker runs.
#[derive(Debug)]
pub(crate) struct TakenTask {
    pub(crate) cell: u32,
    pub(crate) turn: u32,
    pub(crate) function: u64,
    pub(crate) kind: u64,
    pub(crate) args: Vec<u8>,
    pub(crate) items: u32,
    /// Before this item's, no results are to be written any more.
    pub(crate) from: u32,
    pub(crate) limit: u64,
    serial: u32,
    /// Its arguments take up no memory beside its cell.
    is_short: bool,
    /// What was written of its results.
    blocks: Vec<u32>,
    length: u64,
}

impl TakenTask {
    /// Whether there is memory already for a result of this length behind those before it.
    pub(crate) fn has_room(&self, length: usize) -> bool {
        self.wanted(length) <= self.blocks.len() as u64
    }

    fn wanted(&self, length: usize) -> u64 {
        (self.length + length as u64).saturating_sub(INLINE as u64).div_ceil(BLOCK)
    }
}

/// Why a result can't be written.
#[derive(Debug)]
pub(crate) enum Unwritten {
    /// It is longer than all of the memory.
    TooLarge,
    Io(std::io::Error),
    Nonsense,
    /// The task was withdrawn, and this process is about to be killed.
    Withdrawn,
}

impl From<Nonsense> for Unwritten {
    fn from(_: Nonsense) -> Self {
        Self::Nonsense
    }
}

/// The lock of those who take tasks with descriptors, given back in a panic too.
struct Held<'a>(&'a Board);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.words.luggage.release(self.0.party(), false);
    }
}

impl Board {
    /// Takes the next task; `None`: there will be none. Dropped before it is done, it has taken nothing.
    ///
    /// `fetch` is called for a task to which descriptors belong, with its cell and turn, in the order of such tasks.
    pub(crate) async fn take<W: Waiter>(
        &self,
        waiter: &mut W,
        serial: u32,
        mut fetch: impl FnMut(u32, u32) + Send,
    ) -> Result<Result<Option<TakenTask>, Nonsense>, W::GaveUp> {
        let won = until(waiter, |look| self.attempt_take(look, serial, &mut fetch)).await?;
        Ok(won.and_then(|won| won.map(|(cell, turn)| self.open(cell, turn, serial)).transpose()))
    }

    #[allow(clippy::type_complexity, reason = "an attempt that may find the end or nonsense")]
    fn attempt_take(
        &self,
        look: Look,
        serial: u32,
        fetch: &mut impl FnMut(u32, u32),
    ) -> Step<'_, Result<Option<(u32, u32)>, Nonsense>> {
        loop {
            let head = self.words.head.load(Ordering::Acquire);
            // Acquire pairs with the Release of `post`: the entry is there, and its cell is filled.
            let tail = self.words.tail.load(Ordering::Acquire);
            if head >= tail {
                if self.words.closed.load(Ordering::Acquire) != 0 {
                    return Step::Done(Ok(None));
                }
                if self.owes_word.swap(false, Ordering::Relaxed) {
                    self.results().notify_one();
                }
                return Step::Wait(self.tasks());
            }
            // If the head has moved meanwhile, this may be a later entry: it is as good.
            let Ok(entry) = self.entry(head) else { return Step::Done(Err(Nonsense)) };
            let entry = entry.load(Ordering::Acquire);
            let (index, turn) = ((entry & 0xFFFF_FFFF) as u32, (entry >> 32) as u32);
            let Ok(cell) = self.cell(index) else { return Step::Done(Err(Nonsense)) };
            let mut held = None;
            if cell.has(TASK_LUGGAGE) && cell.is_queued(turn) {
                if let Step::Wait(spot) = self.words.luggage.attempt(look, self.party()) {
                    return Step::Wait(spot);
                }
                held = Some(Held(self));
                // A later entry would not do: its descriptors lie behind those of others.
                if self.words.head.load(Ordering::Acquire) != head {
                    continue;
                }
            }
            let won = cell.take(turn, serial);
            if won && held.is_some() {
                fetch(index, turn);
            }
            drop(held);
            self.words.pass(head);
            if won {
                if look.is_listed() && head + 1 < tail {
                    // The wake-up that came to us may have stood for more than one task.
                    self.tasks().notify_one();
                }
                return Step::Done(Ok(Some((index, turn))));
            }
        }
    }

    fn party(&self) -> Party<'_, Region> {
        let region = self.region();
        Party { me: region.me(), alive: region, bell: Bell::new(region, WORKERS) }
    }

    fn open(&self, index: u32, turn: u32, serial: u32) -> Result<TakenTask, Nonsense> {
        let cell = self.cell(index)?;
        let length = usize::try_from(cell.args_length.load(Ordering::Relaxed)).map_err(|_| Nonsense)?;
        let blocks = self.args_blocks(cell)?;
        let inline = if length <= INLINE { INLINE } else { 0 };
        Ok(TakenTask {
            cell: index,
            turn,
            function: cell.function.load(Ordering::Relaxed),
            kind: cell.kind.load(Ordering::Relaxed),
            args: self.read(cell_at(index) + ARGS_AT, &blocks, length, inline)?,
            items: cell.items.load(Ordering::Relaxed),
            from: cell.from.load(Ordering::Relaxed),
            limit: cell.limit.load(Ordering::Relaxed),
            serial,
            is_short: blocks.is_empty(),
            blocks: Vec::new(),
            length: 0,
        })
    }

    /// Gets memory for a result of this length behind those before it, that of `item`. Where there is none, it hands those before it
    /// over, and waits.
    pub(crate) async fn reserve<W: Waiter>(
        &self,
        waiter: &mut W,
        task: &mut TakenTask,
        item: u32,
        length: usize,
    ) -> Result<Result<(), Unwritten>, W::GaveUp> {
        loop {
            let more =
                usize::try_from(task.wanted(length)).unwrap_or(usize::MAX).saturating_sub(task.blocks.len());
            if more == 0 {
                return Ok(Ok(()));
            }
            let may_hand_over = planted!("who-is-full-waits-for-others", item > task.from, false);
            match until(waiter, |_| self.attempt_claim(more, may_hand_over)).await? {
                Ok(Some(claimed)) => self.chain_up(task, claimed),
                Ok(None) => {
                    if !self.hand_over(task) {
                        return Ok(Err(Unwritten::Withdrawn));
                    }
                    match until(waiter, |_| self.attempt_go_on(task)).await? {
                        Ok(()) => (task.from, task.length) = (item, 0),
                        Err(unwritten) => return Ok(Err(unwritten)),
                    }
                    task.blocks.clear();
                }
                Err(unwritten) => return Ok(Err(unwritten)),
            }
        }
    }

    /// Writes the result of `item`, for which there is [memory](Self::reserve).
    pub(crate) fn write(&self, task: &mut TakenTask, item: u32, result: &[u8]) -> Result<(), Unwritten> {
        self.write_behind(task, result)?;
        self.note(task, item + 1);
        Ok(())
    }

    /// `None`: there is no memory now, and the caller has something to hand over.
    #[allow(clippy::type_complexity, reason = "an attempt that may fail in several ways")]
    fn attempt_claim(
        &self,
        more: usize,
        may_hand_over: bool,
    ) -> Step<'_, Result<Option<Vec<u32>>, Unwritten>> {
        // More than half of the memory is nobody's to have.
        if more as u64 * BLOCK > self.room_for_args() {
            return Step::Done(Err(Unwritten::TooLarge));
        }
        match self.blocks.claim_for_payload(&self.words.extents, self.region().me(), more) {
            Ok(Some(claimed)) => Step::Done(Ok(Some(claimed))),
            Ok(None) if may_hand_over => Step::Done(Ok(None)),
            Ok(None) => Step::Wait(self.memory()),
            Err(error) => Step::Done(Err(Unwritten::Io(error))),
        }
    }

    /// Asks the owner to take the results that are there. False: the task was withdrawn.
    fn hand_over(&self, task: &TakenTask) -> bool {
        let is_full = self.cell(task.cell).is_ok_and(|cell| cell.fill_up(task.turn, task.serial));
        if is_full {
            self.note_done(task.cell);
            self.tell();
        }
        is_full
    }

    fn attempt_go_on(&self, task: &TakenTask) -> Step<'_, Result<(), Unwritten>> {
        match self.cell(task.cell).map(|cell| cell.state().phase) {
            Ok(Phase::Full(_)) => Step::Wait(self.memory()),
            Ok(Phase::Running(_)) => Step::Done(Ok(())),
            Ok(_) => Step::Done(Err(Unwritten::Withdrawn)),
            Err(nonsense) => Step::Done(Err(nonsense.into())),
        }
    }

    fn chain_up(&self, task: &mut TakenTask, claimed: Vec<u32>) {
        let first = claimed.first().copied();
        match (task.blocks.last(), first) {
            (Some(&last), Some(_)) => self.blocks.link(self.region().me(), last, first),
            (None, Some(first)) => {
                if let Ok(cell) = self.cell(task.cell) {
                    cell.results_first.store(first, Ordering::Relaxed);
                }
            }
            (_, None) => {}
        }
        task.blocks.extend(claimed);
    }

    fn write_behind(&self, task: &mut TakenTask, mut bytes: &[u8]) -> Result<(), Nonsense> {
        while !bytes.is_empty() {
            let chunk;
            if let Some(at) = task.length.checked_sub(INLINE as u64) {
                let block = task.blocks.get((at / BLOCK) as usize).ok_or(Nonsense)?;
                (chunk, bytes) = bytes.split_at(bytes.len().min((BLOCK - at % BLOCK) as usize));
                let to = self.blocks.offset(u64::from(*block) * BLOCK + at % BLOCK);
                self.blocks.area().write(to, chunk).ok_or(Nonsense)?;
            } else {
                (chunk, bytes) = bytes.split_at(bytes.len().min(INLINE - task.length as usize));
                self.area.write(cell_at(task.cell) + RESULTS_AT + task.length, chunk).ok_or(Nonsense)?;
            }
            task.length += chunk.len() as u64;
        }
        Ok(())
    }

    /// The step by which an item is done. Release pairs with the Acquire of `collect`.
    fn note(&self, task: &TakenTask, item: u32) {
        let is_noted = planted!("results-are-noted-at-the-end", true, item == task.items);
        if let Ok(cell) = self.cell(task.cell)
            && is_noted
        {
            cell.progress.store(Progress { item, bytes: task.length }.bits(), Ordering::Release);
        }
    }

    /// Leaves word of when the item that runs will be killed; zero: it won't.
    pub(crate) fn note_deadline(&self, task: &TakenTask, deadline: u64) {
        if let Ok(cell) = self.cell(task.cell) {
            cell.deadline.store(deadline, Ordering::Relaxed);
        }
    }

    /// Descriptors belong to the results that are written next.
    pub(crate) fn note_luggage(&self, task: &TakenTask) {
        if let Ok(cell) = self.cell(task.cell) {
            cell.flags.fetch_or(RESULT_LUGGAGE, Ordering::Relaxed);
        }
    }

    /// Hands the results over. `is_news`: they are to be told of in any case. False: the task was withdrawn, and this process is
    /// about to be killed.
    pub(crate) fn finish(&self, task: &TakenTask, is_news: bool) -> bool {
        if task.cell >= CELLS || !self.cell(task.cell).is_ok_and(|cell| cell.finish(task.turn, task.serial)) {
            return false;
        }
        let neighbours = self.note_done(task.cell);
        // Nobody waits for memory that such a task holds.
        let is_short = task.is_short && task.blocks.is_empty();
        if is_short && !is_news && self.words.is_quiet(neighbours) {
            self.owes_word.store(true, Ordering::Relaxed);
        } else {
            self.tell();
        }
        true
    }

    fn note_done(&self, cell: u32) -> u32 {
        self.bits().map_or(u32::MAX, |bits| bits.set(cell))
    }

    /// Tells the owner to look at the bits.
    fn tell(&self) {
        self.owes_word.store(false, Ordering::Relaxed);
        let spot = self.results();
        if self.words.results.waiters() > 0 {
            spot.sign();
        }
        spot.notify_one();
    }
}
