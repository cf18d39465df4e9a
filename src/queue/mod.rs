//! Queues between processes: the faces of `raw/queue`.

mod bare;
mod builder;
mod error;
#[macro_use]
mod forward;
mod get;
mod handle;
mod item;
mod joinable;
mod lease;
mod many;
mod put;
mod simple;
mod stats;
mod stream;

pub use builder::{LeaseBuilder, QueueBuilder};
pub use error::{
    GetError, GetManyError, GetTimeoutError, PutError, PutManyError, PutTimeoutError, TryGetError,
    TryPutError,
};
pub use handle::AioQueue;
pub use joinable::{AioJoinableQueue, JoinQueueError, TaskDoneError};
pub use lease::{AioLeaseQueue, Lease};
pub use simple::AioSimpleQueue;
pub use stats::QueueStats;
pub use stream::QueueIter;
#[cfg(feature = "tokio")]
pub use stream::{QueueSink, QueueStream};
