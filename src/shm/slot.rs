//! A process's place in a region.
//!
//! Holding slot `i` means holding the write lock on byte `i` of the memfd through an open file description that no
//! other process has. The kernel frees the byte when the holder dies or calls exec, whatever it was doing, so taking
//! the byte *is* claiming the slot, and a kill in the middle of a claim leaves nothing. The record beside it only tells
//! others who it is.

use std::io;
use std::os::fd::AsFd;

use super::atomic::{AtomicU32, AtomicU64, Ordering};
use super::owner::Owner;
use super::shared::shared;
use crate::sys::identity::{self, Identity, Life};
use crate::sys::ofd;

const NAME_WORDS: usize = 8;

shared! {
    /// One slot. Written only by the process that holds its byte.
    pub(crate) struct Slot[128] {
        /// One more with every claim; what is written in owner words.
        generation: AtomicU32,
        /// [`FREE`], [`ATTACHED`] or [`DEAD`].
        state: AtomicU32,
        pid: AtomicU32,
        name_length: AtomicU32,
        inode: AtomicU64,
        started: AtomicU64,
        namespace: AtomicU64,
        build: AtomicU64,
        name: [AtomicU64; NAME_WORDS],
        reserved: [AtomicU64; 2],
    }
}

/// Nobody holds it, or its holder is only just writing the record.
const FREE: u32 = 0;
/// Its holder has written who it is, and has neither left nor been found dead.
const ATTACHED: u32 = 1;
/// Its holder died; whoever changed `ATTACHED` to this told everybody.
const DEAD: u32 = 2;

/// What the record says of its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tenant {
    pub(crate) pid: u32,
    pub(crate) name: String,
    /// Zero if unknown: positions in the image mean nothing then.
    pub(crate) build: u64,
}

impl Slot {
    fn write(&self, who: &Identity, name: &str, build: u64) -> u32 {
        let generation = Owner::generation_after(self.generation.load(Ordering::Relaxed));
        self.state.store(FREE, Ordering::Relaxed);
        self.generation.store(generation, Ordering::Release);
        self.pid.store(who.pid, Ordering::Relaxed);
        self.inode.store(who.inode, Ordering::Relaxed);
        self.started.store(who.started, Ordering::Relaxed);
        self.namespace.store(who.namespace, Ordering::Relaxed);
        self.build.store(build, Ordering::Relaxed);
        let text = &name.as_bytes()[..name.floor_char_boundary(NAME_WORDS * 8)];
        for (word, bytes) in self.name.iter().zip(text.chunks(8)) {
            let mut full = [0; 8];
            full[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_ne_bytes(full), Ordering::Relaxed);
        }
        self.name_length.store(u32::try_from(text.len()).unwrap_or(0), Ordering::Relaxed);
        // Pairs with the Acquire loads of `state`: who sees ATTACHED sees the record.
        self.state.store(ATTACHED, Ordering::Release);
        generation
    }

    fn identity(&self) -> Identity {
        Identity {
            pid: self.pid.load(Ordering::Relaxed),
            inode: self.inode.load(Ordering::Relaxed),
            started: self.started.load(Ordering::Relaxed),
            namespace: self.namespace.load(Ordering::Relaxed),
        }
    }

    /// Who holds it in this generation. Another generation is somebody else.
    pub(crate) fn tenant(&self, generation: u32) -> Option<Tenant> {
        let state = self.state.load(Ordering::Acquire);
        let bytes: Vec<u8> =
            self.name.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).collect();
        let length = usize::try_from(self.name_length.load(Ordering::Relaxed)).unwrap_or(0).min(bytes.len());
        let tenant = Tenant {
            pid: self.pid.load(Ordering::Relaxed),
            name: String::from_utf8_lossy(&bytes[..length]).into_owned(),
            build: self.build.load(Ordering::Relaxed),
        };
        (state != FREE && self.generation.load(Ordering::Acquire) == generation).then_some(tenant)
    }

    pub(crate) fn is_attached(&self) -> bool {
        self.state.load(Ordering::Acquire) == ATTACHED
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether the holder with this generation lives. `fd` is the asker's own description, which must not be the one
    /// that holds the byte.
    pub(crate) fn is_alive(&self, fd: impl AsFd, slot: u16, generation: u32) -> bool {
        if self.generation() != generation || !self.is_attached() {
            return false;
        }
        if !ofd::is_locked_by_another(fd, u64::from(slot)).unwrap_or(true) {
            return false;
        }
        // The byte is held. A process that was forked from the holder may hold the description still.
        let ended = identity::life(&self.identity()) == Life::Ended;
        !ended || self.generation() != generation
    }

    /// Notes a death; true for the one that noted it first.
    pub(crate) fn bury(&self, generation: u32) -> bool {
        self.generation() == generation
            && self.state.compare_exchange(ATTACHED, DEAD, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Leaves in order: nobody need be told.
    pub(crate) fn leave(&self) {
        self.state.store(FREE, Ordering::Release);
    }
}

impl Slot {
    /// Takes this slot for the calling process through `fd`, its own description. `None`: another process holds it.
    pub(crate) fn claim(
        &self,
        fd: impl AsFd,
        slot: u16,
        name: &str,
        build: u64,
    ) -> io::Result<Option<Owner>> {
        if !ofd::try_lock(fd, u64::from(slot))? {
            return Ok(None);
        }
        Ok(Some(Owner::new(slot, self.write(&identity::own(), name, build))))
    }
}
