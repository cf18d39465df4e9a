//! How a block comes to be: first its memory, then the record of its name, then its name.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::error::CreateMemoryError;
use super::handle::{Block, SharedMemory};
use super::name;
use super::tracker::{self, TrackError};
use crate::shm::Bytes;
use crate::sys::memfd;
use crate::sys::named::{self, FileId};

/// The name as the system has it, if nobody else does at this moment: a look before memory is zeroed in vain.
pub(super) fn free(name: &str) -> Result<&str, CreateMemoryError> {
    let name = name::checked(name)?;
    match named::identity(name) {
        Ok(Some(_)) => Err(CreateMemoryError::Exists { name: name.to_owned() }),
        _ => Ok(name),
    }
}

/// A block that has no name yet.
pub(super) struct Draft {
    file: OwnedFd,
    size: usize,
    identity: FileId,
}

impl Draft {
    pub(super) fn new(size: usize) -> Result<Self, CreateMemoryError> {
        if size == 0 {
            return Err(CreateMemoryError::ZeroSize);
        }
        let file = named::create(size as u64).map_err(|source| match source.raw_os_error() {
            Some(libc::ENOSPC | libc::ENOMEM | libc::EDQUOT) => CreateMemoryError::Full { size, source },
            Some(libc::EFBIG) => CreateMemoryError::Limit { size },
            _ => CreateMemoryError::Io { doing: "making the block", source },
        })?;
        let (identity, _) = memfd::identity(&file).map_err(CreateMemoryError::os("making the block"))?;
        Ok(Self { file, size, identity })
    }

    pub(super) fn named(self, name: &str, is_tracked: bool) -> Result<SharedMemory, CreateMemoryError> {
        let name = self.link(name, is_tracked)?;
        self.finished(name)
    }

    pub(super) fn link(&self, name: &str, is_tracked: bool) -> Result<Arc<str>, CreateMemoryError> {
        if is_tracked {
            // Before it has the name: whenever this process is killed, nothing is left.
            tracker::track(name, self.identity).map_err(|error| match error {
                TrackError::Forked => CreateMemoryError::Forked,
                TrackError::Io(source) => CreateMemoryError::Io { doing: "noting its name", source },
                TrackError::Spawn(error) => CreateMemoryError::Tracker(error),
            })?;
        }
        named::link(&self.file, name).map_err(|source| {
            tracker::forget(self.identity);
            match source.raw_os_error() {
                Some(libc::EEXIST) => CreateMemoryError::Exists { name: name.to_owned() },
                _ => CreateMemoryError::Io { doing: "naming the block", source },
            }
        })?;
        Ok(name.into())
    }

    pub(super) fn finished(self, name: Arc<str>) -> Result<SharedMemory, CreateMemoryError> {
        let bytes = match Bytes::map(self.file, self.size) {
            Ok(bytes) => bytes,
            Err(source) => {
                let _ = named::unlink(&name, self.identity);
                tracker::forget(self.identity);
                return Err(CreateMemoryError::Io { doing: "mapping the block", source });
            }
        };
        Ok(SharedMemory { name, block: Arc::new(Block { bytes, identity: self.identity }) })
    }
}
