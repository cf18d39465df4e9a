use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::error::TaskError;
use super::shared::Shared;
use super::task::{AioTask, Task};
use crate::wait::{Deadline, Park, ParkUntil, Waiter, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};

/// When a wait for several tasks is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// One of them is done.
    First,
    /// One of them has failed, or all are done.
    FirstError,
    /// All of them are done.
    All,
}

impl When {
    fn is_over(self, tasks: &[Arc<Task>]) -> bool {
        match self {
            Self::First => tasks.is_empty() || tasks.iter().any(|task| task.is_done()),
            Self::All => tasks.iter().all(|task| task.is_done()),
            Self::FirstError => Self::All.is_over(tasks) || tasks.iter().any(|task| task.has_failed()),
        }
    }
}

/// Waits in the pool of the first task that is not done, and keeps the other pools going, too.
async fn wait<W: Waiter, T>(
    waiter: &mut W,
    tasks: &[AioTask<T>],
    is_over: impl Fn(&[Arc<Task>]) -> bool + Send + Sync,
) -> Result<(), W::GaveUp> {
    let plain: Vec<_> = tasks.iter().map(|task| task.task.clone()).collect();
    if is_over(&plain) {
        return Ok(());
    }
    let mut pools: Vec<Arc<Shared>> = Vec::new();
    for task in tasks.iter().filter(|task| !task.task.is_done()) {
        if !pools.iter().any(|known| Arc::ptr_eq(known, &task.shared)) {
            pools.push(task.shared.clone());
        }
    }
    let Some((first, others)) = pools.split_first() else { return Ok(()) };
    first
        .until(waiter, || {
            // Of its own pool each is seen to already.
            others.iter().for_each(|other| other.drive());
            is_over(&plain).then_some(())
        })
        .await
}

/// Waits for several tasks, which may be those of several pools. Python: `concurrent.futures.wait`.
///
/// It gives nothing: [`AioTask::is_done`] says of each. [`wait_tasks_timeout`] gives up after a time, [`coro_wait_tasks`] suspends
/// the task. Of other pools than that of the first unfinished task, news may take a second.
///
/// # Blocking
///
/// Blocks the thread until then.
pub fn wait_tasks<T>(tasks: &[AioTask<T>], when: When) {
    never(blocking(wait(&mut Park::new(), tasks, |tasks| when.is_over(tasks))));
}

/// As [`wait_tasks`], for at most `timeout`.
///
/// # Errors
///
/// [`TaskError::Timeout`] if it was not over then.
pub fn wait_tasks_timeout<T>(tasks: &[AioTask<T>], when: When, timeout: Duration) -> Result<(), TaskError> {
    let mut waiter = ParkUntil::new(Deadline::after(timeout));
    blocking(wait(&mut waiter, tasks, |tasks| when.is_over(tasks))).map_err(|_| TaskError::Timeout)
}

/// As [`wait_tasks`], and suspends the task.
///
/// # Cancel safety
///
/// Cancel safe.
#[cfg(feature = "tokio")]
pub async fn coro_wait_tasks<T>(tasks: &[AioTask<T>], when: When) {
    never(suspended(wait(&mut Suspend::new(), tasks, |tasks| when.is_over(tasks))).await);
}

/// Tasks in the order in which they are done: Python's `concurrent.futures.as_completed`.
///
/// What it gives is an `Iterator`, and has [`coro_next`](AsCompleted::coro_next). A task that was given twice comes twice.
///
/// # Examples
///
/// ```
/// use aioprocessing::{AioPool, as_completed};
///
/// fn main() {
///     aioprocessing::init();
///     let pool = AioPool::new(2).unwrap();
///     let tasks = (1..=3_u64).map(|x| pool.submit(|x: u64| x * x, (x,)).unwrap());
///     let sum: u64 = as_completed(tasks).map(|task| task.result().unwrap()).sum();
///     assert_eq!(sum, 14);
/// }
/// ```
pub fn as_completed<T>(tasks: impl IntoIterator<Item = AioTask<T>>) -> AsCompleted<T> {
    AsCompleted { left: tasks.into_iter().collect(), done: VecDeque::new() }
}

/// What [`as_completed`] gives.
pub struct AsCompleted<T> {
    left: Vec<AioTask<T>>,
    done: VecDeque<AioTask<T>>,
}

impl<T> AsCompleted<T> {
    async fn advance<W: Waiter>(&mut self, waiter: &mut W) -> Result<Option<AioTask<T>>, W::GaveUp> {
        if self.done.is_empty() {
            wait(waiter, &self.left, |tasks| When::First.is_over(tasks)).await?;
            self.done.extend(self.left.extract_if(.., |task| task.task.is_done()));
        }
        Ok(self.done.pop_front())
    }

    /// The next one, waited for for at most `timeout`: `Err(TaskError::Timeout)` if none is done then. `None` at the end.
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<Result<AioTask<T>, TaskError>> {
        let mut waiter = ParkUntil::new(Deadline::after(timeout));
        match blocking(self.advance(&mut waiter)) {
            Ok(next) => next.map(Ok),
            Err(_) => Some(Err(TaskError::Timeout)),
        }
    }

    /// The next one; `None` at the end. As `next`, and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped, it has taken none.
    #[cfg(feature = "tokio")]
    pub async fn coro_next(&mut self) -> Option<AioTask<T>> {
        never(suspended(self.advance(&mut Suspend::new())).await)
    }
}

impl<T> Iterator for AsCompleted<T> {
    type Item = AioTask<T>;

    /// Blocks the thread until the next one is done.
    fn next(&mut self) -> Option<AioTask<T>> {
        never(blocking(self.advance(&mut Park::new())))
    }
}

impl<T> fmt::Debug for AsCompleted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("left", &self.left.len())
            .field("done", &self.done.len())
            .finish_non_exhaustive()
    }
}
