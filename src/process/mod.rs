//! Processes that run a function of this program.

mod builder;
mod child;
mod erased;
mod error;
mod family;
mod function;
mod handle;
mod init;
mod launch;
mod message;
mod outcome;
mod registry;
#[cfg(feature = "tokio")]
mod runtime;
mod stdio;

pub use builder::ProcessBuilder;
pub(crate) use child::caught;
pub use erased::Process;
pub use error::{BootstrapError, JoinError, ProcessWaitError, SignalError, SpawnError};
pub use family::{active_children, cpu_count, current_process, parent_process};
#[cfg(feature = "tokio")]
pub use function::AsyncProcessFn;
pub use function::ProcessFn;
pub use handle::AioProcess;
pub use init::init;
#[doc(hidden)]
pub use init::init_before_main;
pub use launch::set_executable;
pub(crate) use message::Panic;
pub use stdio::Stdio;
