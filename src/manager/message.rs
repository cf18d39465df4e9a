//! What a manager and its clients say to each other.

use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use super::kept::{Bytes, Kept, TravellingFd};
use super::kind::Kind;
use super::object::Failure;
use super::outbox::Several;
use super::store::{ListCall, MapCall};
use super::waiting::{BarrierCall, EventCall, LockCall, QueueCall, SemaphoreCall};
use crate::connection::Address;
use crate::sys::entry::Place;

/// Of what is said here; another crate version may have another.
pub(super) const PROTOCOL: u32 = 1;

/// The first word of each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    magic: [u8; 8],
    pub(super) protocol: u32,
}

impl Hello {
    const MAGIC: [u8; 8] = *b"aiomanag";

    pub(super) fn ours() -> Self {
        Self { magic: Self::MAGIC, protocol: PROTOCOL }
    }

    pub(super) fn is_of_a_manager(self) -> bool {
        self.magic == Self::MAGIC
    }
}

/// The number of what is only told.
pub(super) const UNANSWERED: u64 = u64::MAX;

/// A question with its number.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) id: u64,
    pub(super) ask: Ask,
}

/// The answer to the question of that number.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Response {
    pub(super) id: u64,
    pub(super) answer: Answer,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ask {
    Hello(Hello),
    Register {
        name: String,
        kind: Kind,
        value: Kept,
        replaces: bool,
    },
    Get {
        name: String,
        kind: Kind,
    },
    Unregister {
        name: String,
    },
    Names,
    /// Make an object.
    Make(New),
    /// Use one.
    Call {
        object: u64,
        call: Call,
    },
    /// One of this client's references by number is gone. Not answered.
    Release {
        object: u64,
    },
    /// Nobody waits for that answer any more, or can use it. Not answered.
    Cancel {
        object: u64,
        question: u64,
        /// Its time is over.
        is_late: bool,
    },
    /// Several requests, each encoded. None of them is this.
    Several(Vec<Bytes>),
}

/// What can be made.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum New {
    Map(Vec<(Bytes, Kept)>),
    List(Vec<Kept>),
    /// By a function of this program.
    User {
        place: Place,
        arguments: Kept,
    },
    Lock,
    Event,
    /// Of so many items.
    Queue(u64),
    /// The same, whose items are finished after they are got.
    JoinableQueue(u64),
    /// Of so many permits, and at most so many.
    Semaphore(u32, u32),
    /// Of so many parties.
    Barrier(u64),
}

/// What can be done with an object.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Call {
    Map(MapCall),
    List(ListCall),
    User { method: String, arguments: Kept },
    Lock(LockCall),
    Event(EventCall),
    Queue(QueueCall),
    Semaphore(SemaphoreCall),
    Barrier(BarrierCall),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Hello(Hello, u128),
    Done,
    Value(Kept),
    Names(Vec<String>),
    /// Nothing has that name.
    Missing,
    /// Something has that name, and this is its kind.
    Taken(Kind),
    /// It holds descriptors, and the asker is elsewhere.
    Stays,
    /// The system refused.
    Refused(String),
    /// An object, and what keeps it: an end of a socket, or a count with the connection.
    Made {
        object: u64,
        token: Option<TravellingFd>,
    },
    Flag(bool),
    Count(u64),
    Values(Vec<Option<Kept>>),
    Keys(Vec<Bytes>),
    Items(Vec<(Bytes, Kept)>),
    /// All of a list, and how often it was changed.
    List(u64, Vec<Kept>),
    Failed(Failure),
    /// A lock, for that question.
    Granted(u64),
    /// An item, for that question.
    Item(u64, Kept),
    /// The queue is.
    Closed,
    /// There is no such place in a list of this length.
    OutOfRange(u64),
    /// The object is none of that kind, or there is none of that number.
    NoObject,
    /// Several responses, each encoded. None of them is this.
    Several(Vec<Bytes>),
    /// The barrier is.
    Broken,
    /// So many items were got by clients that are gone, and will never be finished.
    Lost(u64),
}

impl Several for Request {
    fn several(parts: Vec<Bytes>) -> Self {
        Self { id: UNANSWERED, ask: Ask::Several(parts) }
    }
}

impl Several for Response {
    fn several(parts: Vec<Bytes>) -> Self {
        Self { id: UNANSWERED, answer: Answer::Several(parts) }
    }
}

impl Ask {
    /// The object that must know if nobody waits for the answer any more.
    pub(super) fn waits_for(&self) -> Option<u64> {
        let Self::Call { object, call } = self else { return None };
        let waits = matches!(
            call,
            Call::Lock(
                LockCall::Acquire
                    | LockCall::TryAcquire
                    | LockCall::Wait(_)
                    | LockCall::AcquireAgain(_)
                    | LockCall::TryAcquireAgain(_)
            ) | Call::Event(EventCall::Wait)
                | Call::Queue(QueueCall::Put(_) | QueueCall::Get | QueueCall::TryGet | QueueCall::Join)
                | Call::Semaphore(SemaphoreCall::Acquire(_) | SemaphoreCall::TryAcquire(_))
                | Call::Barrier(BarrierCall::Wait)
        );
        waits.then_some(*object)
    }

    /// Whether the end of its time is for others to know, though the question is not out by then.
    pub(super) fn is_heard_late(&self) -> bool {
        matches!(self, Self::Call { call: Call::Barrier(BarrierCall::Wait), .. })
    }

    /// Each value in it.
    pub(super) fn values_mut(&mut self) -> Vec<&mut Kept> {
        match self {
            Self::Register { value, .. } => vec![value],
            Self::Make(New::Map(items)) => items.iter_mut().map(|(_, value)| value).collect(),
            Self::Make(New::List(items)) => items.iter_mut().collect(),
            Self::Make(New::User { arguments, .. }) => vec![arguments],
            Self::Call { call: Call::User { arguments, .. }, .. } => vec![arguments],
            Self::Call { call: Call::Map(call), .. } => call.values_mut(),
            Self::Call { call: Call::Queue(QueueCall::Put(item) | QueueCall::TryPut(item)), .. } => {
                vec![item]
            }
            Self::Call { call: Call::List(call), .. } => call.values_mut(),
            _ => Vec::new(),
        }
    }
}

impl Answer {
    /// Each value in it.
    pub(super) fn values_mut(&mut self) -> Vec<&mut Kept> {
        match self {
            Self::Value(value) | Self::Item(_, value) => vec![value],
            Self::Values(values) => values.iter_mut().flatten().collect(),
            Self::Items(items) => items.iter_mut().map(|(_, value)| value).collect(),
            Self::List(_, items) => items.iter_mut().collect(),
            _ => Vec::new(),
        }
    }
}

impl Answer {
    /// The objects that are held by number where it arrives, each as often as it names it.
    pub(super) fn counted(&mut self) -> Vec<u64> {
        if let Self::Made { object, token: None } = self {
            return vec![*object];
        }
        let references = self.values_mut().into_iter().flat_map(|value| &value.references);
        references.filter(|reference| reference.token.is_none()).map(|reference| reference.object).collect()
    }
}

/// What a server that was started says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Started {
    At(Address, u128),
    InUse(Address),
    Failed { os: Option<i32>, message: String },
}

/// A descriptor on its way.
impl From<OwnedFd> for TravellingFd {
    fn from(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }
}
