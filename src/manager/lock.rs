use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::AioManager;
use super::calls::{calls, made, proxy};
use super::error::ManagerError;
use super::message::{Answer, Ask, Call, New};
use super::proxy::{Proxy, flag};
use super::proxy_error::ProxyError;
use super::waiting::LockCall;

/// A lock in a manager, for processes on several machines: Python's `SyncManager().Lock()`. Made by [`AioManager::lock`].
///
/// Processes of one machine are better served by an [`AioLock`](crate::AioLock), which needs no server; it can be registered under a name. Travelling, and what
/// keeps it, is as for an [`AioDict`](crate::AioDict). Threads and tasks of one process contend as processes do, over their one connection. It goes to those who
/// wait in the order in which they came.
///
/// # If a process dies
///
/// The lock of a holder that dies, or whose connection breaks, goes to the next who waits, who is not told.
///
/// # Examples
///
/// ```
/// use aioprocessing::AioManager;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     aioprocessing::init();
///     let manager = AioManager::start()?;
///     let lock = manager.lock()?;
///     let guard = lock.acquire()?;
///     assert!(lock.try_acquire()?.is_none());
///     drop(guard);
///     assert!(!lock.is_locked()?);
///     Ok(())
/// }
/// ```
pub struct AioManagedLock {
    proxy: Arc<Proxy>,
    types: PhantomData<fn()>,
}

proxy! { AioManagedLock<>, "lock" }
made! {
    /// Makes a lock that nobody holds.
    lock, coro_lock = fn<>() -> AioManagedLock { |_manager| Ok(New::Lock) }
}

/// The lock is held for as long as this lives: on drop it is released, on whichever thread.
#[must_use = "the lock is released when the guard is dropped"]
pub struct AioManagedLockGuard {
    pub(super) proxy: Arc<Proxy>,
    /// What the lock was given for; nothing once it was given up.
    pub(super) question: Option<u64>,
}

impl Drop for AioManagedLockGuard {
    fn drop(&mut self) {
        if let Some(question) = self.question {
            let call = Call::Lock(LockCall::Release(question));
            self.proxy.session().tell(Ask::Call { object: self.proxy.object(), call });
        }
    }
}

impl fmt::Debug for AioManagedLockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AioManagedLockGuard").field(&self.proxy).finish()
    }
}

pub(super) fn granted(proxy: &Arc<Proxy>, answer: &Answer) -> Result<AioManagedLockGuard, ProxyError> {
    match answer {
        Answer::Granted(question) => {
            Ok(AioManagedLockGuard { proxy: proxy.clone(), question: Some(*question) })
        }
        Answer::Missing => Err(ProxyError::NotHeld),
        _ => Err(ManagerError::NotAManager.into()),
    }
}

impl AioManagedLock {
    calls! {
        /// Waits until the lock is free and takes it. A future or a time that ends before has not taken it.
        acquire, acquire_timeout, coro_acquire = fn(&self) -> AioManagedLockGuard {
            Ok::<_, ProxyError>(Call::Lock(LockCall::Acquire)) => |answer| granted(&self.proxy, &answer)
        }

        /// Takes the lock if it is free; `None` if it is not.
        try_acquire, try_acquire_timeout, coro_try_acquire = fn(&self) -> Option<AioManagedLockGuard> {
            Ok::<_, ProxyError>(Call::Lock(LockCall::TryAcquire)) => |answer| match answer {
                Answer::Missing => Ok(None),
                answer => granted(&self.proxy, &answer).map(Some),
            }
        }

        /// Whether somebody holds it at this moment.
        is_locked, is_locked_timeout, coro_is_locked = fn(&self) -> bool {
            Ok::<_, ProxyError>(Call::Lock(LockCall::IsLocked)) => |answer| flag(&answer)
        }
    }
}
