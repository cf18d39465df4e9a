use std::io;

use super::name::MemoryNameError;
use crate::SpawnError;
use crate::sys::named::DIRECTORY;

/// A block could not be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateMemoryError {
    /// The name can't be one.
    #[error(transparent)]
    Name(#[from] MemoryNameError),
    /// A block has one byte at least.
    #[error("a block of shared memory has one byte at least")]
    ZeroSize,
    /// Another block has the name.
    #[error("there is a block called {name:?} already: open it, unlink it, or choose another name")]
    #[non_exhaustive]
    Exists {
        /// The name.
        name: String,
    },
    /// There is not that much memory for blocks.
    #[error(
        "there is no room for {size} bytes of shared memory: unlink blocks in {DIRECTORY}, or enlarge it (`mount -o \
         remount,size=… {DIRECTORY}`, in a container `--shm-size`): {source}"
    )]
    #[non_exhaustive]
    Full {
        /// How many bytes were asked for.
        size: usize,
        /// What the system said.
        source: io::Error,
    },
    /// This process may not make files of that size (`RLIMIT_FSIZE`).
    #[error("{size} bytes are more than this process may give a file: raise its limit (`ulimit -f`)")]
    #[non_exhaustive]
    Limit {
        /// How many bytes were asked for.
        size: usize,
    },
    /// The process that is to remove the block after this one's end can't be started.
    #[error(
        "the tracker of this process's blocks cannot be started, and without one: create_untracked ({0})"
    )]
    Tracker(#[source] SpawnError),
    /// This process was forked without exec from one that used this crate.
    #[error(
        "this process was forked without exec, and cannot create tracked blocks: create them before, or use spawn"
    )]
    Forked,
    /// The system refused something else.
    #[error("the system refused shared memory in {DIRECTORY} ({doing}): {source}")]
    #[non_exhaustive]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl CreateMemoryError {
    /// Whether another block has the name.
    #[must_use]
    pub fn is_exists(&self) -> bool {
        matches!(self, Self::Exists { .. })
    }

    /// Whether there was not enough memory.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }

    pub(super) fn os(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}

/// A block could not be attached to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenMemoryError {
    /// The name can't be one.
    #[error(transparent)]
    Name(#[from] MemoryNameError),
    /// There is no such block.
    #[error(
        "there is no block called {name:?}: it was not created yet, or is unlinked, or its creator has ended"
    )]
    #[non_exhaustive]
    NotFound {
        /// The name.
        name: String,
    },
    /// Its creator has not given it a size yet.
    #[error("the block {name:?} has no size yet: its creator is still at it, so try again")]
    #[non_exhaustive]
    Unfinished {
        /// The name.
        name: String,
    },
    /// The name means another block than the one that was sent here.
    #[error("the name {name:?} means another block by now than the one whose handle this is")]
    #[non_exhaustive]
    Replaced {
        /// The name.
        name: String,
    },
    /// A part of its memory was only promised to its creator, and can't be had.
    #[error(
        "its creator was promised {size} bytes that {DIRECTORY} does not have: unlink blocks there, or enlarge it (`mount \
         -o remount,size=… {DIRECTORY}`, in a container `--shm-size`): {source}"
    )]
    #[non_exhaustive]
    Full {
        /// The size of the block.
        size: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused something else.
    #[error("the system refused the block {name:?}: {source}")]
    #[non_exhaustive]
    Io {
        /// The name.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenMemoryError {
    /// Whether there is no such block.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether there was not enough memory.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }
}

/// A name could not be removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnlinkError {
    /// Somebody has removed it before.
    #[error("the block {name:?} has been unlinked already")]
    #[non_exhaustive]
    NotFound {
        /// The name.
        name: String,
    },
    /// Somebody has removed it before, and another block has the name now, which was left alone.
    #[error("the block {name:?} has been unlinked already, and the name is another block's now")]
    #[non_exhaustive]
    Replaced {
        /// The name.
        name: String,
    },
    /// The system refused.
    #[error("cannot unlink the block {name:?}: {source}")]
    #[non_exhaustive]
    Io {
        /// The name.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

impl UnlinkError {
    /// Whether the block had no name any more, whoever has it now.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. } | Self::Replaced { .. })
    }
}

/// Bytes were named that the block does not have. Nothing was read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{length} bytes from {offset} on are not within a block of {size} bytes")]
#[non_exhaustive]
pub struct OutOfBoundsError {
    /// Where they were to begin.
    pub offset: usize,
    /// How many they were to be.
    pub length: usize,
    /// How many bytes the block has.
    pub size: usize,
}
