//! Which items of a joinable queue are unfinished, and who has them.

use std::collections::HashMap;

use super::{Caller, Due, Gone, QueueCall};
use crate::manager::message::Answer;
use crate::planted::planted;

#[derive(Debug, Default)]
pub(super) struct Tasks {
    /// Put, and not finished.
    unfinished: u64,
    /// Got by that client, and not finished.
    held: HashMap<u64, u64>,
    /// Got by clients that are gone.
    lost: u64,
    joining: Vec<Caller>,
}

impl Tasks {
    pub(super) fn put(&mut self) {
        self.unfinished += 1;
    }

    pub(super) fn taken(&mut self, client: u64) {
        *self.held.entry(client).or_insert(0) += 1;
    }

    /// `None`: it is answered later.
    pub(super) fn call(&mut self, caller: Caller, call: QueueCall, due: &mut Due) -> Option<Answer> {
        match call {
            QueueCall::TaskDone => Some(Answer::Flag(self.finish(caller.client, due))),
            QueueCall::Unfinished => Some(Answer::Count(self.unfinished)),
            _ => {
                self.joining.push(caller);
                self.tell(due);
                None
            }
        }
    }

    /// False: that client has none.
    fn finish(&mut self, client: u64, due: &mut Due) -> bool {
        let Some(held) = self.held.get_mut(&client).filter(|held| **held > 0) else { return false };
        *held -= 1;
        self.unfinished -= 1;
        self.tell(due);
        true
    }

    /// Those who wait for the end, if it has come, or never will.
    fn tell(&mut self, due: &mut Due) {
        let (unfinished, lost) = (self.unfinished, self.lost);
        if unfinished == 0 || lost > 0 {
            let answer = || if unfinished == 0 { Answer::Done } else { Answer::Lost(lost) };
            due.extend(self.joining.drain(..).map(|caller| (caller, answer())));
        }
    }

    pub(super) fn forget(&mut self, gone: Gone, due: &mut Due) {
        self.joining.retain(|&caller| !gone.is(caller));
        if let Gone::Client(client) = gone {
            let held = self.held.remove(&client).unwrap_or(0);
            self.lost += planted!("a-worker-is-lost-unseen", held, 0);
            self.tell(due);
        }
    }
}
