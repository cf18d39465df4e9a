//! Queues between processes: the faces of `raw/queue`.

mod builder;
mod error;
mod get;
mod handle;
mod item;
mod put;

pub use builder::QueueBuilder;
pub use error::{GetError, GetTimeoutError, PutError, PutTimeoutError, TryGetError, TryPutError};
pub use handle::AioQueue;
