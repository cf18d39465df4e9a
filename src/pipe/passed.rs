use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use serde::de::{Deserializer, Error as _};
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};

use crate::wire::{claim, refuse_to_pack, refuse_to_unpack, stow};

/// Something that owns a descriptor, inside of a message or of arguments: a `TcpStream` handed to whichever worker takes it.
///
/// The receiver gets a descriptor of its own for the same thing. What was sent by reference stays open here until it is
/// dropped; what was moved into [`spawn`](crate::AioProcess::spawn) or a queue is closed here with that.
///
/// Python: `multiprocessing.reduction.DupFd`, and sockets and connections inside of messages.
///
/// # If a process dies
///
/// What lies in a message that nobody took is closed with the last holder of the pipe or queue.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
///
/// use aioprocessing::{AioPipe, Passed};
///
/// let (rx, tx) = AioPipe::<Passed<std::io::PipeReader>>::simplex()?;
/// let (reader, mut writer) = std::io::pipe()?;
/// tx.send(&Passed::new(reader))?;
/// writer.write_all(b"hello")?;
/// drop(writer);
/// let mut text = String::new();
/// rx.recv()?.into_inner().read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Passed<T>(T);

/// What [`Passed`] can carry: what owns one descriptor and can be made of it again.
///
/// Implemented for the descriptor-owning types of std, and for those of tokio with the feature `tokio`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be passed to another process",
    label = "not a type that owns one descriptor",
    note = "std's files, pipes and sockets, `OwnedFd`, and tokio's sockets can"
)]
pub trait Passable: Sized + sealed::Sealed {
    #[doc(hidden)]
    fn descriptor(&self) -> BorrowedFd<'_>;
    #[doc(hidden)]
    fn of_descriptor(descriptor: OwnedFd) -> std::io::Result<Self>;
}

mod sealed {
    #[allow(unnameable_types, reason = "nobody else is to implement the trait")]
    pub trait Sealed {}
}

impl<T> Passed<T> {
    /// Makes it ready to travel.
    pub fn new(inner: T) -> Self {
        Self(inner)
    }

    /// What it carries.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Passed<T> {
    fn from(inner: T) -> Self {
        Self(inner)
    }
}

impl<T> Deref for Passed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Passed<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Passable> Serialize for Passed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let copy = self.0.descriptor().try_clone_to_owned();
        let copy = copy.map_err(|error| S::Error::custom(refuse_to_pack(error)))?;
        stow(copy).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de, T: Passable> Deserialize<'de> for Passed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let descriptor = claim(u32::deserialize(deserializer)?).map_err(D::Error::custom)?;
        let made = T::of_descriptor(descriptor).map(Self);
        made.map_err(|error| D::Error::custom(refuse_to_unpack(error)))
    }
}

macro_rules! passable {
    ($($type:ty)*) => { $(
        impl sealed::Sealed for $type {}

        impl Passable for $type {
            fn descriptor(&self) -> BorrowedFd<'_> {
                self.as_fd()
            }

            fn of_descriptor(descriptor: OwnedFd) -> std::io::Result<Self> {
                Ok(Self::from(descriptor))
            }
        }
    )* };
}

passable! {
    OwnedFd
    std::fs::File
    std::io::PipeReader
    std::io::PipeWriter
    std::net::TcpListener
    std::net::TcpStream
    std::net::UdpSocket
    std::os::unix::net::UnixDatagram
    std::os::unix::net::UnixListener
    std::os::unix::net::UnixStream
    std::process::ChildStderr
    std::process::ChildStdin
    std::process::ChildStdout
}

/// tokio's sockets. They arrive registered with the runtime of whoever receives them, so that must be one.
#[cfg(feature = "tokio")]
mod on_tokio {
    use super::{AsFd, BorrowedFd, OwnedFd, Passable, sealed};

    macro_rules! passable {
        ($($type:ty as $std:ty,)*) => { $(
            impl sealed::Sealed for $type {}

            impl Passable for $type {
                fn descriptor(&self) -> BorrowedFd<'_> {
                    self.as_fd()
                }

                fn of_descriptor(descriptor: OwnedFd) -> std::io::Result<Self> {
                    if tokio::runtime::Handle::try_current().is_err() {
                        return Err(std::io::Error::other(
                            "a socket of tokio must be received inside of a tokio runtime; std's type can be received anywhere",
                        ));
                    }
                    let socket = <$std>::from(descriptor);
                    socket.set_nonblocking(true)?;
                    Self::from_std(socket)
                }
            }
        )* };
    }

    passable! {
        tokio::net::TcpListener as std::net::TcpListener,
        tokio::net::TcpStream as std::net::TcpStream,
        tokio::net::UdpSocket as std::net::UdpSocket,
        tokio::net::UnixDatagram as std::os::unix::net::UnixDatagram,
        tokio::net::UnixListener as std::os::unix::net::UnixListener,
        tokio::net::UnixStream as std::os::unix::net::UnixStream,
    }
}
