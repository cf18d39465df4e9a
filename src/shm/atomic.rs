//! The atomics of shared words: the standard library's, or loom's in models.

#[cfg(aioprocessing_loom)]
pub(crate) use super::mortal::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(aioprocessing_loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// One turn of a spin.
#[cfg(not(aioprocessing_loom))]
pub(crate) use std::hint::spin_loop;

#[cfg(aioprocessing_loom)]
pub(crate) fn spin_loop() {
    loom::thread::yield_now();
}
