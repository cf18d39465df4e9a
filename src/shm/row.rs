//! One object for each slot of a region, side by side.

#![allow(unsafe_code)]

use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

use super::owner::SLOTS;
use super::plan::Plan;
use super::reference::Ref;
use super::region::{AttachError, Region};
use super::shared::{Object, Shared};

/// As many objects as a region has slots: what each process that holds it has to itself.
pub(crate) struct Row<T> {
    region: Arc<Region>,
    first: NonNull<T>,
}

// SAFETY: what it points to is `Sync` (a supertrait of `Shared`) and lives as long as the region it owns a share of.
unsafe impl<T: Shared> Send for Row<T> {}
// SAFETY: as above.
unsafe impl<T: Shared> Sync for Row<T> {}

impl<T: Object> Row<T> {
    pub(crate) fn plan(plan: &mut Plan) -> u64 {
        plan.place::<T>(u32::from(SLOTS))
    }

    /// `offset` may come from anywhere.
    pub(crate) fn open(region: &Arc<Region>, offset: u64) -> Result<Self, AttachError> {
        const NO_ROW: AttachError = AttachError::NotARegion("no such row of objects in it");
        let length = u64::from(SLOTS - 1) * size_of::<T>() as u64;
        let last = offset.checked_add(length).ok_or(NO_ROW)?;
        // First and last are in the directory, so all between them is in the mapping, and aligned as the first is.
        let _: (Ref<T>, Ref<T>) = (region.object(offset)?, region.object(last)?);
        let at = usize::try_from(offset).map_err(|_| NO_ROW)?;
        // SAFETY: inside of the mapping, as just found.
        let first = unsafe { region.map().base().add(at) }.cast();
        Ok(Self { region: region.clone(), first })
    }
}

impl<T: Shared> Deref for Row<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the whole row lies in the mapping, aligned (checked when it was opened), any bytes are valid objects
        // (contract of `Shared`), and `self.region` keeps the mapping.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), usize::from(SLOTS)) }
    }
}

impl<T> Clone for Row<T> {
    fn clone(&self) -> Self {
        Self { region: self.region.clone(), first: self.first }
    }
}
