use std::collections::{HashSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::{Caller, Due, Gone};
use crate::manager::message::Answer;
use crate::planted::planted;

/// Questions to locks and conditions.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::manager) enum LockCall {
    Acquire,
    TryAcquire,
    /// What that question was given.
    Release(u64),
    IsLocked,
    /// Releases it, waits to be notified, and acquires it again.
    Wait(u64),
    Notify(u64),
    /// At once if that agent of this client holds it already.
    AcquireAgain(Agent),
    TryAcquireAgain(Agent),
}

/// A thread or a task, as its process numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::manager) struct Agent {
    pub(in crate::manager) own: u32,
    /// Of the task that the thread is in.
    pub(in crate::manager) task: Option<u32>,
}

impl Agent {
    fn is(self, holder: u32) -> bool {
        self.own == holder || self.task == Some(holder)
    }
}

/// A lock, with those who wait to be notified.
#[derive(Debug, Default)]
pub(in crate::manager) struct Lock {
    /// Each time that it is held: once, or of one agent as often as that has acquired it.
    holds: Vec<Caller>,
    /// Who may have it again.
    holder: Option<u32>,
    waiting: VecDeque<(Caller, Option<Agent>)>,
    /// Of a condition.
    sleeping: VecDeque<Caller>,
    /// Those of them that were notified, until they release what they were given.
    notified: HashSet<Caller>,
}

impl Lock {
    /// `None`: it is answered later.
    pub(in crate::manager) fn call(
        &mut self,
        caller: Caller,
        call: LockCall,
        due: &mut Due,
    ) -> Option<Answer> {
        let mine = |question| Caller { question, ..caller };
        match call {
            LockCall::Acquire => self.acquire(caller, None, due),
            LockCall::AcquireAgain(agent) => self.acquire(caller, Some(agent), due),
            LockCall::TryAcquire => Some(self.try_acquire(caller, None)),
            LockCall::TryAcquireAgain(agent) => Some(self.try_acquire(caller, Some(agent))),
            LockCall::Release(question) => Some(Answer::Flag(self.release(mine(question), due))),
            LockCall::IsLocked => Some(Answer::Flag(!self.holds.is_empty())),
            LockCall::Wait(question) => {
                if !self.release(mine(question), due) {
                    return Some(Answer::Missing);
                }
                self.sleeping.push_back(caller);
                None
            }
            LockCall::Notify(count) => {
                let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.sleeping.len());
                self.notify(count);
                self.hand_on(due);
                Some(Answer::Count(count as u64))
            }
        }
    }

    /// So many of those who wait for it, in the order in which they came.
    fn notify(&mut self, count: usize) {
        for caller in self.sleeping.drain(..count.min(self.sleeping.len())) {
            self.notified.insert(caller);
            self.waiting.push_back((caller, None));
        }
    }

    fn acquire(&mut self, caller: Caller, agent: Option<Agent>, due: &mut Due) -> Option<Answer> {
        if self.is_held_by(caller, agent) {
            return Some(self.take(caller, agent));
        }
        self.waiting.push_back((caller, agent));
        self.hand_on(due);
        None
    }

    fn try_acquire(&mut self, caller: Caller, agent: Option<Agent>) -> Answer {
        if self.holds.is_empty() || self.is_held_by(caller, agent) {
            self.take(caller, agent)
        } else {
            Answer::Missing
        }
    }

    fn is_held_by(&self, caller: Caller, agent: Option<Agent>) -> bool {
        let of_its_client = self.holds.first().is_some_and(|hold| hold.client == caller.client);
        let same = |holder| {
            planted!("any-thread-is-the-holder", agent.is_some_and(|agent| agent.is(holder)), agent.is_some())
        };
        of_its_client && self.holder.is_some_and(same)
    }

    fn take(&mut self, caller: Caller, agent: Option<Agent>) -> Answer {
        if self.holds.is_empty() {
            self.holder = agent.map(|agent| agent.own);
        }
        self.holds.push(caller);
        Answer::Granted(caller.question)
    }

    fn release(&mut self, caller: Caller, due: &mut Due) -> bool {
        let Some(at) = self.holds.iter().position(|&hold| hold == caller) else { return false };
        self.holds.swap_remove(at);
        self.notified.remove(&caller);
        self.hand_on(due);
        true
    }

    /// To the next who waits, and to what else waits as the same.
    fn hand_on(&mut self, due: &mut Due) {
        if self.holds.is_empty()
            && let Some((next, agent)) = self.waiting.pop_front()
        {
            due.push((next, self.take(next, agent)));
            let (again, others) = std::mem::take(&mut self.waiting)
                .into_iter()
                .partition::<Vec<_>, _>(|&(caller, agent)| self.is_held_by(caller, agent));
            self.waiting = others.into();
            for (caller, agent) in again {
                due.push((caller, self.take(caller, agent)));
            }
        }
    }

    pub(super) fn forget(&mut self, gone: Gone, due: &mut Due) {
        self.waiting.retain(|&(caller, _)| !gone.is(caller));
        self.sleeping.retain(|&caller| !gone.is(caller));
        self.holds.retain(|&caller| !gone.is(caller));
        // Whoever goes without its answer has not heard: that notification is the next one's. A client that dies with the lock may have
        // heard, and the next one wakes for nothing.
        let unheard = self.notified.extract_if(|&caller| gone.is(caller)).count();
        self.notify(planted!("a-notification-ends-with-who-was-to-have-it", unheard, 0));
        self.hand_on(due);
    }
}
