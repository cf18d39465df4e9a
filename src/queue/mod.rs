//! Queues between processes: the faces of `raw/queue`.

mod batch;
mod builder;
#[macro_use]
mod forward;
mod get;
mod get_error;
mod handle;
mod item;
mod joinable;
mod lease;
mod loan;
mod many;
mod put;
mod put_error;
mod simple;
mod stats;
mod stream;

pub use builder::{LeaseBuilder, QueueBuilder};
pub use get_error::{
    GetError, GetManyError, GetManyTimeoutError, GetTimeoutError, TryGetError, TryGetManyError,
};
pub use handle::AioQueue;
pub use joinable::{AioJoinableQueue, JoinQueueError, TaskDoneError};
pub use lease::AioLeaseQueue;
pub use loan::Lease;
pub use put_error::{
    PutError, PutManyError, PutManyTimeoutError, PutTimeoutError, TryPutError, TryPutManyError,
};
pub use simple::AioSimpleQueue;
pub use stats::QueueStats;
pub use stream::QueueIter;
#[cfg(feature = "tokio")]
pub use stream::{QueueSink, QueueStream};
