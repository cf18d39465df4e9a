//! The file of a socket that listens: it goes with its listener, unless another one's stands under that name by then.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statat, unlinkat};

use super::identity;
use crate::planted::planted;

/// Tells a file from another that has its name later: device and inode.
pub(crate) type FileIdentity = (u64, u64);

/// A socket's file, to be removed if it still is this one.
#[derive(Debug)]
pub(crate) struct SocketFile {
    folder: OwnedFd,
    name: OsString,
    file: FileIdentity,
    /// A fork does not own it.
    owner: u32,
}

/// The folder that a file stands in: its path and a handle, which goes on to mean it wherever the process goes.
pub(crate) fn folder_of(path: &Path) -> io::Result<(&Path, OwnedFd)> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok((parent, openat(CWD, parent, flags, Mode::empty())?))
}

/// Which file has this name now.
pub(crate) fn file_named(folder: &OwnedFd, name: &OsString) -> io::Result<FileIdentity> {
    let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok((stat.st_dev, stat.st_ino))
}

impl SocketFile {
    /// This file, which has that name by now.
    pub(crate) fn new(folder: OwnedFd, name: OsString, file: FileIdentity) -> Self {
        Self { folder, name, file, owner: identity::own().pid }
    }

    /// The file that stands there now.
    #[cfg(feature = "tokio")]
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        let (_, folder) = folder_of(path)?;
        let file = file_named(&folder, &name)?;
        Ok(Self::new(folder, name, file))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.owner != identity::own().pid {
            return;
        }
        let is_ours = file_named(&self.folder, &self.name).is_ok_and(|now| now == self.file);
        if planted!("a-file-is-removed-unseen", is_ours, true) {
            let _ = unlinkat(&self.folder, &self.name, AtFlags::empty());
        }
    }
}
