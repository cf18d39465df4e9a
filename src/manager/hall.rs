//! What the server keeps: names and objects.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::ManagerError;
use super::kept::{Kept, TravellingFd};
use super::kind::Kind;
use super::message::{Answer, Ask, Call, New};
use super::object::{Calling, Failed, Failure, Made, UserObject, let_go};
use super::proxy::Proxy;
use super::session::Session;
use super::store::{List, Map};
use super::waiting::{Barrier, Caller, Due, Event, Lock, Queue, Semaphore, Waiting};
use crate::planted::planted;
use crate::sys::entry::{Entry, Place};
use crate::sys::{memfd, socket};

thread_local! {
    /// What objects have had kept since somebody looked; nothing where there is no manager.
    static KEEPING: RefCell<Option<(Arc<Session>, Vec<NewObject>)>> = const { RefCell::new(None) };
}

/// Objects are numbered in the process: it is one manager's.
static NEXT: AtomicU64 = AtomicU64::new(0);

struct NewObject {
    number: u64,
    object: KeptObject,
    /// The server's end.
    end: OwnedFd,
}

impl NewObject {
    /// With the end that those who hold it have copies of.
    fn new(state: State) -> io::Result<(Self, OwnedFd)> {
        let (end, theirs) = socket::pair()?;
        let (token, _) = memfd::identity(&theirs)?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Ok((Self { number, object: KeptObject { state, token }, end }, theirs))
    }
}

/// Within a manager, has it keep an object.
pub(super) fn keep(object: Box<dyn UserObject>) -> Result<Arc<Proxy>, ManagerError> {
    KEEPING.with_borrow_mut(|keeping| {
        let (own, new) = keeping.as_mut().ok_or(ManagerError::NotInManager)?;
        let (made, token) = NewObject::new(State::User(object))
            .map_err(|error| ManagerError::Refused { message: error.to_string() })?;
        let proxy = Proxy::new(own.clone(), made.number, Some(TravellingFd(token)));
        new.push(made);
        Ok(Arc::new(proxy))
    })
}

pub(super) struct Hall {
    own: Arc<Session>,
    names: BTreeMap<String, (Kind, Kept)>,
    objects: HashMap<u64, KeptObject>,
    /// Made since somebody looked, with the server's ends.
    made: Vec<(u64, OwnedFd)>,
    /// By what the server's ends are known to it.
    settled: HashMap<u64, u64>,
    due: Due,
}

struct KeptObject {
    state: State,
    /// The end that all who hold the object have copies of: device and inode.
    token: (u64, u64),
}

enum State {
    Map(Map),
    List(List),
    User(Box<dyn UserObject>),
    Waiting(Waiting),
}

impl Hall {
    pub(super) fn new(own: Arc<Session>) -> Self {
        KEEPING.set(Some((own.clone(), Vec::new())));
        Self {
            own,
            names: BTreeMap::new(),
            objects: HashMap::new(),
            made: Vec::new(),
            settled: HashMap::new(),
            due: Due::new(),
        }
    }

    /// `None`: it is not answered, or later.
    pub(super) fn answer(&mut self, caller: Caller, ask: Ask) -> Option<Answer> {
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
            Ask::Make(New::Map(items)) => or_refused(self.make(State::Map(Map::new(items)))),
            Ask::Make(New::List(items)) => or_refused(self.make(State::List(List::new(items)))),
            Ask::Make(New::User { place, arguments }) => match self.made_by(&place, arguments) {
                Ok(object) => or_refused(self.make(State::User(object))),
                Err(Failed(failure)) => Answer::Failed(failure),
            },
            Ask::Make(New::Lock) => or_refused(self.make(State::Waiting(Waiting::Lock(Lock::default())))),
            Ask::Make(New::Event) => or_refused(self.make(State::Waiting(Waiting::Event(Event::default())))),
            Ask::Make(New::Queue(max_items)) => {
                or_refused(self.make(State::Waiting(Waiting::Queue(Queue::new(max_items)))))
            }
            Ask::Make(New::JoinableQueue(max_items)) => {
                or_refused(self.make(State::Waiting(Waiting::Queue(Queue::joinable(max_items)))))
            }
            Ask::Make(New::Semaphore(permits, limit)) => {
                or_refused(self.make(State::Waiting(Waiting::Semaphore(Semaphore::new(permits, limit)))))
            }
            Ask::Make(New::Barrier(parties)) => {
                or_refused(self.make(State::Waiting(Waiting::Barrier(Barrier::new(parties)))))
            }
            Ask::Call { object, call } => match self.call(caller, object, call) {
                Ok(answer) => return answer,
                Err(error) => Answer::Refused(error.to_string()),
            },
            Ask::Cancel { object, question, is_late } => {
                if let Some(KeptObject { state: State::Waiting(waiting), .. }) = self.objects.get_mut(&object)
                {
                    waiting.cancel(Caller { question, ..caller }, is_late, &mut self.due);
                }
                return None;
            }
            Ask::Hello(_) | Ask::Release { .. } | Ask::Several(_) => return None,
        })
    }

    fn make(&mut self, state: State) -> io::Result<Answer> {
        let (new, token) = NewObject::new(state)?;
        let object = new.number;
        self.add(new);
        Ok(Answer::Made { object, token: Some(TravellingFd(token)) })
    }

    fn add(&mut self, NewObject { number, object, end }: NewObject) {
        self.objects.insert(number, object);
        self.made.push((number, end));
    }

    fn made_by(&mut self, place: &Place, arguments: Kept) -> Made {
        let entry = Entry::<Made>::at(place).map_err(|_| Failed(Failure::OtherBuild))?;
        let made = arguments.open(&self.own, |bytes, descriptors| entry.run(bytes, descriptors));
        self.take_kept();
        made
    }

    fn call(&mut self, caller: Caller, object: u64, call: Call) -> io::Result<Option<Answer>> {
        let state = self.objects.get_mut(&object).map(|object| &mut object.state);
        let due = &mut self.due;
        match (state, call) {
            (Some(State::Map(map)), Call::Map(call)) => map.call(call).map(Some),
            (Some(State::List(list)), Call::List(call)) => list.call(call).map(Some),
            (Some(State::Waiting(waiting)), call) => {
                Ok(waiting.call(caller, call, due).unwrap_or(Some(Answer::NoObject)))
            }
            (Some(State::User(object)), Call::User { method, arguments }) => {
                let answer = object.call(Calling::new(method, arguments, &self.own));
                self.take_kept();
                Ok(Some(answer.map_or_else(|Failed(failure)| Answer::Failed(failure), Answer::Value)))
            }
            _ => Ok(Some(Answer::NoObject)),
        }
    }

    /// A client is gone, and with it what it had.
    pub(super) fn leave(&mut self, client: u64) {
        for object in self.objects.values_mut() {
            if let State::Waiting(waiting) = &mut object.state {
                waiting.leave(client, &mut self.due);
            }
        }
    }

    /// Answers that are due to others than those who asked just now.
    pub(super) fn take_due(&mut self) -> Due {
        std::mem::take(&mut self.due)
    }

    /// What an object has had kept meanwhile.
    fn take_kept(&mut self) {
        let kept = KEEPING.with_borrow_mut(|keeping| keeping.as_mut().map(|(_, new)| std::mem::take(new)));
        kept.into_iter().flatten().for_each(|new| self.add(new));
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
        if let Some(KeptObject { state: State::User(object), .. }) = self.objects.remove(&object) {
            planted!("a-drop-ends-the-server", let_go(object), drop(object));
        }
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
