//! What a stretch is made of: units of 128 bytes. The first one is the head; it says how large an element is and how many there are,
//! and is read once, when the stretch is opened, and held against the directory then.

#![allow(unsafe_code)]

use std::ptr::NonNull;
use std::sync::Arc;

use crate::shm::atomic::AtomicU64;
use crate::shm::plan::Plan;
use crate::shm::region::{AttachError, Region};
use crate::shm::shared::{Object, shared};

pub(super) const UNIT: u64 = 128;

shared! {
    /// A unit of a stretch whose data is used in place.
    pub(super) struct PlaceUnit[128] {
        pub(super) words: [AtomicU64; 16],
    }

    /// A unit of a stretch whose data is only ever reached through its words.
    pub(super) struct WordUnit[128] {
        pub(super) words: [AtomicU64; 16],
    }
}

impl Object for PlaceUnit {
    const KIND: u32 = 32;
}

impl Object for WordUnit {
    const KIND: u32 = 33;
}

/// The words of the head: bytes of an element, number of elements.
pub(super) trait Unit: Object {
    fn words(&self) -> &[AtomicU64; 16];
}

impl Unit for PlaceUnit {
    fn words(&self) -> &[AtomicU64; 16] {
        &self.words
    }
}

impl Unit for WordUnit {
    fn words(&self) -> &[AtomicU64; 16] {
        &self.words
    }
}

/// Plans a stretch for `bytes` behind its head. `None`: too long for a region.
pub(super) fn plan<U: Unit>(plan: &mut Plan, bytes: u64) -> Option<u64> {
    let units = u32::try_from(bytes.div_ceil(UNIT).checked_add(1)?).ok()?;
    Some(plan.place::<U>(units))
}

/// Checks the stretch at `offset`; `bytes` reads from its head how much data there must be.
pub(super) fn check<U: Unit>(
    region: &Arc<Region>,
    offset: u64,
    bytes: impl FnOnce(&[AtomicU64; 16]) -> Option<u64>,
) -> Result<(), AttachError> {
    const WRONG: AttachError = AttachError::NotARegion("it holds data of another size");
    // The directory may say anything; a plain value may want this alignment, which a unit's words don't.
    if !offset.is_multiple_of(UNIT) {
        return Err(WRONG);
    }
    let head = region.object::<U>(offset)?;
    let bytes = bytes(head.words()).ok_or(WRONG)?;
    let units = bytes.div_ceil(UNIT);
    let last = units.checked_mul(UNIT).and_then(|length| offset.checked_add(length)).ok_or(WRONG)?;
    // Head and last unit are in the directory, so all between them is in the mapping.
    region.object::<U>(last).map_err(|_| WRONG)?;
    Ok(())
}

/// Where the data behind the head at `offset` begins; at the end of the mapping if there is none.
pub(super) fn data(region: &Region, offset: u64) -> NonNull<u8> {
    // SAFETY: `check` found the whole unit at `offset` inside of the mapping, so its end is inside or one past it.
    unsafe { region.map().base().add((offset + UNIT) as usize) }
}
