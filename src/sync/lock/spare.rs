//! The share of a lock that the next guard of this thread takes.
//!
//! A guard owns a share of its lock, and to count one more and one less takes as long as to acquire and release the lock. So a
//! guard leaves its share to its thread, for the next one of the same lock: most threads use the same lock again. It is kept
//! while somebody else has a share as well, and no longer than until the thread uses another lock, drops the last handle of this
//! one, or ends. If the last handle is dropped on another thread, one lock a thread stays open for that long: none whose region
//! is large.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use super::core::Core;

thread_local! {
    // What the thread has to drop at its end would be asked after at each use: [`Keeper`] is instead, once.
    static SPARE: ManuallyDrop<Cell<Option<Arc<Core>>>> = const { ManuallyDrop::new(Cell::new(None)) };
    static IS_READY: Cell<bool> = const { Cell::new(false) };
    static KEEPER: Keeper = const { Keeper };
}

/// Gives up what its thread keeps, with the thread.
struct Keeper;

impl Drop for Keeper {
    fn drop(&mut self) {
        IS_READY.set(false);
        drop(SPARE.with(|spare| spare.take()));
    }
}

/// A share of `core`.
#[inline]
pub(super) fn take(core: &Arc<Core>) -> Arc<Core> {
    match SPARE.with(|spare| spare.take()) {
        Some(spare) if Arc::ptr_eq(&spare, core) => spare,
        other => count(core, other),
    }
}

#[cold]
fn count(core: &Arc<Core>, other: Option<Arc<Core>>) -> Arc<Core> {
    drop(other);
    core.clone()
}

/// Keeps a share that is not needed any more, and gives up the one kept before.
#[inline]
pub(super) fn keep(share: Arc<Core>) {
    if share.is_light && Arc::strong_count(&share) > 1 && IS_READY.get() {
        if let Some(before) = SPARE.with(|spare| spare.replace(Some(share))) {
            give_up(before);
        }
    } else {
        keep_slowly(share);
    }
}

#[cold]
fn keep_slowly(share: Arc<Core>) {
    if share.is_light && Arc::strong_count(&share) > 1 {
        // Where the thread is ending it is given up.
        IS_READY.set(KEEPER.try_with(|_| {}).is_ok());
        if IS_READY.get() {
            drop(SPARE.with(|spare| spare.replace(Some(share))));
        }
    }
}

#[cold]
fn give_up(share: Arc<Core>) {
    drop(share);
}

/// A handle of `core` is about to go: without others, nothing is kept of it.
pub(super) fn forget(core: &Arc<Core>) {
    SPARE.with(|spare| {
        let kept = spare.take();
        if !kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, core) && Arc::strong_count(kept) == 2) {
            spare.set(kept);
        }
    });
}

#[cfg(all(test, not(aioprocessing_loom)))]
mod tests {
    use std::sync::{Arc, Weak};

    use super::{Core, SPARE};
    use crate::AioLock;

    fn weak(lock: &AioLock) -> Weak<Core> {
        Arc::downgrade(&lock.core)
    }

    fn is_kept(lock: &Weak<Core>) -> bool {
        let kept = SPARE.with(|spare| spare.take());
        let is_kept = kept.as_ref().is_some_and(|kept| std::ptr::eq(Arc::as_ptr(kept), lock.as_ptr()));
        SPARE.with(|spare| spare.set(kept));
        is_kept
    }

    #[test]
    fn a_thread_keeps_a_share_of_the_lock_that_it_used_last() {
        let (one, other) = (AioLock::new().unwrap(), AioLock::new().unwrap());
        drop(one.acquire().unwrap());
        assert!(is_kept(&weak(&one)));
        let guard = one.acquire().unwrap();
        assert!(!is_kept(&weak(&one)), "the guard has it");
        drop(other.acquire().unwrap());
        drop(guard);
        assert!(is_kept(&weak(&one)) && !is_kept(&weak(&other)));
    }

    #[test]
    fn it_goes_with_the_last_handle_or_guard() {
        let lock = AioLock::new().unwrap();
        let (copy, seen) = (lock.clone(), weak(&lock));
        drop(lock.acquire().unwrap());
        drop(lock);
        assert!(is_kept(&seen));
        drop(copy);
        assert!(seen.upgrade().is_none());
        let lock = AioLock::new().unwrap();
        let (guard, seen) = (lock.acquire().unwrap(), weak(&lock));
        drop(lock);
        drop(guard);
        assert!(seen.upgrade().is_none());
    }

    #[test]
    fn it_goes_with_its_thread() {
        let lock = AioLock::new().unwrap();
        let seen = weak(&lock);
        let copy = lock.clone();
        std::thread::spawn(move || drop(copy.acquire().unwrap())).join().unwrap();
        drop(lock);
        assert!(seen.upgrade().is_none());
    }

    #[test]
    fn large_regions_are_not_kept() {
        let array = crate::AioArray::<u64>::zeroed(1 << 17).unwrap();
        drop(array.lock().unwrap());
        let kept = SPARE.with(|spare| spare.take());
        assert!(kept.is_none_or(|kept| kept.is_light));
    }
}
