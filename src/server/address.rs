use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use super::error::PreforkBindError;

/// Where a server listens: made from a `SocketAddr`, a `&Path`, a listener of std that listens already, or text:
/// `127.0.0.1:8080`, `tcp:localhost:0`, `unix:/run/s.sock`, `abstract:name`.
#[derive(Debug)]
pub struct BindAddress(pub(super) Kind);

#[derive(Debug)]
pub(super) enum Kind {
    Text(String),
    Tcp(SocketAddr),
    Path(PathBuf),
    Listener(OwnedFd, Family),
}

/// Which kind of stream comes out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Tcp,
    Unix,
}

/// As it is bound.
#[derive(Debug)]
pub(super) enum Address {
    Tcp(SocketAddr),
    Path(PathBuf),
    Abstract(Vec<u8>),
    Listener(OwnedFd, Family),
}

impl BindAddress {
    pub(super) fn resolve(self) -> Result<Address, PreforkBindError> {
        match self.0 {
            Kind::Tcp(address) => Ok(Address::Tcp(address)),
            Kind::Path(path) => Ok(Address::Path(path)),
            Kind::Listener(listener, family) => Ok(Address::Listener(listener, family)),
            Kind::Text(text) => parse(&text),
        }
    }
}

fn parse(text: &str) -> Result<Address, PreforkBindError> {
    if let Some(path) = text.strip_prefix("unix:") {
        return Ok(Address::Path(path.into()));
    }
    if let Some(name) = text.strip_prefix("abstract:") {
        return Ok(Address::Abstract(name.into()));
    }
    let wrong = |source| PreforkBindError::Address { text: text.to_owned(), source };
    let mut found = text.strip_prefix("tcp:").unwrap_or(text).to_socket_addrs().map_err(wrong)?;
    found.next().map(Address::Tcp).ok_or_else(|| wrong(std::io::ErrorKind::NotFound.into()))
}

macro_rules! from {
    ($($type:ty => $from:expr,)*) => { $(
        impl From<$type> for BindAddress {
            fn from(value: $type) -> Self {
                let from: fn($type) -> Kind = $from;
                Self(from(value))
            }
        }
    )* };
}

from! {
    &str => |text| Kind::Text(text.to_owned()),
    String => Kind::Text,
    &String => |text| Kind::Text(text.clone()),
    SocketAddr => Kind::Tcp,
    SocketAddrV4 => |address| Kind::Tcp(address.into()),
    SocketAddrV6 => |address| Kind::Tcp(address.into()),
    (Ipv4Addr, u16) => |address| Kind::Tcp(address.into()),
    (Ipv6Addr, u16) => |address| Kind::Tcp(address.into()),
    &Path => |path| Kind::Path(path.to_owned()),
    &PathBuf => |path| Kind::Path(path.clone()),
    PathBuf => Kind::Path,
    TcpListener => |listener| Kind::Listener(listener.into(), Family::Tcp),
    UnixListener => |listener| Kind::Listener(listener.into(), Family::Unix),
}
