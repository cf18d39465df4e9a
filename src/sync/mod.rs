//! Synchronisation between processes, threads and tasks.

mod create;
mod event;
mod lock;

pub use create::CreateError;
pub use event::{AioEvent, WaitError, WaitTimeoutError};
pub use lock::{
    AcquireError, AcquireTimeoutError, AioLock, AioLockGuard, Holder, ReleaseError, TryAcquireError,
};
