use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::dial::{Dial, Protocol};
use super::pending::Terms;
use super::{
    Address, AddressError, AioListener, AuthKey, BindError, ConnectError, ConnectTimeoutError, IntoAddress,
    TryConnectError,
};
use crate::AioConnection;
use crate::pipe::MAX_LENGTH;
use crate::sys::gather::Gather;
use crate::wait::{Deadline, Park, ParkUntil, Ready, Waiter, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};
use crate::wire::{Codec, Postcard};

/// So many clients may be greeting at once, and with that as many descriptors be in use; further ones wait to be picked up.
const MOST_PENDING: usize = 256;
/// What a Python listener that says nothing is given.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a listener is to be. Made by [`AioListener::builder`].
///
/// # Examples
///
/// ```
/// use aioprocessing::{Address, AioListener, AuthKey};
///
/// let listener = AioListener::builder().max_length(4096).bind::<String, u32>(Address::private()?, AuthKey::none())?;
/// assert!(listener.try_accept().unwrap_err().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a builder makes nothing until `bind`"]
pub struct ListenerBuilder<C = Postcard> {
    protocol: Protocol,
    max_length: u64,
    most_pending: usize,
    reports: bool,
    codec: PhantomData<fn() -> C>,
}

impl ListenerBuilder {
    pub(super) fn new() -> Self {
        Self {
            protocol: Protocol::Ours,
            max_length: MAX_LENGTH,
            most_pending: MOST_PENDING,
            reports: false,
            codec: PhantomData,
        }
    }
}

impl<C: Codec> ListenerBuilder<C> {
    /// Speaks with Python: the framing and the challenge of CPython's `multiprocessing.connection`, 3.8 to 3.14. A Python program
    /// with `multiprocessing.connection.Client(path, authkey=b"…")` exchanges `send_bytes` and `recv_bytes` with this one. Python's own `send`
    /// pickles, which nothing here reads. For an abstract name Python writes `"\0name"`. No descriptors travel.
    ///
    /// Python's challenge says nothing of where it comes from: a listener that a client is made to connect to can pass its answer on to another
    /// one with the same key. This crate's own does not have that fault.
    ///
    /// Without a key Python asks nobody, and this one admits the same user. An empty key is one, but listeners of older Pythons take it
    /// for none.
    pub fn python_compatible(mut self) -> Self {
        self.protocol = Protocol::Python;
        self
    }

    /// The most bytes of a message, 1 GiB by default. A longer one is an error where it is sent, and where it arrives it is
    /// thrown away unread.
    pub fn max_length(mut self, bytes: u64) -> Self {
        self.max_length = bytes;
        self
    }

    /// How many clients may be greeting at once, 256 by default; each is a descriptor. Others wait until one is done, or its two
    /// seconds are over.
    pub fn max_pending(mut self, clients: usize) -> Self {
        self.most_pending = clients.max(1);
        self
    }

    /// Whether a client that is not admitted ends an `accept` with [`AcceptError::Refused`](crate::AcceptError::Refused), as in Python; the next
    /// `accept` goes on. Otherwise it is counted alone: a loop that ends with the first error can't be ended by a stranger.
    pub fn report_refusals(mut self, reports: bool) -> Self {
        self.reports = reports;
        self
    }

    /// How values become bytes.
    pub fn codec<D: Codec>(self) -> ListenerBuilder<D> {
        let Self { protocol, max_length, most_pending, reports, .. } = self;
        ListenerBuilder { protocol, max_length, most_pending, reports, codec: PhantomData }
    }

    /// As [`AioListener::bind`].
    ///
    /// # Errors
    ///
    /// As [`AioListener::bind`].
    pub fn bind<S, R>(
        self,
        address: impl IntoAddress,
        authkey: impl Into<AuthKey>,
    ) -> Result<AioListener<S, R, C>, BindError> {
        let Self { protocol, max_length, most_pending, reports, .. } = self;
        let terms = Terms { key: authkey.into(), protocol, most_pending, reports };
        AioListener::new(&address.into_address()?, terms, max_length)
    }
}

impl<C> fmt::Debug for ListenerBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenerBuilder")
            .field("protocol", &self.protocol)
            .field("max_length", &self.max_length)
            .field("max_pending", &self.most_pending)
            .field("report_refusals", &self.reports)
            .finish_non_exhaustive()
    }
}

/// How a connection is to be. Made by [`AioClient::builder`](crate::AioClient::builder).
///
/// # Examples
///
/// ```
/// use aioprocessing::AioClient;
///
/// let error = AioClient::builder().python_compatible().connect::<(), ()>("abstract:nobody", b"key").unwrap_err();
/// assert!(error.is_nobody_listens());
/// ```
#[must_use = "a builder makes nothing until `connect`"]
pub struct ClientBuilder<C = Postcard> {
    pub(super) protocol: Protocol,
    pub(super) max_length: u64,
    pub(super) patience: Duration,
    codec: PhantomData<fn() -> C>,
}

impl ClientBuilder {
    pub(super) fn new() -> Self {
        Self { protocol: Protocol::Ours, max_length: MAX_LENGTH, patience: PATIENCE, codec: PhantomData }
    }
}

impl<C: Codec> ClientBuilder<C> {
    /// Speaks with Python's `multiprocessing.connection.Listener`, as
    /// [`ListenerBuilder::python_compatible`]. A Python listener that has no key, or is not in `accept`, says nothing: that is
    /// [`HandshakeError::TooSlow`](crate::HandshakeError::TooSlow) after [`patience`](Self::patience).
    pub fn python_compatible(mut self) -> Self {
        self.protocol = Protocol::Python;
        self
    }

    /// How long a Python listener may say nothing, ten seconds by default. With this crate's own, a client waits until it is accepted: bound
    /// that with `connect_timeout`.
    pub fn patience(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }

    /// As [`ListenerBuilder::max_length`].
    pub fn max_length(mut self, bytes: u64) -> Self {
        self.max_length = bytes;
        self
    }

    /// How values become bytes.
    pub fn codec<D: Codec>(self) -> ClientBuilder<D> {
        let Self { protocol, max_length, patience, .. } = self;
        ClientBuilder { protocol, max_length, patience, codec: PhantomData }
    }
}

impl<C: Codec> ClientBuilder<C> {
    pub(crate) async fn connect_with<W: Waiter, S, R>(
        self,
        waiter: &mut W,
        address: Result<Address, AddressError>,
        key: AuthKey,
    ) -> Result<Result<AioConnection<S, R, C>, ConnectError>, W::GaveUp> {
        let begun = address.map_err(ConnectError::from).and_then(|address| {
            let patience = u64::try_from(self.patience.as_nanos()).unwrap_or(u64::MAX);
            let gather =
                Gather::new().map_err(|error| ConnectError::Io { address: address.clone(), error })?;
            Ok((gather, Dial::new(address, key, self.protocol, patience)?))
        });
        let (gather, mut dial) = match begun {
            Ok(begun) => begun,
            Err(error) => return Ok(Err(error)),
        };
        let made = waiter.on_fd(gather.source(), Ready::Read, || dial.attempt(&gather)).await?;
        Ok(made.map(|made| {
            if made.keeps_packets {
                AioConnection::on_packets(made.socket, self.max_length, made.peer)
            } else {
                AioConnection::on_stream(made.socket, self.max_length, made.peer)
            }
        }))
    }

    /// As [`AioClient::connect`](crate::AioClient::connect).
    ///
    /// # Errors
    ///
    /// As [`AioClient::connect`](crate::AioClient::connect).
    pub fn connect<S, R>(
        self,
        address: impl IntoAddress,
        authkey: impl Into<AuthKey>,
    ) -> Result<AioConnection<S, R, C>, ConnectError> {
        let address = address.into_address();
        never(blocking(self.connect_with(&mut Park::new(), address, authkey.into())))
    }

    /// As [`AioClient::try_connect`](crate::AioClient::try_connect).
    ///
    /// # Errors
    ///
    /// As [`AioClient::try_connect`](crate::AioClient::try_connect).
    pub fn try_connect<S, R>(
        self,
        address: impl IntoAddress,
        authkey: impl Into<AuthKey>,
    ) -> Result<AioConnection<S, R, C>, TryConnectError> {
        let mut waiter = ParkUntil::new(Deadline::after(Duration::ZERO));
        let made = blocking(self.connect_with(&mut waiter, address.into_address(), authkey.into()));
        Ok(made.map_err(|_| TryConnectError::NotReady)??)
    }

    /// As [`AioClient::connect_timeout`](crate::AioClient::connect_timeout).
    ///
    /// # Errors
    ///
    /// As [`AioClient::connect_timeout`](crate::AioClient::connect_timeout).
    pub fn connect_timeout<S, R>(
        self,
        address: impl IntoAddress,
        authkey: impl Into<AuthKey>,
        timeout: Duration,
    ) -> Result<AioConnection<S, R, C>, ConnectTimeoutError> {
        let mut waiter = ParkUntil::new(Deadline::after(timeout));
        let made = blocking(self.connect_with(&mut waiter, address.into_address(), authkey.into()));
        Ok(made.map_err(|_| ConnectTimeoutError::Timeout)??)
    }

    /// As [`AioClient::coro_connect`](crate::AioClient::coro_connect).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped before it resolves, there is no connection.
    ///
    /// # Errors
    ///
    /// As [`AioClient::connect`](crate::AioClient::connect).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O enabled, when it has to wait.
    #[cfg(feature = "tokio")]
    pub fn coro_connect<S, R>(
        self,
        address: impl IntoAddress,
        authkey: impl Into<AuthKey>,
    ) -> impl Future<Output = Result<AioConnection<S, R, C>, ConnectError>> + Send {
        let (address, key) = (address.into_address(), authkey.into());
        async move { never(suspended(self.connect_with(&mut Suspend::new(), address, key)).await) }
    }
}

impl<C> fmt::Debug for ClientBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("protocol", &self.protocol)
            .field("max_length", &self.max_length)
            .finish_non_exhaustive()
    }
}
