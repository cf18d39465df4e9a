//! Whether this process is a fork of the one that set the library up: a page that the kernel zeroes in every child
//! (`MADV_WIPEONFORK`), so that asking costs one load.

#![allow(unsafe_code)]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};

const OURS: u32 = 1;

static PAGE: OnceLock<Option<&'static AtomicU32>> = OnceLock::new();

/// Makes the page. `None` where the kernel can't: then no fork is ever noticed.
fn mark() -> Option<&'static AtomicU32> {
    let (length, prot) = (4096, ProtFlags::READ | ProtFlags::WRITE);
    // SAFETY: a fresh private mapping at an address that the kernel chooses.
    let page = unsafe { mmap_anonymous(std::ptr::null_mut(), length, prot, MapFlags::PRIVATE) }.ok()?;
    // SAFETY: the range is the mapping made above, and losing its contents in a child is the purpose.
    unsafe { madvise(page, length, Advice::LinuxWipeOnFork) }.ok()?;
    // SAFETY: the mapping is never unmapped, aligned to a page, and zeroed memory is a valid AtomicU32.
    let mark = unsafe { &*page.cast::<AtomicU32>() };
    mark.store(OURS, Ordering::Relaxed);
    Some(mark)
}

/// Called when the first region is made or attached.
pub(crate) fn watch() {
    PAGE.get_or_init(mark);
}

/// Whether `watch` was called in a process that this one is a fork of (without an exec between).
pub(crate) fn is_fork() -> bool {
    matches!(PAGE.get(), Some(Some(mark)) if mark.load(Ordering::Relaxed) != OURS)
}
