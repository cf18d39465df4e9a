//! Queues between processes: the faces of `raw/queue`.

mod builder;
mod error;
mod get;
mod handle;
mod item;
mod many;
mod put;
mod stats;
mod stream;

pub use builder::QueueBuilder;
pub use error::{
    GetError, GetManyError, GetTimeoutError, PutError, PutManyError, PutTimeoutError, TryGetError,
    TryPutError,
};
pub use handle::AioQueue;
pub use stats::QueueStats;
pub use stream::QueueIter;
#[cfg(feature = "tokio")]
pub use stream::{QueueSink, QueueStream};
