use std::fmt;
#[cfg(feature = "tokio")]
use std::future::Future;
use std::marker::PhantomData;
#[cfg(feature = "tokio")]
use std::panic::Location;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::raw::{Current, LockWords, Value, words_for};
use crate::shm::{Bits, Plain, Plan, Words};
use crate::sync::{
    AcquireError, AcquireTimeoutError, AioLock, CreateError, TryUpdateError, UpdateError, UpdateTimeoutError,
};

/// Where the words stand, as seen from the lock.
const DISTANCE: u64 = 128;

/// A value in shared memory that is always whole: Python's `multiprocessing.Value`.
///
/// A clone names the same value, and so does a handle that travelled to another process as an argument of
/// [`spawn`](crate::AioProcess::spawn) or in a message. The value is [plain data](Plain) of any size.
///
/// [`get`](Self::get), [`set`](Self::set) and [`fetch_add`](Self::fetch_add) take effect in one step and never wait. What
/// takes more than one, such as Python's `with value.get_lock(): value.value += 1`, is done by
/// [`with_lock`](Self::with_lock).
///
/// # If a process dies
///
/// Its last change is there as a whole or not at all, and nobody is held up.
///
/// # Examples
///
/// ```
/// let total = aioprocessing::AioValue::new(40_u64)?;
/// total.fetch_add(1);
/// total.with_lock(|total| *total += 1)?;
/// assert_eq!(total.get(), 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "RawValue")]
pub struct AioValue<T> {
    lock: AioLock,
    words: Words,
    value: PhantomData<fn() -> T>,
}

impl<T: Plain> AioValue<T> {
    /// Makes a value.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if the system has no memory or no descriptors left; a value takes two descriptors in each process.
    pub fn new(value: T) -> Result<Self, CreateError> {
        const TOO_LARGE: CreateError = CreateError::Invalid("the value is too large");
        let mut plan = Plan::new(1);
        let lock = plan.place::<LockWords>(1);
        let words = Words::plan(&mut plan, Self::WORDS).ok_or(TOO_LARGE)?;
        debug_assert_eq!(words, lock + DISTANCE);
        let region = plan.create()?;
        let words = Words::create(&region, words, Self::WORDS, size_of::<T>() as u64)?;
        let made = Self { lock: AioLock::over(region.object(lock)?), words, value: PhantomData };
        made.set(value);
        Ok(made)
    }

    const WORDS: usize = words_for(Bits::<T>::WORDS);

    fn raw(&self) -> Value<'_> {
        Value::new(&self.words, Bits::<T>::WORDS)
    }

    fn read(&self) -> (Current, T) {
        let mut bits = Bits::<T>::empty();
        let seen = self.raw().read(|index, word| bits.set_word(index, word));
        (seen, bits.value())
    }

    fn replace(&self, seen: Current, value: T) -> bool {
        let bits = Bits::of(value);
        self.raw().replace(self.lock.core.party(), seen, |index| bits.word(index))
    }

    /// The value at this moment, whole. Never waits.
    pub fn get(&self) -> T {
        self.read().1
    }

    /// Replaces the value in one step. Never waits. In a process that was forked without exec it does nothing.
    pub fn set(&self, value: T) {
        if self.lock.core.is_ours() {
            let bits = Bits::of(value);
            self.raw().set(self.lock.core.party(), |index| bits.word(index));
        }
    }

    /// Changes the value under its lock: one caller of this at a time, in all processes.
    ///
    /// The change takes effect in one step when `change` returns, and not at all if it panics. Since [`set`](Self::set) and
    /// [`fetch_add`](Self::fetch_add) don't wait for the lock, one of them may come in between: then `change` is called once
    /// more, with the value as it is now, so that no change is lost.
    ///
    /// [`try_with_lock`](Self::try_with_lock) does not wait, [`with_lock_timeout`](Self::with_lock_timeout) gives up after a
    /// time, and [`coro_with_lock`](Self::coro_with_lock) suspends the task instead of the thread.
    ///
    /// # Blocking
    ///
    /// Blocks the thread while another holds the lock; needs no runtime.
    ///
    /// # If a process dies
    ///
    /// The lock of a holder that dies goes to the next, and the value is the one that was there before: that it died is not
    /// even told.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Forked`] in a process that was forked without exec.
    #[track_caller]
    pub fn with_lock<R>(&self, mut change: impl FnMut(&mut T) -> R) -> Result<R, UpdateError> {
        let _guard = match self.lock.acquire() {
            Ok(guard) | Err(AcquireError::OwnerDied(guard)) => guard,
            Err(AcquireError::Forked) => return Err(UpdateError::Forked),
        };
        Ok(self.update(&mut change))
    }

    /// [`with_lock`](Self::with_lock), now or never.
    ///
    /// # Errors
    ///
    /// [`TryUpdateError::WouldBlock`] if somebody holds the lock; otherwise as [`with_lock`](Self::with_lock).
    #[track_caller]
    pub fn try_with_lock<R>(&self, mut change: impl FnMut(&mut T) -> R) -> Result<R, TryUpdateError> {
        use crate::sync::TryAcquireError;
        let _guard = match self.lock.try_acquire() {
            Ok(guard) | Err(TryAcquireError::OwnerDied(guard)) => guard,
            Err(TryAcquireError::WouldBlock { holder }) => return Err(TryUpdateError::WouldBlock { holder }),
            Err(TryAcquireError::Forked) => return Err(TryUpdateError::Forked),
        };
        Ok(self.update(&mut change))
    }

    /// [`with_lock`](Self::with_lock), waiting for `timeout` at the longest; zero tries once.
    ///
    /// # Errors
    ///
    /// [`UpdateTimeoutError::Timeout`] says who holds the lock; otherwise as [`with_lock`](Self::with_lock).
    #[track_caller]
    pub fn with_lock_timeout<R>(
        &self,
        timeout: Duration,
        mut change: impl FnMut(&mut T) -> R,
    ) -> Result<R, UpdateTimeoutError> {
        let _guard = match self.lock.acquire_timeout(timeout) {
            Ok(guard) | Err(AcquireTimeoutError::OwnerDied(guard)) => guard,
            Err(AcquireTimeoutError::Timeout { holder }) => {
                return Err(UpdateTimeoutError::Timeout { holder });
            }
            Err(AcquireTimeoutError::Forked) => return Err(UpdateTimeoutError::Forked),
        };
        Ok(self.update(&mut change))
    }

    /// [`with_lock`](Self::with_lock), suspending the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it has changed nothing, and a wake-up that was meant for it goes to the next waiter.
    ///
    /// # Errors
    ///
    /// As [`with_lock`](Self::with_lock).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without I/O or time enabled, when it has to wait.
    #[cfg(feature = "tokio")]
    #[track_caller]
    pub fn coro_with_lock<R>(
        &self,
        mut change: impl FnMut(&mut T) -> R + Send,
    ) -> impl Future<Output = Result<R, UpdateError>> + Send {
        let location = Location::caller();
        async move {
            let _guard = match self.lock.coro_acquire_at(location).await {
                Ok(guard) | Err(AcquireError::OwnerDied(guard)) => guard,
                Err(AcquireError::Forked) => return Err(UpdateError::Forked),
            };
            Ok(self.update(&mut change))
        }
    }

    fn update<R>(&self, change: &mut impl FnMut(&mut T) -> R) -> R {
        loop {
            let (seen, mut value) = self.read();
            let out = change(&mut value);
            if self.replace(seen, value) {
                return out;
            }
        }
    }
}

impl<T: Number> AioValue<T> {
    /// Adds to the value in one step and gives what it was before. Integers wrap around at their ends. Never waits. In a process that
    /// was forked without exec it adds nothing.
    pub fn fetch_add(&self, more: T) -> T {
        loop {
            let (seen, before) = self.read();
            if !self.lock.core.is_ours() || self.replace(seen, before.plus(more)) {
                return before;
            }
        }
    }
}

/// Integers and floats: what [`AioValue::fetch_add`] can add.
pub trait Number: Plain {
    #[doc(hidden)]
    fn plus(self, other: Self) -> Self;
}

macro_rules! integers {
    ($($number:ty)*) => { $(
        impl Number for $number {
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
        }
    )* };
}

integers!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

impl Number for f32 {
    fn plus(self, other: Self) -> Self {
        self + other
    }
}

impl Number for f64 {
    fn plus(self, other: Self) -> Self {
        self + other
    }
}

impl<T> Clone for AioValue<T> {
    fn clone(&self) -> Self {
        Self { lock: self.lock.clone(), words: self.words.clone(), value: PhantomData }
    }
}

impl<T: Plain> Serialize for AioValue<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.lock.serialize(serializer)
    }
}

impl<'de, T: Plain> Deserialize<'de> for AioValue<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let lock = AioLock::deserialize(deserializer)?;
        let beside = lock.core.words.offset() + DISTANCE;
        let words = Words::open(lock.core.words.region(), beside, Self::WORDS, size_of::<T>() as u64)
            .map_err(de::Error::custom)?;
        Ok(Self { lock, words, value: PhantomData })
    }
}

impl<T: Plain + fmt::Debug> fmt::Debug for AioValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioValue").field("value", &self.get()).field("lock", &self.lock).finish()
    }
}
