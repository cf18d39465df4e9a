use std::marker::PhantomData;
use std::sync::Arc;

use super::AioManager;
use super::calls::{calls, made, proxy};
use super::lock::{AioManagedLockGuard, granted};
use super::message::{Answer, Call, New};
use super::proxy::{Proxy, count};
use super::proxy_error::ProxyError;
use super::waiting::LockCall;

/// A condition with its lock, in a manager: Python's `SyncManager().Condition()`. Made by [`AioManager::condition`].
///
/// All that holds for an [`AioManagedLock`](crate::AioManagedLock) holds for it; [`wait`](Self::wait) works from any thread or task, with the guard that
/// [`lock`](Self::lock) gave to whichever.
///
/// # Examples
///
/// ```
/// use aioprocessing::AioManager;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     aioprocessing::init();
///     let manager = AioManager::start()?;
///     let condition = manager.condition()?;
///     let notifier = condition.clone();
///     let guard = condition.lock()?;
///     std::thread::spawn(move || {
///         let _guard = notifier.lock().unwrap();
///         notifier.notify_all().unwrap();
///     });
///     let guard = condition.wait(guard)?; // the lock was free meanwhile
///     drop(guard);
///     Ok(())
/// }
/// ```
pub struct AioManagedCondition {
    proxy: Arc<Proxy>,
    types: PhantomData<fn()>,
}

proxy! { AioManagedCondition<>, "condition" }
made! {
    /// Makes a condition whose lock nobody holds.
    condition, coro_condition = fn<>() -> AioManagedCondition { |_manager| Ok(New::Lock) }
}

/// The guard stays as it is: where the question does not reach the manager, or its answer nobody, the guard releases what it was given.
fn given_up(guard: &AioManagedLockGuard, condition: &Proxy) -> Result<Call, ProxyError> {
    let is_its_own =
        guard.proxy.object() == condition.object() && Arc::ptr_eq(guard.proxy.session(), condition.session());
    match guard.question {
        Some(question) if is_its_own => Ok(Call::Lock(LockCall::Wait(question))),
        _ => Err(ProxyError::NotHeld),
    }
}

/// What the old guard was given the manager has taken back.
fn granted_again(
    mut old: AioManagedLockGuard,
    condition: &Arc<Proxy>,
    answer: &Answer,
) -> Result<AioManagedLockGuard, ProxyError> {
    let guard = granted(condition, answer)?;
    old.question = None;
    Ok(guard)
}

impl AioManagedCondition {
    calls! {
        /// Acquires the condition's lock.
        lock, lock_timeout, coro_lock = fn(&self) -> AioManagedLockGuard {
            Ok::<_, ProxyError>(Call::Lock(LockCall::Acquire)) => |answer| granted(&self.proxy, &answer)
        }

        /// Releases the lock, waits to be notified, and has the lock again. A wait that is dropped, or whose time ends, has given up the
        /// lock.
        wait, wait_timeout, coro_wait = fn(&self, guard: AioManagedLockGuard) -> AioManagedLockGuard {
            given_up(&guard, &self.proxy) => |answer| granted_again(guard, &self.proxy, &answer)
        }

        /// Wakes so many of those who wait, in the order in which they came; how many there were.
        notify, notify_timeout, coro_notify = fn(&self, count_of: usize) -> usize {
            Ok::<_, ProxyError>(Call::Lock(LockCall::Notify(count_of as u64))) => |answer| count(&answer)
        }

        /// Wakes all who wait; how many there were.
        notify_all, notify_all_timeout, coro_notify_all = fn(&self) -> usize {
            Ok::<_, ProxyError>(Call::Lock(LockCall::Notify(u64::MAX))) => |answer| count(&answer)
        }
    }
}
