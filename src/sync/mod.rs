//! Synchronisation between processes, threads and tasks.

mod agent;
mod array;
mod barrier;
mod beside;
mod condition;
mod create;
mod event;
mod lock;
mod mutex;
mod once;
mod rlock;
mod rwlock;
mod semaphore;
mod set_error;
mod update_error;
mod value;

pub use array::{AioArray, AioArrayGuard};
pub use barrier::{AioBarrier, BarrierBuilder, BarrierError, BarrierTimeoutError, Met, TryBarrierError};
pub use condition::{
    AioCondition, AioConditionGuard, ConditionGuard, ConditionLock, ConditionWaitError,
    ConditionWaitTimeoutError,
};
pub use create::CreateError;
pub use event::{AioEvent, TryWaitError, WaitError, WaitTimeoutError};
pub use lock::{
    AcquireError, AcquireTimeoutError, AioLock, AioLockGuard, Holder, ReleaseError, TryAcquireError,
};
pub use mutex::{AioMutex, AioMutexGuard};
pub use once::{AioOnce, OnceError, OnceTimeoutError, TryOnceError};
pub use rlock::{AioRLock, AioRLockGuard};
pub use rwlock::{AioRwLock, AioRwLockReadGuard, AioRwLockWriteGuard};
pub use semaphore::{
    AcquirePermitError, AcquirePermitTimeoutError, AioBoundedSemaphore, AioSemaphore, Permit,
    ReleasePermitsError, TryAcquirePermitError,
};
pub use set_error::{SetError, SetTimeoutError, TrySetError};
pub use update_error::{TryUpdateError, UpdateError, UpdateTimeoutError};
pub use value::{AioValue, Number};

pub use crate::shm::Plain;
#[doc(hidden)]
pub use crate::shm::{PlainType, shape_of_fields};

/// How long a call that waits for nobody has patience with the few instructions for which another process holds the inside of an
/// object: a stopped process would hold it for ever.
fn patience() -> crate::wait::ParkUntil {
    crate::wait::ParkUntil::new(crate::wait::Deadline::after(std::time::Duration::from_millis(20)))
}
