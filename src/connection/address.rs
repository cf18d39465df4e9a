use std::ffi::OsStr;
use std::fmt;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};

/// An abstract name is this long at most; a path may be of any length that the file system admits.
const LONGEST_NAME: usize = 107;

/// Where a listener is found: a socket file, an abstract local name, or a TCP port.
///
/// | text | what |
/// | --- | --- |
/// | `unix:/run/jobs.sock` | a socket file, which only this user can open; a path may be longer than the 107 bytes that other programs are limited to |
/// | `abstract:jobs` | a name of the kernel's, seen by everybody on the machine (in the same network namespace); nothing is left of it when its listener dies |
/// | `tcp:127.0.0.1:0`, `tcp:[::1]:5000` | a port; 0 for one that is free |
///
/// Python: the `address` of `multiprocessing.connection.Listener`: a path, a text that begins with `"\0"` for an abstract
/// name, or a pair of host and port.
///
/// # Examples
///
/// ```
/// use aioprocessing::Address;
///
/// let address: Address = "tcp:127.0.0.1:5000".parse()?;
/// assert_eq!(address.tcp(), Some(([127, 0, 0, 1], 5000).into()));
/// assert!("localhost:5000".parse::<Address>().is_err());
/// # Ok::<(), aioprocessing::AddressError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Kind", into = "Kind")]
pub struct Address(Kind);

#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Kind {
    Path(PathBuf),
    Abstract(String),
    Tcp(SocketAddr),
}

/// Why a text or a path is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The text has none of the forms that an address has.
    #[error(
        "{text:?} is no address: write `unix:/path`, `abstract:name` or `tcp:127.0.0.1:0` (numbers, no host name)"
    )]
    Form {
        /// The text.
        text: String,
    },
    /// There is nothing where the name should be.
    #[error("the name of a local socket is empty")]
    Empty,
    /// The name holds a NUL.
    #[error("the name of a local socket can't hold a NUL")]
    Nul,
    /// The name is too long.
    #[error("a name of {length} bytes is too long for an abstract socket, which has {LONGEST_NAME} at most")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The system gave no random bytes to make a name of.
    #[error("the system gave no random bytes for a private name")]
    NoRandom,
}

impl Address {
    /// An abstract name that nobody else has: Python's `Listener()` without an address.
    ///
    /// # Errors
    ///
    /// [`AddressError::NoRandom`] if the system gives no random bytes.
    pub fn private() -> Result<Self, AddressError> {
        Ok(Self(Kind::Abstract(format!("aioprocessing-{}", random_name()?))))
    }

    /// The socket file, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        if let Kind::Path(path) = &self.0 { Some(path) } else { None }
    }

    /// The abstract name, if it is one.
    #[must_use]
    pub fn abstract_name(&self) -> Option<&str> {
        if let Kind::Abstract(name) = &self.0 { Some(name) } else { None }
    }

    /// The host and port, if it is one of TCP.
    #[must_use]
    pub fn tcp(&self) -> Option<SocketAddr> {
        if let Kind::Tcp(address) = &self.0 { Some(*address) } else { None }
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.0
    }
}

/// 128 random bits as text.
pub(super) fn random_name() -> Result<String, AddressError> {
    let mut bytes = [0_u8; 16];
    let filled = getrandom(&mut bytes, GetRandomFlags::empty());
    if filled != Ok(bytes.len()) {
        return Err(AddressError::NoRandom);
    }
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

impl TryFrom<Kind> for Address {
    type Error = AddressError;

    fn try_from(kind: Kind) -> Result<Self, AddressError> {
        let (bytes, limit) = match &kind {
            Kind::Path(path) => (path.as_os_str().as_bytes(), usize::MAX),
            Kind::Abstract(name) => (name.as_bytes(), LONGEST_NAME),
            Kind::Tcp(_) => return Ok(Self(kind)),
        };
        if bytes.contains(&0) {
            Err(AddressError::Nul)
        } else if bytes.is_empty() || bytes.ends_with(b"/") && limit == usize::MAX {
            Err(AddressError::Empty)
        } else if bytes.len() > limit {
            Err(AddressError::TooLong { length: bytes.len() })
        } else {
            Ok(Self(kind))
        }
    }
}

impl From<Address> for Kind {
    fn from(address: Address) -> Self {
        address.0
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let no_address = || AddressError::Form { text: text.to_owned() };
        let (scheme, rest) = text.split_once(':').ok_or_else(no_address)?;
        Self::try_from(match scheme {
            "unix" => Kind::Path(rest.into()),
            "abstract" => Kind::Abstract(rest.to_owned()),
            "tcp" => Kind::Tcp(rest.parse().map_err(|_| no_address())?),
            _ => return Err(no_address()),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Path(path) => write!(f, "unix:{}", path.display()),
            Kind::Abstract(name) => write!(f, "abstract:{name}"),
            Kind::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// What can stand for an [`Address`]: a path, a `SocketAddr`, or its text.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no address",
    note = "a path, a `SocketAddr`, an `Address`, or a text such as `unix:/run/jobs.sock`, `abstract:jobs`, `tcp:127.0.0.1:0`"
)]
pub trait IntoAddress {
    /// The address.
    ///
    /// # Errors
    ///
    /// [`AddressError`] if it is none.
    fn into_address(self) -> Result<Address, AddressError>;
}

macro_rules! into_address {
    ($($type:ty, |$from:ident| $made:expr;)*) => { $(
        impl IntoAddress for $type {
            fn into_address(self) -> Result<Address, AddressError> {
                let $from = self;
                $made
            }
        }
    )* };
}

into_address! {
    Address, |address| Ok(address);
    &Address, |address| Ok(address.clone());
    SocketAddr, |address| Ok(Address(Kind::Tcp(address)));
    &Path, |path| Kind::Path(path.to_owned()).try_into();
    PathBuf, |path| Kind::Path(path).try_into();
    &PathBuf, |path| Kind::Path(path.clone()).try_into();
    &OsStr, |path| Kind::Path(path.into()).try_into();
    &str, |text| text.parse();
    String, |text| text.parse();
    &String, |text| text.parse();
}
