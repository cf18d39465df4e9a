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
