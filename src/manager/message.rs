//! What a manager and its clients say to each other.

use serde::{Deserialize, Serialize};

use super::kept::Kept;
use super::kind::Kind;
use crate::connection::Address;

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

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ask {
    Hello(Hello),
    Register { name: String, kind: Kind, value: Kept, replaces: bool },
    Get { name: String, kind: Kind },
    Unregister { name: String },
    Names,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Hello(Hello, u32),
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
}

/// What a server that was started says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Started {
    At(Address),
    InUse(Address),
    Failed { os: Option<i32>, message: String },
}
