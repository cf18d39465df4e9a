use std::future::Future;
use std::time::Duration;

use super::address::BindAddress;
use super::error::{PreforkBindError, ServeError};
use super::handler::ServerStream;
use super::prefork::Prefork;
use crate::process::{AsyncProcessFn, cpu_count};

/// How a server is to be. Made by [`Prefork::builder`](crate::Prefork::builder).
#[derive(Debug)]
#[must_use = "a builder serves nothing until `serve`"]
pub struct PreforkBuilder {
    pub(super) address: Option<BindAddress>,
    pub(super) settings: Settings,
    pub(super) backlog: u32,
    pub(super) reuse_port: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) workers: usize,
    pub(super) max_requests: u64,
    pub(super) jitter: Option<u64>,
    pub(super) max_connections: u32,
    pub(super) grace: Duration,
    pub(super) health: Option<Duration>,
    pub(super) hands_over: bool,
    pub(super) hears_signals: bool,
}

impl Default for PreforkBuilder {
    fn default() -> Self {
        let settings = Settings {
            workers: cpu_count(),
            max_requests: 0,
            jitter: None,
            max_connections: 1024,
            grace: Duration::from_secs(30),
            health: Some(Duration::from_secs(30)),
            hands_over: false,
            hears_signals: true,
        };
        Self { address: None, settings, backlog: 2048, reuse_port: false }
    }
}

impl PreforkBuilder {
    /// Where to listen: `"127.0.0.1:8080"`, `"unix:/path"`, `"abstract:name"`, a `SocketAddr`, a `&Path`, or a listener of std that listens
    /// already. Port 0 is a free one: see [`Prefork::local_addr`](crate::Prefork::local_addr).
    ///
    /// A Unix socket's file is removed with the server; one that a killed server has left is replaced.
    pub fn bind(mut self, address: impl Into<BindAddress>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// How many workers; as many as CPUs, unless this says otherwise.
    pub fn workers(mut self, workers: usize) -> Self {
        self.settings.workers = workers;
        self
    }

    /// After so many requests a worker is replaced; 0, the default: never. Each serves somewhat more, by the
    /// [`jitter`](Self::max_requests_jitter), so that not all leave together.
    ///
    /// A connection counts as one request, and as more if its handler says so: see
    /// [`Prefork::note_request`](crate::Prefork::note_request).
    pub fn max_requests(mut self, requests: u64) -> Self {
        self.settings.max_requests = requests;
        self
    }

    /// Up to so many requests more, at random for each worker; a tenth of [`max_requests`](Self::max_requests), unless this
    /// says otherwise.
    pub fn max_requests_jitter(mut self, requests: u64) -> Self {
        self.settings.jitter = Some(requests);
        self
    }

    /// How many connections a worker has open at a time; 1,024, unless this says otherwise. More wait in the listener.
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.settings.max_connections = connections;
        self
    }

    /// How long a worker that leaves may take to finish its connections, before it is killed; 30 seconds, unless this says
    /// otherwise.
    pub fn grace(mut self, time: Duration) -> Self {
        self.settings.grace = time;
        self
    }

    /// A worker whose event loop does not turn for so long, or that does not begin within it, is killed and replaced; 30 seconds,
    /// unless this says otherwise. `None`: it is waited for.
    pub fn health(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.settings.health = limit.into();
        self
    }

    /// How many connections wait in the listener; 2,048 or the system's limit, unless this says otherwise.
    pub fn backlog(mut self, connections: u32) -> Self {
        self.backlog = connections;
        self
    }

    /// Whether each worker has a listener of its own on the same port (`SO_REUSEPORT`), so that the system spreads the connections. A
    /// worker's successor takes over its listener, with what waits in it.
    pub fn reuse_port(mut self, reuse: bool) -> Self {
        self.reuse_port = reuse;
        self
    }

    /// The other design: this process accepts, and hands each connection to the worker with the fewest. What a worker has
    /// not taken when it dies is handed to another one.
    pub fn hand_over(mut self, hand_over: bool) -> Self {
        self.settings.hands_over = hand_over;
        self
    }

    /// Whether signals to this process are heard while it serves; they are, unless this says otherwise. See [`Prefork`](crate::Prefork).
    pub fn signals(mut self, hear: bool) -> Self {
        self.settings.hears_signals = hear;
        self
    }

    /// Listens. From here on clients may connect: they wait until [`Prefork::serve`](crate::Prefork::serve).
    ///
    /// # Errors
    ///
    /// [`PreforkBindError`] says what is wrong with the address, or with a setting.
    pub fn build(self) -> Result<Prefork, PreforkBindError> {
        Prefork::new(self)
    }

    /// [`build`](Self::build), and [`Prefork::serve`](crate::Prefork::serve).
    ///
    /// # Errors
    ///
    /// As these.
    pub fn serve<F, S>(self, handler: F) -> Result<(), ServeError>
    where
        F: AsyncProcessFn<(S,), Future: Future + 'static> + Send + Sync,
        S: ServerStream,
    {
        self.build()?.serve(handler)
    }

    /// [`build`](Self::build), and [`Prefork::coro_serve`](crate::Prefork::coro_serve).
    ///
    /// # Cancel safety
    ///
    /// As [`Prefork::coro_serve`](crate::Prefork::coro_serve).
    ///
    /// # Errors
    ///
    /// As these.
    pub async fn coro_serve<F, S>(self, handler: F) -> Result<(), ServeError>
    where
        F: AsyncProcessFn<(S,), Future: Future + 'static> + Send + Sync,
        S: ServerStream,
    {
        self.build()?.coro_serve(handler).await
    }
}
