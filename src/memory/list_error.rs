use super::layout::{LONGEST, LONGEST_WITH_ZERO};
use crate::{CreateMemoryError, OpenMemoryError};

/// A list could not be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateListError {
    /// Its block could not be.
    #[error(transparent)]
    Memory(#[from] CreateMemoryError),
    /// A `str` or `bytes` has more bytes than Python's layout can say.
    #[error("item {index} has more than {} bytes: put it into a block of its own and its name here", LONGEST - 1)]
    #[non_exhaustive]
    TooLong {
        /// Which item.
        index: usize,
    },
    /// A long `str` or `bytes` ends in a zero byte.
    #[error("item {index} ends in a zero byte, and such an item may have {LONGEST_WITH_ZERO} bytes at most")]
    #[non_exhaustive]
    EndsInZero {
        /// Which item.
        index: usize,
    },
}

/// A list could not be attached to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenListError {
    /// Its block could not be.
    #[error(transparent)]
    Memory(#[from] OpenMemoryError),
    /// The block holds something else, or its creator is still writing the list.
    #[error("the block {name:?} holds no list, or its creator is still writing it")]
    #[non_exhaustive]
    NotAList {
        /// The name of the block.
        name: String,
    },
}

/// An item could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GetItemError {
    /// The list has no such item.
    #[error("there is no item {index} in a list of {length}")]
    #[non_exhaustive]
    OutOfRange {
        /// The index.
        index: usize,
        /// How many items there are.
        length: usize,
    },
    /// A `str` that is not UTF-8: Python cuts text off that needs more bytes than characters, or somebody is writing it.
    #[error(
        "item {index} is to be text and is not UTF-8: Python cut it off, or it is being written: take a lock for both"
    )]
    #[non_exhaustive]
    NotText {
        /// The index.
        index: usize,
        /// What stands there.
        bytes: Vec<u8>,
    },
    /// What stands there is of no type: somebody is writing it, or has written something else into the block.
    #[error(
        "item {index} is of no type that a list has: it is being written (take a lock for both) or damaged"
    )]
    #[non_exhaustive]
    Damaged {
        /// The index.
        index: usize,
    },
}

impl GetItemError {
    /// Whether the list has no such item.
    #[must_use]
    pub fn is_out_of_range(&self) -> bool {
        matches!(self, Self::OutOfRange { .. })
    }
}

/// An item could not be replaced; it is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetItemError {
    /// The list has no such item.
    #[error("there is no item {index} in a list of {length}")]
    #[non_exhaustive]
    OutOfRange {
        /// The index.
        index: usize,
        /// How many items there are.
        length: usize,
    },
    /// The value needs more bytes than the item had when the list was created.
    #[error(
        "{length} bytes do not fit into item {index}, which has room for {room}: create the list with a longer one"
    )]
    #[non_exhaustive]
    TooLong {
        /// The index.
        index: usize,
        /// How many bytes the value has.
        length: usize,
        /// For how many there is room.
        room: usize,
    },
    /// A long `str` or `bytes` ends in a zero byte.
    #[error(
        "item {index} would end in a zero byte, and such an item may have {LONGEST_WITH_ZERO} bytes at most"
    )]
    #[non_exhaustive]
    EndsInZero {
        /// The index.
        index: usize,
    },
}

impl SetItemError {
    /// Whether the list has no such item.
    #[must_use]
    pub fn is_out_of_range(&self) -> bool {
        matches!(self, Self::OutOfRange { .. })
    }

    /// Whether the value has no room.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        matches!(self, Self::TooLong { .. })
    }
}
