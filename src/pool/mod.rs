//! Pools of worker processes: `raw/pool` is the board on which tasks and results stand.

mod builder;
mod crew;
mod desk;
mod error;
mod feed;
mod function;
mod handle;
mod imap;
mod luggage;
mod map;
mod outcome;
mod shared;
mod task;
mod worker;

pub use builder::PoolBuilder;
pub use error::{BuildError, SubmitError, TaskError, WorkerStatus};
pub use handle::AioPool;
pub use imap::Imap;
pub use task::AioTask;
