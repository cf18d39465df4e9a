use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::address::Family;

/// What a handler is given: a tokio `TcpStream`, or `UnixStream` where the server listens on a Unix socket.
#[diagnostic::on_unimplemented(
    message = "a handler cannot be given a `{Self}`",
    label = "not a stream that a server accepts",
    note = "a handler is an async fn of a `tokio::net::TcpStream` or a `tokio::net::UnixStream`"
)]
pub trait ServerStream: sealed::Stream {}

impl ServerStream for TcpStream {}
impl ServerStream for UnixStream {}

pub(super) mod sealed {
    use super::{Family, Future, OwnedFd, io};

    #[allow(unnameable_types, private_interfaces, reason = "nobody else is to implement the trait")]
    pub trait Stream: Sized + 'static {
        type Listener: 'static;
        const FAMILY: Family;

        fn listener(socket: OwnedFd) -> io::Result<Self::Listener>;
        fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<Self>>;
        fn of_descriptor(socket: OwnedFd) -> io::Result<Self>;
    }
}

macro_rules! stream {
    ($stream:ident, $listener:ident, $family:expr) => {
        #[allow(private_interfaces)]
        impl sealed::Stream for $stream {
            type Listener = $listener;
            const FAMILY: Family = $family;

            fn listener(socket: OwnedFd) -> io::Result<$listener> {
                // The server has made it non-blocking.
                $listener::from_std(socket.into())
            }

            async fn accept(listener: &$listener) -> io::Result<Self> {
                Ok(listener.accept().await?.0)
            }

            fn of_descriptor(socket: OwnedFd) -> io::Result<Self> {
                $stream::from_std(socket.into())
            }
        }
    };
}

stream!(TcpStream, TcpListener, Family::Tcp);
stream!(UnixStream, UnixListener, Family::Unix);
