//! Named shared memory: files of the tmpfs on `/dev/shm`, as `shm_open(3)` has them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{self, AtFlags, CWD, FallocateFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::memfd;
use crate::planted::planted;

/// Where `shm_open(3)` has its files on Linux.
pub(crate) const DIRECTORY: &str = "/dev/shm";

/// (device, inode) of a file.
pub(crate) type FileId = (u64, u64);

/// What became of removing a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unlinked {
    Done,
    /// There was no such name.
    Missing,
    /// The name is another file's, which was left alone.
    Another,
}

fn path(name: &str) -> String {
    format!("{DIRECTORY}/{name}")
}

fn identity_of(stat: &Stat) -> FileId {
    (stat.st_dev, stat.st_ino)
}

/// A file of `size` bytes of zeroes that has no name yet and all of its memory already, for its owner alone.
pub(crate) fn create(size: u64) -> io::Result<OwnedFd> {
    let mode = Mode::RUSR | Mode::WUSR;
    let file = fs::open(DIRECTORY, OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, mode)?;
    // Whatever the umask took away.
    fs::fchmod(&file, mode)?;
    planted!("memory-is-promised-and-not-had", memfd::reserve(&file, 0, size)?, fs::ftruncate(&file, size)?);
    Ok(file)
}

/// Gives a file of [`create`] its name, unless another has it (`EEXIST`). It appears complete.
pub(crate) fn link(file: impl AsFd, name: &str) -> io::Result<()> {
    let name = path(name);
    match fs::linkat(CWD, memfd::path(file.as_fd()), CWD, &name, AtFlags::SYMLINK_FOLLOW) {
        // Without /proc; older kernels ask for a capability here.
        Err(Errno::NOENT) => Ok(fs::linkat(&file, "", CWD, &name, AtFlags::EMPTY_PATH)?),
        other => Ok(other?),
    }
}

/// The file of that name. Never waits, never follows a link, and takes nothing but a file of memory.
pub(crate) fn open(name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = fs::open(path(name), flags, Mode::empty())?;
    is_plain_file(&fs::fstat(&file)?)?;
    Ok(file)
}

fn is_plain_file(stat: &Stat) -> io::Result<()> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no file of memory")),
    }
}

/// Identity and size of a file that somebody else made, all of whose memory is had after this: a part that was only promised by
/// `ftruncate` would be had at the first touch, or where there is none left, be a SIGBUS.
pub(crate) fn fill(file: impl AsFd) -> io::Result<(FileId, u64)> {
    let stat = fs::fstat(&file)?;
    is_plain_file(&stat)?;
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let had = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
    if had < size {
        // Within the file's size no limit of this process's applies.
        let flags = planted!("holes-stay", FallocateFlags::KEEP_SIZE, return Ok((identity_of(&stat), size)));
        rustix::io::retry_on_intr(|| fs::fallocate(&file, flags, 0, size))?;
    }
    Ok((identity_of(&stat), size))
}

/// Which file has that name.
pub(crate) fn identity(name: &str) -> io::Result<Option<FileId>> {
    match fs::statat(CWD, path(name), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(identity_of(&stat))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Removes the name, if it is still this file's.
///
/// No call does both. Between the look and the removal another process would have to remove the name and give it to a
/// new file for that one to be hit.
pub(crate) fn unlink(name: &str, file: FileId) -> io::Result<Unlinked> {
    match identity(name)? {
        None => Ok(Unlinked::Missing),
        Some(found) if planted!("a-name-is-enough", found != file, false) => Ok(Unlinked::Another),
        Some(_) => match fs::unlink(path(name)) {
            Ok(()) => Ok(Unlinked::Done),
            Err(Errno::NOENT) => Ok(Unlinked::Missing),
            Err(error) => Err(error.into()),
        },
    }
}
