//! To and from the crate `shared_memory`.

use shared_memory::{Shmem, ShmemConf};

use super::error::{CreateMemoryError, OpenMemoryError};
use super::handle::SharedMemory;
use super::tracker::TrackError;

/// A block could not be converted from or to the `Shmem` of the crate `shared_memory`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShmemError {
    /// This crate can't attach to it.
    #[error(transparent)]
    Open(#[from] OpenMemoryError),
    /// This crate can't see to its end.
    #[error(transparent)]
    Create(#[from] CreateMemoryError),
    /// The other crate can't attach to it.
    #[error("the crate shared_memory cannot attach to the block {name:?}: {source}")]
    #[non_exhaustive]
    Other {
        /// The name of the block.
        name: String,
        /// What it says.
        source: shared_memory::ShmemError,
    },
    /// The block has lost its name, by which alone the other crate attaches.
    #[error("the block {name:?} is unlinked, and the crate shared_memory attaches by name")]
    #[non_exhaustive]
    Unlinked {
        /// The name it had.
        name: String,
    },
}

/// The same block, attached to by the crate `shared_memory`. Which process unlinks it does not change: the `Shmem` does not own it.
impl TryFrom<&SharedMemory> for Shmem {
    type Error = ShmemError;

    fn try_from(memory: &SharedMemory) -> Result<Self, ShmemError> {
        let name = || memory.name().to_owned();
        let unlinked = || ShmemError::Unlinked { name: name() };
        if !memory.is_linked() {
            return Err(unlinked());
        }
        let opened = ShmemConf::new().os_id(format!("/{}", memory.name())).open();
        let shmem = opened.map_err(|source| ShmemError::Other { name: name(), source })?;
        // While this handle exists no other file can have its identity: as long as the name is that one's, it was all the time.
        if memory.is_linked() { Ok(shmem) } else { Err(unlinked()) }
    }
}

/// The same block. If the `Shmem` owned it, its tracked creator is this process from here on: its name goes with
/// [`unlink`](SharedMemory::unlink) or with this process, and no longer with a drop. (A link file of the `Shmem` stays where it is.)
impl TryFrom<Shmem> for SharedMemory {
    type Error = ShmemError;

    fn try_from(mut shmem: Shmem) -> Result<Self, ShmemError> {
        let memory = Self::open(shmem.get_os_id())?;
        if mapped_inode(shmem.as_ptr() as usize) != Some(memory.inode()) {
            // Its drop would unlink what is another's.
            shmem.set_owner(false);
            return Err(ShmemError::Unlinked { name: memory.name().to_owned() });
        }
        if shmem.is_owner() {
            memory.adopt().map_err(|error| match error {
                TrackError::Forked => CreateMemoryError::Forked,
                TrackError::Io(source) => CreateMemoryError::Io { doing: "noting its name", source },
                TrackError::Spawn(error) => CreateMemoryError::Tracker(error),
            })?;
            shmem.set_owner(false);
        }
        Ok(memory)
    }
}

/// The file that is mapped at an address: a `Shmem` does not say.
fn mapped_inode(address: usize) -> Option<u64> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let start = format!("{address:08x}-");
    // Address range, permissions, offset, device, inode.
    maps.lines().find(|line| line.starts_with(&start))?.split_ascii_whitespace().nth(4)?.parse().ok()
}
