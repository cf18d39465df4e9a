use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::{Caller, Due, Gone};
use crate::manager::message::Answer;
use crate::planted::planted;

/// Questions to semaphores.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::manager) enum SemaphoreCall {
    /// So many, all of them or none.
    Acquire(u32),
    TryAcquire(u32),
    /// What that question was given comes back.
    GiveBack(u64),
    /// What that question was given comes back by a release alone.
    Forget(u64),
    /// So many more, whoever they belonged to.
    Release(u32),
    Permits,
}

#[derive(Debug)]
pub(in crate::manager) struct Semaphore {
    left: u32,
    /// Those that are left and those that are held are no more.
    limit: u32,
    held: HashMap<Caller, u32>,
    waiting: VecDeque<(Caller, u32)>,
}

impl Semaphore {
    pub(in crate::manager) fn new(permits: u32, limit: u32) -> Self {
        Self { left: permits, limit, held: HashMap::new(), waiting: VecDeque::new() }
    }

    /// `None`: it is answered later.
    pub(in crate::manager) fn call(
        &mut self,
        caller: Caller,
        call: SemaphoreCall,
        due: &mut Due,
    ) -> Option<Answer> {
        let mine = |question| Caller { question, ..caller };
        match call {
            SemaphoreCall::Acquire(count) => {
                self.waiting.push_back((caller, count));
                self.hand_on(due);
                return None;
            }
            // Nobody is overtaken.
            SemaphoreCall::TryAcquire(count) if self.left < count || !self.waiting.is_empty() => {
                return Some(Answer::Missing);
            }
            SemaphoreCall::TryAcquire(count) => return Some(self.take(caller, count)),
            SemaphoreCall::GiveBack(question) => {
                self.left += self.held.remove(&mine(question)).unwrap_or(0);
                self.hand_on(due);
            }
            SemaphoreCall::Forget(question) => drop(self.held.remove(&mine(question))),
            SemaphoreCall::Release(count) => {
                let total =
                    u64::from(self.left) + self.held.values().map(|&count| u64::from(count)).sum::<u64>();
                if total + u64::from(count) > u64::from(self.limit) {
                    return Some(Answer::Flag(false));
                }
                self.left += count;
                self.hand_on(due);
                return Some(Answer::Flag(true));
            }
            SemaphoreCall::Permits => return Some(Answer::Count(self.left.into())),
        }
        Some(Answer::Done)
    }

    fn take(&mut self, caller: Caller, count: u32) -> Answer {
        self.left -= count;
        self.held.insert(caller, count);
        Answer::Granted(caller.question)
    }

    /// To those who wait, in the order in which they came.
    fn hand_on(&mut self, due: &mut Due) {
        while let Some(&(next, count)) = self.waiting.front()
            && count <= self.left
        {
            self.waiting.pop_front();
            due.push((next, self.take(next, count)));
        }
    }

    pub(super) fn forget(&mut self, gone: Gone, due: &mut Due) {
        self.waiting.retain(|&(caller, _)| !gone.is(caller));
        let back: u32 = self.held.extract_if(|&caller, _| gone.is(caller)).map(|(_, count)| count).sum();
        self.left += planted!("permits-of-the-dead-are-lost", back, 0);
        self.hand_on(due);
    }
}
