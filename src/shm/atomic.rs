//! The atomics of shared words: the standard library's, or loom's in models.

#[cfg(aioprocessing_loom)]
pub(crate) use super::mortal::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(aioprocessing_loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// A `SeqCst` fence for those who come from a read-modify-write that follows what they have stored. On x86 that instruction is one
/// already; a second would cost more than all else that a wake-up does while nobody waits.
#[inline]
pub(crate) fn fence_behind_a_change() {
    if cfg!(all(target_arch = "x86_64", not(aioprocessing_loom))) {
        std::sync::atomic::compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

/// One turn of a spin.
#[cfg(not(aioprocessing_loom))]
pub(crate) use std::hint::spin_loop;

#[cfg(aioprocessing_loom)]
pub(crate) fn spin_loop() {
    loom::thread::yield_now();
}
