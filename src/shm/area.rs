//! The part of a region behind its objects, where bytes of any length stand: checked copying in and out.
//!
//! Every offset may come from a peer. What is touched lies in the mapping and, since memory behind a file's end can't be
//! touched, in the file: its length is asked of the kernel, never read from shared memory, and it can't shrink.

#![allow(unsafe_code)]

use std::io;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::region::{AttachError, OBJECTS_AT, Region};
use super::shared::Shared;
use crate::sys::memfd;

const PAGE: u64 = 4096;

/// A stretch of a region's room. Offsets count from its start.
pub(crate) struct Area {
    region: Arc<Region>,
    start: u64,
    length: u64,
    /// How much of it lay in the file when this process last asked.
    reach: AtomicU64,
}

impl Area {
    /// `start` and `length` may come from a peer.
    pub(crate) fn new(region: &Arc<Region>, start: u64, length: u64) -> Result<Self, AttachError> {
        let end = start.checked_add(length);
        let fits = end.is_some_and(|end| end <= region.map().length() as u64);
        if !fits || start < OBJECTS_AT || !start.is_multiple_of(PAGE) {
            return Err(AttachError::NotARegion("its room lies outside of it"));
        }
        Ok(Self { region: region.clone(), start, length, reach: AtomicU64::new(0) })
    }

    /// The address of `length` bytes at `at`, if they can be touched.
    #[inline]
    fn address(&self, at: u64, length: u64) -> Option<NonNull<u8>> {
        let end = at.checked_add(length)?;
        if end > self.reach.load(Ordering::Relaxed) && end > self.reach_now()? {
            return None;
        }
        let offset = usize::try_from(self.start + at).ok()?;
        // SAFETY: inside of the mapping: `at` is within the area, which is within the mapping (checked in `new`).
        Some(unsafe { self.region.map().base().add(offset) })
    }

    /// How much of it lies in the file.
    #[cold]
    fn reach_now(&self) -> Option<u64> {
        let (_, size) = memfd::identity(self.region.fd()).ok()?;
        let reach = size.saturating_sub(self.start).min(self.length);
        self.reach.store(reach, Ordering::Relaxed);
        Some(reach)
    }

    /// The shared object at `at`, if it can be touched and is aligned.
    #[inline]
    pub(crate) fn object<T: Shared>(&self, at: u64) -> Option<&T> {
        if !at.is_multiple_of(align_of::<T>() as u64) {
            return None;
        }
        let address = self.address(at, size_of::<T>() as u64)?;
        // SAFETY: in the mapping and the file (checked by `address`), aligned (the area starts on a page), any bytes are a
        // valid `T` (contract of `Shared`), and `self` keeps the mapping for as long as the reference.
        Some(unsafe { address.cast::<T>().as_ref() })
    }

    /// Copies `bytes` to `at`. `None`, and nothing copied, if they don't lie in the area.
    #[inline]
    pub(crate) fn write(&self, at: u64, bytes: &[u8]) -> Option<()> {
        let to = self.address(at, bytes.len() as u64)?;
        // SAFETY: `to` is good for as many bytes (checked by `address`) and no Rust reference covers them: what stands in an
        // area is reached by copies and atomics only. Peers that keep to the protocol leave these bytes alone meanwhile;
        // one that does not changes which bytes arrive, and nothing else.
        unsafe { to.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
        Some(())
    }

    /// Appends `length` bytes from `at` to `into`. `None`, and nothing appended, if they don't lie in the area.
    #[inline(always)]
    pub(crate) fn append_to(&self, at: u64, length: usize, into: &mut Vec<u8>) -> Option<()> {
        let from = self.address(at, length as u64)?;
        if into.capacity() == 0 {
            // Of the right size, and by a shorter way than to grow.
            *into = Vec::with_capacity(length);
        }
        into.reserve(length);
        let free = into.spare_capacity_mut();
        let to = NonNull::from(&mut free[..length]).cast::<u8>();
        // SAFETY: `from` is good for as many bytes (checked by `address`), `to` is spare capacity of that length, and they are
        // different memory. A peer that writes meanwhile changes which bytes are copied, and nothing else.
        unsafe { to.copy_from_nonoverlapping(from, length) };
        // SAFETY: `length` bytes behind the vector's end were written just now, within its capacity.
        unsafe { into.set_len(into.len() + length) };
        Some(())
    }

    /// Gets memory for this stretch, so that touching it can't fail.
    pub(crate) fn reserve(&self, at: u64, length: u64) -> io::Result<()> {
        memfd::reserve(self.region.fd(), self.start + at, length)
    }

    /// Gives the memory of this stretch back to the system.
    pub(crate) fn give_back(&self, at: u64, length: u64) {
        // Refused, it is only kept for longer.
        let _ = memfd::give_back(self.region.fd(), self.start + at, length);
    }
}

impl std::fmt::Debug for Area {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Area")
            .field("start", &self.start)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}
