//! What is waited for in a manager, as the manager has it: who waits is answered later.
//!
//! Who waits and who holds is known by its client and the number of its question, so tasks of one process are as far apart as
//! processes are. What a question was given comes back if it is cancelled, until its asker has said that it has it; and all that
//! a client has comes back when its connection ends.

mod barrier;
mod event;
mod lock;
mod queue;
mod semaphore;
mod tasks;

pub(super) use barrier::{Barrier, BarrierCall};
pub(super) use event::{Event, EventCall};
pub(super) use lock::{Agent, Lock, LockCall};
pub(super) use queue::{Queue, QueueCall};
pub(super) use semaphore::{Semaphore, SemaphoreCall};

use super::message::{Answer, Call};
use crate::planted::planted;

/// A question of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Caller {
    pub(super) client: u64,
    pub(super) question: u64,
}

/// Answers to whom they are due.
pub(super) type Due = Vec<(Caller, Answer)>;

/// Who does not wait any more, and has nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gone {
    /// That question was cancelled.
    Question {
        caller: Caller,
        /// By the end of its time.
        is_late: bool,
    },
    /// That client is gone.
    Client(u64),
}

impl Gone {
    fn is(self, other: Caller) -> bool {
        match self {
            Self::Question { caller, .. } => caller == other,
            Self::Client(client) => client == other.client,
        }
    }
}

/// All of them.
#[derive(Debug)]
pub(super) enum Waiting {
    Lock(Lock),
    Event(Event),
    Queue(Queue),
    Semaphore(Semaphore),
    Barrier(Barrier),
}

impl Waiting {
    /// `None`: that is no call of this kind. `Some(None)`: it is answered later.
    pub(super) fn call(&mut self, caller: Caller, call: Call, due: &mut Due) -> Option<Option<Answer>> {
        Some(match (self, call) {
            (Self::Lock(lock), Call::Lock(call)) => lock.call(caller, call, due),
            (Self::Event(event), Call::Event(call)) => event.call(caller, call, due),
            (Self::Queue(queue), Call::Queue(call)) => queue.call(caller, call, due),
            (Self::Semaphore(semaphore), Call::Semaphore(call)) => semaphore.call(caller, call, due),
            (Self::Barrier(barrier), Call::Barrier(call)) => barrier.call(caller, call, due),
            _ => return None,
        })
    }

    /// That question was cancelled.
    pub(super) fn cancel(&mut self, caller: Caller, is_late: bool, due: &mut Due) {
        self.forget(Gone::Question { caller, is_late }, due);
    }

    /// That client is gone.
    pub(super) fn leave(&mut self, client: u64, due: &mut Due) {
        planted!("who-dies-keeps-what-it-has", self.forget(Gone::Client(client), due), ());
    }

    fn forget(&mut self, gone: Gone, due: &mut Due) {
        match self {
            Self::Lock(lock) => lock.forget(gone, due),
            Self::Event(event) => event.forget(gone),
            Self::Queue(queue) => queue.forget(gone, due),
            Self::Semaphore(semaphore) => semaphore.forget(gone, due),
            Self::Barrier(barrier) => barrier.forget(gone, due),
        }
    }
}
