//! What a new region is to hold.

use std::sync::Arc;

use super::region::{AttachError, KINDS, OBJECTS_AT, Region};
use super::shared::Object;

/// One line of the directory.
pub(super) struct Kind {
    pub(super) kind: u32,
    pub(super) count: u32,
    pub(super) offset: u64,
}

/// Collects the objects of a region and says where each will stand.
pub(crate) struct Plan {
    kinds: Vec<Kind>,
    bells: usize,
    sockets: bool,
    length: u64,
    room: u64,
}

impl Plan {
    /// `bells`: how many doorbells the region's objects share out among themselves.
    pub(crate) fn new(bells: usize) -> Self {
        Self { kinds: Vec::new(), bells, sockets: false, length: OBJECTS_AT, room: 0 }
    }

    /// A pair of sockets goes with the region, by which descriptors travel between its holders.
    pub(crate) fn with_sockets(mut self) -> Self {
        self.sockets = true;
        self
    }

    /// `count` objects, each zeroed; gives the offset of the first.
    pub(crate) fn place<T: Object>(&mut self, count: u32) -> u64 {
        debug_assert!(self.kinds.len() < KINDS, "too many kinds of object for one region");
        debug_assert!(align_of::<T>() <= 128, "an object that wants more than two cache lines of alignment");
        let offset = self.length.next_multiple_of(128);
        self.kinds.push(Kind { kind: T::KIND, count, offset });
        self.length = offset + u64::from(count) * size_of::<T>() as u64;
        offset
    }

    /// Room behind the objects for `bytes` more, which get memory only when they are reserved; gives its offset.
    pub(crate) fn room(&mut self, bytes: u64) -> u64 {
        self.room = bytes;
        self.length()
    }

    pub(crate) fn create(&self) -> Result<Arc<Region>, AttachError> {
        Region::create(self)
    }

    pub(super) fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    pub(super) fn bells(&self) -> usize {
        self.bells
    }

    pub(super) fn has_sockets(&self) -> bool {
        self.sockets
    }

    pub(super) fn grows(&self) -> bool {
        self.room > 0
    }

    pub(super) fn length(&self) -> u64 {
        self.length.next_multiple_of(4096)
    }

    pub(super) fn mapped(&self) -> u64 {
        self.length() + self.room.next_multiple_of(4096)
    }
}
