//! Locks, events, conditions and queues, as their manager has them: who waits is answered later.
//!
//! Who waits and who holds is known by its client and the number of its question, so tasks of one process are as far apart as
//! processes are. What a question was given comes back if it is cancelled, until its asker has said that it has it; and all that
//! a client has comes back when its connection ends.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::kept::Kept;
use super::message::Answer;
use crate::planted::planted;

/// A question of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Caller {
    pub(super) client: u64,
    pub(super) question: u64,
}

/// Answers to whom they are due.
pub(super) type Due = Vec<(Caller, Answer)>;

/// Questions to locks and conditions.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum LockCall {
    Acquire,
    TryAcquire,
    /// What that question was given.
    Release(u64),
    IsLocked,
    /// Releases it, waits to be notified, and acquires it again.
    Wait(u64),
    Notify(u64),
}

/// Questions to events.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum EventCall {
    Set,
    Clear,
    IsSet,
    Wait,
}

/// Questions to queues.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum QueueCall {
    Put(Kept),
    TryPut(Kept),
    Get,
    TryGet,
    /// The asker has what that question was given.
    Taken(u64),
    Len,
    Close,
}

/// A lock, with those who wait to be notified.
#[derive(Debug, Default)]
pub(super) struct Lock {
    holder: Option<Caller>,
    waiting: VecDeque<Caller>,
    /// Of a condition.
    sleeping: VecDeque<Caller>,
}

impl Lock {
    /// `None`: it is answered later.
    pub(super) fn call(&mut self, caller: Caller, call: LockCall, due: &mut Due) -> Option<Answer> {
        let mine = |question| Caller { question, ..caller };
        match call {
            LockCall::Acquire => {
                self.waiting.push_back(caller);
                self.hand_on(due);
                None
            }
            LockCall::TryAcquire if self.holder.is_some() => Some(Answer::Missing),
            LockCall::TryAcquire => {
                self.holder = Some(caller);
                Some(Answer::Granted(caller.question))
            }
            LockCall::Release(question) => Some(Answer::Flag(self.release(mine(question), due))),
            LockCall::IsLocked => Some(Answer::Flag(self.holder.is_some())),
            LockCall::Wait(question) => {
                if !self.release(mine(question), due) {
                    return Some(Answer::Missing);
                }
                self.sleeping.push_back(caller);
                None
            }
            LockCall::Notify(count) => {
                let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.sleeping.len());
                self.waiting.extend(self.sleeping.drain(..count));
                self.hand_on(due);
                Some(Answer::Count(count as u64))
            }
        }
    }

    fn release(&mut self, caller: Caller, due: &mut Due) -> bool {
        let is_held = self.holder == Some(caller);
        if is_held {
            self.holder = None;
            self.hand_on(due);
        }
        is_held
    }

    /// To the next who waits.
    fn hand_on(&mut self, due: &mut Due) {
        if self.holder.is_none()
            && let Some(next) = self.waiting.pop_front()
        {
            self.holder = Some(next);
            due.push((next, Answer::Granted(next.question)));
        }
    }

    fn forget(&mut self, is_gone: impl Fn(Caller) -> bool, due: &mut Due) {
        self.waiting.retain(|&caller| !is_gone(caller));
        self.sleeping.retain(|&caller| !is_gone(caller));
        if let Some(holder) = self.holder
            && is_gone(holder)
        {
            self.release(holder, due);
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Event {
    is_set: bool,
    waiting: Vec<Caller>,
}

impl Event {
    pub(super) fn call(&mut self, caller: Caller, call: EventCall, due: &mut Due) -> Option<Answer> {
        match call {
            EventCall::Set => {
                self.is_set = true;
                due.extend(self.waiting.drain(..).map(|caller| (caller, Answer::Done)));
            }
            EventCall::Clear => self.is_set = false,
            EventCall::IsSet => return Some(Answer::Flag(self.is_set)),
            EventCall::Wait if self.is_set => {}
            EventCall::Wait => {
                self.waiting.push(caller);
                return None;
            }
        }
        Some(Answer::Done)
    }
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// 0: as many as there is memory for.
    max_items: u64,
    is_closed: bool,
    items: VecDeque<Kept>,
    putting: VecDeque<(Caller, Kept)>,
    getting: VecDeque<Caller>,
    /// Given, and not known to have arrived.
    given: HashMap<Caller, Kept>,
}

impl Queue {
    pub(super) fn new(max_items: u64) -> Self {
        Self { max_items, ..Self::default() }
    }

    fn has_room(&self) -> bool {
        self.max_items == 0 || (self.items.len() as u64) < self.max_items
    }

    pub(super) fn call(&mut self, caller: Caller, call: QueueCall, due: &mut Due) -> Option<Answer> {
        match call {
            QueueCall::Put(_) | QueueCall::TryPut(_) if self.is_closed => return Some(Answer::Closed),
            QueueCall::TryPut(_) if !self.has_room() => return Some(Answer::Missing),
            QueueCall::Put(item) | QueueCall::TryPut(item) => self.putting.push_back((caller, item)),
            QueueCall::Get => self.getting.push_back(caller),
            QueueCall::TryGet => {
                if self.items.is_empty() && self.putting.is_empty() {
                    return Some(if self.is_closed { Answer::Closed } else { Answer::Missing });
                }
                self.getting.push_back(caller);
            }
            QueueCall::Taken(question) => {
                self.given.remove(&Caller { question, ..caller });
                return Some(Answer::Done);
            }
            QueueCall::Len => return Some(Answer::Count(self.items.len() as u64)),
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
        if self.is_closed && self.items.is_empty() {
            due.extend(self.getting.drain(..).map(|caller| (caller, Answer::Closed)));
        }
    }

    fn forget(&mut self, is_gone: impl Fn(Caller) -> bool, due: &mut Due) {
        self.putting.retain(|&(caller, _)| !is_gone(caller));
        self.getting.retain(|&caller| !is_gone(caller));
        let mut back: Vec<_> = self.given.extract_if(|&caller, _| is_gone(caller)).collect();
        // In the order in which they were given.
        back.sort_by_key(|(caller, _)| std::cmp::Reverse(caller.question));
        back.into_iter().for_each(|(_, item)| self.items.push_front(item));
        self.go_on(due);
    }
}

/// All of them.
#[derive(Debug)]
pub(super) enum Waiting {
    Lock(Lock),
    Event(Event),
    Queue(Queue),
}

impl Waiting {
    /// That question was cancelled.
    pub(super) fn cancel(&mut self, cancelled: Caller, due: &mut Due) {
        self.forget(|caller| caller == cancelled, due);
    }

    /// That client is gone.
    pub(super) fn leave(&mut self, client: u64, due: &mut Due) {
        planted!("who-dies-keeps-what-it-has", self.forget(|caller| caller.client == client, due), ());
    }

    fn forget(&mut self, is_gone: impl Fn(Caller) -> bool, due: &mut Due) {
        match self {
            Self::Lock(lock) => lock.forget(is_gone, due),
            Self::Event(event) => event.waiting.retain(|&caller| !is_gone(caller)),
            Self::Queue(queue) => queue.forget(is_gone, due),
        }
    }
}
