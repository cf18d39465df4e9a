//! How tasks are taken back, and how all of it ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Desk, Stage};
use crate::planted::planted;
use crate::pool::error::TaskError;
use crate::pool::outcome::Outcome;
use crate::pool::task::{DONE, Task, WAITING};
use crate::raw::pool::Phase;

impl Desk {
    /// Takes a task back. Running: it is let go, or its worker is killed.
    pub(in crate::pool) fn cancel(&mut self, task: &Arc<Task>, kill: bool) -> bool {
        let index = task.place.load(Ordering::Relaxed);
        if index == DONE {
            return false;
        }
        if index == WAITING {
            self.backlog.retain(|other| !Arc::ptr_eq(other, task));
        } else {
            let Some(note) = self.notes.get(index as usize) else { return false };
            let turn = note.turn;
            if !note.is_posted {
                self.again.retain(|&other| other != index);
                self.later.retain(|&(_, other)| other != index);
                self.clear(index);
            } else if planted!("a-cancelled-task-runs", self.board.withdraw(index, turn), true) {
                self.clear(index);
            } else {
                let Some(Phase::Running(serial) | Phase::Full(serial)) = self.phase(index) else {
                    return false;
                };
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

    /// Takes back all tasks that no worker has begun.
    pub(in crate::pool) fn cancel_all(&mut self) {
        let mut tasks: Vec<_> = self.backlog.iter().cloned().collect();
        tasks.extend(self.notes.iter().filter_map(|note| note.task.clone()));
        for task in tasks {
            self.cancel(&task, false);
        }
    }

    /// Nothing will be done any more: workers are killed, and tasks fail with this.
    pub(in crate::pool) fn end(&mut self, error: TaskError) {
        if matches!(self.stage, Stage::Over(_)) {
            return;
        }
        self.stage = Stage::Over(error.clone());
        self.crew.kill_all();
        self.board.close();
        let mut tasks: Vec<_> = self.backlog.drain(..).collect();
        tasks.extend(self.notes.iter_mut().filter_map(|note| {
            note.is_posted = false;
            note.task.take()
        }));
        for task in tasks {
            self.conclude(&task, Outcome::failed(error.clone()));
        }
        self.again.clear();
        self.later.clear();
        self.events += 1;
    }

    pub(in crate::pool) fn give_up(&mut self, message: String) {
        self.end(TaskError::Broken { message });
    }
}
