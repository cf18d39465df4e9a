use std::time::Duration;

use super::{AuthKey, ClientBuilder, ConnectError, ConnectTimeoutError, IntoAddress, TryConnectError};
use crate::AioConnection;

/// Connects to a listener: Python's `multiprocessing.connection.Client`.
///
/// # Examples
///
/// ```
/// use aioprocessing::{Address, AioClient, AioListener, AuthKey};
///
/// let listener = AioListener::<u32, String>::bind(Address::private()?, AuthKey::none())?;
/// let accepted = std::thread::spawn({
///     let listener = listener.clone();
///     move || listener.accept().unwrap().peer()
/// });
/// let connection = AioClient::connect::<String, u32>(listener.address(), AuthKey::none())?;
/// assert_eq!(accepted.join().unwrap(), connection.peer()); // this process is at both ends
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "Client")]
#[derive(Clone, Copy, Debug)]
pub struct AioClient(());

impl AioClient {
    /// Connections of other than the usual settings.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// Connects to the listener at an address, with its key, and waits until it has accepted. The connection sends `S` and receives `R`,
    /// as the listener's receives `S` and sends `R`.
    ///
    /// [`try_connect`](Self::try_connect) does not wait, [`connect_timeout`](Self::connect_timeout) gives up after a time, and
    /// [`coro_connect`](Self::coro_connect) suspends the task instead of the thread.
    ///
    /// # Blocking
    ///
    /// Blocks the thread, for as long as nobody is in the listener's `accept`; needs no runtime.
    ///
    /// # If a process dies
    ///
    /// If the listener's does, it is an error at once.
    ///
    /// # Errors
    ///
    /// [`ConnectError::NobodyListens`] if nobody does; [`ConnectError::Handshake`] if the two did not come to terms, which the listener is
    /// told as well; otherwise the system's refusal.
    pub fn connect<S, R>(
        address: impl IntoAddress,
        authkey: impl Into<AuthKey>,
    ) -> Result<AioConnection<S, R>, ConnectError> {
        Self::builder().connect(address, authkey)
    }

    /// As [`connect`](Self::connect), without waiting. Two words of the listener are needed, and what was begun is given up: this
    /// says at once whether anybody listens, and seldom more.
    ///
    /// # Errors
    ///
    /// [`TryConnectError::NotReady`] if the listener has not answered yet; otherwise as [`connect`](Self::connect).
    pub fn try_connect<S, R>(
        address: impl IntoAddress,
        authkey: impl Into<AuthKey>,
    ) -> Result<AioConnection<S, R>, TryConnectError> {
        Self::builder().try_connect(address, authkey)
    }

    /// As [`connect`](Self::connect), for at most `timeout`; zero tries once.
    ///
    /// # Errors
    ///
    /// [`ConnectTimeoutError::Timeout`] if the listener has not answered in time; otherwise as [`connect`](Self::connect).
    pub fn connect_timeout<S, R>(
        address: impl IntoAddress,
        authkey: impl Into<AuthKey>,
        timeout: Duration,
    ) -> Result<AioConnection<S, R>, ConnectTimeoutError> {
        Self::builder().connect_timeout(address, authkey, timeout)
    }

    /// As [`connect`](Self::connect), and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped before it resolves, there is no connection.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O enabled, when it has to wait.
    #[cfg(feature = "tokio")]
    pub fn coro_connect<S, R>(
        address: impl IntoAddress,
        authkey: impl Into<AuthKey>,
    ) -> impl Future<Output = Result<AioConnection<S, R>, ConnectError>> + Send {
        Self::builder().coro_connect(address, authkey)
    }
}
