use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::builder::PoolBuilder;
use super::error::{BuildError, SubmitError, TaskError};
use super::function::{Function, Items};
use super::progress::{Audience, Progress};
use super::shared::Shared;
use super::task::{AioTask, Task};
use crate::process::ProcessFn;
use crate::wait::{Deadline, Park, ParkUntil, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};

/// A pool of worker processes that run functions of this program: Python's `multiprocessing.Pool`.
///
/// Tasks go to whichever worker is free. Workers are daemons, ignore SIGINT, and are started as there is work for them. A clone
/// is the same pool; the last one to go terminates it. It can't be sent to another process, which may have pools of its own.
///
/// The pool starts no thread. It is driven by whoever is inside any of its calls: those that wait hand out tasks, take results,
/// and replace workers that died. While nobody is inside, workers go on with the tasks that are in shared memory, about
/// a thousand, or two hundred with handles in them; a worker that died then is found and replaced at the next call.
///
/// # If a process dies
///
/// A worker that dies, at whichever instruction, fails the task that it ran with [`TaskError::WorkerDied`], or of a map the one
/// item; no other task is lost or run twice, and another worker takes its place. [`retries`](PoolBuilder::retries)
/// runs such a task again.
///
/// # Examples
///
/// ```
/// use aioprocessing::AioPool;
///
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// fn main() {
///     aioprocessing::init();
///     let pool = AioPool::new(2).unwrap();
///     assert_eq!(pool.map(square, 0..5).unwrap(), [0, 1, 4, 9, 16]);
///     assert_eq!(pool.apply(square, (12,)).unwrap(), 144);
/// }
/// ```
#[derive(Clone)]
pub struct AioPool {
    pub(super) shared: Arc<Shared>,
    _last: Arc<Last>,
    pub(super) size: usize,
    pub(super) options: Options,
}

/// Terminates the pool with its last handle.
struct Last(Arc<Shared>);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.end(TaskError::Terminated);
    }
}

/// What may differ from call to call.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    pub(super) timeout: Option<Duration>,
    pub(super) retries: u32,
    pub(super) buffer: Option<usize>,
    pub(super) chunk: Option<usize>,
    pub(super) audience: Audience,
}

impl Options {
    /// In nanoseconds; zero: none.
    pub(super) fn limit(&self) -> u64 {
        self.timeout.map_or(0, |timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX).max(1))
    }
}

/// Cancels a task that nobody waits for any more, if no worker has it.
struct CancelOnDrop<T>(AioTask<T>);

impl<T> Drop for CancelOnDrop<T> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl AioPool {
    /// A pool of up to so many workers.
    ///
    /// # Errors
    ///
    /// As [`PoolBuilder::build`].
    pub fn new(workers: usize) -> Result<Self, BuildError> {
        Self::builder().workers(workers).build()
    }

    /// A pool with other than the usual settings.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::default()
    }

    pub(super) fn over(shared: Arc<Shared>, size: usize, options: Options) -> Self {
        Self { _last: Arc::new(Last(shared.clone())), shared, size, options }
    }

    /// The same pool, with another [`timeout`](PoolBuilder::timeout) for what is submitted by way of this handle.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        let mut other = self.clone();
        other.options.timeout = Some(timeout);
        other
    }

    /// The same pool, with other [`retries`](PoolBuilder::retries) for what is submitted by way of this handle.
    #[must_use]
    pub fn with_retries(&self, retries: u32) -> Self {
        let mut other = self.clone();
        other.options.retries = retries;
        other
    }

    /// The same pool, with another [`chunk_size`](PoolBuilder::chunk_size) for maps by way of this handle.
    #[must_use]
    #[doc(alias = "chunksize")]
    pub fn with_chunk_size(&self, items: usize) -> Self {
        let mut other = self.clone();
        other.options.chunk = Some(items.max(1));
        other
    }

    /// The same pool, with another [`buffer`](PoolBuilder::buffer) for maps by way of this handle.
    #[must_use]
    pub fn with_buffer(&self, items: usize) -> Self {
        let mut other = self.clone();
        other.options.buffer = Some(items.max(1));
        other
    }

    /// The same pool, with another [`on_progress`](PoolBuilder::on_progress) for maps by way of this handle.
    #[must_use]
    pub fn with_progress(&self, listener: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        let mut other = self.clone();
        other.options.audience.listener = Some(Arc::new(listener));
        other
    }

    /// Hands in a task: `f(args…)` in a worker. Python: `Pool.apply_async`, `Executor.submit`.
    ///
    /// `f` and `args` as for [`AioProcess::spawn`](crate::AioProcess::spawn). Never waits for a worker: what has no place in shared
    /// memory yet is kept here.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Closed`] after [`close`](Self::close); [`SubmitError::Encode`] if the arguments can't be sent. What goes
    /// wrong in the worker is told by the task.
    #[doc(alias = "apply_async")]
    pub fn submit<F, A, T>(&self, f: F, args: A) -> Result<AioTask<T>, SubmitError>
    where
        F: ProcessFn<A, Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize + DeserializeOwned,
    {
        let function = Function::of::<F, A>(f)?;
        let task = Task::new(&self.options, function, Items::one(&args)?);
        self.shared.submit(&task)?;
        Ok(AioTask::new(self.shared.clone(), task))
    }

    /// Calls `f(args…)` in a worker and waits for its value. Python: `Pool.apply`.
    ///
    /// [`submit`](Self::submit) does not wait, [`coro_apply`](Self::coro_apply) suspends the task.
    ///
    /// # Blocking
    ///
    /// Blocks the thread until the task is done; needs no runtime.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit) and [`AioTask::result`].
    pub fn apply<F, A, T>(&self, f: F, args: A) -> Result<T, TaskError>
    where
        F: ProcessFn<A, Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize + DeserializeOwned,
    {
        self.submit(f, args)?.result()
    }

    /// As [`apply`](Self::apply), for at most `timeout`, after which the task is cancelled, or let go if it runs.
    ///
    /// # Errors
    ///
    /// [`TaskError::Timeout`] if it was not done in time; otherwise as [`apply`](Self::apply).
    pub fn apply_timeout<F, A, T>(&self, f: F, args: A, timeout: Duration) -> Result<T, TaskError>
    where
        F: ProcessFn<A, Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize + DeserializeOwned,
    {
        CancelOnDrop(self.submit(f, args)?).0.result_timeout(timeout)
    }

    /// As [`apply`](Self::apply), and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it takes the task back if no worker has begun it; one that runs is let go, and its result is dropped.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    #[cfg(feature = "tokio")]
    pub async fn coro_apply<F, A, T>(&self, f: F, args: A) -> Result<T, TaskError>
    where
        F: ProcessFn<A, Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize + DeserializeOwned,
    {
        let task = CancelOnDrop({
            // Not kept over the wait: it need not be `Send`.
            let args = args;
            self.submit(f, args)?
        });
        task.0.coro_result().await
    }

    /// The numbers of the workers that run.
    #[must_use]
    pub fn worker_pids(&self) -> Vec<u32> {
        self.shared.drive();
        self.shared.with(|desk| desk.crew.pids())
    }

    pub(super) fn is_open(&self) -> bool {
        self.shared.with(|desk| desk.stage == super::desk::Stage::Open)
    }

    /// How many workers there may be.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.size
    }

    /// Takes no more tasks from now on. Those that were submitted are done, while somebody is inside
    /// [`join`](Self::join) or waits for them; then the workers end.
    ///
    /// Never waits, and may be called again.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Ends the pool at once: workers are killed, and tasks that are not done are [`TaskError::Terminated`].
    ///
    /// Never waits, and may be called again. The last handle does it when it is dropped.
    pub fn terminate(&self) {
        self.shared.end(TaskError::Terminated);
    }

    /// Closes the pool, if it is open, and waits until all tasks are done and all workers have gone.
    ///
    /// Its twins: [`try_join`](Self::try_join) does not wait, [`join_timeout`](Self::join_timeout) waits for some time,
    /// [`coro_join`](Self::coro_join) suspends the task.
    ///
    /// # Blocking
    ///
    /// Blocks the thread until then, and for ever if a task never ends.
    ///
    /// # Errors
    ///
    /// [`TaskError::Broken`] if the workers could not do their work.
    pub fn join(&self) -> Result<(), TaskError> {
        self.close();
        never(blocking(self.shared.gone(&mut Park::new())));
        self.shared.broken()
    }

    /// As [`join`](Self::join), now or never: closes the pool, and says whether all is done and all workers have gone.
    ///
    /// # Errors
    ///
    /// [`TaskError::Timeout`] if not; otherwise as [`join`](Self::join).
    pub fn try_join(&self) -> Result<(), TaskError> {
        self.join_timeout(Duration::ZERO)
    }

    /// As [`join`](Self::join), for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TaskError::Timeout`] if it has not ended then; otherwise as [`join`](Self::join).
    pub fn join_timeout(&self, timeout: Duration) -> Result<(), TaskError> {
        self.close();
        let mut waiter = ParkUntil::new(Deadline::after(timeout));
        blocking(self.shared.gone(&mut waiter)).map_err(|_| TaskError::Timeout)?;
        self.shared.broken()
    }

    /// As [`join`](Self::join), and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it leaves a pool that is closed.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join).
    #[cfg(feature = "tokio")]
    pub async fn coro_join(&self) -> Result<(), TaskError> {
        self.close();
        never(suspended(self.shared.gone(&mut Suspend::new())).await);
        self.shared.broken()
    }
}

impl fmt::Debug for AioPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unfinished, workers) = self.shared.with(|desk| (desk.unfinished, desk.crew.pids()));
        f.debug_struct("AioPool")
            .field("workers", &self.size)
            .field("pids", &workers)
            .field("unfinished", &unfinished)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
