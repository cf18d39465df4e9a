use serde::{Deserialize, Serialize};

use super::{Caller, Due, Gone};
use crate::manager::message::Answer;

/// Questions to events.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::manager) enum EventCall {
    Set,
    Clear,
    IsSet,
    Wait,
}

#[derive(Debug, Default)]
pub(in crate::manager) struct Event {
    is_set: bool,
    waiting: Vec<Caller>,
}

impl Event {
    /// `None`: it is answered later.
    pub(in crate::manager) fn call(
        &mut self,
        caller: Caller,
        call: EventCall,
        due: &mut Due,
    ) -> Option<Answer> {
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

    pub(super) fn forget(&mut self, gone: Gone) {
        self.waiting.retain(|&caller| !gone.is(caller));
    }
}
