use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::crew::{self, Crew, CrewPlan, Start};
use super::desk::Desk;
use super::error::BuildError;
use super::handle::{AioPool, Options};
use super::luggage::Counter;
use super::progress::Progress;
use super::shared::Shared;
use crate::process::{ProcessFn, cpu_count};
use crate::raw::pool::Board;
use crate::sync::CreateError;

/// The most workers of a pool.
const MOST_WORKERS: usize = 1000;
const MEMORY: u64 = 1 << 30;

/// How a pool is to be made. Made by [`AioPool::builder`](crate::AioPool::builder).
///
/// # Examples
///
/// ```
/// use aioprocessing::AioPool;
/// use std::time::Duration;
///
/// fn main() {
///     aioprocessing::init();
///     let pool = AioPool::builder()
///         .workers(2)
///         .initializer(|level: u32| println!("a worker of level {level}"), (3,))
///         .timeout(Duration::from_secs(60))
///         .retries(1)
///         .build()
///         .unwrap();
///     assert_eq!(pool.map(|x: u64| x * x, 1..=3).unwrap(), [1, 4, 9]);
/// }
/// ```
#[must_use = "a builder makes nothing until `build`"]
pub struct PoolBuilder {
    workers: usize,
    serves: u64,
    start: Start,
    memory_limit: Option<u64>,
    nice: Option<i32>,
    shared_memory: u64,
    options: Options,
}

impl Default for PoolBuilder {
    fn default() -> Self {
        Self {
            workers: cpu_count(),
            serves: 0,
            start: crew::plain(),
            memory_limit: None,
            nice: None,
            shared_memory: MEMORY,
            options: Options::default(),
        }
    }
}

impl PoolBuilder {
    /// How many workers there may be; by default as many as there are CPUs. Each is started when there is work for it.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// How many tasks a worker runs, items of a map counted one by one, before another takes its place. Any number by default.
    #[doc(alias = "maxtasksperchild")]
    pub fn max_tasks_per_child(mut self, tasks: u64) -> Self {
        self.serves = tasks;
        self
    }

    /// What each worker, replacements included, calls before its first task; what it returns is dropped.
    ///
    /// If it panics the pool is [broken](crate::TaskError::Broken), and no other worker is started.
    pub fn initializer<F, A>(mut self, f: F, args: A) -> Self
    where
        F: ProcessFn<A>,
        A: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
    {
        self.start = crew::with_initializer(f, args);
        self
    }

    /// How long a task may run, each item of a map for itself. Then its worker is killed, by the kernel and in whatever it
    /// does, and the task is [`TaskError::Overran`](crate::TaskError::Overran). Any time by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// How often a task is run again whose worker died. None by default: it may have done half of its work.
    ///
    /// One that kills every worker may be tried for ever: from the eighth death on it waits before each try, for 1 ms at first and
    /// for 50 ms at last, and the items behind it in its chunk with it. Other tasks don't.
    pub fn retries(mut self, retries: u32) -> Self {
        self.options.retries = retries;
        self
    }

    /// The most memory that a worker may have for its data, as
    /// [`ProcessBuilder::memory_limit`](crate::ProcessBuilder::memory_limit).
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// The nice value of the workers, from -20 (first served) to 19 (last).
    pub fn nice(mut self, nice: i32) -> Self {
        self.nice = Some(nice);
        self
    }

    /// The most shared memory, in bytes, for arguments and results that wait; 1 GiB by default, of which it takes what it needs.
    pub fn shared_memory(mut self, bytes: u64) -> Self {
        self.shared_memory = bytes;
        self
    }

    /// How many inputs of a map are taken ahead of the results that have left it.
    pub fn buffer(mut self, items: usize) -> Self {
        self.options.buffer = Some(items.max(1));
        self
    }

    /// How many items of a map travel together. By default a share of all, or one by one where they are awaited one by
    /// one.
    pub fn chunk_size(mut self, items: usize) -> Self {
        self.options.chunk = Some(items.max(1));
        self
    }

    /// Shows a bar with rate and time left for each map, where standard error is a terminal. Needs the feature `progress`;
    /// without it, and without a terminal, nothing is shown.
    pub fn progress(mut self, has_bar: bool) -> Self {
        self.options.audience.has_bar = has_bar;
        self
    }

    /// Is told how far each map has come, by whoever takes its results. A panic of it affects nothing else.
    pub fn on_progress(mut self, listener: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.options.audience.listener = Some(Arc::new(listener));
        self
    }

    /// Makes the pool and starts its first worker.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if the system has no memory or no descriptor for it, or the first worker can't be started.
    pub fn build(self) -> Result<AioPool, BuildError> {
        if self.workers == 0 || self.workers > MOST_WORKERS {
            return Err(BuildError::Invalid("a pool has at least one worker and at most 1000"));
        }
        let board = Board::create(self.shared_memory).map_err(CreateError::from)?;
        let crew = Crew::new(CrewPlan {
            size: self.workers,
            serves: self.serves,
            memory_limit: self.memory_limit,
            nice: self.nice,
            start: self.start,
        });
        let counter = Counter::new().map_err(CreateError::from)?;
        let mut desk = Desk::new(board.clone(), counter, crew);
        desk.hire()?;
        Ok(AioPool::over(Arc::new(Shared::new(board, desk)), self.workers, self.options))
    }
}

impl fmt::Debug for PoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder")
            .field("workers", &self.workers)
            .field("max_tasks_per_child", &self.serves)
            .field("memory_limit", &self.memory_limit)
            .field("nice", &self.nice)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
