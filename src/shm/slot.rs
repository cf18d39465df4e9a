//! A process's place in a region.
//!
//! Holding slot `i` means holding the write lock on byte `i` of the memfd through an open file description that no
//! other process has. The kernel frees the byte when the holder dies or calls exec, whatever it was doing, so taking
//! the byte *is* claiming the slot, and a kill in the middle of a claim leaves nothing. The record beside it only tells
//! others who it is.

use std::io;
use std::os::fd::AsFd;

use super::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use super::owner::{GENERATION_BITS, GENERATION_MASK, Owner};
use super::shared::shared;
use crate::sys::identity::{self, Identity, Life};
use crate::sys::ofd;

const NAME_WORDS: usize = 8;

shared! {
    /// One slot. Written only by the process that holds its byte.
    pub(crate) struct Slot[128] {
        /// See [`Tenure`].
        tenure: AtomicU32,
        spare: AtomicU32,
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

/// Who is meant, and how that one fares. One word, so that the death of a holder can't be written down for the next.
///
/// | bits | meaning |
/// | --- | --- |
/// | 0–19 | generation: one more with every claim; what is written in owner words |
/// | 20–21 | [`FREE`], [`ATTACHED`] or [`DEAD`] |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tenure(u32);

/// Nobody holds it, or its holder is only just writing the record.
const FREE: u32 = 0;
/// Its holder has written who it is, and has neither left nor been found dead.
const ATTACHED: u32 = 1 << GENERATION_BITS;
/// Its holder died; whoever changed `ATTACHED` to this told everybody.
const DEAD: u32 = 2 << GENERATION_BITS;
const STATES: u32 = 3 << GENERATION_BITS;

impl Tenure {
    fn new(generation: u32, state: u32) -> Self {
        Self(generation & GENERATION_MASK | state)
    }

    fn generation(self) -> u32 {
        self.0 & GENERATION_MASK
    }

    fn state(self) -> u32 {
        self.0 & STATES
    }
}

/// What the record says of its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tenant {
    pub(crate) pid: u32,
    pub(crate) name: String,
    /// Zero if unknown: positions in the image mean nothing then.
    pub(crate) build: u64,
}

impl Slot {
    fn tenure(&self) -> Tenure {
        Tenure(self.tenure.load(Ordering::Acquire))
    }

    /// Gives the generation, and whether the last holder died and nobody had noticed.
    fn write(&self, who: &Identity, name: &str, build: u64) -> (u32, bool) {
        let generation = Owner::generation_after(self.tenure().generation());
        let last = Tenure(self.tenure.swap(Tenure::new(generation, FREE).0, Ordering::AcqRel));
        // Pairs with the fences of those who read the record: who sees any of it sees that the last tenure is over.
        fence(Ordering::Release);
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
        // Pairs with the Acquire of `tenure`: who sees ATTACHED sees the record.
        self.tenure.store(Tenure::new(generation, ATTACHED).0, Ordering::Release);
        (generation, last.state() == ATTACHED)
    }

    fn identity(&self) -> Identity {
        Identity {
            pid: self.pid.load(Ordering::Relaxed),
            inode: self.inode.load(Ordering::Relaxed),
            started: self.started.load(Ordering::Relaxed),
            namespace: self.namespace.load(Ordering::Relaxed),
        }
    }

    /// Of who took it last; zero: nobody ever did.
    pub(crate) fn generation(&self) -> u32 {
        self.tenure().generation()
    }

    /// Who holds it in this generation. Another generation is somebody else.
    pub(crate) fn tenant(&self, generation: u32) -> Option<Tenant> {
        let before = self.tenure();
        let bytes: Vec<u8> =
            self.name.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).collect();
        let length = usize::try_from(self.name_length.load(Ordering::Relaxed)).unwrap_or(0).min(bytes.len());
        let tenant = Tenant {
            pid: self.pid.load(Ordering::Relaxed),
            name: String::from_utf8_lossy(&bytes[..length]).into_owned(),
            build: self.build.load(Ordering::Relaxed),
        };
        fence(Ordering::Acquire);
        let is_it = |tenure: Tenure| tenure.state() != FREE && tenure.generation() == generation;
        (is_it(before) && is_it(self.tenure())).then_some(tenant)
    }

    /// The generation of its holder, if there is one that has not been found dead.
    pub(crate) fn attached(&self) -> Option<u32> {
        let tenure = self.tenure();
        (tenure.state() == ATTACHED).then_some(tenure.generation())
    }

    /// Whether the holder with this generation lives. `fd` is the asker's own description, which must not be the one
    /// that holds the byte.
    pub(crate) fn is_alive(&self, fd: impl AsFd, slot: u16, generation: u32) -> bool {
        if self.attached() != Some(generation) {
            return false;
        }
        if !ofd::is_locked_by_another(fd, u64::from(slot)).unwrap_or(true) {
            return false;
        }
        // The byte is held. A process that was forked from the holder may hold the description still.
        let who = self.identity();
        fence(Ordering::Acquire);
        self.attached() == Some(generation) && identity::life(&who) != Life::Ended
    }

    /// Notes a death; true for the one that noted it first.
    pub(crate) fn bury(&self, generation: u32) -> bool {
        let (from, to) = (Tenure::new(generation, ATTACHED), Tenure::new(generation, DEAD));
        self.tenure.compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Leaves in order: nobody need be told.
    pub(crate) fn leave(&self) {
        self.tenure.fetch_and(!STATES, Ordering::Release);
    }
}

impl Slot {
    /// Takes this slot for the calling process through `fd`, its own description. `None`: another process holds it. True
    /// beside the owner: the last holder died, and nobody has been told.
    pub(crate) fn claim(
        &self,
        fd: impl AsFd,
        slot: u16,
        name: &str,
        build: u64,
    ) -> io::Result<Option<(Owner, bool)>> {
        if !ofd::try_lock(fd, u64::from(slot))? {
            return Ok(None);
        }
        let (generation, died) = self.write(&identity::own(), name, build);
        Ok(Some((Owner::new(slot, generation), died)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_that_died_unseen_is_told_of_by_the_next() {
        let slot = Slot::default();
        let (first, died) = slot.write(&Identity::default(), "first", 0);
        assert!(!died);
        let (second, died) = slot.write(&Identity::default(), "second", 0);
        assert!(died, "it has not left, and nobody has buried it");
        assert!(!slot.bury(first), "a death that was looked for in the last tenure is none of this one");
        assert_eq!(slot.attached(), Some(second));
        assert!(slot.bury(second));
        assert!(!slot.write(&Identity::default(), "third", 0).1, "who buried it has told");
        slot.leave();
        assert!(!slot.write(&Identity::default(), "fourth", 0).1);
    }

    #[test]
    fn generations_that_a_peer_scribbled_wrap() {
        let slot = Slot::default();
        slot.tenure.store(u32::MAX, Ordering::Relaxed);
        assert_eq!(slot.write(&Identity::default(), "", 0), (1, false));
        slot.pid.store(u32::MAX, Ordering::Relaxed);
        slot.namespace.store(identity::own().namespace, Ordering::Relaxed);
        assert_eq!(identity::life(&slot.identity()), Life::Ended);
    }
}
