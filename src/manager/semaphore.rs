use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::AioManager;
use super::calls::{calls, made, proxy};
use super::error::ManagerError;
use super::message::{Answer, Ask, Call, New};
use super::proxy::{Proxy, count};
use super::proxy_error::ProxyError;
use super::waiting::SemaphoreCall;

/// So many permits fit into a semaphore, as into an [`AioSemaphore`](crate::AioSemaphore).
const MOST: u32 = i32::MAX as u32;

/// A semaphore in a manager, for processes on several machines: Python's `SyncManager().Semaphore()` and `BoundedSemaphore()`. Made by
/// [`AioManager::semaphore`] and [`AioManager::bounded_semaphore`].
///
/// Processes of one machine are better served by an [`AioSemaphore`](crate::AioSemaphore), which needs no server; it can be registered under a name. Travelling,
/// and what keeps it, is as for an [`AioDict`](crate::AioDict). Threads and tasks of one process contend as processes do, over their one connection.
///
/// Those who wait are served in the order in which they came, and nobody is overtaken who waits for several.
///
/// # If a process dies
///
/// The permits of a holder that dies, or whose connection breaks, come back, but for those that it had [forgotten](AioManagedPermit::forget).
///
/// # Examples
///
/// ```
/// use aioprocessing::AioManager;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     aioprocessing::init();
///     let manager = AioManager::start()?;
///     let seats = manager.semaphore(2)?;
///     let mine = seats.acquire()?;
///     let yours = seats.acquire()?;
///     assert!(seats.try_acquire()?.is_none());
///     drop(mine);
///     assert_eq!(seats.permits()?, 1);
///     # drop(yours);
///     Ok(())
/// }
/// ```
#[doc(alias = "BoundedSemaphore")]
pub struct AioManagedSemaphore {
    proxy: Arc<Proxy>,
    types: PhantomData<fn()>,
}

proxy! { AioManagedSemaphore<>, "semaphore" }
made! {
    /// Makes a semaphore with so many permits, to which [`release`](AioManagedSemaphore::release) may add; at most 2,147,483,647.
    semaphore, coro_semaphore = fn<>(permits: u32) -> AioManagedSemaphore { |_manager| new(permits, MOST) }
}
made! {
    /// Makes a semaphore that never has more permits than these; at most 2,147,483,647.
    bounded_semaphore, coro_bounded_semaphore = fn<>(permits: u32) -> AioManagedSemaphore {
        |_manager| new(permits, permits)
    }
}

fn new(permits: u32, limit: u32) -> Result<New, ProxyError> {
    if permits > MOST {
        let message = format!("a semaphore can have {MOST} permits at the most");
        return Err(ManagerError::Refused { message }.into());
    }
    Ok(New::Semaphore(permits, limit))
}

/// Permits of a semaphore in a manager; dropping them gives them back, on whichever thread.
#[must_use = "the permit is given back when it is dropped"]
pub struct AioManagedPermit {
    proxy: Arc<Proxy>,
    /// What they were given for.
    question: u64,
    count: u32,
    is_forgotten: bool,
}

impl AioManagedPermit {
    /// How many permits these are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Keeps the permits without this value: they come back by [`AioManagedSemaphore::release`] alone, whoever calls it, and not when the
    /// process ends.
    pub fn forget(mut self) {
        self.is_forgotten = true;
    }
}

impl Drop for AioManagedPermit {
    fn drop(&mut self) {
        let call = if self.is_forgotten {
            SemaphoreCall::Forget(self.question)
        } else {
            SemaphoreCall::GiveBack(self.question)
        };
        self.proxy.session().tell(Ask::Call { object: self.proxy.object(), call: Call::Semaphore(call) });
    }
}

impl fmt::Debug for AioManagedPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioManagedPermit")
            .field("count", &self.count)
            .field("proxy", &self.proxy)
            .finish_non_exhaustive()
    }
}

impl AioManagedSemaphore {
    fn granted(&self, answer: &Answer, count: u32) -> Result<AioManagedPermit, ProxyError> {
        let Answer::Granted(question) = *answer else { return Err(ManagerError::NotAManager.into()) };
        Ok(AioManagedPermit { proxy: self.proxy.clone(), question, count, is_forgotten: false })
    }

    calls! {
        /// Waits until a permit is left and takes it. A future or a time that ends before has taken none.
        acquire, acquire_timeout, coro_acquire = fn(&self) -> AioManagedPermit {
            Ok::<_, ProxyError>(Call::Semaphore(SemaphoreCall::Acquire(1))) => |answer| self.granted(&answer, 1)
        }

        /// Waits until so many permits are left and takes them, all of them or none.
        acquire_many, acquire_many_timeout, coro_acquire_many = fn(&self, count_of: u32) -> AioManagedPermit {
            Ok::<_, ProxyError>(Call::Semaphore(SemaphoreCall::Acquire(count_of))) => |answer| self.granted(&answer, count_of)
        }

        /// Takes a permit if one is left and nobody waits; `None` otherwise.
        try_acquire, try_acquire_timeout, coro_try_acquire = fn(&self) -> Option<AioManagedPermit> {
            Ok::<_, ProxyError>(Call::Semaphore(SemaphoreCall::TryAcquire(1))) => |answer| match answer {
                Answer::Missing => Ok(None),
                answer => self.granted(&answer, 1).map(Some),
            }
        }

        /// Takes so many permits if they are left and nobody waits; `None` otherwise.
        try_acquire_many, try_acquire_many_timeout, coro_try_acquire_many = fn(&self, count_of: u32) -> Option<AioManagedPermit> {
            Ok::<_, ProxyError>(Call::Semaphore(SemaphoreCall::TryAcquire(count_of))) => |answer| match answer {
                Answer::Missing => Ok(None),
                answer => self.granted(&answer, count_of).map(Some),
            }
        }

        /// Adds so many permits, whoever they belonged to: those that were [forgotten](AioManagedPermit::forget), or new ones.
        /// [`ProxyError::TooManyPermits`](crate::ProxyError::TooManyPermits) if there would be more than there may be.
        release, release_timeout, coro_release = fn(&self, count_of: u32) -> () {
            Ok::<_, ProxyError>(Call::Semaphore(SemaphoreCall::Release(count_of))) => |answer| match answer {
                Answer::Flag(true) => Ok(()),
                Answer::Flag(false) => Err(ProxyError::TooManyPermits),
                _ => Err(ManagerError::NotAManager.into()),
            }
        }

        /// How many permits are left at this moment.
        permits, permits_timeout, coro_permits = fn(&self) -> usize {
            Ok::<_, ProxyError>(Call::Semaphore(SemaphoreCall::Permits)) => |answer| count(&answer)
        }
    }
}
