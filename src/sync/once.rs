use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::lock::FORKED;
use crate::planted::planted;
use crate::shm::{Bits, Plain};
use crate::sync::{
    AcquireError, AcquireTimeoutError, AioEvent, AioLock, AioLockGuard, AioValue, CreateError,
    TryAcquireError,
};

/// Runs a function once across all processes; everybody gets its result: `std::sync::OnceLock`, shared.
///
/// A clone is the same one, and so is a handle that travelled to another process. The result is [plain data](Plain).
///
/// # If a process dies
///
/// If whoever runs the function dies, panics or is cancelled before it has a result, one of those who wait runs its own. What
/// the function did to the world until then is not undone. A result that is there stays there.
///
/// # Examples
///
/// ```
/// use aioprocessing::AioOnce;
///
/// let once: AioOnce<u64> = AioOnce::new()?;
/// assert_eq!(once.get(), None);
/// assert_eq!(once.get_or_init(|| 6 * 7)?, 42);
/// assert_eq!(once.get_or_init(|| unreachable!("it has a result"))?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Serialize, Deserialize)]
#[serde(bound = "T: Plain")]
pub struct AioOnce<T> {
    value: AioValue<T>,
    /// Held by who runs its function.
    running: AioLock,
    done: AioEvent,
}

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OnceError {
    /// This process was forked, without exec, from the one that opened it.
    #[error("{FORKED}")]
    Forked,
}

/// Why there is no result in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OnceTimeoutError {
    /// The time is over and another runs its function still.
    #[error("another runs its function still; wait for longer")]
    Timeout,
    /// As [`OnceError::Forked`].
    #[error("{FORKED}")]
    Forked,
}

impl OnceTimeoutError {
    /// Whether the time was over.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        *self == Self::Timeout
    }
}

/// Why there is no result now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TryOnceError {
    /// Another runs its function at this moment.
    #[error("another runs its function; wait for it, or try again")]
    WouldBlock,
    /// As [`OnceError::Forked`].
    #[error("{FORKED}")]
    Forked,
}

impl TryOnceError {
    /// Whether another runs its function.
    #[must_use]
    pub fn is_would_block(&self) -> bool {
        *self == Self::WouldBlock
    }
}

impl<T: Plain> AioOnce<T> {
    /// Makes one without a result.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if the system has no memory or no descriptors left.
    pub fn new() -> Result<Self, CreateError> {
        let nothing = Bits::<T>::empty().value();
        Ok(Self { value: AioValue::new(nothing)?, running: AioLock::new()?, done: AioEvent::new()? })
    }

    /// The result, if there is one.
    pub fn get(&self) -> Option<T> {
        // The event is set after the value, and who sees it set sees what came before.
        self.done.is_set().then(|| self.value.get())
    }

    /// Whether there is a result.
    pub fn is_done(&self) -> bool {
        self.done.is_set()
    }

    /// The result. If there is none, and nobody runs a function for it, runs `f`; otherwise waits for who does.
    ///
    /// Blocks the thread; needs no runtime. `f` must not ask the same `AioOnce`: it would wait for itself.
    ///
    /// # If a process dies
    ///
    /// The death of the runner is noticed within a few milliseconds, and one of those who wait runs its own function.
    ///
    /// # Errors
    ///
    /// [`OnceError::Forked`] in a process that was forked without exec.
    #[track_caller]
    pub fn get_or_init(&self, f: impl FnOnce() -> T) -> Result<T, OnceError> {
        if let Some(result) = self.get() {
            return Ok(result);
        }
        let turn = match self.running.acquire() {
            Ok(turn) | Err(AcquireError::OwnerDied(turn)) => turn,
            Err(AcquireError::Forked) => return Err(OnceError::Forked),
        };
        Ok(self.run(turn, f))
    }

    /// The result, from `f` if there is none, unless another runs its function at this moment.
    ///
    /// # Errors
    ///
    /// [`TryOnceError::WouldBlock`] if another does; otherwise as [`get_or_init`](Self::get_or_init).
    #[track_caller]
    pub fn try_get_or_init(&self, f: impl FnOnce() -> T) -> Result<T, TryOnceError> {
        if let Some(result) = self.get() {
            return Ok(result);
        }
        let turn = match self.running.try_acquire() {
            Ok(turn) | Err(TryAcquireError::OwnerDied(turn)) => turn,
            Err(TryAcquireError::WouldBlock { .. }) => return self.get().ok_or(TryOnceError::WouldBlock),
            Err(TryAcquireError::Forked) => return Err(TryOnceError::Forked),
        };
        Ok(self.run(turn, f))
    }

    /// [`get_or_init`](Self::get_or_init), waiting for another's function for `timeout` at the longest; zero tries once. The
    /// time that `f` takes does not count.
    ///
    /// # Errors
    ///
    /// [`OnceTimeoutError::Timeout`]; otherwise as [`get_or_init`](Self::get_or_init).
    #[track_caller]
    pub fn get_or_init_timeout(
        &self,
        f: impl FnOnce() -> T,
        timeout: Duration,
    ) -> Result<T, OnceTimeoutError> {
        if let Some(result) = self.get() {
            return Ok(result);
        }
        let turn = match self.running.acquire_timeout(timeout) {
            Ok(turn) | Err(AcquireTimeoutError::OwnerDied(turn)) => turn,
            Err(AcquireTimeoutError::Timeout { .. }) => return self.get().ok_or(OnceTimeoutError::Timeout),
            Err(AcquireTimeoutError::Forked) => return Err(OnceTimeoutError::Forked),
        };
        Ok(self.run(turn, f))
    }

    /// [`get_or_init`](Self::get_or_init) with an async function, suspending the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it leaves no result, and another that waits runs its own function. What `f` did until then
    /// is not undone.
    ///
    /// # Errors
    ///
    /// As [`get_or_init`](Self::get_or_init).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without I/O or time enabled, when it has to wait.
    #[cfg(feature = "tokio")]
    #[track_caller]
    pub fn coro_get_or_init<F, R>(&self, f: F) -> impl Future<Output = Result<T, OnceError>> + Send
    where
        T: Send,
        F: FnOnce() -> R + Send,
        R: Future<Output = T> + Send,
    {
        let turn = self.running.coro_acquire();
        async move {
            if let Some(result) = self.get() {
                return Ok(result);
            }
            let turn = match turn.await {
                Ok(turn) | Err(AcquireError::OwnerDied(turn)) => turn,
                Err(AcquireError::Forked) => return Err(OnceError::Forked),
            };
            if let Some(result) = self.result_of_others() {
                return Ok(result);
            }
            let result = f().await;
            self.keep(result);
            drop(turn);
            Ok(result)
        }
    }

    fn run(&self, turn: AioLockGuard, f: impl FnOnce() -> T) -> T {
        let result = self.result_of_others().unwrap_or_else(|| {
            let result = f();
            self.keep(result);
            result
        });
        drop(turn);
        result
    }

    /// In one's turn: what somebody else has made of his.
    fn result_of_others(&self) -> Option<T> {
        planted!("a-turn-is-taken-for-the-first", self.get(), None)
    }

    fn keep(&self, result: T) {
        self.value.set(result);
        self.done.set();
    }
}

impl<T> Clone for AioOnce<T> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), running: self.running.clone(), done: self.done.clone() }
    }
}

impl<T: Plain + fmt::Debug> fmt::Debug for AioOnce<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioOnce").field("result", &self.get()).field("running", &self.running).finish()
    }
}
