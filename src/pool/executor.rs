use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::builder::PoolBuilder;
use super::error::{BuildError, SubmitError, TaskError};
use super::handle::AioPool;
use super::imap::Imap;
use super::task::AioTask;
use crate::process::ProcessFn;

/// A pool under the names of Python's `concurrent.futures.ProcessPoolExecutor`.
///
/// Unlike Python's, it survives the death of a worker, which fails the task that it ran and no other.
///
/// # Examples
///
/// ```
/// use aioprocessing::ProcessPoolExecutor;
///
/// fn main() {
///     aioprocessing::init();
///     let executor = ProcessPoolExecutor::new(2).unwrap();
///     let future = executor.submit(|a: u64, b: u64| a + b, (1, 2)).unwrap();
///     assert_eq!(future.result().unwrap(), 3);
///     executor.shutdown(true, false).unwrap();
/// }
/// ```
#[derive(Clone, Debug)]
pub struct ProcessPoolExecutor {
    pool: AioPool,
}

impl ProcessPoolExecutor {
    /// An executor of up to so many workers.
    ///
    /// # Errors
    ///
    /// As [`PoolBuilder::build`].
    pub fn new(max_workers: usize) -> Result<Self, BuildError> {
        AioPool::new(max_workers).map(Self::from)
    }

    /// The settings of [`AioPool::builder`]; `build()?.into()` makes an executor of them.
    pub fn builder() -> PoolBuilder {
        AioPool::builder()
    }

    /// The pool that it is.
    #[must_use]
    pub fn pool(&self) -> &AioPool {
        &self.pool
    }

    /// As [`AioPool::submit`].
    ///
    /// # Errors
    ///
    /// As [`AioPool::submit`].
    pub fn submit<F, A, T>(&self, f: F, args: A) -> Result<AioTask<T>, SubmitError>
    where
        F: ProcessFn<A, Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize + DeserializeOwned,
    {
        self.pool.submit(f, args)
    }

    /// As [`AioPool::imap`]: the results one by one, in the order of the items.
    pub fn map<'a, F, A, T, I>(&self, f: F, items: I) -> Imap<'a, T>
    where
        F: ProcessFn<(A,), Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize + DeserializeOwned,
        I: IntoIterator<Item = A, IntoIter: Send + 'a>,
    {
        self.pool.imap(f, items)
    }

    /// Takes no more tasks. `cancel_futures`: those that no worker has begun are cancelled. `wait`: until all is done.
    ///
    /// [`coro_shutdown`](Self::coro_shutdown) suspends the task.
    ///
    /// # Blocking
    ///
    /// With `wait`, blocks the thread as [`AioPool::join`] does; otherwise it does not.
    ///
    /// # Errors
    ///
    /// As [`AioPool::join`].
    pub fn shutdown(&self, wait: bool, cancel_futures: bool) -> Result<(), TaskError> {
        self.stop(cancel_futures);
        if wait { self.pool.join() } else { Ok(()) }
    }

    /// As [`shutdown`](Self::shutdown), and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it leaves an executor that is shut down.
    ///
    /// # Errors
    ///
    /// As [`AioPool::join`].
    #[cfg(feature = "tokio")]
    pub async fn coro_shutdown(&self, wait: bool, cancel_futures: bool) -> Result<(), TaskError> {
        self.stop(cancel_futures);
        if wait { self.pool.coro_join().await } else { Ok(()) }
    }

    fn stop(&self, cancel_futures: bool) {
        self.pool.close();
        if cancel_futures {
            self.pool.shared.with(super::desk::Desk::cancel_all);
        }
    }
}

impl From<AioPool> for ProcessPoolExecutor {
    fn from(pool: AioPool) -> Self {
        Self { pool }
    }
}

static DEFAULT: Mutex<Option<AioPool>> = Mutex::new(None);

/// The pool of [`run_in_process`], with as many workers as there are CPUs. One that has broken is made anew.
fn default_pool() -> Result<AioPool, TaskError> {
    let mut pool = DEFAULT.lock();
    if let Some(pool) = pool.as_ref().filter(|pool| pool.is_open()) {
        return Ok(pool.clone());
    }
    let made = AioPool::builder().build();
    let made = made.map_err(|error| SubmitError::Broken { message: error.to_string() })?;
    Ok(pool.insert(made).clone())
}

/// Calls `f(args…)` in a process of a pool that the whole program shares, and suspends the task until its value is there: what
/// `loop.run_in_executor(None, f)` is in Python. [`run_in_process_blocking`] blocks the thread instead.
///
/// # Cancel safety
///
/// As [`AioPool::coro_apply`].
///
/// # Errors
///
/// As [`AioPool::apply`]; [`TaskError::Submit`] if no pool can be made.
///
/// # Examples
///
/// ```
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() {
///     aioprocessing::init();
///     let sum = aioprocessing::run_in_process(|n: u64| (0..n).sum::<u64>(), (1_000,)).await;
///     assert_eq!(sum.unwrap(), 499_500);
/// }
/// ```
#[cfg(feature = "tokio")]
#[doc(alias = "run_in_executor")]
pub async fn run_in_process<F, A, T>(f: F, args: A) -> Result<T, TaskError>
where
    F: ProcessFn<A, Output = T>,
    A: Serialize + DeserializeOwned + 'static,
    T: Serialize + DeserializeOwned,
{
    default_pool()?.coro_apply(f, args).await
}

/// As [`run_in_process`], and blocks the thread.
///
/// # Errors
///
/// As [`run_in_process`].
pub fn run_in_process_blocking<F, A, T>(f: F, args: A) -> Result<T, TaskError>
where
    F: ProcessFn<A, Output = T>,
    A: Serialize + DeserializeOwned + 'static,
    T: Serialize + DeserializeOwned,
{
    default_pool()?.apply(f, args)
}
