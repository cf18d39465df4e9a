//! Plain values that are used where they lie.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

use super::units::{self, PlaceUnit, UNIT};
use crate::shm::atomic::Ordering;
use crate::shm::plain::Plain;
use crate::shm::plan::Plan;
use crate::shm::region::{AttachError, Region};

/// Plain values used in place, under a lock that stands beside them. Alone it gives no access but copies of single values.
pub(crate) struct InPlace<T> {
    region: Arc<Region>,
    offset: u64,
    length: usize,
    values: PhantomData<fn() -> T>,
}

impl<T: Plain> InPlace<T> {
    /// `None`: too many for a region.
    pub(crate) fn plan(into: &mut Plan, length: usize) -> Option<u64> {
        const { assert!(align_of::<T>() as u64 <= UNIT, "plain data with more than 128 bytes of alignment") };
        let bytes = u64::try_from(length).ok()?.checked_mul(size_of::<T>() as u64)?;
        units::plan::<PlaceUnit>(into, bytes)
    }

    /// Writes the head of a planned stretch.
    pub(crate) fn create(region: &Arc<Region>, offset: u64, length: usize) -> Result<Self, AttachError> {
        let head = region.object::<PlaceUnit>(offset)?;
        head.words[0].store(size_of::<T>() as u64, Ordering::Relaxed);
        head.words[1].store(length as u64, Ordering::Release);
        Self::open(region, offset)
    }

    /// `offset` may come from anywhere.
    pub(crate) fn open(region: &Arc<Region>, offset: u64) -> Result<Self, AttachError> {
        let mut length = 0;
        units::check::<PlaceUnit>(region, offset, |head| {
            if head[0].load(Ordering::Relaxed) != size_of::<T>() as u64 {
                return None;
            }
            let count = head[1].load(Ordering::Acquire);
            length = usize::try_from(count).ok()?;
            count.checked_mul(size_of::<T>() as u64)
        })?;
        Ok(Self { region: region.clone(), offset, length, values: PhantomData })
    }

    fn values(&self) -> NonNull<T> {
        units::data(&self.region, self.offset).cast()
    }

    /// A copy of one value, for those who don't have the lock: taken by the kernel, so that it is no access of this program's
    /// to memory which another thread of it may be writing to at this moment.
    pub(crate) fn copy(&self, index: usize) -> Option<T> {
        if index >= self.length {
            return None;
        }
        let mut value = MaybeUninit::<T>::zeroed();
        let address = value.as_mut_ptr().cast::<u8>();
        // SAFETY: all of `value`, which is initialised (to zeroes) and borrowed by nobody else.
        let bytes = unsafe { std::slice::from_raw_parts_mut(address, size_of::<T>()) };
        let at = self.offset + UNIT + (index * size_of::<T>()) as u64;
        let fd = self.region.fd();
        let got = rustix::io::retry_on_intr(|| rustix::io::pread(fd, &mut *bytes, at));
        if got != Ok(size_of::<T>()) {
            return None;
        }
        // SAFETY: any bits are a value (contract of `Plain`).
        Some(unsafe { value.assume_init() })
    }
}

impl<T> InPlace<T> {
    pub(crate) fn len(&self) -> usize {
        self.length
    }
}

impl<T> Clone for InPlace<T> {
    fn clone(&self) -> Self {
        Self { region: self.region.clone(), offset: self.offset, length: self.length, values: PhantomData }
    }
}

/// Plain values in place, together with the guard of the lock that stands beside them.
pub(crate) struct Locked<T, G> {
    cells: InPlace<T>,
    guard: G,
}

impl<T, G> Locked<T, G> {
    /// `guard` must hold the one lock under which all use these cells, for as long as it exists.
    pub(crate) fn new(cells: InPlace<T>, guard: G) -> Self {
        Self { cells, guard }
    }

    pub(crate) fn guard(&self) -> &G {
        &self.guard
    }

    /// Takes the two apart.
    pub(crate) fn into_parts(self) -> (InPlace<T>, G) {
        (self.cells, self.guard)
    }
}

impl<T: Plain, G> Deref for Locked<T, G> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: so many values lie in the mapping, aligned (a unit is aligned to 128 bytes), which `region` keeps; any bits are a value; and nobody of this process writes to them meanwhile, since `guard` holds their lock.
        unsafe { std::slice::from_raw_parts(self.cells.values().as_ptr(), self.cells.length) }
    }
}

impl<T: Plain, G> DerefMut for Locked<T, G> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and this borrow of the only guard is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.cells.values().as_ptr(), self.cells.length) }
    }
}
