//! The readers-writer lock: the two fences between counting in and looking at the gate.

use std::sync::Arc;

use loom::thread;

use super::{AllLive, bounded};
use crate::raw::{LockWords, Party, RwLock, RwSlot, RwWords};
use crate::shm::Owner;
use crate::shm::atomic::{AtomicU32, Ordering};
use crate::wait::model::{Kernel, Thread};
use crate::wait::{Bell, blocking, never};

#[derive(Default)]
struct World {
    gate: LockWords,
    words: RwWords,
    slots: [RwSlot; 3],
    kernel: Kernel,
    /// Both are written by a writer, one after the other.
    both: [AtomicU32; 2],
}

impl World {
    fn raw(&self) -> RwLock<'_> {
        RwLock { gate: &self.gate, words: &self.words, slots: &self.slots }
    }

    fn party(&self, who: u16) -> Party<'_, AllLive> {
        Party { me: Owner::new(who, 1), alive: &AllLive, bell: Bell::new(&self.kernel) }
    }

    fn read(&self, who: u16) {
        let party = self.party(who);
        let _ = never(blocking(self.raw().read(&mut Thread, party)));
        let seen = [0, 1].map(|index: usize| self.both[index].load(Ordering::Relaxed));
        assert_eq!(seen[0], seen[1], "a reader and a writer are inside together");
        self.raw().count_out(party);
    }

    fn write(&self, who: u16) {
        let party = self.party(who);
        let _ = never(blocking(self.raw().write(&mut Thread, party)));
        for word in &self.both {
            word.store(word.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
        self.raw().open(party, false);
    }
}

#[test]
fn rwlock_a_reader_and_a_writer_are_never_inside_together() {
    bounded(2, || {
        let world = Arc::new(World::default());
        let other = {
            let world = world.clone();
            thread::spawn(move || world.write(1))
        };
        world.read(0);
        other.join().unwrap();
        world.read(0);
    });
}

#[test]
fn rwlock_two_writers_follow_each_other() {
    bounded(2, || {
        let world = Arc::new(World::default());
        let other = {
            let world = world.clone();
            thread::spawn(move || world.write(1))
        };
        world.write(0);
        other.join().unwrap();
        assert_eq!(world.both[0].load(Ordering::Relaxed), 2);
    });
}
