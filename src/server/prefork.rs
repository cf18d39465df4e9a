use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::builder::{PreforkBuilder, Settings};
use super::control::{PreforkControl, Shared};
use super::error::{PreforkBindError, ServeError};
use super::hand::Start;
use super::handler::ServerStream;
use super::listen::Listeners;
use super::master::Master;
use super::message::Kit;
use super::worker;
use crate::process::{AioProcess, AsyncProcessFn};
use crate::sys::entry::function;
use crate::wait::{Park, Suspend, blocking, never, suspended};

/// A server of worker processes that accept from one listener, as gunicorn and Apache have them.
///
/// The handler is an `async fn` that is given a tokio stream, in a worker, on a current-thread runtime; it may serve HTTP on it with hyper, or
/// anything else. It must not block: a worker whose event loop stands still for too long is [replaced](crate::PreforkBuilder::health).
///
/// The listener stays open in this process as long as it serves, so while workers come and go nobody is refused: who connects waits
/// in it. Workers leave after their [number of requests](crate::PreforkBuilder::max_requests); one that leaves accepts no more and finishes
/// what it has, while its successor accepts already.
///
/// # Signals
///
/// While it serves, SIGTERM and SIGINT to this process end it: nothing more is accepted, open connections are finished within the
/// [`grace`](crate::PreforkBuilder::grace); a second one ends it at once. SIGHUP replaces the workers one by one. That is done by signal handlers that
/// count and ring, on whichever thread the system runs them, and not by a `signalfd`, which would want the signals blocked in all
/// threads of a program that are not ours; what stood there before is put back in the end. A signal that this program was started to
/// ignore stays ignored. [`signals`](crate::PreforkBuilder::signals) turns them off, and [`control`](Self::control) does the same from inside.
///
/// Workers ignore SIGINT and SIGHUP, which a terminal sends to all processes of a group; SIGTERM to a worker replaces it.
///
/// # If a process dies
///
/// A worker that dies loses the connections that it had, and is replaced: at once, or after a wait that doubles from 10 ms to a
/// second if it served for less than a second. Workers die with this process, whatever kills it.
///
/// # Examples
///
/// ```
/// use std::io::Read;
///
/// use aioprocessing::Prefork;
/// use tokio::io::AsyncWriteExt;
/// use tokio::net::TcpStream;
///
/// async fn greet(mut stream: TcpStream) {
///     let _ = stream.write_all(b"hello").await;
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     aioprocessing::init();
///     let server = Prefork::builder().bind("127.0.0.1:0").workers(2).max_requests(1000).build()?;
///     let (address, control) = (server.local_addr().unwrap(), server.control());
///     let client = std::thread::spawn(move || {
///         let mut text = String::new();
///         std::net::TcpStream::connect(address)?.read_to_string(&mut text)?;
///         control.drain();
///         std::io::Result::Ok(text)
///     });
///     server.serve(greet)?; // until it is asked to end
///     assert_eq!(client.join().unwrap()?, "hello");
///     Ok(())
/// }
/// ```
#[doc(alias = "gunicorn")]
pub struct Prefork {
    pub(super) settings: Settings,
    pub(super) listeners: Listeners,
    pub(super) shared: Arc<Shared>,
}

impl Prefork {
    /// How it is to be.
    pub fn builder() -> PreforkBuilder {
        PreforkBuilder::default()
    }

    pub(super) fn new(builder: PreforkBuilder) -> Result<Self, PreforkBindError> {
        let PreforkBuilder { address, settings, backlog, reuse_port } = builder;
        if settings.workers == 0 {
            return Err(PreforkBindError::Invalid("a server needs at least one worker"));
        }
        if settings.max_connections == 0 {
            return Err(PreforkBindError::Invalid("a worker that may have no connections serves nobody"));
        }
        let address = address.ok_or(PreforkBindError::NoAddress)?.resolve()?;
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        // Who accepts in one process needs one listener.
        let ports = (reuse_port && !settings.hands_over).then_some(settings.workers);
        let listeners = Listeners::open(address, backlog, ports)?;
        let refused = |source| PreforkBindError::Listen { address: "its control".to_owned(), source };
        Ok(Self { settings, listeners, shared: Shared::new().map_err(refused)? })
    }

    /// The TCP address at which it listens, with the port that it got.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.listeners.tcp_address()
    }

    /// What ends it, reloads it, and knows its workers.
    #[must_use]
    pub fn control(&self) -> PreforkControl {
        PreforkControl(self.shared.clone())
    }

    /// Starts the workers and keeps them serving, until it is asked to end and all have finished.
    /// [`coro_serve`](Self::coro_serve) suspends the task.
    ///
    /// Connections are taken care of by the workers alone; what happens here is looking after these.
    ///
    /// # Blocking
    ///
    /// Blocks the thread until then. Needs no runtime here.
    ///
    /// # Errors
    ///
    /// [`ServeError::OtherStream`] if the handler takes another kind of stream than the address gives; [`ServeError::Workers`]
    /// if workers die before they serve, again and again.
    pub fn serve<F, S>(self, handler: F) -> Result<(), ServeError>
    where
        F: AsyncProcessFn<(S,), Future: Future + 'static> + Send + Sync,
        S: ServerStream,
    {
        let mut master = self.master(handler)?;
        never(blocking(master.run(&mut Park::new())))
    }

    /// As [`serve`](Self::serve), and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it kills the workers, with the connections that they have. [`PreforkControl::drain`] ends it gently.
    ///
    /// # Errors
    ///
    /// As [`serve`](Self::serve).
    pub async fn coro_serve<F, S>(self, handler: F) -> Result<(), ServeError>
    where
        F: AsyncProcessFn<(S,), Future: Future + 'static> + Send + Sync,
        S: ServerStream,
    {
        let mut master = self.master(handler)?;
        never(suspended(master.run(&mut Suspend::new())).await)
    }

    /// As [`serve`](Self::serve); the handler is given a copy of `arg`, too: settings, and handles of queues and locks.
    ///
    /// # Errors
    ///
    /// As [`serve`](Self::serve).
    pub fn serve_with<F, S, A>(self, handler: F, arg: A) -> Result<(), ServeError>
    where
        F: AsyncProcessFn<(S, A), Future: Future + 'static> + Send + Sync,
        S: ServerStream,
        A: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
    {
        let mut master = self.master_with(handler, arg)?;
        never(blocking(master.run(&mut Park::new())))
    }

    /// As [`serve_with`](Self::serve_with), and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// As for [`coro_serve`](Self::coro_serve).
    ///
    /// # Errors
    ///
    /// As [`serve`](Self::serve).
    pub async fn coro_serve_with<F, S, A>(self, handler: F, arg: A) -> Result<(), ServeError>
    where
        F: AsyncProcessFn<(S, A), Future: Future + 'static> + Send + Sync,
        S: ServerStream,
        A: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
    {
        let mut master = self.master_with(handler, arg)?;
        never(suspended(master.run(&mut Suspend::new())).await)
    }

    /// In a handler: one more request of this connection is being served. The first was counted with the connection.
    ///
    /// A handler that serves several requests on a connection calls it for each, the first included. Elsewhere it does nothing.
    pub fn note_request() {
        worker::note_request();
    }

    /// In a handler: whether this worker is to end, and waits for the connections that it has. A good answer then is the
    /// last on its connection.
    #[must_use]
    pub fn is_leaving() -> bool {
        worker::is_leaving()
    }

    /// In a handler: waits until this worker [is to end](Self::is_leaving). Elsewhere it waits for ever.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped, it has had no effect.
    pub async fn coro_leaving() {
        worker::leaving().await;
    }

    fn master<F, S>(self, _: F) -> Result<Master, ServeError>
    where
        F: AsyncProcessFn<(S,), Future: Future + 'static> + Send + Sync,
        S: ServerStream,
    {
        self.check::<S>()?;
        Master::new(self, start(|builder, kit| builder.spawn_async(attend::<F, S>, (kit,))))
    }

    fn master_with<F, S, A>(self, _: F, arg: A) -> Result<Master, ServeError>
    where
        F: AsyncProcessFn<(S, A), Future: Future + 'static> + Send + Sync,
        S: ServerStream,
        A: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
    {
        self.check::<S>()?;
        Master::new(
            self,
            start(move |builder, kit| builder.spawn_async(attend_with::<F, S, A>, (kit, arg.clone()))),
        )
    }

    fn check<S: ServerStream>(&self) -> Result<(), ServeError> {
        if S::FAMILY == self.listeners.family {
            return Ok(());
        }
        let address = match self.listeners.family {
            super::address::Family::Tcp => "TCP",
            super::address::Family::Unix => "Unix",
        };
        Err(ServeError::OtherStream { handler: std::any::type_name::<S>(), address })
    }
}

fn start(
    spawn: impl Fn(crate::process::ProcessBuilder, Kit) -> Result<AioProcess<()>, crate::process::SpawnError>
    + Send
    + Sync
    + 'static,
) -> Start {
    Arc::new(move |serial, kit| {
        let builder = AioProcess::builder().name(format!("Prefork-{serial}"));
        spawn(builder.daemon(true).kill_on_drop(true), kit)
    })
}

async fn attend<F, S>(kit: Kit)
where
    F: AsyncProcessFn<(S,), Future: Future + 'static>,
    S: ServerStream,
{
    worker::attend(kit, |stream: S| function::<F>().call((stream,))).await;
}

async fn attend_with<F, S, A>(kit: Kit, arg: A)
where
    F: AsyncProcessFn<(S, A), Future: Future + 'static>,
    S: ServerStream,
    A: Clone + 'static,
{
    worker::attend(kit, move |stream: S| function::<F>().call((stream, arg.clone()))).await;
}

impl fmt::Debug for Prefork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prefork")
            .field("listeners", &self.listeners)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
