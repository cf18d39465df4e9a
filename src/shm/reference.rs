//! A reference to an object in a region.

#![allow(unsafe_code)]

use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

use super::{Region, Shared};

/// A reference to an object in a region, which it keeps mapped.
pub(crate) struct Ref<T> {
    region: Arc<Region>,
    object: NonNull<T>,
}

// SAFETY: what it points to is `Sync` (a supertrait of `Shared`) and lives as long as the region it owns a share of.
unsafe impl<T: Shared> Send for Ref<T> {}
// SAFETY: as above.
unsafe impl<T: Shared> Sync for Ref<T> {}

impl<T: Shared> Ref<T> {
    /// `object` must lie in `region`'s mapping: the region's own checked look-up is the only caller.
    pub(super) fn new(region: Arc<Region>, object: &T) -> Self {
        Self { object: NonNull::from(object), region }
    }

    #[inline]
    pub(crate) fn region(&self) -> &Arc<Region> {
        &self.region
    }

    /// Where in its region the object stands, in bytes.
    pub(crate) fn offset(&self) -> u64 {
        self.region.offset_of(self.object.as_ptr().cast())
    }
}

impl<T: Shared> Deref for Ref<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the pointer came from a reference into the region's mapping, which `self.region` keeps mapped.
        unsafe { self.object.as_ref() }
    }
}

impl<T> Clone for Ref<T> {
    fn clone(&self) -> Self {
        Self { region: self.region.clone(), object: self.object }
    }
}
