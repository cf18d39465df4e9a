use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ManagerBuilder;
use super::error::{ManagerError, ManagerTimeoutError, StartError};
use super::link::Link;
use super::message::New;
use super::owner::Owner;
use super::proxy::Proxy;
use super::proxy_error::ProxyError;
use crate::connection::{Address, AuthKey, IntoAddress};
use crate::process::JoinError;
use crate::wait::{Deadline, Park, ParkUntil, Waiter, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};

/// A server process that keeps handles by name, for programs that share nothing but its address and key: the registry of
/// Python's `multiprocessing.managers.BaseManager`.
///
/// What is [registered](Self::register) is a handle of this crate, a struct of some, or any other message. Whoever
/// [gets](Self::get) it by its name holds the thing itself: a queue that was got works on the shared memory, at the speed of any
/// other, with no server in between, and goes on if the manager ends.
///
/// A clone names the same manager, and so does a handle that travelled to another process, with the key in it. Threads and
/// tasks may share it. The server has one thread, on which nobody waits for a client that is slow.
///
/// # If a process dies
///
/// The manager ends with the process that started it, in whichever way that ends, and with the last of its handles there.
/// Its clients are told at once, in the middle of a question too; what they hold stays theirs. A client that dies takes nothing with it: what it
/// had registered stays, until somebody [unregisters](Self::unregister) or [replaces](Self::replace) it.
///
/// # Examples
///
/// ```
/// use aioprocessing::{AioManager, AioQueue, Address, AuthKey};
///
/// fn elsewhere(address: Address, key: AuthKey) -> Result<u64, Box<dyn std::error::Error>> {
///     Ok(AioManager::connect(address, key)?.get::<AioQueue<u64>>("jobs")?.get()?)
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     aioprocessing::init();
///     let manager = AioManager::start()?;
///     let jobs = AioQueue::<u64>::bounded(10)?;
///     manager.register("jobs", &jobs)?;
///     jobs.put(7)?;
///     assert_eq!(elsewhere(manager.address().clone(), manager.authkey().clone())?, 7);
///     Ok(())
/// }
/// ```
#[doc(alias = "BaseManager")]
#[doc(alias = "SyncManager")]
#[derive(Clone)]
pub struct AioManager {
    pub(super) link: Arc<Link>,
    /// In the process that started it.
    pub(super) owner: Option<Arc<Owner>>,
}

impl AioManager {
    /// Starts a manager that listens where nobody else does, with a random key: Python's `SyncManager().start()`.
    ///
    /// Its process ends with the last handle in this process, with [`shutdown`](Self::shutdown), and with this process.
    ///
    /// # Blocking
    ///
    /// Until the server listens: a few milliseconds.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub fn start() -> Result<Self, StartError> {
        Self::builder().start()
    }

    /// A manager with an address, a key or a name of its own.
    pub fn builder() -> ManagerBuilder {
        ManagerBuilder::new()
    }

    /// Connects to the manager at an address, with its key.
    ///
    /// [`connect_timeout`](Self::connect_timeout) gives up after a time, and [`coro_connect`](Self::coro_connect) suspends the task instead of
    /// the thread.
    ///
    /// # Blocking
    ///
    /// Blocks the thread until the manager has answered; needs no runtime.
    ///
    /// # If a process dies
    ///
    /// If the manager does, it is an error at once.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Gone`] if nobody listens there; [`ManagerError::Connect`] if the key is another;
    /// [`ManagerError::NotAManager`] and [`ManagerError::OtherVersion`] if the two have nothing to say to each other.
    pub fn connect(address: impl IntoAddress, authkey: impl Into<AuthKey>) -> Result<Self, ManagerError> {
        never(blocking(Self::connect_with(&mut Park::new(), address, authkey.into())))
    }

    /// As [`connect`](Self::connect), for at most `timeout`; zero tries once.
    ///
    /// # Errors
    ///
    /// [`ManagerTimeoutError::Timeout`] if it has not answered in time; otherwise as [`connect`](Self::connect).
    pub fn connect_timeout(
        address: impl IntoAddress,
        authkey: impl Into<AuthKey>,
        timeout: Duration,
    ) -> Result<Self, ManagerTimeoutError> {
        let mut waiter = ParkUntil::new(Deadline::after(timeout));
        let connected = blocking(Self::connect_with(&mut waiter, address, authkey.into()));
        Ok(connected.map_err(|_| ManagerTimeoutError::Timeout)??)
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
    pub fn coro_connect(
        address: impl IntoAddress,
        authkey: impl Into<AuthKey>,
    ) -> impl Future<Output = Result<Self, ManagerError>> + Send {
        let (address, key) = (address.into_address(), authkey.into());
        async move {
            let address = address.map_err(|error| ManagerError::Connect(error.into()))?;
            never(suspended(Self::connect_to(&mut Suspend::new(), address, key)).await)
        }
    }

    async fn connect_with<W: Waiter>(
        waiter: &mut W,
        address: impl IntoAddress,
        key: AuthKey,
    ) -> Result<Result<Self, ManagerError>, W::GaveUp> {
        match address.into_address() {
            Ok(address) => Self::connect_to(waiter, address, key).await,
            Err(error) => Ok(Err(ManagerError::Connect(error.into()))),
        }
    }

    async fn connect_to<W: Waiter>(
        waiter: &mut W,
        address: Address,
        key: AuthKey,
    ) -> Result<Result<Self, ManagerError>, W::GaveUp> {
        let link = Link::new(address, key, 0);
        let met = link.session(waiter).await?;
        Ok(met.map(|_| Self { link: Arc::new(link), owner: None }))
    }

    /// Where it listens; for TCP with the port that it got.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.link.address
    }

    /// What its clients must hold.
    #[must_use]
    pub fn authkey(&self) -> &AuthKey {
        &self.link.key
    }

    /// The number of the server's process, in the process that started it.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.owner.as_ref().map(|owner| owner.pid())
    }

    /// Ends the server, and waits for its end. Elsewhere than in the process that started it, it does nothing. Python's `shutdown()`.
    ///
    /// [`coro_shutdown`](Self::coro_shutdown) suspends the task instead of the thread.
    ///
    /// # Blocking
    ///
    /// Blocks the thread until the server's process has ended.
    ///
    /// # Errors
    ///
    /// [`JoinError`] says how it ended, if not by this.
    pub fn shutdown(&self) -> Result<(), JoinError> {
        self.owner.as_ref().map_or(Ok(()), |owner| owner.shutdown())
    }

    /// As [`shutdown`](Self::shutdown), and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it resolves, the server ends all the same.
    ///
    /// # Errors
    ///
    /// As [`shutdown`](Self::shutdown).
    #[cfg(feature = "tokio")]
    pub async fn coro_shutdown(&self) -> Result<(), JoinError> {
        match &self.owner {
            Some(owner) => owner.coro_shutdown().await,
            None => Ok(()),
        }
    }
}

impl AioManager {
    pub(super) async fn make<W: Waiter>(
        &self,
        waiter: &mut W,
        new: New,
    ) -> Result<Result<Arc<Proxy>, ProxyError>, W::GaveUp> {
        match self.link.session(waiter).await? {
            Ok(session) => Proxy::make(session, waiter, new).await,
            Err(error) => Ok(Err(error.into())),
        }
    }
}

/// Address and key: a handle that has arrived connects when it is used, and does not own the server.
impl Serialize for AioManager {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.link.address, &self.link.key, self.link.manager()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AioManager {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (address, key, manager) = Deserialize::deserialize(deserializer)?;
        Ok(Self { link: Arc::new(Link::new(address, key, manager)), owner: None })
    }
}

impl fmt::Debug for AioManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioManager")
            .field("address", &self.link.address)
            .field("server", &self.owner)
            .finish_non_exhaustive()
    }
}
