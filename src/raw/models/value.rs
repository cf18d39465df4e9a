//! A value of two words in two boxes: whole at any time.

use std::sync::Arc;

use loom::thread;

use super::{AllLive, bounded};
use crate::raw::{Party, Value};
use crate::shm::Owner;
use crate::shm::atomic::AtomicU64;
use crate::wait::Bell;
use crate::wait::model::Kernel;

struct World {
    words: Vec<AtomicU64>,
    kernel: Kernel,
}

const BOXES: usize = 3;

impl World {
    fn new() -> Arc<Self> {
        let count = crate::raw::words_for(2);
        let words = (0..count.min(48 + 2 * BOXES)).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self { words, kernel: Kernel::default() })
    }

    fn raw(&self) -> Value<'_> {
        Value::with_boxes(&self.words, 2, BOXES)
    }

    fn party(&self, who: u16) -> Party<'_, AllLive> {
        Party { me: Owner::new(who, 1), alive: &AllLive, bell: Bell::new(&self.kernel) }
    }

    fn read(&self) -> u64 {
        let mut both = [0; 2];
        let _ = self.raw().read(|index, word| both[index] = word);
        assert_eq!(both[0], both[1], "parts of two values");
        both[0]
    }

    fn add(&self, who: u16, more: u64) {
        loop {
            let mut both = [0; 2];
            let seen = self.raw().read(|index, word| both[index] = word);
            if self.raw().replace(self.party(who), seen, |_| both[0] + more) {
                return;
            }
        }
    }
}

// The reader is the one that is spawned: loom looks for races from each load to the stores before it, and not back from a
// store to all loads before it.

#[test]
fn value_is_never_read_in_parts() {
    bounded(3, || {
        let world = World::new();
        let other = {
            let world = world.clone();
            thread::spawn(move || assert!(world.read() <= 3))
        };
        for number in 1..=3 {
            world.raw().set(world.party(1), |_| number);
        }
        other.join().unwrap();
        assert_eq!(world.read(), 3);
    });
}

#[test]
fn value_box_that_is_current_is_filled_by_nobody() {
    bounded(4, || {
        let world = World::new();
        let other = {
            let world = world.clone();
            // Both begin their search at the same box.
            thread::spawn(move || world.raw().set(world.party(1), |_| 2))
        };
        world.raw().set(world.party(1), |_| 1);
        assert!(world.read() > 0);
        other.join().unwrap();
        assert!(world.read() > 0);
    });
}

#[test]
fn value_loses_no_addition() {
    bounded(2, || {
        let world = World::new();
        let other = {
            let world = world.clone();
            thread::spawn(move || world.add(1, 1))
        };
        world.add(0, 2);
        other.join().unwrap();
        assert_eq!(world.read(), 3);
    });
}
