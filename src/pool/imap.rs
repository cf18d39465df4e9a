use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::error::{SubmitError, TaskError};
use super::feed::Fed;
use super::handle::AioPool;
use super::progress::Report;
use super::task::Task;
use crate::planted::planted;
use crate::wait::{Deadline, Park, ParkUntil, TimedOut, Waiter, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};

/// So many tasks are under way at a time, and four for each worker.
const UNDER_WAY: usize = 64;
/// The same where all results are kept anyway, as long as their arguments are short together. Workers must not run out of them
/// while somebody wakes up to bring more.
const FAR_AHEAD: usize = 512;
const SHORT: usize = 8 << 20;

/// Inputs as tasks, of so many items at the most.
pub(super) type Inputs<'a> = Box<dyn FnMut(usize) -> Option<Fed> + Send + 'a>;

/// The results of [`AioPool::imap`](crate::AioPool::imap) and its like, one by one: an `Iterator`, and with feature `tokio` a `Stream`.
///
/// An item that failed is an `Err` in its place, and the next follows. Inputs are taken as results leave, not more ahead than
/// the pool's [`buffer`](crate::PoolBuilder::buffer). Dropped, it takes back what no worker has begun.
pub struct Imap<'a, T> {
    pool: AioPool,
    /// `None`: no more.
    source: Option<Inputs<'a>>,
    is_ordered: bool,
    /// So many tasks at a time, and so many if they are short.
    under_way: usize,
    far_ahead: usize,
    /// The arguments that are under way.
    bytes: usize,
    flight: VecDeque<Flight>,
    /// Items that are under way.
    items: usize,
    ready: VecDeque<Result<T, TaskError>>,
    report: Report,
    #[cfg(feature = "tokio")]
    waiting: Option<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>>,
}

enum Flight {
    Task(Arc<Task>),
    Failed(TaskError),
}

impl Flight {
    fn is_done(&self) -> bool {
        match self {
            Self::Task(task) => task.is_done(),
            Self::Failed(_) => true,
        }
    }
}

impl<'a, T: DeserializeOwned> Imap<'a, T> {
    pub(super) fn new(pool: AioPool, is_ordered: bool, total: Option<usize>, source: Inputs<'a>) -> Self {
        let report = Report::new(&pool.options.audience, total);
        let size = pool.size;
        Self {
            pool,
            source: Some(source),
            is_ordered,
            under_way: UNDER_WAY.max(4 * size),
            far_ahead: 0,
            bytes: 0,
            flight: VecDeque::new(),
            items: 0,
            ready: VecDeque::new(),
            report,
            #[cfg(feature = "tokio")]
            waiting: None,
        }
    }

    /// Begins now, and not when the first result is asked for.
    pub(super) fn begun(mut self) -> Self {
        self.refill();
        self
    }

    fn refill(&mut self) {
        let most = self.pool.options.buffer.unwrap_or(usize::MAX);
        // What lies ready counts: it has not left yet.
        while (self.flight.len() < self.under_way || self.flight.len() < self.far_ahead && self.bytes < SHORT)
            && let room = most.saturating_sub(self.items + self.ready.len())
            && room > 0
            && let Some(source) = &mut self.source
        {
            let Some(fed) = source(room) else {
                self.source = None;
                return;
            };
            match fed {
                Fed::Failed(error) => self.flight.push_back(Flight::Failed(error)),
                Fed::Task(task) => match self.pool.shared.submit(&task) {
                    Ok(()) => {
                        self.items += task.order.items as usize;
                        self.bytes += task.args_length;
                        self.flight.push_back(Flight::Task(task));
                    }
                    Err(error) => {
                        // A chunk of several never is too large: it is this item, and the others may be shorter. Anything else
                        // would refuse them, too.
                        if planted!("an-item-too-large-ends-a-map", error != SubmitError::TooLarge, true) {
                            self.source = None;
                        }
                        self.flight.push_back(Flight::Failed(error.into()));
                    }
                },
            }
        }
    }

    /// The place of what is to be taken next, if it is done.
    fn landed(flight: &VecDeque<Flight>, is_ordered: bool) -> Option<usize> {
        if is_ordered {
            flight.front()?.is_done().then_some(0)
        } else {
            flight.iter().position(Flight::is_done)
        }
    }

    /// It counts no more towards what is under way.
    fn has_landed(&mut self, task: &Task) {
        self.items -= task.order.items as usize;
        self.bytes -= task.args_length;
    }

    fn unload(&mut self, place: usize) {
        match self.flight.remove(place) {
            None => {}
            Some(Flight::Failed(error)) => {
                self.ready.push_back(Err(error));
                self.report.add(1);
            }
            Some(Flight::Task(task)) => {
                self.has_landed(&task);
                if let Some(outcome) = task.outcome.get() {
                    outcome.each(task.order.items, |result| self.ready.push_back(result));
                    self.report.add(task.order.items as usize);
                }
            }
        }
    }

    /// `Some`: what is there now, or the end.
    fn at_hand(&mut self) -> Option<Option<Result<T, TaskError>>> {
        if self.ready.is_empty() {
            self.refill();
            if let Some(place) = Self::landed(&self.flight, self.is_ordered) {
                self.unload(place);
            }
        }
        if let Some(result) = self.ready.pop_front() {
            return Some(Some(result));
        }
        self.flight.is_empty().then_some(None)
    }

    async fn advance<W: Waiter>(
        &mut self,
        waiter: &mut W,
    ) -> Result<Option<Result<T, TaskError>>, W::GaveUp> {
        if let Some(at_hand) = self.at_hand() {
            return Ok(at_hand);
        }
        let (flight, is_ordered) = (&self.flight, self.is_ordered);
        let place = self.pool.shared.until(waiter, || Self::landed(flight, is_ordered)).await?;
        self.unload(place);
        Ok(self.ready.pop_front())
    }

    /// The next result, waited for for at most `timeout`: `Err(TaskError::Timeout)` if it is not there then, and a later call
    /// may find it. `None` at the end. Python: `next(timeout)` of `imap`'s iterator.
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<Result<T, TaskError>> {
        let mut waiter = ParkUntil::new(Deadline::after(timeout));
        match blocking(self.advance(&mut waiter)) {
            Ok(next) => next,
            Err(TimedOut) => Some(Err(TaskError::Timeout)),
        }
    }

    /// The next result; `None` at the end. As `next`, and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped, it has taken no result.
    #[cfg(feature = "tokio")]
    pub async fn coro_next(&mut self) -> Option<Result<T, TaskError>> {
        never(suspended(self.advance(&mut Suspend::new())).await)
    }

    pub(super) async fn collect_all<W: Waiter>(
        mut self,
        waiter: &mut W,
    ) -> Result<Result<Vec<T>, TaskError>, W::GaveUp> {
        self.far_ahead = FAR_AHEAD;
        let mut all = Vec::new();
        loop {
            // Many at a time: each that comes alone finds workers asleep.
            if self.flight.len() <= self.under_way.max(self.far_ahead) / 4 * 3 {
                self.refill();
            }
            if self.flight.is_empty() {
                return Ok(Ok(all));
            }
            let flight = &self.flight;
            let is_there = || Self::landed(flight, true).map(drop);
            if is_there().is_none() {
                // Who is told of each item wants to hear of each.
                if self.report.has_audience() {
                    self.pool.shared.until(waiter, is_there).await?;
                } else {
                    self.pool.shared.until_many(waiter, is_there).await?;
                }
            }
            // Past `ready`: these are wanted together.
            let (done, failed) = match self.flight.pop_front() {
                Some(Flight::Failed(error)) => (1, Some(error)),
                Some(Flight::Task(task)) => {
                    self.has_landed(&task);
                    (task.order.items as usize, append(&task, &mut all))
                }
                None => (0, None),
            };
            self.report.add(done);
            if let Some(error) = failed {
                return Ok(Err(error));
            }
        }
    }
}

/// Appends the values of a task that is done, up to the first that failed.
fn append<T: DeserializeOwned>(task: &Task, all: &mut Vec<T>) -> Option<TaskError> {
    let mut failed = None;
    if let Some(outcome) = task.outcome.get() {
        all.reserve(task.order.items as usize);
        outcome.each(task.order.items, |result| match result {
            Ok(value) if failed.is_none() => all.push(value),
            Ok(_) => {}
            Err(error) => drop(failed.get_or_insert(error)),
        });
    }
    failed
}

impl<T: DeserializeOwned> Iterator for Imap<'_, T> {
    type Item = Result<T, TaskError>;

    /// Blocks the thread until the next result is there.
    fn next(&mut self) -> Option<Self::Item> {
        never(blocking(self.advance(&mut Park::new())))
    }
}

#[cfg(feature = "tokio")]
impl<T: DeserializeOwned + Unpin> futures_core::Stream for Imap<'_, T> {
    type Item = Result<T, TaskError>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        use std::task::Poll;
        let this = self.get_mut();
        if let Some(at_hand) = this.at_hand() {
            this.waiting = None;
            return Poll::Ready(at_hand);
        }
        let waiting = this.waiting.get_or_insert_with(|| {
            let shared = this.pool.shared.clone();
            let most = if this.is_ordered { 1 } else { usize::MAX };
            let tasks: Vec<_> = this
                .flight
                .iter()
                .take(most)
                .filter_map(|flight| if let Flight::Task(task) = flight { Some(task.clone()) } else { None })
                .collect();
            Box::pin(async move {
                let is_done = || tasks.iter().any(|task| task.is_done()).then_some(());
                never(suspended(shared.until(&mut Suspend::new(), is_done)).await);
            })
        });
        match waiting.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                this.waiting = None;
                // One of those that were waited for is done.
                this.at_hand().map_or(Poll::Ready(None), Poll::Ready)
            }
        }
    }
}

impl<T> Drop for Imap<'_, T> {
    fn drop(&mut self) {
        let tasks = self.flight.iter().filter_map(|flight| match flight {
            Flight::Task(task) if !task.is_done() => Some(task),
            _ => None,
        });
        self.pool.shared.with(|desk| {
            for task in tasks {
                desk.cancel(task, false);
            }
        });
    }
}

impl<T> fmt::Debug for Imap<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imap")
            .field("under_way", &self.items)
            .field("ready", &self.ready.len())
            .finish_non_exhaustive()
    }
}
