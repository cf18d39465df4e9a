//! What the owner of a pool knows of its tasks. All of it stands under one lock of this process.

mod ending;
mod posting;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::crew::Crew;
use super::error::{SubmitError, TaskError};
use super::luggage::Counter;
use super::outcome::{Outcome, Piece, RecordLuggage};
use super::task::{DONE, Task};
use crate::planted::planted;
use crate::raw::pool::{Board, CELLS, Phase};
use crate::sys::{clock, oom};
use crate::wait::Look;

/// What the owner knows of a cell.
#[derive(Default)]
pub(super) struct CellNote {
    pub(super) task: Option<Arc<Task>>,
    pub(super) turn: u32,
    /// Where the task was last begun, and how often an item died there.
    pub(super) item: u32,
    pub(super) deaths: u32,
    pub(super) pieces: Vec<Piece>,
    pub(super) is_posted: bool,
}

/// What may still be done with a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Open,
    /// No more tasks.
    Closed,
    /// Nothing more at all.
    Over(TaskError),
}

pub(super) struct Desk {
    pub(super) board: Board,
    pub(super) notes: Vec<CellNote>,
    pub(super) free: Vec<u32>,
    /// Not on the board yet.
    pub(super) backlog: VecDeque<Arc<Task>>,
    /// Cells that are to be posted from their `item` on, once there is room.
    pub(super) again: Vec<u32>,
    /// The same, but not before this time: one item of them has killed several workers.
    later: Vec<(u64, u32)>,
    pub(super) counter: Counter,
    pub(super) crew: Crew,
    pub(super) stage: Stage,
    /// Accepted, and not done.
    pub(super) unfinished: usize,
    /// Bytes of shared memory in use by arguments.
    pub(super) args: u64,
    /// Counts what others may be waiting for.
    pub(super) events: u64,
    pub(super) callbacks: Vec<Box<dyn FnOnce() + Send>>,
    pub(super) deaths_seen: u32,
    pub(super) oom_watch: oom::Watch,
    /// How many wait for news of any kind, and how many for many results.
    pub(super) hasty: usize,
    pub(super) patient: usize,
}

impl Desk {
    pub(super) fn new(board: Board, counter: Counter, crew: Crew) -> Self {
        let mut notes = Vec::new();
        notes.resize_with(CELLS as usize, CellNote::default);
        Self {
            board,
            notes,
            free: (0..CELLS).rev().collect(),
            backlog: VecDeque::new(),
            again: Vec::new(),
            later: Vec::new(),
            counter,
            crew,
            stage: Stage::Open,
            unfinished: 0,
            args: 0,
            events: 0,
            callbacks: Vec::new(),
            deaths_seen: 0,
            oom_watch: oom::Watch::begin(),
            hasty: 0,
            patient: 0,
        }
    }

    /// Takes a task in.
    pub(super) fn accept(&mut self, task: &Arc<Task>) -> Result<(), SubmitError> {
        match &self.stage {
            Stage::Open => {}
            Stage::Over(TaskError::Broken { message }) => {
                return Err(SubmitError::Broken { message: message.clone() });
            }
            Stage::Closed | Stage::Over(_) => return Err(SubmitError::Closed),
        }
        if Board::cost(task.args_length) > self.board.room_for_args() {
            return Err(SubmitError::TooLarge);
        }
        self.unfinished += 1;
        self.backlog.push_back(task.clone());
        self.feed();
        self.staff();
        Ok(())
    }

    /// One more waits here, or one less.
    pub(super) fn stay(&mut self, is_patient: bool, change: isize) {
        let count = if is_patient { &mut self.patient } else { &mut self.hasty };
        *count = count.saturating_add_signed(change);
        self.board.be_patient(self.patient > 0 && self.hasty == 0);
    }

    /// Takes results, replaces the dead, hands out tasks: what everybody does who is inside a call.
    pub(super) fn drive(&mut self, look: Look) {
        for index in self.board.done() {
            self.take_done(index);
        }
        let deaths = self.board.region().deaths();
        let must_look = look.is_thorough() || deaths != self.deaths_seen;
        if planted!("dead-workers-are-not-looked-for", must_look, false) {
            self.deaths_seen = deaths;
            self.counter.drain();
            self.bury();
        }
        self.feed();
        self.staff();
        if self.stage != Stage::Open && self.unfinished == 0 {
            self.board.close();
        }
    }

    /// How long until there is something to do of which nobody will tell.
    pub(super) fn waits(&self) -> Option<u64> {
        let due = self.later.iter().map(|(due, _)| due.saturating_sub(clock::now())).min();
        due.into_iter().chain(self.crew.waits()).min()
    }

    pub(super) fn phase(&self, index: u32) -> Option<Phase> {
        let note = self.notes.get(index as usize)?;
        if note.is_posted { self.board.phase(index, note.turn) } else { None }
    }

    pub(super) fn take_done(&mut self, index: u32) {
        // A bit may be late: the cell was looked at because its worker had died.
        let phase = self.phase(index);
        let Some(Phase::Done(serial) | Phase::Full(serial)) = phase else { return };
        self.crew.has_worked(serial);
        let note = &mut self.notes[index as usize];
        let Some(task) = note.task.clone() else { return };
        match self.board.collect(index) {
            Err(_) => self.give_up("its shared memory is damaged".to_owned()),
            Ok(collected) => {
                if collected.item > note.item {
                    note.deaths = 0;
                }
                let luggage = if collected.has_luggage {
                    self.counter.take(index, note.turn)
                } else {
                    RecordLuggage::new()
                };
                note.pieces.push(Piece::Records(collected.results, luggage));
                if phase == Some(Phase::Full(serial)) {
                    note.item = collected.item;
                    self.board.hand_back(index, note.turn, serial, collected.item);
                } else if collected.item < task.order.items {
                    // Its worker has served its number.
                    self.go_on(index, collected.item);
                } else {
                    self.finish(index);
                }
            }
        }
    }

    /// All items of the task are accounted for.
    pub(super) fn finish(&mut self, index: u32) {
        let note = &mut self.notes[index as usize];
        let pieces = std::mem::take(&mut note.pieces);
        if let Some(task) = self.clear(index) {
            self.conclude(&task, Outcome { pieces });
        }
    }

    pub(super) fn clear(&mut self, index: u32) -> Option<Arc<Task>> {
        let note = &mut self.notes[index as usize];
        note.is_posted = false;
        note.pieces.clear();
        let task = note.task.take()?;
        self.board.clear(index, note.turn);
        self.args = self.args.saturating_sub(Board::cost(task.args_length));
        self.free.push(index);
        Some(task)
    }

    fn conclude(&mut self, task: &Arc<Task>, outcome: Outcome) {
        task.place.store(DONE, Ordering::Relaxed);
        if task.outcome.set(outcome).is_ok() {
            self.unfinished -= 1;
            self.events += 1;
            let mut callbacks = std::mem::take(&mut *task.callbacks.lock());
            self.stay(false, -callbacks.len().cast_signed());
            self.callbacks.append(&mut callbacks);
        }
    }
}
