use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::TaskError;
use super::feed::{Chunk, Feed, refused};
use super::function::Function;
use super::handle::AioPool;
use super::imap::{Imap, Inputs};
use crate::process::ProcessFn;
use crate::wait::{Park, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};

fn exact((low, high): (usize, Option<usize>)) -> Option<usize> {
    high.filter(|&high| high == low)
}

impl AioPool {
    fn source<'a, F, A, I>(&self, f: F, inputs: I, chunk: Chunk) -> Inputs<'a>
    where
        F: ProcessFn<A, Output: Serialize>,
        A: Serialize + DeserializeOwned + 'static,
        I: Iterator<Item = A> + Send + 'a,
    {
        match Function::of::<F, A>(f) {
            Err(error) => Box::new(refused(error)),
            Ok(function) => {
                let room = self.shared.room_for_args();
                let mut feed = Feed::new(inputs, function, self.options.clone(), chunk, room);
                Box::new(move |most| feed.next(most))
            }
        }
    }

    fn all<'a, F, A, I, T>(&self, f: F, inputs: I) -> Imap<'a, T>
    where
        F: ProcessFn<A, Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        I: Iterator<Item = A> + Send + 'a,
        T: Serialize + DeserializeOwned,
    {
        let chunk = Chunk::share(inputs.size_hint(), self.size);
        let total = exact(inputs.size_hint());
        Imap::new(self.clone(), true, total, self.source(f, inputs, chunk))
    }

    /// Calls `f(item)` in the workers for each item, and gives the values in the order of the items. Python: `Pool.map`.
    ///
    /// Items travel in chunks, of a [size](crate::PoolBuilder::chunk_size) that is chosen or given. The first item in order
    /// that fails ends it: those that no worker has begun never run. [`imap`](Self::imap) goes on.
    /// [`starmap`](Self::starmap) takes tuples of arguments, [`coro_map`](Self::coro_map) suspends the task.
    ///
    /// # Blocking
    ///
    /// Blocks the thread until all is done; needs no runtime.
    ///
    /// # If a process dies
    ///
    /// The item that the worker ran has failed, unless there are [`retries`](crate::PoolBuilder::retries).
    ///
    /// # Errors
    ///
    /// The [`TaskError`] of the first item in order that failed.
    ///
    /// # Panics
    ///
    /// If the iterator does. The pool goes on.
    pub fn map<F, A, T, I>(&self, f: F, items: I) -> Result<Vec<T>, TaskError>
    where
        F: ProcessFn<(A,), Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize + DeserializeOwned,
        I: IntoIterator<Item = A, IntoIter: Send>,
    {
        self.starmap(f, items.into_iter().map(|item| (item,)))
    }

    /// As [`map`](Self::map), and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it takes back what no worker has begun; what runs is let go, and its results are dropped.
    ///
    /// # Errors
    ///
    /// As [`map`](Self::map).
    #[cfg(feature = "tokio")]
    #[doc(alias = "map_async")]
    pub async fn coro_map<F, A, T, I>(&self, f: F, items: I) -> Result<Vec<T>, TaskError>
    where
        F: ProcessFn<(A,), Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize + DeserializeOwned + Send,
        I: IntoIterator<Item = A, IntoIter: Send>,
    {
        let all = self.all(f, items.into_iter().map(|item| (item,)));
        never(suspended(all.collect_all(&mut Suspend::new())).await)
    }

    /// As [`map`](Self::map), for tuples of arguments: `f(a, b)` for each `(a, b)`. Python: `Pool.starmap`.
    ///
    /// # Errors
    ///
    /// As [`map`](Self::map).
    ///
    /// # Panics
    ///
    /// As [`map`](Self::map).
    pub fn starmap<F, A, T, I>(&self, f: F, items: I) -> Result<Vec<T>, TaskError>
    where
        F: ProcessFn<A, Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize + DeserializeOwned,
        I: IntoIterator<Item = A, IntoIter: Send>,
    {
        never(blocking(self.all(f, items.into_iter()).collect_all(&mut Park::new())))
    }

    /// As [`starmap`](Self::starmap), and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// As [`coro_map`](Self::coro_map).
    ///
    /// # Errors
    ///
    /// As [`map`](Self::map).
    #[cfg(feature = "tokio")]
    #[doc(alias = "starmap_async")]
    pub async fn coro_starmap<F, A, T, I>(&self, f: F, items: I) -> Result<Vec<T>, TaskError>
    where
        F: ProcessFn<A, Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize + DeserializeOwned + Send,
        I: IntoIterator<Item = A, IntoIter: Send>,
    {
        let all = self.all(f, items.into_iter());
        never(suspended(all.collect_all(&mut Suspend::new())).await)
    }

    /// Calls `f(item)` in the workers for each item, and gives the results one by one in the order of the items. Python: `Pool.imap`.
    ///
    /// What it gives is an `Iterator` and a `Stream`. Items are taken as results leave, one by one unless a
    /// [chunk size](crate::PoolBuilder::chunk_size) is given. What fails is an `Err` in its place.
    pub fn imap<'a, F, A, T, I>(&self, f: F, items: I) -> Imap<'a, T>
    where
        F: ProcessFn<(A,), Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize + DeserializeOwned,
        I: IntoIterator<Item = A, IntoIter: Send + 'a>,
    {
        let inputs = items.into_iter().map(|item| (item,));
        let total = exact(inputs.size_hint());
        Imap::new(self.clone(), true, total, self.source(f, inputs, Chunk::Of(1))).begun()
    }

    /// As [`imap`](Self::imap), in the order in which they are done. Python: `Pool.imap_unordered`.
    pub fn imap_unordered<'a, F, A, T, I>(&self, f: F, items: I) -> Imap<'a, T>
    where
        F: ProcessFn<(A,), Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize + DeserializeOwned,
        I: IntoIterator<Item = A, IntoIter: Send + 'a>,
    {
        let inputs = items.into_iter().map(|item| (item,));
        let total = exact(inputs.size_hint());
        Imap::new(self.clone(), false, total, self.source(f, inputs, Chunk::Of(1))).begun()
    }

    /// [`imap`](Self::imap), under the name of its use in async code: a `Stream`, whose
    /// [`coro_next`](Imap::coro_next) needs no other crate.
    #[cfg(feature = "tokio")]
    pub fn coro_imap<'a, F, A, T, I>(&self, f: F, items: I) -> Imap<'a, T>
    where
        F: ProcessFn<(A,), Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize + DeserializeOwned,
        I: IntoIterator<Item = A, IntoIter: Send + 'a>,
    {
        self.imap(f, items)
    }

    /// [`imap_unordered`](Self::imap_unordered), under the name of its use in async code.
    #[cfg(feature = "tokio")]
    pub fn coro_imap_unordered<'a, F, A, T, I>(&self, f: F, items: I) -> Imap<'a, T>
    where
        F: ProcessFn<(A,), Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize + DeserializeOwned,
        I: IntoIterator<Item = A, IntoIter: Send + 'a>,
    {
        self.imap_unordered(f, items)
    }
}
