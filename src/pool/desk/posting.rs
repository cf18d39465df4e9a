//! How tasks get onto the board.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{CellNote, Desk};
use crate::planted::planted;
use crate::pool::error::{luggage, os};
use crate::pool::outcome::Outcome;
use crate::pool::task::Task;
use crate::raw::pool::{Board, NoRoom};
use crate::supervise::Backoff;
use crate::sys::clock;

/// An item that may be tried for ever is tried at once so many times, and then after longer and longer waits.
const DEADLY: u32 = 8;
/// Short at last, too: where something else kills workers all the time, a task that is tried often gets through.
const DEADLY_WAIT: Backoff = Backoff { first: Duration::from_millis(1), longest: Duration::from_millis(50) };

impl Desk {
    pub(super) fn feed(&mut self) {
        if !self.later.is_empty() {
            let now = clock::now();
            self.again.extend(self.later.extract_if(.., |(due, _)| *due <= now).map(|(_, index)| index));
        }
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
        let note = &mut self.notes[index as usize];
        note.turn = note.turn.wrapping_add(1);
        let filled = {
            let args = task.args.lock();
            self.board.fill(index, note.turn, &task.order, &args)
        };
        match filled {
            Ok(()) => {
                self.args += cost;
                *task.args.lock() = Vec::new();
                task.place.store(index, Ordering::Relaxed);
                note.task = Some(task);
                (note.item, note.deaths) = (0, 0);
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
        let note = &self.notes[index as usize];
        if let Some(task) = note.task.clone().filter(|task| task.order.has_luggage) {
            match self.send_luggage(index, note.turn, &task) {
                Ok(true) => {}
                Ok(false) => return false,
                Err(error) => {
                    self.clear(index);
                    self.conclude(&task, Outcome::failed(luggage(&error)));
                    return true;
                }
            }
        }
        let note = &mut self.notes[index as usize];
        note.is_posted = true;
        if self.board.post(index, note.turn, note.item).is_err() {
            self.give_up("its shared memory is damaged".to_owned());
        }
        true
    }

    fn send_luggage(&mut self, index: u32, turn: u32, task: &Task) -> io::Result<bool> {
        let mut luggage = task.luggage.lock();
        let is_sent = self.counter.send(index, turn, &luggage)? || {
            let is_under_way = |note: &CellNote| {
                note.is_posted && note.task.as_ref().is_some_and(|task| task.order.has_luggage)
            };
            if self.notes.iter().any(is_under_way) {
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
    pub(in crate::pool) fn go_on(&mut self, index: u32, item: u32) {
        let note = &mut self.notes[index as usize];
        note.turn = note.turn.wrapping_add(1);
        note.item = item;
        note.is_posted = false;
        match note.deaths.checked_sub(DEADLY) {
            Some(more) if planted!("a-deadly-item-comes-again-at-once", true, false) => {
                self.later.push((clock::now() + DEADLY_WAIT.after(more as usize), index));
            }
            _ => self.again.push(index),
        }
        self.feed();
    }
}
