//! Sockets with a name. interprocess makes the local ones; the care for their files is here.
//!
//! A file comes into being under a name that nobody knows, with its mode set before, and is renamed once it listens: under its
//! own name it never is anything but a listener that only this user can open. Whoever replaces the file of a dead listener
//! holds a lock on the folder between the look and the step, so that of two that find it dead one wins; and a listener's file
//! goes before its socket does, so that nobody finds it dead who could then lose his own to its owner.

use std::ffi::OsString;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use interprocess::ConnectWaitMode;
use interprocess::local_socket::{
    ConnectOptions, GenericFilePath, GenericNamespaced, ListenerNonblockingMode, ListenerOptions, Name,
    ToFsName, ToNsName,
};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use interprocess::os::unix::uds_local_socket::{Listener, Stream};
use rustix::fs::{
    AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, RenameFlags, flock, linkat, openat, renameat,
    renameat_with, unlinkat,
};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrAny, SocketAddrUnix, SocketFlags, SocketType, getpeername, getsockname,
    socket_with,
};

use super::address::{Kind, random_name};
use super::{Address, BindError};
use crate::planted::planted;
use crate::sys::socket_file::{self, SocketFile};

/// What `sockaddr_un` has room for.
const LONGEST_PATH: usize = 107;
const ONLY_THIS_USER: u32 = 0o600;

/// A socket that listens, and its file.
pub(super) struct Bound {
    // Declared before the socket: it goes first.
    _file: Option<SocketFile>,
    pub(super) socket: OwnedFd,
    pub(super) address: Address,
}

/// Listens there.
pub(super) fn bind(address: &Address) -> Result<Bound, BindError> {
    let made = match address.kind() {
        Kind::Tcp(wanted) => bind_tcp(*wanted),
        Kind::Abstract(name) => name
            .as_str()
            .to_ns_name::<GenericNamespaced>()
            .and_then(listen)
            .map(|socket| Bound { socket, address: address.clone(), _file: None }),
        Kind::Path(path) => listen_at_path(path).map(|(socket, file)| Bound {
            socket,
            address: address.clone(),
            _file: Some(file),
        }),
    };
    made.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse | io::ErrorKind::AlreadyExists => {
            BindError::InUse { address: address.clone() }
        }
        _ => BindError::Io { address: address.clone(), error },
    })
}

fn bind_tcp(wanted: SocketAddr) -> io::Result<Bound> {
    let listener = TcpListener::bind(wanted)?;
    listener.set_nonblocking(true)?;
    let address = Kind::Tcp(listener.local_addr()?).try_into().map_err(io::Error::other)?;
    Ok(Bound { socket: listener.into(), address, _file: None })
}

fn listen(name: Name<'_>) -> io::Result<OwnedFd> {
    let options = ListenerOptions::new().name(name).mode(ONLY_THIS_USER).reclaim_name(false);
    let options = options.nonblocking(ListenerNonblockingMode::Both);
    options.create_sync_as::<Listener>().map(OwnedFd::from)
}

/// Listens at this path.
fn listen_at_path(path: &Path) -> io::Result<(OwnedFd, SocketFile)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    let (parent, folder) = socket_file::folder_of(path)?;
    let unknown: OsString = format!(".{}", random_name().map_err(io::Error::other)?).into();
    let socket = match listen_at(format!("/proc/self/fd/{}", folder.as_raw_fd()), &unknown) {
        // Without /proc, as far as the name's room goes.
        Err(error) if error.kind() == io::ErrorKind::NotFound => listen_at(parent, &unknown)?,
        other => other?,
    };
    let unpublished = Unpublished { folder: &folder, name: &unknown };
    let file = socket_file::file_named(&folder, &unknown)?;
    unpublished.publish(&name)?;
    std::mem::forget(unpublished);
    Ok((socket, SocketFile::new(folder, name, file)))
}

fn listen_at(folder: impl AsRef<Path>, name: &OsString) -> io::Result<OwnedFd> {
    folder.as_ref().join(name).to_fs_name::<GenericFilePath>().and_then(listen)
}

/// The file under the name that nobody knows; removed unless it was published.
struct Unpublished<'a> {
    folder: &'a OwnedFd,
    name: &'a OsString,
}

impl Drop for Unpublished<'_> {
    fn drop(&mut self) {
        let _ = unlinkat(self.folder, self.name, AtFlags::empty());
    }
}

impl Unpublished<'_> {
    /// Gives it its name, if no listener has it that lives.
    fn publish(&self, name: &OsString) -> io::Result<()> {
        match self.rename(name) {
            Err(Errno::EXIST) => {}
            other => return Ok(other?),
        }
        let _alone = planted!("nobody-is-alone-who-replaces", alone_in(self.folder)?, None);
        match life(self.folder, name)? {
            Life::Lives => Err(io::ErrorKind::AddrInUse.into()),
            Life::Dead => Ok(renameat(self.folder, self.name, self.folder, name)?),
            Life::Gone => Ok(self.rename(name)?),
        }
    }

    fn rename(&self, name: &OsString) -> Result<(), Errno> {
        match renameat_with(self.folder, self.name, self.folder, name, RenameFlags::NOREPLACE) {
            // A file system that can't.
            Err(Errno::INVAL | Errno::NOSYS) => {
                linkat(self.folder, self.name, self.folder, name, AtFlags::empty())?;
                unlinkat(self.folder, self.name, AtFlags::empty())
            }
            other => other,
        }
    }
}

/// While this lives, nobody else replaces a file in the folder.
fn alone_in(folder: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    const TRIES: u32 = 1000;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let lock = match openat(folder, ".", flags, Mode::empty()) {
        // A folder that can't be read can't be locked either. Two that replace the same file at the same time are rare enough.
        Err(Errno::ACCESS) => return Ok(None),
        other => other?,
    };
    for _ in 0..TRIES {
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(lock)),
            Err(Errno::AGAIN | Errno::INTR) => std::thread::sleep(Duration::from_millis(1)),
            Err(error) => return Err(error.into()),
        }
    }
    // Somebody else locks it, for whatever reason.
    Err(io::ErrorKind::AddrInUse.into())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Lives,
    Dead,
    Gone,
}

/// Whether somebody listens under that name. What is no socket is treated as if somebody did.
fn life(folder: &OwnedFd, name: &OsString) -> io::Result<Life> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = match openat(folder, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(Life::Gone),
        other => other?,
    };
    if FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) != FileType::Socket {
        return Ok(Life::Lives);
    }
    match connect_to_file(&file) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(Life::Dead),
        // Connected, no room for another client, no permission, a socket of another type: somebody has it.
        _ => Ok(Life::Lives),
    }
}

fn connect_to_file(file: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    dial(format!("/proc/self/fd/{}", file.as_raw_fd()).as_str().to_fs_name::<GenericFilePath>()?)
}

/// Connects to a local socket. `None`: the listener has as many clients waiting as the system admits.
pub(super) fn connect_path(path: &Path) -> io::Result<Option<OwnedFd>> {
    if path.as_os_str().as_bytes().len() <= LONGEST_PATH {
        return dial(path.to_fs_name::<GenericFilePath>()?);
    }
    let file = openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    connect_to_file(&file)
}

/// The same for an abstract name.
pub(super) fn connect_abstract(name: &str) -> io::Result<Option<OwnedFd>> {
    dial(name.to_ns_name::<GenericNamespaced>()?)
}

fn dial(name: Name<'_>) -> io::Result<Option<OwnedFd>> {
    let options = ConnectOptions::new().name(name).wait_mode(ConnectWaitMode::Deferred);
    let socket: OwnedFd = options.nonblocking_stream(true).connect_sync_as::<Stream>()?.into();
    // A full listener is reported as a connection under way, which on local sockets there is not.
    match getpeername(&socket) {
        Err(Errno::NOTCONN) => Ok(None),
        _ => Ok(Some(socket)),
    }
}

/// Begins to connect; done or not it says once it is ready to write.
pub(super) fn connect_tcp(to: SocketAddr) -> io::Result<OwnedFd> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &to) {
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(socket),
        Err(error) => Err(error.into()),
    }
}

/// The listener's address as the kernel knows it, which is the same for both sides.
pub(super) fn endpoint(socket: impl AsFd, is_listener: bool) -> io::Result<Vec<u8>> {
    let named: Option<SocketAddrAny> =
        if is_listener { Some(getsockname(&socket)?) } else { getpeername(&socket)? };
    let Some(named) = named else { return Ok(Vec::new()) };
    if let Ok(address) = SocketAddr::try_from(named.clone()) {
        let ip = address.ip().to_canonical();
        return Ok(format!("tcp:{}", SocketAddr::new(ip, address.port())).into_bytes());
    }
    let local = SocketAddrUnix::try_from(named)?;
    Ok(match (local.path_bytes(), local.abstract_name()) {
        (Some(path), _) => [b"unix:", path].concat(),
        (None, Some(name)) => [b"abstract:", name].concat(),
        (None, None) => Vec::new(),
    })
}
