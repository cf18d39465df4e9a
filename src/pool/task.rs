use std::fmt;
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use serde::de::DeserializeOwned;

use super::error::TaskError;
use super::function::{Function, Items};
use super::handle::Options;
use super::outcome::Outcome;
use super::shared::Shared;
use crate::process::caught;
use crate::raw::pool::Order;
use crate::wait::Look;
use crate::wait::{Deadline, Park, ParkUntil, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};

/// In [`Task::place`]: not on the board yet.
pub(super) const WAITING: u32 = u32::MAX;
/// In [`Task::place`]: off the board.
pub(super) const DONE: u32 = u32::MAX - 1;

/// A task, from its submission on.
pub(super) struct Task {
    pub(super) id: u64,
    pub(super) order: Order,
    pub(super) retries: u32,
    /// Until it is on the board.
    pub(super) args: Mutex<Vec<u8>>,
    pub(super) args_length: usize,
    /// For as long as it may have to be sent.
    pub(super) luggage: Mutex<Vec<OwnedFd>>,
    /// The cell. Under the lock of the desk.
    pub(super) place: AtomicU32,
    pub(super) outcome: OnceLock<Outcome>,
    pub(super) callbacks: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
}

impl Task {
    pub(super) fn new(options: &Options, function: Function, items: Items) -> Arc<Self> {
        let order = Order {
            function: function.offset,
            kind: function.kind,
            items: items.count,
            limit: options.limit(),
            has_luggage: !items.luggage.is_empty(),
        };
        static TASKS: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            id: TASKS.fetch_add(1, Ordering::Relaxed),
            order,
            retries: options.retries,
            args_length: items.bytes.len(),
            args: Mutex::new(items.bytes),
            luggage: Mutex::new(items.luggage),
            place: AtomicU32::new(WAITING),
            outcome: OnceLock::new(),
            callbacks: Mutex::default(),
        })
    }

    pub(super) fn is_done(&self) -> bool {
        self.outcome.get().is_some()
    }

    /// Done, and without a value.
    pub(super) fn has_failed(&self) -> bool {
        self.outcome.get().is_some_and(Outcome::has_failed)
    }
}

/// A task that was submitted to a pool: Python's `AsyncResult`, or `Future` of an executor.
///
/// Threads and tasks may share it, and ask for its result as often as they like. Dropped, it lets the task run and forgets its
/// result.
///
/// # Examples
///
/// ```
/// use aioprocessing::AioPool;
///
/// fn main() {
///     aioprocessing::init();
///     let pool = AioPool::new(2).unwrap();
///     let task = pool.submit(|a: u64, b: u64| a * b, (6, 7)).unwrap();
///     assert_eq!(task.result().unwrap(), 42);
/// }
/// ```
#[doc(alias = "AsyncResult")]
#[doc(alias = "Future")]
pub struct AioTask<T> {
    pub(super) shared: Arc<Shared>,
    pub(super) task: Arc<Task>,
    value: PhantomData<fn() -> T>,
}

impl<T> AioTask<T> {
    pub(super) fn new(shared: Arc<Shared>, task: Arc<Task>) -> Self {
        Self { shared, task, value: PhantomData }
    }

    /// A number that no other task of this process has: what a map from tasks to their inputs needs for a key.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.task.id
    }

    /// Whether it is done: with a value, with an error, or cancelled.
    ///
    /// This looks, and does nothing for the pool: what drives it is any call that waits.
    #[must_use]
    pub fn is_done(&self) -> bool {
        if !self.task.is_done() {
            self.shared.drive();
        }
        self.task.is_done()
    }

    /// Takes the task back, unless a worker runs it or has. True: it never runs, and its result is [`TaskError::Cancelled`].
    ///
    /// Never waits.
    pub fn cancel(&self) -> bool {
        self.shared.with(|desk| desk.cancel(&self.task, false))
    }

    /// As [`cancel`](Self::cancel), and kills the worker if one runs it. False: it was done already.
    ///
    /// The worker is replaced, and no other task is touched by it. Never waits.
    pub fn abort(&self) -> bool {
        self.shared.with(|desk| desk.cancel(&self.task, true))
    }
}

impl<T: DeserializeOwned + 'static> AioTask<T> {
    /// Calls `callback` with the result once it is there; at once if it is already. Python: `Future.add_done_callback`.
    ///
    /// It is called by whoever is inside a call of the pool then, and should not take long. A panic of it affects nothing
    /// else.
    #[doc(alias = "add_done_callback")]
    pub fn on_done(&self, callback: impl FnOnce(Result<T, TaskError>) + Send + 'static) {
        // Until it is called, somebody is waiting for this task.
        self.shared.with(|desk| desk.stay(false, 1));
        let mut callbacks = self.task.callbacks.lock();
        let task = self.clone();
        let call = move || callback(task.value());
        if !self.task.is_done() {
            callbacks.push(Box::new(call));
            drop(callbacks);
            // A worker that has just ended it may have seen all others patient: behind the fence that shows, or it sees this.
            fence(Ordering::SeqCst);
            self.shared.with(|desk| desk.drive(Look::Glance));
            return;
        }
        drop(callbacks);
        self.shared.with(|desk| desk.stay(false, -1));
        let _ = caught(call);
    }
}

impl<T: DeserializeOwned> AioTask<T> {
    fn value(&self) -> Result<T, TaskError> {
        let outcome = self.task.outcome.get().ok_or(TaskError::Timeout)?;
        let mut value = Err(TaskError::Timeout);
        outcome.each(1, |result| value = result);
        value
    }

    /// Waits for the task and gives what its function returned. May be called again, and by several at once: each gets the
    /// value anew.
    ///
    /// Its twins: [`try_result`](Self::try_result) looks once, [`result_timeout`](Self::result_timeout) waits for some
    /// time, [`coro_result`](Self::coro_result) suspends the task. Python: `AsyncResult.get`, `Future.result`.
    ///
    /// # Blocking
    ///
    /// Blocks the thread until the task is done, and keeps the pool going meanwhile.
    ///
    /// # If a process dies
    ///
    /// The worker that ran it: [`TaskError::WorkerDied`], unless it is [retried](crate::PoolBuilder::retries).
    ///
    /// # Errors
    ///
    /// [`TaskError`] says in which of its ways the task failed.
    pub fn result(&self) -> Result<T, TaskError> {
        never(blocking(self.shared.done(&mut Park::new(), &self.task)));
        self.value()
    }

    /// As [`result`](Self::result), for at most `timeout`; zero looks once.
    ///
    /// # Errors
    ///
    /// [`TaskError::Timeout`] if it is not done then, and a later call may find it; otherwise as [`result`](Self::result).
    pub fn result_timeout(&self, timeout: Duration) -> Result<T, TaskError> {
        let mut waiter = ParkUntil::new(Deadline::after(timeout));
        let done = blocking(self.shared.done(&mut waiter, &self.task));
        done.map_err(|_| TaskError::Timeout)?;
        self.value()
    }

    /// As [`result`](Self::result), for a task that is done.
    ///
    /// # Errors
    ///
    /// [`TaskError::Timeout`] while it is not; otherwise as [`result`](Self::result).
    pub fn try_result(&self) -> Result<T, TaskError> {
        if !self.task.is_done() {
            self.shared.drive();
        }
        self.value()
    }

    /// As [`result`](Self::result), and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped, it has taken nothing, and the task runs on.
    ///
    /// # Errors
    ///
    /// As [`result`](Self::result).
    #[cfg(feature = "tokio")]
    pub async fn coro_result(&self) -> Result<T, TaskError> {
        never(suspended(self.shared.done(&mut Suspend::new(), &self.task)).await);
        self.value()
    }
}

impl<T> Clone for AioTask<T> {
    fn clone(&self) -> Self {
        Self::new(self.shared.clone(), self.task.clone())
    }
}

impl<T> fmt::Debug for AioTask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioTask").field("is_done", &self.task.is_done()).finish_non_exhaustive()
    }
}
