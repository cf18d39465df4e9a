use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::tasks::Tasks;
use super::{Caller, Due, Gone};
use crate::manager::kept::Kept;
use crate::manager::message::Answer;
use crate::planted::planted;

/// Questions to queues.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::manager) enum QueueCall {
    Put(Kept),
    TryPut(Kept),
    Get,
    TryGet,
    /// The asker has what that question was given.
    Taken(u64),
    Len,
    Close,
    /// Of a joinable one: one of the items that the asker has is finished.
    TaskDone,
    /// Waits until all are, or never will be.
    Join,
    Unfinished,
}

#[derive(Debug, Default)]
pub(in crate::manager) struct Queue {
    /// 0: as many as there is memory for.
    max_items: u64,
    is_closed: bool,
    items: VecDeque<Kept>,
    putting: VecDeque<(Caller, Kept)>,
    getting: VecDeque<Caller>,
    /// Given, and not known to have arrived.
    given: HashMap<Caller, Kept>,
    /// Of a joinable one.
    tasks: Option<Tasks>,
}

impl Queue {
    pub(in crate::manager) fn new(max_items: u64) -> Self {
        Self { max_items, ..Self::default() }
    }

    pub(in crate::manager) fn joinable(max_items: u64) -> Self {
        Self { tasks: Some(Tasks::default()), ..Self::new(max_items) }
    }

    fn has_room(&self) -> bool {
        self.max_items == 0 || (self.items.len() as u64) < self.max_items
    }

    /// Nothing comes any more, and nothing comes back.
    fn is_at_its_end(&self) -> bool {
        self.is_closed
            && self.items.is_empty()
            && planted!("what-may-come-back-is-gone", self.given.is_empty(), true)
    }

    pub(in crate::manager) fn call(
        &mut self,
        caller: Caller,
        call: QueueCall,
        due: &mut Due,
    ) -> Option<Answer> {
        match call {
            QueueCall::Put(_) | QueueCall::TryPut(_) if self.is_closed => return Some(Answer::Closed),
            QueueCall::TryPut(_) if !self.has_room() => return Some(Answer::Missing),
            QueueCall::Put(item) | QueueCall::TryPut(item) => self.putting.push_back((caller, item)),
            QueueCall::Get => self.getting.push_back(caller),
            QueueCall::TryGet => {
                if self.items.is_empty() && self.putting.is_empty() {
                    return Some(if self.is_at_its_end() { Answer::Closed } else { Answer::Missing });
                }
                self.getting.push_back(caller);
            }
            QueueCall::Taken(question) => {
                let taken = self.given.remove(&Caller { question, ..caller });
                if let (Some(_), Some(tasks)) = (taken, &mut self.tasks) {
                    tasks.taken(caller.client);
                }
                // It was the last, maybe.
                self.go_on(due);
                return Some(Answer::Done);
            }
            QueueCall::Len => return Some(Answer::Count(self.items.len() as u64)),
            QueueCall::TaskDone | QueueCall::Join | QueueCall::Unfinished => {
                return self
                    .tasks
                    .as_mut()
                    .map_or(Some(Answer::NoObject), |tasks| tasks.call(caller, call, due));
            }
            QueueCall::Close => {
                self.is_closed = true;
                due.extend(self.putting.drain(..).map(|(caller, _)| (caller, Answer::Closed)));
                self.go_on(due);
                return Some(Answer::Done);
            }
        }
        self.go_on(due);
        None
    }

    /// Moves what can move.
    fn go_on(&mut self, due: &mut Due) {
        loop {
            while self.has_room()
                && let Some((caller, item)) = self.putting.pop_front()
            {
                self.items.push_back(item);
                if let Some(tasks) = &mut self.tasks {
                    tasks.put();
                }
                due.push((caller, Answer::Done));
            }
            if self.items.is_empty() || self.getting.is_empty() {
                break;
            }
            if let (Some(caller), Some(item)) = (self.getting.pop_front(), self.items.pop_front()) {
                match item.again() {
                    Ok(copy) => {
                        self.given.insert(caller, item);
                        due.push((caller, Answer::Item(caller.question, copy)));
                    }
                    Err(error) => {
                        self.items.push_front(item);
                        due.push((caller, Answer::Refused(error.to_string())));
                    }
                }
            }
        }
        if self.is_at_its_end() {
            due.extend(self.getting.drain(..).map(|caller| (caller, Answer::Closed)));
        }
    }

    pub(super) fn forget(&mut self, gone: Gone, due: &mut Due) {
        self.putting.retain(|&(caller, _)| !gone.is(caller));
        self.getting.retain(|&caller| !gone.is(caller));
        if let Some(tasks) = &mut self.tasks {
            tasks.forget(gone, due);
        }
        let mut back: Vec<_> = self.given.extract_if(|&caller, _| gone.is(caller)).collect();
        // In the order in which they were given.
        back.sort_by_key(|(caller, _)| std::cmp::Reverse(caller.question));
        back.into_iter().for_each(|(_, item)| self.items.push_front(item));
        self.go_on(due);
    }
}
