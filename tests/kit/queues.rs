//! The operations of a queue in both faces.

use std::time::Duration;

use aioprocessing::{AioQueue, GetError, PutError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::sides::Side;

impl Side {
    pub(crate) fn put<T: Serialize + DeserializeOwned + Send + 'static>(
        self,
        queue: &AioQueue<T>,
        item: T,
    ) -> Result<(), PutError<T>> {
        match self {
            Self::Blocking => queue.put(item),
            #[cfg(feature = "tokio")]
            Self::Coro => super::runtime().block_on(queue.coro_put(item)),
            #[cfg(not(feature = "tokio"))]
            Self::Coro => unreachable!("not in ALL"),
        }
    }

    pub(crate) fn get<T: Serialize + DeserializeOwned + Send + 'static>(
        self,
        queue: &AioQueue<T>,
    ) -> Result<T, GetError> {
        match self {
            Self::Blocking => queue.get(),
            #[cfg(feature = "tokio")]
            Self::Coro => super::runtime().block_on(queue.coro_get()),
            #[cfg(not(feature = "tokio"))]
            Self::Coro => unreachable!("not in ALL"),
        }
    }

    /// `None`: the time was over.
    pub(crate) fn get_for<T: Serialize + DeserializeOwned + Send + 'static>(
        self,
        queue: &AioQueue<T>,
        time: Duration,
    ) -> Option<T> {
        match self {
            Self::Blocking => match queue.get_timeout(time) {
                Ok(item) => Some(item),
                Err(error) if error.is_timeout() => None,
                Err(error) => panic!("{error}"),
            },
            #[cfg(feature = "tokio")]
            Self::Coro => super::runtime()
                .block_on(async { tokio::time::timeout(time, queue.coro_get()).await })
                .ok()
                .map(Result::unwrap),
            #[cfg(not(feature = "tokio"))]
            Self::Coro => unreachable!("not in ALL"),
        }
    }

    /// Whether it was put in time.
    pub(crate) fn put_for<T: Serialize + DeserializeOwned + Send + 'static>(
        self,
        queue: &AioQueue<T>,
        item: T,
        time: Duration,
    ) -> bool {
        match self {
            Self::Blocking => match queue.put_timeout(item, time) {
                Ok(()) => true,
                Err(error) if error.is_timeout() => false,
                Err(error) => panic!("{error}"),
            },
            #[cfg(feature = "tokio")]
            Self::Coro => super::runtime()
                .block_on(async { tokio::time::timeout(time, queue.coro_put(item)).await })
                .is_ok_and(|done| {
                    done.unwrap();
                    true
                }),
            #[cfg(not(feature = "tokio"))]
            Self::Coro => unreachable!("not in ALL"),
        }
    }

    /// All items until the queue is closed.
    pub(crate) fn drain<T: Serialize + DeserializeOwned + Send + 'static>(
        self,
        queue: &AioQueue<T>,
    ) -> Vec<T> {
        let mut all = Vec::new();
        let ended = match self {
            Self::Blocking => loop {
                match queue.get() {
                    Ok(item) => all.push(item),
                    Err(error) => break error,
                }
            },
            #[cfg(feature = "tokio")]
            Self::Coro => super::runtime().block_on(async {
                loop {
                    match queue.coro_get().await {
                        Ok(item) => all.push(item),
                        Err(error) => break error,
                    }
                }
            }),
            #[cfg(not(feature = "tokio"))]
            Self::Coro => unreachable!("not in ALL"),
        };
        assert!(ended.is_closed(), "{ended}");
        all
    }

    pub(crate) fn fill<T: Serialize + DeserializeOwned + Send + 'static>(
        self,
        queue: &AioQueue<T>,
        items: impl IntoIterator<Item = T>,
    ) {
        match self {
            Self::Blocking => items.into_iter().for_each(|item| queue.put(item).unwrap()),
            #[cfg(feature = "tokio")]
            Self::Coro => super::runtime().block_on(async {
                for item in items {
                    queue.coro_put(item).await.unwrap();
                }
            }),
            #[cfg(not(feature = "tokio"))]
            Self::Coro => unreachable!("not in ALL"),
        }
    }
}
