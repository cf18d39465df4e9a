//! What the server keeps: names and objects.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::kept::{Kept, Luggage};
use super::kind::Kind;
use super::message::{Answer, Ask, Call, New};
use super::store::{List, Map};
use crate::planted::planted;
use crate::sys::{memfd, socket};

#[derive(Default)]
pub(super) struct Hall {
    names: BTreeMap<String, (Kind, Kept)>,
    objects: HashMap<u64, Object>,
    next: u64,
    /// Made since somebody looked, with the server's ends.
    made: Vec<(u64, OwnedFd)>,
    /// By what the server's ends are known to it.
    settled: HashMap<u64, u64>,
}

struct Object {
    state: State,
    /// The end that all who hold the object have copies of: device and inode.
    token: (u64, u64),
}

enum State {
    Map(Map),
    List(List),
}

impl Hall {
    /// `None`: it is not answered.
    pub(super) fn answer(&mut self, ask: Ask) -> Option<Answer> {
        Some(match ask {
            Ask::Register { name, kind, value, replaces } => match self.names.get(&name) {
                Some((kind, _)) if !replaces => Answer::Taken(kind.clone()),
                _ => {
                    self.names.insert(name, (kind, value));
                    Answer::Done
                }
            },
            Ask::Get { name, kind } => match self.names.get(&name) {
                None => Answer::Missing,
                Some((registered, _)) if planted!("any-kind-will-do", !registered.fits(&kind), false) => {
                    Answer::Taken(registered.clone())
                }
                Some((_, kept)) => or_refused(kept.again().map(Answer::Value)),
            },
            Ask::Unregister { name } => match self.names.remove(&name) {
                Some(_) => Answer::Done,
                None => Answer::Missing,
            },
            Ask::Names => Answer::Names(self.names.keys().cloned().collect()),
            Ask::Make(new) => or_refused(self.make(match new {
                New::Map(items) => State::Map(Map::new(items)),
                New::List(items) => State::List(List::new(items)),
            })),
            Ask::Call { object, call } => or_refused(self.call(object, call)),
            Ask::Hello(_) | Ask::Release { .. } | Ask::Cancel { .. } => return None,
        })
    }

    fn make(&mut self, state: State) -> io::Result<Answer> {
        let (ours, theirs) = socket::pair()?;
        let (token, _) = memfd::identity(&theirs)?;
        let object = self.next;
        self.next += 1;
        self.objects.insert(object, Object { state, token });
        self.made.push((object, ours));
        Ok(Answer::Made { object, token: Some(Luggage(theirs)) })
    }

    fn call(&mut self, object: u64, call: Call) -> io::Result<Answer> {
        let state = self.objects.get_mut(&object).map(|object| &mut object.state);
        match (state, call) {
            (Some(State::Map(map)), Call::Map(call)) => map.call(call),
            (Some(State::List(list)), Call::List(call)) => list.call(call),
            _ => Ok(Answer::NoObject),
        }
    }

    /// Whether that is what keeps the object.
    pub(super) fn is_token(&self, object: u64, token: &OwnedFd) -> bool {
        let known = self.objects.get(&object).map(|object| object.token);
        memfd::identity(token.as_fd()).is_ok_and(|(id, _)| Some(id) == known)
    }

    pub(super) fn take_made(&mut self) -> Vec<(u64, OwnedFd)> {
        std::mem::take(&mut self.made)
    }

    pub(super) fn settle(&mut self, object: u64, number: u64) {
        self.settled.insert(number, object);
    }

    pub(super) fn forget(&mut self, object: u64) {
        self.objects.remove(&object);
    }

    /// Nobody holds that object any more.
    pub(super) fn forget_settled(&mut self, number: u64) {
        if let Some(object) = self.settled.remove(&number) {
            self.forget(object);
        }
    }
}

fn or_refused(answer: io::Result<Answer>) -> Answer {
    answer.unwrap_or_else(|error| Answer::Refused(error.to_string()))
}
