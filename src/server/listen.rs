//! Sockets that listen.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::net::sockopt::{set_socket_reuseaddr, set_socket_reuseport};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, getsockname, listen, socket_with,
};

use super::address::{Address, Family};
use super::error::PreforkBindError;
use crate::planted::planted;
use crate::sys::socket_file::SocketFile;

/// All listeners of a server: one, or one for each place of a worker.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) sockets: Vec<OwnedFd>,
    pub(super) family: Family,
    /// Removed with the server.
    _file: Option<SocketFile>,
}

impl Listeners {
    /// `ports`: so many sockets on the same port, by `SO_REUSEPORT`.
    pub(super) fn open(
        address: Address,
        backlog: i32,
        ports: Option<usize>,
    ) -> Result<Self, PreforkBindError> {
        match address {
            Address::Tcp(address) => {
                let refused = |source| PreforkBindError::Listen { address: address.to_string(), source };
                let first = tcp(address, backlog, ports.is_some()).map_err(refused)?;
                // Port 0 has become a number, which the others are to have, too.
                let bound = tcp_address(&first).map_err(refused)?;
                let mut sockets = vec![first];
                while sockets.len() < ports.unwrap_or(1) {
                    sockets.push(tcp(bound, backlog, true).map_err(refused)?);
                }
                Ok(Self { sockets, family: Family::Tcp, _file: None })
            }
            _ if ports.is_some() => Err(PreforkBindError::ReusePort),
            Address::Path(path) => {
                let refused =
                    |source| PreforkBindError::Listen { address: path.display().to_string(), source };
                let socket = at_path(&path, backlog).map_err(refused)?;
                let file = SocketFile::at(&path).ok();
                Ok(Self { sockets: vec![socket], family: Family::Unix, _file: file })
            }
            Address::Abstract(name) => {
                let address = || format!("abstract:{}", String::from_utf8_lossy(&name));
                let opened = SocketAddrUnix::new_abstract_name(&name).map_err(io::Error::from);
                let opened = opened.and_then(|address| unix(&address, backlog));
                let socket =
                    opened.map_err(|source| PreforkBindError::Listen { address: address(), source })?;
                Ok(Self { sockets: vec![socket], family: Family::Unix, _file: None })
            }
            Address::Listener(socket, family) => {
                let nonblocking = rustix::io::ioctl_fionbio(&socket, true);
                let refused =
                    |source| PreforkBindError::Listen { address: "the given listener".to_owned(), source };
                nonblocking.map_err(|error| refused(error.into()))?;
                Ok(Self { sockets: vec![socket], family, _file: None })
            }
        }
    }

    /// The socket of a worker's place.
    pub(super) fn of(&self, place: usize) -> Option<&OwnedFd> {
        self.sockets.get(place).or(self.sockets.first())
    }

    pub(super) fn tcp_address(&self) -> Option<SocketAddr> {
        tcp_address(self.sockets.first()?).ok()
    }
}

fn flags() -> SocketFlags {
    SocketFlags::CLOEXEC | SocketFlags::NONBLOCK
}

fn tcp(address: SocketAddr, backlog: i32, many: bool) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, flags(), None)?;
    set_socket_reuseaddr(&socket, true)?;
    if many {
        set_socket_reuseport(&socket, true)?;
    }
    bind(&socket, &address)?;
    listen(&socket, backlog)?;
    Ok(socket)
}

fn tcp_address(socket: &OwnedFd) -> io::Result<SocketAddr> {
    Ok(SocketAddr::try_from(getsockname(socket)?)?)
}

fn unix(address: &SocketAddrUnix, backlog: i32) -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags(), None)?;
    bind(&socket, address)?;
    listen(&socket, backlog)?;
    Ok(socket)
}

/// A file that a killed server left behind, where nobody listens, is replaced.
fn at_path(path: &Path, backlog: i32) -> io::Result<OwnedFd> {
    let address = SocketAddrUnix::new(path)?;
    match unix(&address, backlog) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_abandoned(path) => {
            std::fs::remove_file(path)?;
            unix(&address, backlog)
        }
        other => other,
    }
}

fn is_abandoned(path: &Path) -> bool {
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    planted!("an-abandoned-file-blocks", UnixStream::connect(path).is_err_and(refused), false)
}

/// Takes one connection if there is one.
pub(super) fn accept(listener: &OwnedFd) -> io::Result<OwnedFd> {
    let accepted = rustix::io::retry_on_intr(|| rustix::net::accept_with(listener, flags()));
    Ok(accepted?)
}
