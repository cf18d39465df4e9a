use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::draft::{Draft, free};
use super::error::{CreateMemoryError, OpenMemoryError, UnlinkError};
use super::name;
use super::tracker;
#[cfg(feature = "shared_memory")]
use super::tracker::TrackError;
use crate::shm::Bytes;
use crate::sys::memfd;
use crate::sys::named::{self, FileId, Unlinked};

/// A block of shared memory with a name, by which any program of the same user attaches to it: Python's
/// `multiprocessing.shared_memory.SharedMemory`.
///
/// A block is zeroed at first. A clone of the handle names the same block, and so does a handle that travelled to another
/// process as an argument of [`spawn`](crate::AioProcess::spawn) or in a message. Dropping handles takes away this process's
/// view, never the block: it exists until its name is [unlinked](Self::unlink) or the process that created it has ended, and its
/// memory is freed when also the last view is gone. Names and contents are those of Python's class and of `shm_open(3)`.
///
/// Other processes write whenever they like. [`copy_in`](Self::copy_in), [`copy_out`](Self::copy_out), [`get`](Self::get) and
/// [`set`](Self::set) copy bytes, and [`bytes`](Self::bytes) views them as atomics; none of them waits, and none is a lock. A
/// lock of any kind may stand beside the block, an [`AioLock`](crate::AioLock) for example. Where no stranger is to take part,
/// [`AioArray`](crate::AioArray) has its lock with it.
///
/// # If a process dies
///
/// When the process that created it ends, killed or not, the name is removed within milliseconds, by a small process
/// (`MemoryTracker`) that is started with the first block and ends with its creator. It never removes a name that somebody else
/// has created anew. Other processes go on with the views that they have. The death of a process that has only attached
/// changes nothing. If the tracker itself is killed, the next block that is created starts another, which sees to all of
/// them; if none is created, and only then, names stay behind when the creator ends without having unlinked them.
///
/// Whoever may open the block may also cut it short (`ftruncate`), and to touch what is gone ends a process by SIGBUS. This
/// crate and Python never do.
///
/// # With Python
///
/// Either side may create a block. Before Python 3.13, and from then on without `track=False`, a Python program *unlinks what it has
/// only attached to* when it ends; `multiprocessing.resource_tracker.unregister(memory._name, "shared_memory")` keeps it from that.
///
/// # Examples
///
/// ```
/// use aioprocessing::SharedMemory;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     aioprocessing::init();
///     let memory = SharedMemory::create_anonymous(64)?;
///     let same = SharedMemory::open(memory.name())?;
///     memory.copy_in(8, b"hello")?;
///     let mut text = [0; 5];
///     same.copy_out(8, &mut text)?;
///     assert_eq!(&text, b"hello");
///     memory.unlink()?;
///     Ok(())
/// }
/// ```
#[derive(Clone)]
#[doc(alias = "shm_open")]
#[doc(alias = "shared_memory")]
pub struct SharedMemory {
    pub(super) name: Arc<str>,
    pub(super) block: Arc<Block>,
}

/// This process's view of a block.
pub(super) struct Block {
    pub(super) bytes: Bytes,
    pub(super) identity: FileId,
}

impl SharedMemory {
    /// Creates a block of that name and so many bytes, all of them zero.
    ///
    /// The name appears with the block complete, readable and writable by this user alone (mode 0600); a slash at its beginning
    /// means nothing. All memory is had before this returns: to touch it never fails. Python:
    /// `SharedMemory(name, create=True, size=size)`.
    ///
    /// # Blocking
    ///
    /// Waits for nobody, but zeroing takes time: up to a second for a gibibyte. The first block of a process starts its
    /// tracker, which takes as long as any other [`spawn`](crate::AioProcess::spawn).
    ///
    /// # Errors
    ///
    /// [`CreateMemoryError::Exists`] if the name is taken. [`CreateMemoryError::Full`] if there is not enough memory for blocks,
    /// which in containers is often 64 MiB. [`CreateMemoryError::Tracker`] in a program that has not called
    /// [`init`](crate::init). The other variants say what else.
    pub fn create(name: &str, size: usize) -> Result<Self, CreateMemoryError> {
        let name = free(name)?;
        Draft::new(size)?.named(name, true)
    }

    /// [`create`](Self::create) with a name that is made up, `psm_` and 16 digits. Python: `SharedMemory(create=True, size=size)`.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create).
    pub fn create_anonymous(size: usize) -> Result<Self, CreateMemoryError> {
        let draft = Draft::new(size)?;
        loop {
            match draft.link(&name::invented(), true) {
                Err(CreateMemoryError::Exists { .. }) => {}
                Err(error) => return Err(error),
                Ok(name) => return draft.finished(name),
            }
        }
    }

    /// [`create`](Self::create) for a block that is to outlive this process: only [`unlink`](Self::unlink), in whichever process,
    /// removes the name. Needs neither [`init`](crate::init) nor a tracker. Python 3.13: `track=False`.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create), without those of the tracker.
    pub fn create_untracked(name: &str, size: usize) -> Result<Self, CreateMemoryError> {
        let name = free(name)?;
        Draft::new(size)?.named(name, false)
    }

    /// Attaches to the block of that name, whoever created it. It has the size that it was given there. Python:
    /// `SharedMemory(name)`.
    ///
    /// Attaching changes nothing about how long the block exists. Memory that its creator was only promised, which is how Python
    /// makes blocks, is had when this returns.
    ///
    /// # Errors
    ///
    /// [`OpenMemoryError::NotFound`] if there is none. [`OpenMemoryError::Full`] if there is not as much memory as its creator was
    /// promised. The other variants say what else.
    pub fn open(name: &str) -> Result<Self, OpenMemoryError> {
        let name = name::checked(name)?;
        let file = named::open(name).map_err(|source| match source.raw_os_error() {
            Some(libc::ENOENT) => OpenMemoryError::NotFound { name: name.to_owned() },
            _ => OpenMemoryError::Io { name: name.to_owned(), source },
        })?;
        Ok(Self { name: name.into(), block: Arc::new(Block::of(file, name)?) })
    }

    /// The name, without a slash at its beginning.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many bytes it has.
    #[must_use]
    pub fn size(&self) -> usize {
        self.block.bytes.size()
    }

    /// Removes the name, if it is still this block's. Views of the block stay as they are; nobody else can attach to it.
    ///
    /// Any process that has the block may do it. Python: `unlink`.
    ///
    /// # Errors
    ///
    /// [`UnlinkError::NotFound`] if somebody has done it before, and [`UnlinkError::Replaced`] if moreover somebody has
    /// created another block of that name, which is left alone.
    pub fn unlink(&self) -> Result<(), UnlinkError> {
        let name = || self.name().to_owned();
        let done = named::unlink(&self.name, self.block.identity)
            .map_err(|source| UnlinkError::Io { name: name(), source })?;
        tracker::forget(self.block.identity);
        match done {
            Unlinked::Done => Ok(()),
            Unlinked::Missing => Err(UnlinkError::NotFound { name: name() }),
            Unlinked::Another => Err(UnlinkError::Replaced { name: name() }),
        }
    }

    /// Whether the name is still this block's.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        matches!(named::identity(&self.name), Ok(Some(found)) if found == self.block.identity)
    }

    pub(super) fn block(&self) -> &Block {
        &self.block
    }

    #[cfg(feature = "shared_memory")]
    pub(super) fn inode(&self) -> u64 {
        self.block.identity.1
    }

    /// Makes this process the one with whose end the name goes.
    #[cfg(feature = "shared_memory")]
    pub(super) fn adopt(&self) -> Result<(), TrackError> {
        tracker::track(&self.name, self.block.identity)
    }
}

impl Block {
    /// The block that somebody else made of this file.
    pub(super) fn of(file: OwnedFd, name: &str) -> Result<Self, OpenMemoryError> {
        let refused = |source: io::Error| OpenMemoryError::Io { name: name.to_owned(), source };
        let (identity, size) = named::fill(&file).map_err(|source| match source.raw_os_error() {
            Some(libc::ENOSPC | libc::ENOMEM | libc::EDQUOT) => {
                OpenMemoryError::Full { size: memfd::identity(&file).map_or(0, |(_, size)| size), source }
            }
            _ => refused(source),
        })?;
        match usize::try_from(size) {
            Ok(0) => Err(OpenMemoryError::Unfinished { name: name.to_owned() }),
            Ok(size) => Ok(Self { bytes: Bytes::map(file, size).map_err(refused)?, identity }),
            Err(_) => Err(refused(io::ErrorKind::OutOfMemory.into())),
        }
    }
}

impl fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMemory")
            .field("name", &self.name())
            .field("size", &self.size())
            .field("is_linked", &self.is_linked())
            .finish()
    }
}
