use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::exchange::Made;
use super::pending::{Pending, Terms};
use super::{
    AcceptError, AcceptTimeoutError, Address, AuthKey, BindError, IntoAddress, ListenerBuilder, Refusal,
    TryAcceptError, local,
};
use crate::AioConnection;
use crate::sys::Source;
use crate::sys::gather::Gather;
use crate::wait::{
    AnyWaiter, Deadline, Park, ParkUntil, Readiness, Ready, Waitable, Waiter, blocking, never,
};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};
use crate::wire::Postcard;

/// Waits for strangers to connect: Python's `multiprocessing.connection.Listener`.
///
/// Whoever knows the address and the key is a client, in any process: [`AioClient`](crate::AioClient). A connection sends `S` and
/// receives `R`; at the client it is the other way round. Over local sockets it can do all that the end of a pipe can, and
/// carries descriptors; over TCP a message may leave in parts, and no descriptors.
///
/// Both sides prove that they hold the [`AuthKey`], within two seconds of the `accept` that picked the client up. The proof covers
/// the listener's address as well, so that nobody can pass it on to another listener; what forwards ports (NAT, a container's
/// published port) is seen as somebody in between, and refused. What is sent is not encrypted.
///
/// All clients greet at once, and any call of `accept` goes on with all of them: one that is silent, slow or lying holds nobody up,
/// and there is no thread. Those that are not admitted are counted and not an error of `accept`:
/// [`refused`](Self::refused), [`take_refusals`](Self::take_refusals).
///
/// A socket file can be opened by this user alone, from the moment it exists. It never replaces that of a listener that lives, it does
/// replace that of a dead one, and it is removed with its listener. Clones are the same listener, which is closed with the last.
///
/// # If a process dies
///
/// The connections of a client that dies are closed. If the listener's process dies, clients are refused at once; the file stays, and the
/// next listener replaces it.
///
/// # Examples
///
/// ```
/// use aioprocessing::{AioClient, AioListener, AuthKey};
///
/// let listener = AioListener::<String, u32>::bind("tcp:127.0.0.1:0", AuthKey::from(b"secret"))?;
/// let address = listener.address().clone();
/// let client = std::thread::spawn(move || {
///     let connection = AioClient::connect::<u32, String>(address, AuthKey::from(b"secret")).unwrap();
///     connection.send(&5).unwrap();
///     connection.recv().unwrap()
/// });
/// let connection = listener.accept()?;
/// let n = connection.recv()?;
/// connection.send(&format!("{n} it is"))?;
/// assert_eq!(client.join().unwrap(), "5 it is");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "Listener")]
pub struct AioListener<S, R, C = Postcard> {
    shared: Arc<Shared>,
    max_length: u64,
    types: PhantomData<fn(S, C) -> R>,
}

struct Shared {
    address: Address,
    terms: Terms,
    gather: Gather,
    /// Nobody waits while holding it.
    pending: Mutex<Pending>,
}

impl AioListener<(), ()> {
    /// A listener of other than the usual settings.
    pub fn builder() -> ListenerBuilder {
        ListenerBuilder::new()
    }
}

impl<S, R> AioListener<S, R> {
    /// Listens at an address: a path, a `SocketAddr`, or a text such as `unix:/run/jobs.sock`, `abstract:jobs`, `tcp:127.0.0.1:0`.
    /// [`Address::private`] is one that nobody else has.
    ///
    /// # Errors
    ///
    /// [`BindError::InUse`] if somebody listens there; [`BindError::KeyNeeded`] for [`AuthKey::none`] on TCP; otherwise the system's refusal.
    pub fn bind(address: impl IntoAddress, authkey: impl Into<AuthKey>) -> Result<Self, BindError> {
        AioListener::builder().bind(address, authkey)
    }
}

impl<S, R, C> AioListener<S, R, C> {
    pub(super) fn new(address: &Address, terms: Terms, max_length: u64) -> Result<Self, BindError> {
        if terms.key.is_none() && address.tcp().is_some() {
            return Err(BindError::KeyNeeded);
        }
        let bound = local::bind(address)?;
        let address = bound.address.clone();
        let failed = |error| BindError::Io { address: address.clone(), error };
        let gather = Gather::new().map_err(failed)?;
        gather.add(&bound.socket).map_err(failed)?;
        let shared = Shared { address, terms, gather, pending: Mutex::new(Pending::new(bound)) };
        Ok(Self { shared: Arc::new(shared), max_length, types: PhantomData })
    }

    /// Where it listens; for TCP with the port that it got.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.shared.address
    }

    /// Closes it for all its clones: those who wait in `accept` are told, clients that have not been accepted are sent away, and the
    /// socket file is removed. Connections stay.
    pub fn close(&self) {
        let bound = self.shared.pending.lock().close(&self.shared.gather);
        drop(bound);
    }

    /// Whether it was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.pending.lock().is_closed()
    }

    /// How many clients were not admitted so far.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.shared.pending.lock().refused()
    }

    /// Who was not admitted and why, the last 64 since the last call.
    #[must_use]
    pub fn take_refusals(&self) -> Vec<Refusal> {
        self.shared.pending.lock().take_refusals()
    }

    /// What is ready when there may be somebody to accept.
    pub(crate) fn source(&self) -> &Source {
        self.shared.gather.source()
    }

    fn accept_now(&self) -> Option<Result<Made, AcceptError>> {
        let Shared { gather, terms, pending, .. } = &*self.shared;
        pending.lock().accept(gather, terms)
    }

    async fn accept_with<W: Waiter>(&self, waiter: &mut W) -> Result<Result<Made, AcceptError>, W::GaveUp> {
        waiter.on_fd(self.shared.gather.source(), Ready::Read, || self.accept_now()).await
    }

    fn connection(&self, made: Made) -> AioConnection<S, R, C> {
        if made.keeps_packets {
            AioConnection::on_packets(made.socket, self.max_length, made.peer)
        } else {
            AioConnection::on_stream(made.socket, self.max_length, made.peer)
        }
    }

    /// Waits for the next client that proves who it is.
    ///
    /// [`try_accept`](Self::try_accept) does not wait, [`accept_timeout`](Self::accept_timeout) gives up after a time, and
    /// [`coro_accept`](Self::coro_accept) suspends the task instead of the thread. Any number of threads, tasks and clones may accept at once.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; needs no runtime.
    ///
    /// # If a process dies
    ///
    /// A client that dies while it greets is forgotten; one that has been accepted reads as closed.
    ///
    /// # Errors
    ///
    /// [`AcceptError::Closed`] once the listener is closed. [`AcceptError::Io`] if this process has no descriptor left: the client waits. If the
    /// builder says [`report_refusals`](ListenerBuilder::report_refusals), [`AcceptError::Refused`] for each client that was not admitted.
    pub fn accept(&self) -> Result<AioConnection<S, R, C>, AcceptError> {
        never(blocking(self.accept_with(&mut Park::new()))).map(|made| self.connection(made))
    }

    /// As [`accept`](Self::accept), without waiting.
    ///
    /// # Errors
    ///
    /// [`TryAcceptError::Empty`] if no client is there; otherwise as [`accept`](Self::accept).
    pub fn try_accept(&self) -> Result<AioConnection<S, R, C>, TryAcceptError> {
        Ok(self.accept_now().ok_or(TryAcceptError::Empty)?.map(|made| self.connection(made))?)
    }

    /// As [`accept`](Self::accept), for at most `timeout`; zero tries once.
    ///
    /// # Errors
    ///
    /// [`AcceptTimeoutError::Timeout`] if no client came in time; otherwise as [`accept`](Self::accept).
    pub fn accept_timeout(&self, timeout: Duration) -> Result<AioConnection<S, R, C>, AcceptTimeoutError> {
        let accepted = blocking(self.accept_with(&mut ParkUntil::new(Deadline::after(timeout))));
        Ok(accepted.map_err(|_| AcceptTimeoutError::Timeout)?.map(|made| self.connection(made))?)
    }

    /// As [`accept`](Self::accept), and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped before it resolves, it has accepted nobody, and the greetings under way go on with the next call.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O enabled, when it has to wait.
    #[cfg(feature = "tokio")]
    pub async fn coro_accept(&self) -> Result<AioConnection<S, R, C>, AcceptError> {
        never(suspended(self.accept_with(&mut Suspend::new())).await).map(|made| self.connection(made))
    }
}

impl<S, R, C> Clone for AioListener<S, R, C> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), max_length: self.max_length, types: PhantomData }
    }
}

/// Ready when an `accept` has something to say.
impl<S, R, C> Waitable for AioListener<S, R, C> {
    fn until_ready<'a>(&'a self, mut waiter: AnyWaiter<'a>) -> Readiness<'a> {
        Box::pin(async move {
            let Shared { gather, terms, pending, .. } = &*self.shared;
            never(waiter.on_fd(gather.source(), Ready::Read, || pending.lock().look(gather, terms)).await);
            Ok(())
        })
    }
}

impl<S, R, C> fmt::Debug for AioListener<S, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pending = self.shared.pending.lock();
        let (greeting, ready) = pending.counts();
        f.debug_struct("AioListener")
            .field("address", &self.shared.address)
            .field("greeting", &greeting)
            .field("ready", &ready)
            .field("refused", &pending.refused())
            .field("is_closed", &pending.is_closed())
            .finish_non_exhaustive()
    }
}
