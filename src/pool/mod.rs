//! Pools of worker processes: `raw/pool` is the board on which tasks and results stand.

mod builder;
mod completed;
mod crew;
mod deaths;
mod desk;
mod error;
mod executor;
mod feed;
mod frames;
mod function;
mod handle;
mod imap;
mod luggage;
mod map;
mod outcome;
mod progress;
mod shared;
mod task;
mod worker;

pub use builder::PoolBuilder;
#[cfg(feature = "tokio")]
pub use completed::coro_wait_tasks;
pub use completed::{AsCompleted, When, as_completed, wait_tasks, wait_tasks_timeout};
pub use error::{BuildError, SubmitError, TaskError, WorkerStatus};
#[cfg(feature = "tokio")]
pub use executor::run_in_process;
pub use executor::{ProcessPoolExecutor, run_in_process_blocking};
pub use handle::AioPool;
pub use imap::Imap;
pub use progress::Progress;
pub use task::AioTask;
