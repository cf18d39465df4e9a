//! `memfd_create(2)`, its seals, and growing and giving back by `fallocate(2)`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, FallocateFlags, MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// An unnamed file that can be sealed.
pub(super) fn empty(name: &str) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    Ok(match fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        // Linux 6.3 brought NOEXEC_SEAL; older ones refuse a flag that they don't know.
        Err(Errno::INVAL) => fs::memfd_create(name, flags)?,
        other => other?,
    })
}

/// An unnamed file of `size` bytes, all of them holes still, that only its owner may open and that nobody can shrink
/// again, nor lengthen unless it may `grow`.
pub(crate) fn create(name: &str, size: u64, grow: bool) -> io::Result<OwnedFd> {
    let fd = empty(name)?;
    fs::fchmod(&fd, Mode::RUSR | Mode::WUSR)?;
    within_limit(size)?;
    fs::ftruncate(&fd, size)?;
    let mut seals = SealFlags::SHRINK | SealFlags::SEAL;
    if !grow {
        seals |= SealFlags::GROW;
    }
    fs::fcntl_add_seals(&fd, seals)?;
    Ok(fd)
}

/// Whether the file can no longer be cut short under those who map it.
pub(crate) fn is_sealed(fd: impl AsFd) -> bool {
    fs::fcntl_get_seals(fd).is_ok_and(|seals| seals.contains(SealFlags::SHRINK | SealFlags::SEAL))
}

/// Gets memory for `length` bytes from `offset` on, and lengthens the file if they lie behind its end: after this, touching them
/// can't fail. Beyond `RLIMIT_FSIZE` it is `EFBIG`, without the signal that the kernel would send.
pub(crate) fn reserve(fd: impl AsFd, offset: u64, length: u64) -> io::Result<()> {
    let end = offset.checked_add(length).ok_or(Errno::FBIG)?;
    within_limit(end)?;
    // Some kernels let any signal interrupt this and undo what was done. Where signals come often, only smaller steps
    // come to an end.
    let (mut at, mut step) = (offset, length);
    while at < end {
        let now = step.min(end - at);
        match fs::fallocate(&fd, FallocateFlags::empty(), at, now) {
            Ok(()) => at += now,
            Err(Errno::INTR) => step = (now / 2).max(4096),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// `EFBIG` for what lies beyond `RLIMIT_FSIZE`, where the kernel answers a write with a signal that kills.
pub(super) fn within_limit(end: u64) -> io::Result<()> {
    match getrlimit(Resource::Fsize).current {
        Some(limit) if end > limit => Err(Errno::FBIG.into()),
        _ => Ok(()),
    }
}

/// Gives the whole pages of this stretch back to the system; they read as zero afterwards.
pub(crate) fn give_back(fd: impl AsFd, offset: u64, length: u64) -> io::Result<()> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(rustix::io::retry_on_intr(|| fs::fallocate(&fd, flags, offset, length))?)
}

/// (device, inode) and length in bytes.
pub(crate) fn identity(fd: impl AsFd) -> io::Result<((u64, u64), u64)> {
    let stat = fs::fstat(fd)?;
    Ok(((stat.st_dev, stat.st_ino), u64::try_from(stat.st_size).unwrap_or(0)))
}

/// Opens the same file anew: an open file description of its own, with locks of its own.
pub(crate) fn reopen(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    Ok(fs::open(path(fd), OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?)
}

/// Gives the descriptor a number above those of most others.
///
/// The kernel closes the files of a process that ends from the highest number down, and closing an inotify instance takes it
/// 10 ms and more. What lies above is closed before that, so that others learn of the death at once.
pub(crate) fn lift(fd: OwnedFd) -> OwnedFd {
    // Low enough for the table that every process begins with. Where no number is left, the one it has does.
    const ABOVE: i32 = 32;
    if fd.as_raw_fd() >= ABOVE { fd } else { rustix::io::fcntl_dupfd_cloexec(&fd, ABOVE).unwrap_or(fd) }
}

/// The path by which this process can name a descriptor.
pub(crate) fn path(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}
