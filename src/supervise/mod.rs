//! Keeping processes running.

mod policy;

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::process::{AioProcess, JoinError, ProcessFn, SpawnError};
use crate::sys::gather::Gather;
use crate::sys::{clock, eventfd};
use crate::wait::{Park, Ready, Waiter, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};
#[cfg_attr(not(feature = "tokio"), allow(unused_imports))]
pub(crate) use policy::{Backoff, Policy, Restarts, nanos};

/// Which of the processes that have ended a [`Supervisor`] starts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Restart {
    /// Each.
    Always,
    /// Those that did not return from their function.
    OnFailure,
    /// None.
    Never,
}

/// Why a supervisor gave up. Its processes have been killed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SuperviseError {
    /// A process could not be started.
    #[error("cannot start a process: {0}")]
    Start(#[from] SpawnError),
    /// Too many have ended within the time; the text says how the last one did.
    #[error("{restarts} processes were started again within {within:?}, and then: {last}")]
    #[non_exhaustive]
    TooManyRestarts {
        /// So many may be.
        restarts: usize,
        /// Within this time.
        within: Duration,
        /// How the last one ended.
        last: String,
    },
    /// The system refused a descriptor or a timer.
    #[error("the system refused what a supervisor needs: {0}")]
    Os(#[from] std::io::Error),
}

type Start<T> = Arc<dyn Fn(usize) -> Result<AioProcess<T>, SpawnError> + Send + Sync>;

/// Keeps processes running: made by [`supervise`], run by [`run`](Self::run) or [`coro_run`](Self::coro_run).
pub struct Supervisor<T> {
    count: usize,
    start: Start<T>,
    restart: Restart,
    policy: Policy,
    stop: Arc<Stop>,
}

struct Stop {
    is_asked: AtomicBool,
    bell: OwnedFd,
}

/// Ends a [`Supervisor`], from any thread or task.
#[derive(Clone)]
pub struct Stopper(Arc<Stop>);

impl Stopper {
    /// Asks the processes to end, by SIGTERM; those that have not within ten seconds are killed. Never waits.
    pub fn stop(&self) {
        self.0.is_asked.store(true, Ordering::Release);
        eventfd::ring(&self.0.bell);
    }
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stopper").field(&self.0.is_asked.load(Ordering::Relaxed)).finish()
    }
}

/// After being asked to end, a process has so long.
const GRACE: u64 = 10_000_000_000;

/// Keeps `count` processes running `f(args…)`, as Erlang's supervisors do.
///
/// Nothing is started before [`Supervisor::run`]. The processes are daemons, and end with the run in any case.
///
/// # Errors
///
/// [`SuperviseError::Os`] if there is no descriptor left.
///
/// # Examples
///
/// ```
/// use aioprocessing::{Restart, supervise};
///
/// fn main() {
///     aioprocessing::init();
///     // Each ends well, so none is started again.
///     supervise(2, |x: u64| x * x, (7,)).unwrap().restart(Restart::OnFailure).run().unwrap();
/// }
/// ```
pub fn supervise<F, A, T>(count: usize, f: F, args: A) -> Result<Supervisor<T>, SuperviseError>
where
    F: ProcessFn<A, Output = T> + Send + Sync,
    A: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
    T: Serialize + DeserializeOwned + 'static,
{
    let start = move |index: usize| {
        let builder = AioProcess::builder().name(format!("Supervised-{}", index + 1));
        builder.daemon(true).kill_on_drop(true).spawn(f, args.clone())
    };
    Ok(Supervisor {
        count,
        start: Arc::new(start),
        restart: Restart::Always,
        policy: Policy { restarts: 10, within: Duration::from_secs(10), backoff: Backoff::default() },
        stop: Arc::new(Stop { is_asked: AtomicBool::new(false), bell: eventfd::create()? }),
    })
}

impl<T> Supervisor<T> {
    /// Which are started again; each, unless this says otherwise.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// So many may be started again within this time, or the run fails; 10 in 10 seconds, unless this says otherwise.
    #[must_use]
    pub fn intensity(mut self, restarts: usize, within: Duration) -> Self {
        (self.policy.restarts, self.policy.within) = (restarts, within);
        self
    }

    /// How long to wait before one is started again: `first`, and twice as long for each that failed within the
    /// [intensity](Self::intensity)'s time, but not longer than `longest`. 10 ms to 1 s, unless this says otherwise.
    #[must_use]
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.policy.backoff = Backoff { first, longest };
        self
    }

    /// What ends it.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(self.stop.clone())
    }
}

impl<T: DeserializeOwned> Supervisor<T> {
    /// Starts the processes and keeps them running, until none is left that is to be, or it is [stopped](Stopper::stop).
    /// [`coro_run`](Self::coro_run) suspends the task.
    ///
    /// # Blocking
    ///
    /// Blocks the thread until then.
    ///
    /// # Errors
    ///
    /// [`SuperviseError::TooManyRestarts`] if they end too often; otherwise what could not be started.
    pub fn run(&self) -> Result<(), SuperviseError> {
        let mut run = Run::begin(self)?;
        never(blocking(run.end(&mut Park::new())))
    }

    /// As [`run`](Self::run), and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it kills the processes.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    #[cfg(feature = "tokio")]
    pub async fn coro_run(&self) -> Result<(), SuperviseError> {
        let mut run = Run::begin(self)?;
        never(suspended(run.end(&mut Suspend::new())).await)
    }
}

/// One process's place.
enum Place<T> {
    Runs(AioProcess<T>),
    /// To be started at this time.
    Due(u64),
    Over,
}

struct Run<'a, T> {
    supervisor: &'a Supervisor<T>,
    gather: Gather,
    places: Vec<Place<T>>,
    /// When processes were last started again.
    restarts: Restarts,
    /// When those that were asked to end are killed.
    killing: Option<u64>,
}

impl<'a, T: DeserializeOwned> Run<'a, T> {
    fn begin(supervisor: &'a Supervisor<T>) -> Result<Self, SuperviseError> {
        let gather = Gather::new()?;
        gather.add(&supervisor.stop.bell)?;
        let places = (0..supervisor.count).map(|_| Place::Due(0)).collect();
        Ok(Self { supervisor, gather, places, restarts: Restarts::default(), killing: None })
    }

    async fn end<W: Waiter>(&mut self, waiter: &mut W) -> Result<Result<(), SuperviseError>, W::GaveUp> {
        let Self { supervisor, gather, places, restarts, killing } = self;
        let attempt = || {
            gather.drain();
            let mut round = Round { supervisor, gather, places, restarts, killing, now: clock::now() };
            round.all().transpose()
        };
        waiter.on_fd(gather.source(), Ready::Read, attempt).await
    }
}

/// One look at everything.
struct Round<'a, T> {
    supervisor: &'a Supervisor<T>,
    gather: &'a Gather,
    places: &'a mut Vec<Place<T>>,
    restarts: &'a mut Restarts,
    killing: &'a mut Option<u64>,
    now: u64,
}

impl<T: DeserializeOwned> Round<'_, T> {
    /// `Some`: there is nothing left to do.
    fn all(&mut self) -> Result<Option<()>, SuperviseError> {
        let is_stopping = self.supervisor.stop.is_asked.load(Ordering::Acquire);
        if is_stopping {
            self.stop();
        }
        for index in 0..self.places.len() {
            if let Place::Runs(process) = &self.places[index] {
                let ended = match process.try_join() {
                    Err(JoinError::Timeout) => continue,
                    ended => ended.map(drop),
                };
                self.places[index] = if is_stopping { Place::Over } else { self.after(ended)? };
            }
            if matches!(self.places[index], Place::Due(at) if at <= self.now) {
                let process = (self.supervisor.start)(index)?;
                self.gather.add(process.sentinel())?;
                self.places[index] = Place::Runs(process);
            }
        }
        let due =
            self.places.iter().filter_map(|place| if let Place::Due(at) = place { Some(*at) } else { None });
        self.gather.wake_at(due.chain(*self.killing).min())?;
        Ok(self.places.iter().all(|place| matches!(place, Place::Over)).then_some(()))
    }

    fn stop(&mut self) {
        let killing = *self.killing.get_or_insert(self.now + GRACE);
        let is_first = killing == self.now + GRACE;
        for place in self.places.iter_mut() {
            match place {
                Place::Runs(process) if is_first => drop(process.terminate()),
                Place::Runs(process) if self.now >= killing => drop(process.kill()),
                Place::Due(_) => *place = Place::Over,
                _ => {}
            }
        }
    }

    /// What follows the end of a process.
    fn after(&mut self, ended: Result<(), JoinError>) -> Result<Place<T>, SuperviseError> {
        let supervisor = self.supervisor;
        let is_wanted = match supervisor.restart {
            Restart::Always => true,
            Restart::OnFailure => ended.is_err(),
            Restart::Never => false,
        };
        if !is_wanted {
            return Ok(Place::Over);
        }
        let policy = &supervisor.policy;
        self.restarts.another(policy, ended.is_err(), self.now).map(Place::Due).ok_or_else(|| {
            let last = ended.map_or_else(|error| error.to_string(), |()| "one returned".to_owned());
            SuperviseError::TooManyRestarts { restarts: policy.restarts, within: policy.within, last }
        })
    }
}

impl<T> fmt::Debug for Supervisor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("count", &self.count)
            .field("restart", &self.restart)
            .finish_non_exhaustive()
    }
}
