//! One body for both faces of a pool.

#[cfg(feature = "tokio")]
use aioprocessing::coro_wait_tasks;
use aioprocessing::{
    AioPool, AioTask, Imap, ProcessFn, ProcessPoolExecutor, TaskError, When, as_completed, wait_tasks,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Watchdog;

/// How the caller waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Blocking,
    #[cfg(feature = "tokio")]
    Coro,
    /// On many threads of a runtime.
    #[cfg(feature = "tokio")]
    CoroThreads,
}

impl Way {
    pub(crate) const ALL: &[Self] = &[
        Self::Blocking,
        #[cfg(feature = "tokio")]
        Self::Coro,
        #[cfg(feature = "tokio")]
        Self::CoroThreads,
    ];

    /// Runs a future of this way; `blocking` otherwise.
    #[cfg(feature = "tokio")]
    fn drive<R>(self, future: impl Future<Output = R>) -> R {
        match self {
            Self::CoroThreads => tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap()
                .block_on(future),
            _ => super::runtime().block_on(future),
        }
    }

    pub(crate) fn apply<F, A, T>(self, pool: &AioPool, f: F, args: A) -> Result<T, TaskError>
    where
        F: ProcessFn<A, Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize + DeserializeOwned,
    {
        match self {
            Self::Blocking => pool.apply(f, args),
            #[cfg(feature = "tokio")]
            _ => self.drive(pool.coro_apply(f, args)),
        }
    }

    pub(crate) fn result<T: DeserializeOwned>(self, task: &AioTask<T>) -> Result<T, TaskError> {
        match self {
            Self::Blocking => task.result(),
            #[cfg(feature = "tokio")]
            _ => self.drive(task.coro_result()),
        }
    }

    pub(crate) fn map<F, A, T, I>(self, pool: &AioPool, f: F, items: I) -> Result<Vec<T>, TaskError>
    where
        F: ProcessFn<(A,), Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize + DeserializeOwned + Send,
        I: IntoIterator<Item = A, IntoIter: Send>,
    {
        match self {
            Self::Blocking => pool.map(f, items),
            #[cfg(feature = "tokio")]
            _ => self.drive(pool.coro_map(f, items)),
        }
    }

    pub(crate) fn starmap<F, A, T, I>(self, pool: &AioPool, f: F, items: I) -> Result<Vec<T>, TaskError>
    where
        F: ProcessFn<A, Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize + DeserializeOwned + Send,
        I: IntoIterator<Item = A, IntoIter: Send>,
    {
        match self {
            Self::Blocking => pool.starmap(f, items),
            #[cfg(feature = "tokio")]
            _ => self.drive(pool.coro_starmap(f, items)),
        }
    }

    /// One result after the other, none of which is kept.
    pub(crate) fn each<T: DeserializeOwned + Unpin>(
        self,
        results: Imap<'_, T>,
        body: impl FnMut(Result<T, TaskError>),
    ) {
        match self {
            Self::Blocking => results.for_each(body),
            #[cfg(feature = "tokio")]
            _ => self.drive(async move {
                let (mut results, mut body) = (results, body);
                while let Some(result) = results.coro_next().await {
                    body(result);
                }
            }),
        }
    }

    /// All results: by `Iterator`, by `coro_next`, or as a `Stream`.
    pub(crate) fn collect<T: DeserializeOwned + Unpin>(
        self,
        results: Imap<'_, T>,
    ) -> Vec<Result<T, TaskError>> {
        match self {
            Self::Blocking => results.collect(),
            #[cfg(feature = "tokio")]
            Self::Coro => self.drive(async move {
                let mut results = results;
                let mut all = Vec::new();
                while let Some(result) = results.coro_next().await {
                    all.push(result);
                }
                all
            }),
            #[cfg(feature = "tokio")]
            Self::CoroThreads => self.drive(async move {
                let mut results = std::pin::pin!(results);
                let mut all = Vec::new();
                while let Some(result) =
                    std::future::poll_fn(|cx| futures_core::Stream::poll_next(results.as_mut(), cx)).await
                {
                    all.push(result);
                }
                all
            }),
        }
    }

    pub(crate) fn wait_tasks<T>(self, tasks: &[AioTask<T>], when: When) {
        match self {
            Self::Blocking => wait_tasks(tasks, when),
            #[cfg(feature = "tokio")]
            _ => self.drive(coro_wait_tasks(tasks, when)),
        }
    }

    pub(crate) fn as_completed<T>(self, tasks: impl IntoIterator<Item = AioTask<T>>) -> Vec<AioTask<T>> {
        match self {
            Self::Blocking => as_completed(tasks).collect(),
            #[cfg(feature = "tokio")]
            _ => self.drive(async {
                let mut tasks = as_completed(tasks);
                let mut all = Vec::new();
                while let Some(task) = tasks.coro_next().await {
                    all.push(task);
                }
                all
            }),
        }
    }

    pub(crate) fn shutdown(self, executor: &ProcessPoolExecutor) -> Result<(), TaskError> {
        match self {
            Self::Blocking => executor.shutdown(true, false),
            #[cfg(feature = "tokio")]
            _ => self.drive(executor.coro_shutdown(true, false)),
        }
    }

    pub(crate) fn join(self, pool: &AioPool) -> Result<(), TaskError> {
        match self {
            Self::Blocking => pool.join(),
            #[cfg(feature = "tokio")]
            _ => self.drive(pool.coro_join()),
        }
    }
}

/// Runs the body once for each way to wait, under a watchdog.
pub(crate) fn each_way(test: &str, mut body: impl FnMut(Way, &Watchdog)) {
    for &way in Way::ALL {
        let watchdog = Watchdog::new(test);
        watchdog.step(format!("{way:?}"));
        body(way, &watchdog);
    }
}
