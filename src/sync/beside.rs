//! A lock with plain data beside it, which is the whole handle of a mutex and of an array.

use crate::raw::LockWords;
use crate::shm::{AttachError, InPlace, Locked, Plain, Plan};
use crate::sync::{AioLock, AioLockGuard, CreateError};

/// The data always stands at this distance from its lock, so that naming one names the other, and nobody can be handed the
/// data under another lock.
const DISTANCE: u64 = 128;

pub(super) struct Beside<T> {
    pub(super) lock: AioLock,
    pub(super) cells: InPlace<T>,
}

impl<T: Plain> Beside<T> {
    pub(super) fn new(values: &[T]) -> Result<Self, CreateError> {
        let beside = Self::zeroed(values.len())?;
        // Nobody else can hold what was only just made.
        if let Ok(guard) = beside.lock.try_acquire() {
            beside.locked(guard).copy_from_slice(values);
        }
        Ok(beside)
    }

    pub(super) fn zeroed(length: usize) -> Result<Self, CreateError> {
        const TOO_LONG: CreateError =
            CreateError::Invalid("more than 512 GiB of data; share it among several objects");
        let mut plan = Plan::new(1);
        let lock = plan.place::<LockWords>(1);
        let cells = InPlace::<T>::plan(&mut plan, length).ok_or(TOO_LONG)?;
        debug_assert_eq!(cells, lock + DISTANCE);
        let region = plan.create()?;
        let cells = InPlace::create(&region, cells, length)?;
        Ok(Self { lock: AioLock::over(region.object(lock)?), cells })
    }

    pub(super) fn open(lock: AioLock) -> Result<Self, AttachError> {
        let words = &lock.core.words;
        let cells = InPlace::open(words.region(), words.offset() + DISTANCE)?;
        Ok(Self { lock, cells })
    }

    /// `guard` must be one of `self.lock`.
    pub(super) fn locked(&self, guard: AioLockGuard) -> Locked<T, AioLockGuard> {
        Locked::new(self.cells.clone(), guard)
    }
}

impl<T> Clone for Beside<T> {
    fn clone(&self) -> Self {
        Self { lock: self.lock.clone(), cells: self.cells.clone() }
    }
}

/// The lock of a field `inner` that is a [`Beside`], in all its forms. `$what` is what the docs call the data.
macro_rules! lock_faces {
    ($guard:ident, $what:literal) => {
        #[doc = concat!(" Waits until nobody holds the ", $what, ", and takes hold of it.")]
        ///
        /// [`try_lock`](Self::try_lock) does not wait, [`lock_timeout`](Self::lock_timeout) gives up after a time, and
        /// [`coro_lock`](Self::coro_lock) suspends the task instead of the thread.
        ///
        /// # Blocking
        ///
        /// Blocks the thread; needs no runtime.
        ///
        /// # If a process dies
        ///
        /// The death of the holder is noticed within a few milliseconds and ends the wait with
        /// [`AcquireError::OwnerDied`](crate::AcquireError::OwnerDied).
        ///
        /// # Errors
        ///
        #[doc = concat!(" [`AcquireError::OwnerDied`](crate::AcquireError::OwnerDied) holds the guard: the ", $what, " is held, and may be half-written.")]
        /// [`AcquireError::Forked`](crate::AcquireError::Forked) in a process that was forked without exec.
        #[track_caller]
        pub fn lock(&self) -> Result<$guard<T>, $crate::AcquireError<$guard<T>>> {
            let taken = self.inner.lock.acquire();
            taken.map(|guard| self.wrap(guard)).map_err(|error| error.map(|guard| self.wrap(guard)))
        }

        #[doc = concat!(" Takes hold of the ", $what, " if nobody else does, now or never.")]
        ///
        /// # Errors
        ///
        /// [`TryAcquireError::WouldBlock`](crate::TryAcquireError::WouldBlock) if a living process holds it; otherwise as [`lock`](Self::lock).
        #[track_caller]
        pub fn try_lock(&self) -> Result<$guard<T>, $crate::TryAcquireError<$guard<T>>> {
            let taken = self.inner.lock.try_acquire();
            taken.map(|guard| self.wrap(guard)).map_err(|error| error.map(|guard| self.wrap(guard)))
        }

        /// [`lock`](Self::lock) for `timeout` at the longest; zero tries once.
        ///
        /// # Errors
        ///
        #[doc = concat!(" [`AcquireTimeoutError::Timeout`](crate::AcquireTimeoutError::Timeout) says who holds the ", $what, "; otherwise as [`lock`](Self::lock).")]
        #[track_caller]
        pub fn lock_timeout(
            &self,
            timeout: std::time::Duration,
        ) -> Result<$guard<T>, $crate::AcquireTimeoutError<$guard<T>>> {
            let taken = self.inner.lock.acquire_timeout(timeout);
            taken.map(|guard| self.wrap(guard)).map_err(|error| error.map(|guard| self.wrap(guard)))
        }

        /// [`lock`](Self::lock), suspending the task.
        ///
        /// # Cancel safety
        ///
        /// Dropped before it is done, it has not taken the lock, and a wake-up that was meant for it goes to the next waiter.
        ///
        /// # Errors
        ///
        /// As [`lock`](Self::lock).
        ///
        /// # Panics
        ///
        /// Outside of a tokio runtime, or in one without I/O or time enabled, when it has to wait.
        #[cfg(feature = "tokio")]
        #[track_caller]
        pub fn coro_lock(
            &self,
        ) -> impl std::future::Future<Output = Result<$guard<T>, $crate::AcquireError<$guard<T>>>> + Send {
            let taken = self.inner.lock.coro_acquire();
            async move {
                let taken = taken.await;
                taken.map(|guard| self.wrap(guard)).map_err(|error| error.map(|guard| self.wrap(guard)))
            }
        }

        #[doc = concat!(" Whether a living process holds the ", $what, " at this moment.")]
        pub fn is_locked(&self) -> bool {
            self.inner.lock.is_locked()
        }

        #[doc = concat!(" Who holds the ", $what, " at this moment.")]
        pub fn owner(&self) -> Option<$crate::Holder> {
            self.inner.lock.owner()
        }

        pub(super) fn inner_lock(&self) -> &$crate::AioLock {
            &self.inner.lock
        }
    };
}

/// What the guards have in common: a field `locked`, and the guard of the lock in it.
macro_rules! beside_guard {
    ($guard:ident) => {
        impl<T: Plain> $guard<T> {
            /// As [`AioLockGuard::dead_holder`].
            pub fn dead_holder(&self) -> Option<&$crate::Holder> {
                self.locked.guard().dead_holder()
            }

            pub(super) fn into_locked(self) -> Locked<T, AioLockGuard> {
                self.locked
            }

            pub(super) fn over(locked: Locked<T, AioLockGuard>) -> Self {
                Self { locked }
            }
        }

        impl<T: Plain> $crate::sync::lock::Guard for $guard<T> {
            fn lock_guard(&self) -> &AioLockGuard {
                self.locked.guard()
            }
        }

        impl<T> std::fmt::Debug for $guard<T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                // Without the data, so that they need not be `Debug` for an error with a guard in it to be so.
                f.debug_tuple(stringify!($guard)).field(self.locked.guard()).finish()
            }
        }
    };
}

pub(super) use {beside_guard, lock_faces};
