//! What the owner of a pool knows of its tasks. All of it stands under one lock of this process.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::crew::{Crew, Ended};
use super::error::{SubmitError, TaskError, WorkerStatus, luggage, os};
use super::luggage::Counter;
use super::outcome::{Luggage, Outcome, Piece};
use super::task::{DONE, Task, WAITING};
use super::worker::Kit;
use crate::planted::planted;
use crate::process::{JoinError, SpawnError};
use crate::raw::pool::{Board, CELLS, NoRoom, Phase};
use crate::sys::clock;
use crate::sys::oom;
use crate::wait::Look;

/// What the owner knows of a cell.
#[derive(Default)]
struct Slot {
    task: Option<Arc<Task>>,
    turn: u32,
    /// Where the task was last begun, and how often an item died there.
    item: u32,
    deaths: u32,
    pieces: Vec<Piece>,
    is_posted: bool,
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
    board: Board,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Not on the board yet.
    backlog: VecDeque<Arc<Task>>,
    /// Cells that are to be posted from their `item` on, once there is room.
    again: Vec<u32>,
    counter: Counter,
    pub(super) crew: Crew,
    pub(super) stage: Stage,
    /// Accepted, and not done.
    pub(super) unfinished: usize,
    /// Bytes of shared memory in use by arguments.
    args: u64,
    /// Counts what others may be waiting for.
    pub(super) events: u64,
    pub(super) callbacks: Vec<Box<dyn FnOnce() + Send>>,
    deaths_seen: u32,
    oom_kills: Option<u64>,
}

impl Desk {
    pub(super) fn new(board: Board, counter: Counter, crew: Crew) -> Self {
        let mut slots = Vec::new();
        slots.resize_with(CELLS as usize, Slot::default);
        Self {
            board,
            slots,
            free: (0..CELLS).rev().collect(),
            backlog: VecDeque::new(),
            again: Vec::new(),
            counter,
            crew,
            stage: Stage::Open,
            unfinished: 0,
            args: 0,
            events: 0,
            callbacks: Vec::new(),
            deaths_seen: 0,
            oom_kills: oom::kills(),
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

    /// Takes results, replaces the dead, hands out tasks: what everybody does who is inside a call.
    pub(super) fn drive(&mut self, look: Look) {
        for index in self.board.done() {
            self.take_done(index);
        }
        let deaths = self.board.region().deaths();
        if look.is_thorough() || deaths != self.deaths_seen {
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

    fn feed(&mut self) {
        while self.board.has_room()
            && let Some(&index) = self.again.last()
            && self.post(index)
        {
            self.again.pop();
        }
        while self.again.is_empty()
            && !self.free.is_empty()
            && self.board.has_room()
            && let Some(task) = self.backlog.pop_front()
        {
            if let Some(task) = self.place(task) {
                self.backlog.push_front(task);
                return;
            }
        }
    }

    /// Puts a task on the board. Gives it back if there is no memory for it now.
    fn place(&mut self, task: Arc<Task>) -> Option<Arc<Task>> {
        let cost = Board::cost(task.args_length);
        if self.args + cost > self.board.room_for_args() {
            return Some(task);
        }
        let index = self.free.pop()?;
        let slot = &mut self.slots[index as usize];
        slot.turn = slot.turn.wrapping_add(1);
        let filled = {
            let args = task.args.lock();
            self.board.fill(index, slot.turn, &task.order, &args)
        };
        match filled {
            Ok(()) => {
                self.args += cost;
                *task.args.lock() = Vec::new();
                task.place.store(index, Ordering::Relaxed);
                slot.task = Some(task);
                (slot.item, slot.deaths) = (0, 0);
                if !self.post(index) {
                    self.again.push(index);
                }
                None
            }
            Err(NoRoom::Now) => {
                self.free.push(index);
                Some(task)
            }
            Err(NoRoom::Io(error)) => {
                self.free.push(index);
                self.conclude(&task, Outcome::failed(os(&error)));
                None
            }
            Err(NoRoom::Nonsense) => {
                self.free.push(index);
                self.backlog.push_front(task);
                self.give_up("its shared memory is damaged".to_owned());
                None
            }
        }
    }

    /// Puts a cell up for taking. False: there is no room for its descriptors now.
    fn post(&mut self, index: u32) -> bool {
        let slot = &self.slots[index as usize];
        if let Some(task) = slot.task.clone().filter(|task| task.order.has_luggage) {
            match self.send_luggage(index, slot.turn, &task) {
                Ok(true) => {}
                Ok(false) => return false,
                Err(error) => {
                    self.clear(index);
                    self.conclude(&task, Outcome::failed(luggage(&error)));
                    return true;
                }
            }
        }
        let slot = &mut self.slots[index as usize];
        slot.is_posted = true;
        if self.board.post(index, slot.turn, slot.item).is_err() {
            self.give_up("its shared memory is damaged".to_owned());
        }
        true
    }

    fn send_luggage(&mut self, index: u32, turn: u32, task: &Task) -> io::Result<bool> {
        let mut luggage = task.luggage.lock();
        let is_sent = self.counter.send(index, turn, &luggage)? || {
            let is_under_way =
                |slot: &Slot| slot.is_posted && slot.task.as_ref().is_some_and(|task| task.order.has_luggage);
            if self.slots.iter().any(is_under_way) {
                return Ok(false);
            }
            // What fills the socket belongs to tasks that were withdrawn.
            self.counter.discard();
            self.counter.send(index, turn, &luggage)?
        };
        if is_sent && task.retries == 0 {
            luggage.clear();
        }
        Ok(is_sent)
    }

    /// The task goes on at `item`, whoever takes it.
    fn go_on(&mut self, index: u32, item: u32) {
        let slot = &mut self.slots[index as usize];
        slot.turn = slot.turn.wrapping_add(1);
        slot.item = item;
        slot.is_posted = false;
        self.again.push(index);
        self.feed();
    }

    fn phase(&self, index: u32) -> Option<Phase> {
        let slot = self.slots.get(index as usize)?;
        if slot.is_posted { self.board.phase(index, slot.turn) } else { None }
    }

    fn take_done(&mut self, index: u32) {
        // A bit may be late: the cell was looked at because its worker had died.
        let Some(Phase::Done(serial)) = self.phase(index) else { return };
        self.crew.has_worked(serial);
        let slot = &mut self.slots[index as usize];
        let Some(task) = slot.task.clone() else { return };
        match self.board.collect(index) {
            Err(_) => self.give_up("its shared memory is damaged".to_owned()),
            Ok(collected) => {
                if collected.item > slot.item {
                    slot.deaths = 0;
                }
                let luggage =
                    if collected.has_luggage { self.counter.take(index, slot.turn) } else { Luggage::new() };
                slot.pieces.push(Piece::Records(collected.results, luggage));
                if collected.item < task.order.items {
                    // Its worker has served its number.
                    self.go_on(index, collected.item);
                } else {
                    self.finish(index);
                }
            }
        }
    }

    /// All items of the task are accounted for.
    fn finish(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        let pieces = std::mem::take(&mut slot.pieces);
        if let Some(task) = self.clear(index) {
            self.conclude(&task, Outcome { pieces });
        }
    }

    fn clear(&mut self, index: u32) -> Option<Arc<Task>> {
        let slot = &mut self.slots[index as usize];
        slot.is_posted = false;
        slot.pieces.clear();
        let task = slot.task.take()?;
        self.board.clear(index, slot.turn);
        self.args = self.args.saturating_sub(Board::cost(task.args_length));
        self.free.push(index);
        Some(task)
    }

    fn conclude(&mut self, task: &Arc<Task>, outcome: Outcome) {
        task.place.store(DONE, Ordering::Relaxed);
        if task.outcome.set(outcome).is_ok() {
            self.unfinished -= 1;
            self.events += 1;
            self.callbacks.append(&mut task.callbacks.lock());
        }
    }

    /// Looks for workers that have ended, and settles what they leave.
    fn bury(&mut self) {
        let ended = self.crew.ended();
        if ended.is_empty() {
            return;
        }
        self.events += 1;
        let oom_kills = oom::kills();
        let out_of_memory = oom_kills > self.oom_kills;
        self.oom_kills = oom_kills;
        for ended in &ended {
            let worked = self.settle(ended, out_of_memory);
            match &ended.error {
                None => {}
                _ if matches!(self.stage, Stage::Over(_)) => {}
                Some(JoinError::Panicked { message, location, .. }) => {
                    self.give_up(format!(
                        "a worker panicked before its first task, at {location}: {message}"
                    ));
                }
                Some(error @ (JoinError::NotInitialised | JoinError::Bootstrap(_))) => {
                    self.give_up(format!("a worker could not begin: {error}"));
                }
                Some(error) if !worked && !ended.has_worked => {
                    if self.crew.has_failed() {
                        self.give_up(format!(
                            "workers end before they have done anything, the last one: {error}"
                        ));
                    }
                }
                Some(_) => {}
            }
        }
        self.board.region().look_for_deaths();
        self.board.sweep();
    }

    /// The tasks of a worker that has ended. True: it ran one.
    fn settle(&mut self, ended: &Ended, out_of_memory: bool) -> bool {
        let mut worked = false;
        for index in Board::cells() {
            match self.phase(index) {
                Some(Phase::Done(serial)) if serial == ended.serial => {
                    worked = true;
                    self.take_done(index);
                }
                Some(Phase::Running(serial)) if serial == ended.serial => {
                    worked = true;
                    self.salvage(index, ended, out_of_memory);
                }
                Some(Phase::Aborted(serial)) if serial == ended.serial => {
                    worked = true;
                    self.clear(index);
                }
                _ => {}
            }
        }
        worked
    }

    /// A task whose worker died: what was done counts, the item that ran has failed or is tried again, the rest goes on.
    fn salvage(&mut self, index: u32, ended: &Ended, out_of_memory: bool) {
        let slot = &mut self.slots[index as usize];
        let Some(task) = slot.task.clone() else { return };
        let Ok(collected) = self.board.collect(index) else {
            self.give_up("its shared memory is damaged".to_owned());
            return;
        };
        if collected.item > slot.item {
            slot.deaths = 0;
        }
        let luggage =
            if collected.has_luggage { self.counter.take(index, slot.turn) } else { Luggage::new() };
        slot.pieces.push(Piece::Records(collected.results, luggage));
        let item = collected.item;
        if item >= task.order.items {
            self.finish(index);
            return;
        }
        let status = ended.error.as_ref().map_or(WorkerStatus::Unknown, WorkerStatus::of);
        let was_killed = status.signal() == Some(libc::SIGKILL);
        let overran = was_killed && collected.deadline != 0 && clock::now() >= collected.deadline;
        if !overran && slot.deaths < task.retries {
            slot.deaths += 1;
            self.go_on(index, item);
            return;
        }
        let out_of_memory = out_of_memory && was_killed;
        let error = if overran {
            TaskError::Overran { pid: ended.pid }
        } else {
            TaskError::WorkerDied { pid: ended.pid, status, out_of_memory }
        };
        slot.deaths = 0;
        slot.pieces.push(Piece::Failed(error));
        if item + 1 < task.order.items {
            self.go_on(index, item + 1);
        } else {
            self.finish(index);
        }
    }

    /// As many workers as there is work for.
    fn staff(&mut self) {
        if matches!(self.stage, Stage::Over(_)) {
            return;
        }
        while self.crew.workers.len() < self.crew.size().min(self.unfinished) && self.crew.may_hire() {
            if let Err(error) = self.hire() {
                if self.crew.has_failed() {
                    self.give_up(format!("no worker can be started: {error}"));
                }
                return;
            }
        }
    }

    pub(super) fn hire(&mut self) -> Result<(), SpawnError> {
        let words = self.board.words();
        let ends =
            self.counter.ends().map_err(|source| SpawnError::Os { doing: "making its sockets", source })?;
        self.crew.hire(|serial, serves| Kit { words: words.clone(), ends, serial, serves })
    }

    /// Takes a task back. Running: it is let go, or its worker is killed.
    pub(super) fn cancel(&mut self, task: &Arc<Task>, kill: bool) -> bool {
        let index = task.place.load(Ordering::Relaxed);
        if index == DONE {
            return false;
        }
        if index == WAITING {
            self.backlog.retain(|other| !Arc::ptr_eq(other, task));
        } else {
            let Some(slot) = self.slots.get(index as usize) else { return false };
            let turn = slot.turn;
            if !slot.is_posted {
                self.again.retain(|&other| other != index);
                self.clear(index);
            } else if planted!("a-cancelled-task-runs", self.board.withdraw(index, turn), true) {
                self.clear(index);
            } else {
                let Some(Phase::Running(serial)) = self.phase(index) else { return false };
                if !kill || !self.board.abort(index, turn, serial) {
                    return false;
                }
                // The cell is the worker's until it is dead.
                self.crew.kill(serial);
            }
        }
        self.conclude(task, Outcome::failed(TaskError::Cancelled));
        true
    }

    /// Nothing will be done any more: workers are killed, and tasks fail with this.
    pub(super) fn end(&mut self, error: TaskError) {
        if matches!(self.stage, Stage::Over(_)) {
            return;
        }
        self.stage = Stage::Over(error.clone());
        self.crew.kill_all();
        self.board.close();
        let mut tasks: Vec<_> = self.backlog.drain(..).collect();
        tasks.extend(self.slots.iter_mut().filter_map(|slot| {
            slot.is_posted = false;
            slot.task.take()
        }));
        for task in tasks {
            self.conclude(&task, Outcome::failed(error.clone()));
        }
        self.again.clear();
        self.events += 1;
    }

    pub(super) fn give_up(&mut self, message: String) {
        self.end(TaskError::Broken { message });
    }
}
