//! Whether this process is a fork of the one that set the library up: a page that the kernel zeroes in every child
//! (`MADV_WIPEONFORK`), so that asking costs one load.

#![allow(unsafe_code)]

use std::sync::Once;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};

const OURS: u32 = 1;

/// The page, or null before `watch` and where the kernel can't make one: then no fork is ever noticed.
static PAGE: AtomicPtr<AtomicU32> = AtomicPtr::new(std::ptr::null_mut());

fn make() -> Option<*mut AtomicU32> {
    let (length, prot) = (4096, ProtFlags::READ | ProtFlags::WRITE);
    // SAFETY: a fresh private mapping at an address that the kernel chooses.
    let page = unsafe { mmap_anonymous(std::ptr::null_mut(), length, prot, MapFlags::PRIVATE) }.ok()?;
    // SAFETY: the range is the mapping made above, and losing its contents in a child is the purpose.
    unsafe { madvise(page, length, Advice::LinuxWipeOnFork) }.ok()?;
    let mark = page.cast::<AtomicU32>();
    // SAFETY: the mapping is aligned to a page, writable, nobody else's yet, and never unmapped.
    unsafe { mark.write(AtomicU32::new(OURS)) };
    Some(mark)
}

/// Called when a region is made or attached.
pub(crate) fn watch() {
    static MADE: Once = Once::new();
    MADE.call_once(|| PAGE.store(make().unwrap_or(std::ptr::null_mut()), Ordering::Release));
}

/// Whether `watch` was called in a process that this one is a fork of (without an exec between).
#[inline]
pub(crate) fn is_fork() -> bool {
    let page = PAGE.load(Ordering::Acquire);
    if page.is_null() {
        return false;
    }
    // SAFETY: a page that `make` gave, which stays mapped for ever, and any bytes are a valid AtomicU32.
    let mark = unsafe { &*page };
    mark.load(Ordering::Relaxed) != OURS
}
