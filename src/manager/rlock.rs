use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::AioManager;
use super::calls::{calls, made, proxy};
use super::error::ManagerError;
use super::lock::{AioManagedLockGuard, granted};
use super::message::{Answer, Call, New};
use super::proxy::{Proxy, flag};
use super::proxy_error::{ProxyError, ProxyTimeoutError};
use super::waiting::{Agent, LockCall};
use crate::sync::agent;
use crate::wait::{Deadline, Park, ParkUntil, Waiter, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};

/// A lock in a manager that its holder may acquire again, for processes on several machines: Python's `SyncManager().RLock()`. Made by
/// [`AioManager::rlock`].
///
/// It belongs to the thread that acquired it with [`acquire`](Self::acquire) and its like, or to the task that did with
/// [`coro_acquire`](Self::coro_acquire): other threads, and other tasks of the same thread, wait for it. The branches of one `join!` are one task; outside of
/// a task the thread is the owner. A task that calls a blocking form is not waited for by itself. The lock is free when all guards are dropped, on whichever
/// thread. All else is as for an [`AioManagedLock`](crate::AioManagedLock); processes of one machine are better served by an [`AioRLock`](crate::AioRLock).
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
///     let lock = manager.rlock()?;
///     let outer = lock.acquire()?;
///     let inner = lock.acquire()?;
///     drop(outer);
///     assert!(lock.is_locked()?);
///     drop(inner);
///     assert!(!lock.is_locked()?);
///     Ok(())
/// }
/// ```
pub struct AioManagedRLock {
    proxy: Arc<Proxy>,
    types: PhantomData<fn()>,
}

proxy! { AioManagedRLock<>, "rlock" }
made! {
    /// Makes a lock that nobody holds, and that its holder may acquire again.
    rlock, coro_rlock = fn<>() -> AioManagedRLock { |_manager| Ok(New::Lock) }
}

/// The calling thread, in whichever task.
fn thread() -> Agent {
    Agent { own: agent::thread(), task: agent::task() }
}

/// The task that is being polled; the thread where there is none.
#[cfg(feature = "tokio")]
fn task() -> Agent {
    Agent { own: agent::task().unwrap_or_else(agent::thread), task: None }
}

impl AioManagedRLock {
    async fn take<W: Waiter>(
        &self,
        waiter: &mut W,
        call: LockCall,
    ) -> Result<Result<Option<AioManagedLockGuard>, ProxyError>, W::GaveUp> {
        let answer = self.proxy.call(waiter, Call::Lock(call)).await?;
        Ok(answer.and_then(|answer| match answer {
            Answer::Missing => Ok(None),
            answer => granted(&self.proxy, &answer).map(Some),
        }))
    }

    /// Waits until no other thread or task holds the lock, and takes it.
    ///
    /// [`acquire_timeout`](Self::acquire_timeout) gives up after a time, [`try_acquire`](Self::try_acquire) does not wait for the lock, and
    /// [`coro_acquire`](Self::coro_acquire) suspends the task instead of the thread.
    ///
    /// # Blocking
    ///
    /// Blocks the thread until the manager has answered; needs no runtime.
    ///
    /// # If a process dies
    ///
    /// If the manager does, it is an error at once.
    ///
    /// # Errors
    ///
    /// [`ProxyError`](crate::ProxyError).
    pub fn acquire(&self) -> Result<AioManagedLockGuard, ProxyError> {
        held(never(blocking(self.take(&mut Park::new(), LockCall::AcquireAgain(thread()))))?)
    }

    /// As [`acquire`](Self::acquire), for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`ProxyTimeoutError::Timeout`](crate::ProxyTimeoutError::Timeout) if another held it for all of that; nothing is taken then.
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<AioManagedLockGuard, ProxyTimeoutError> {
        let mut waiter = ParkUntil::new(Deadline::after(timeout));
        let taken = blocking(self.take(&mut waiter, LockCall::AcquireAgain(thread())));
        Ok(held(taken.map_err(|_| ProxyTimeoutError::Timeout)??)?)
    }

    /// As [`acquire`](Self::acquire), for the task that first polls it, and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it has not taken the lock.
    ///
    /// # Errors
    ///
    /// [`ProxyError`](crate::ProxyError).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O enabled, when it has to wait.
    #[cfg(feature = "tokio")]
    pub async fn coro_acquire(&self) -> Result<AioManagedLockGuard, ProxyError> {
        let mut waiter = Suspend::new();
        held(never(suspended(self.take(&mut waiter, LockCall::AcquireAgain(task()))).await)?)
    }

    /// Takes the lock if no other thread or task holds it; `None` if one does. [`coro_try_acquire`](Self::coro_try_acquire) suspends the task instead
    /// of the thread until the manager has answered.
    ///
    /// # Errors
    ///
    /// [`ProxyError`](crate::ProxyError).
    pub fn try_acquire(&self) -> Result<Option<AioManagedLockGuard>, ProxyError> {
        never(blocking(self.take(&mut Park::new(), LockCall::TryAcquireAgain(thread()))))
    }

    /// As [`try_acquire`](Self::try_acquire), for the task that first polls it, and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it has not taken the lock.
    ///
    /// # Errors
    ///
    /// [`ProxyError`](crate::ProxyError).
    ///
    /// # Panics
    ///
    /// As [`coro_acquire`](Self::coro_acquire).
    #[cfg(feature = "tokio")]
    pub async fn coro_try_acquire(&self) -> Result<Option<AioManagedLockGuard>, ProxyError> {
        let mut waiter = Suspend::new();
        never(suspended(self.take(&mut waiter, LockCall::TryAcquireAgain(task()))).await)
    }

    calls! {
        /// Whether somebody holds it at this moment.
        is_locked, is_locked_timeout, coro_is_locked = fn(&self) -> bool {
            Ok::<_, ProxyError>(Call::Lock(LockCall::IsLocked)) => |answer| flag(&answer)
        }
    }
}

/// Who waits for it is given it.
fn held(taken: Option<AioManagedLockGuard>) -> Result<AioManagedLockGuard, ProxyError> {
    taken.ok_or_else(|| ManagerError::NotAManager.into())
}
