//! Workers come and go: starting those that are wanted, and settling what the dead leave.

use super::crew::Ended;
use super::desk::{Desk, Stage};
use super::error::{TaskError, WorkerStatus};
use super::outcome::{Piece, RecordLuggage};
use super::worker::Kit;
use crate::planted::planted;
use crate::process::{JoinError, SpawnError};
use crate::raw::pool::{Board, Phase};
use crate::sys::clock;

impl Desk {
    /// Looks for workers that have ended, and settles what they leave.
    pub(super) fn bury(&mut self) {
        let ended = self.crew.ended();
        if ended.is_empty() {
            return;
        }
        self.events += 1;
        let out_of_memory =
            ended.iter().any(|ended| ended.error.is_some()) && self.oom_watch.was_there_a_kill();
        for ended in &ended {
            let worked = self.settle(ended, out_of_memory);
            if worked {
                // It got as far as a task, so it is not workers as such that can't.
                self.crew.has_worked(ended.serial);
            }
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
                    let was_killed = WorkerStatus::of(error).signal() == Some(libc::SIGKILL);
                    if self.crew.has_failed(was_killed) {
                        let message =
                            format!("workers end before they have done anything, the last one: {error}");
                        self.give_up(message);
                    }
                }
                Some(_) => {}
            }
        }
        self.board.region().look_for_deaths();
        let posted = (0..).zip(&self.notes).filter(|(_, note)| note.is_posted).map(|(index, _)| index);
        self.board.sweep(posted);
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
                Some(Phase::Running(serial) | Phase::Full(serial)) if serial == ended.serial => {
                    worked = true;
                    planted!(
                        "a-dead-worker-s-task-is-forgotten",
                        self.salvage(index, ended, out_of_memory),
                        ()
                    );
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
        let note = &mut self.notes[index as usize];
        let Some(task) = note.task.clone() else { return };
        let Ok(collected) = self.board.collect(index) else {
            self.give_up("its shared memory is damaged".to_owned());
            return;
        };
        if collected.item > note.item {
            note.deaths = 0;
        }
        let luggage =
            if collected.has_luggage { self.counter.take(index, note.turn) } else { RecordLuggage::new() };
        note.pieces.push(Piece::Records(collected.results, luggage));
        let item = collected.item;
        if item >= task.order.items {
            self.finish(index);
            return;
        }
        let status = ended.error.as_ref().map_or(WorkerStatus::Unknown, WorkerStatus::of);
        let was_killed = status.signal() == Some(libc::SIGKILL);
        let overran = was_killed && collected.deadline != 0 && clock::now() >= collected.deadline;
        if !overran && note.deaths < task.retries {
            note.deaths += 1;
            self.go_on(index, item);
            return;
        }
        let out_of_memory = out_of_memory && was_killed;
        let error = if overran {
            TaskError::Overran { pid: ended.pid }
        } else {
            TaskError::WorkerDied { pid: ended.pid, status, out_of_memory }
        };
        note.deaths = 0;
        note.pieces.push(Piece::Failed(error));
        if item + 1 < task.order.items {
            self.go_on(index, planted!("the-item-that-died-runs-again", item + 1, item));
        } else {
            self.finish(index);
        }
    }

    /// As many workers as there is work for.
    pub(super) fn staff(&mut self) {
        if matches!(self.stage, Stage::Over(_)) {
            return;
        }
        while self.crew.workers.len() < self.crew.size().min(self.unfinished) && self.crew.waits().is_none() {
            if let Err(error) = self.hire() {
                if self.crew.has_failed(false) {
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
}
