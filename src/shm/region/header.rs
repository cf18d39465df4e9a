//! What stands at fixed places in every region.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;

use super::AttachError;
use crate::shm::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::shm::owner::SLOTS;
use crate::shm::plan::Plan;
use crate::shm::shared;
use crate::shm::slot::Slot;
use crate::sys::map::Map;

const MAGIC: u64 = u64::from_ne_bytes(*b"aioprcs\0");
/// Changes with every change of anything that stands in a region.
pub(super) const LAYOUT: u64 = 1;
const READY: u32 = 0x1EAD;

pub(super) const SLOTS_AT: u64 = 256;

/// Where objects begin: the first page after the slots.
pub(in crate::shm) const OBJECTS_AT: u64 = (SLOTS_AT + 128 * SLOTS as u64).next_multiple_of(4096);
pub(in crate::shm) const KINDS: usize = 12;

shared! {
    /// The first bytes of every region. Written once, but for `slots_used` and `deaths`.
    pub(super) struct Header[256] {
        magic: AtomicU64,
        layout: AtomicU64,
        /// How far a process maps, in bytes; the file may be shorter.
        length: AtomicU64,
        pub(super) bells: AtomicU32,
        pub(super) kinds: AtomicU32,
        /// One more than the highest slot ever claimed: a hint for looking around.
        pub(super) slots_used: AtomicU32,
        /// Changes when a death is noticed. A hint: it tells waiters to look again.
        pub(super) deaths: AtomicU32,
        ready: AtomicU32,
        /// How many sockets travel with it, behind the bells.
        sockets: AtomicU32,
        reserved: [AtomicU32; 4],
        pub(super) directory: [Entry; KINDS],
    }

    /// `count` objects of one kind, one behind the other.
    pub(super) struct Entry[16] {
        pub(super) kind: AtomicU32,
        pub(super) count: AtomicU32,
        pub(super) offset: AtomicU64,
    }
}

impl Header {
    pub(super) fn at(map: &Map) -> &Self {
        // SAFETY: every map of a region is at least `OBJECTS_AT` long, so the header lies in it, and it is valid whatever it
        // holds.
        unsafe { map.base().cast::<Self>().as_ref() }
    }

    /// Once, before anybody else sees it.
    pub(super) fn write(&self, plan: &Plan, bells: usize, sockets: usize) {
        self.magic.store(MAGIC, Ordering::Relaxed);
        self.layout.store(LAYOUT, Ordering::Relaxed);
        self.length.store(plan.mapped(), Ordering::Relaxed);
        self.bells.store(u32::try_from(bells).unwrap_or(0), Ordering::Relaxed);
        self.sockets.store(u32::try_from(sockets).unwrap_or(0), Ordering::Relaxed);
        self.kinds.store(u32::try_from(plan.kinds().len()).unwrap_or(0), Ordering::Relaxed);
        for (entry, kind) in self.directory.iter().zip(plan.kinds()) {
            entry.kind.store(kind.kind, Ordering::Relaxed);
            entry.count.store(kind.count, Ordering::Relaxed);
            entry.offset.store(kind.offset, Ordering::Relaxed);
        }
        self.ready.store(READY, Ordering::Release);
    }

    /// One more than the highest slot ever claimed. Behind it, the file may have no memory.
    pub(super) fn used(&self) -> u16 {
        u16::try_from(self.slots_used.load(Ordering::Acquire)).unwrap_or(SLOTS).min(SLOTS)
    }

    /// Reads a header without mapping it: the file may be anything still. How far to map, how many bells and sockets.
    pub(super) fn check(fd: &OwnedFd) -> Result<(u64, usize, usize), AttachError> {
        let mut bytes = [0; size_of::<Self>()];
        if rustix::io::pread(fd, &mut bytes, 0).map_err(io::Error::from)? != bytes.len() {
            return Err(AttachError::NotARegion("no header"));
        }
        let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap_or_default());
        let half = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap_or_default());
        if word(0) != MAGIC || half(std::mem::offset_of!(Self, ready)) != READY {
            return Err(AttachError::NotARegion("no magic number"));
        }
        if word(8) != LAYOUT {
            return Err(AttachError::OtherLayout { theirs: word(8) });
        }
        let count = |at: usize| usize::try_from(half(at)).unwrap_or(usize::MAX);
        let bells = count(std::mem::offset_of!(Self, bells));
        Ok((word(std::mem::offset_of!(Self, length)), bells, count(std::mem::offset_of!(Self, sockets))))
    }
}

pub(super) fn slot_at(map: &Map, index: u16) -> &Slot {
    // SAFETY: the index is cut to below `SLOTS` here, and all slots lie before `OBJECTS_AT`, which every map of a region
    // covers.
    let address = unsafe { map.base().add(SLOTS_AT as usize + usize::from(index.min(SLOTS - 1)) * 128) };
    // SAFETY: in the mapping and aligned as said above; any bytes are a valid `Slot`.
    unsafe { address.cast::<Slot>().as_ref() }
}
