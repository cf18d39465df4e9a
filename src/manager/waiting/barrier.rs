use serde::{Deserialize, Serialize};

use super::{Caller, Due, Gone};
use crate::manager::message::Answer;
use crate::planted::planted;

/// Questions to barriers.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::manager) enum BarrierCall {
    Wait,
    /// If the caller is the last of them to come.
    TryWait,
    Abort,
    Reset,
    Parties,
    Waiting,
    IsBroken,
}

#[derive(Debug)]
pub(in crate::manager) struct Barrier {
    parties: u64,
    is_broken: bool,
    waiting: Vec<Caller>,
}

impl Barrier {
    pub(in crate::manager) fn new(parties: u64) -> Self {
        Self { parties, is_broken: false, waiting: Vec::new() }
    }

    /// `None`: it is answered later.
    pub(in crate::manager) fn call(
        &mut self,
        caller: Caller,
        call: BarrierCall,
        due: &mut Due,
    ) -> Option<Answer> {
        let is_last = self.waiting.len() as u64 + 1 >= self.parties;
        Some(match call {
            BarrierCall::Wait | BarrierCall::TryWait if self.is_broken => Answer::Broken,
            BarrierCall::TryWait if !is_last => Answer::Missing,
            BarrierCall::Wait | BarrierCall::TryWait => {
                self.waiting.push(caller);
                if is_last {
                    let met = self.waiting.drain(..).zip(0..);
                    due.extend(met.map(|(caller, index)| (caller, Answer::Count(index))));
                }
                return None;
            }
            BarrierCall::Abort => {
                self.end_the_wait(due);
                self.is_broken = true;
                Answer::Done
            }
            BarrierCall::Reset => {
                self.end_the_wait(due);
                self.is_broken = false;
                Answer::Done
            }
            BarrierCall::Parties => Answer::Count(self.parties),
            BarrierCall::Waiting => Answer::Count(self.waiting.len() as u64),
            BarrierCall::IsBroken => Answer::Flag(self.is_broken),
        })
    }

    fn end_the_wait(&mut self, due: &mut Due) {
        due.extend(self.waiting.drain(..).map(|caller| (caller, Answer::Broken)));
    }

    /// Who dies while it waits, or has had enough, breaks it. A future that is dropped has not come.
    pub(super) fn forget(&mut self, gone: Gone, due: &mut Due) {
        let before = self.waiting.len();
        self.waiting.retain(|&caller| !gone.is(caller));
        let breaks = match gone {
            Gone::Question { is_late, .. } => planted!("who-has-had-enough-breaks-nothing", is_late, false),
            Gone::Client(_) => planted!("a-dead-party-is-waited-for", true, false),
        };
        if breaks && self.waiting.len() < before {
            self.is_broken = true;
            self.end_the_wait(due);
        }
    }
}
