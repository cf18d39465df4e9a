//! The semaphore: its inner lock and its waiters are two queues.

use std::sync::Arc;

use loom::thread;

use super::{AllLive, bounded};
use crate::raw::{Party, Semaphore, SemaphoreSlot, SemaphoreWords};
use crate::shm::Owner;
use crate::shm::atomic::{AtomicU32, Ordering};
use crate::wait::model::{Impatient, Kernel, Task, Thread};
use crate::wait::{Bell, blocking, never};

#[derive(Default)]
struct World {
    words: SemaphoreWords,
    slots: [SemaphoreSlot; 3],
    kernel: Kernel,
    inside: AtomicU32,
}

impl World {
    fn new(permits: u32) -> Arc<Self> {
        let world = Arc::new(Self::default());
        world.raw().begin(permits, 10);
        world
    }

    fn raw(&self) -> Semaphore<'_> {
        Semaphore { words: &self.words, slots: &self.slots }
    }

    fn party(&self, who: u16) -> Party<'_, AllLive> {
        Party { me: Owner::new(who, 1), alive: &AllLive, bell: Bell::new(&self.kernel) }
    }

    /// Inside with one permit of one: alone.
    fn go_in_and_out(&self, who: u16) {
        assert_eq!(self.inside.fetch_add(1, Ordering::Relaxed), 0);
        self.inside.fetch_sub(1, Ordering::Relaxed);
        self.raw().give_back(self.party(who), 1);
    }
}

#[test]
fn semaphore_one_permit_is_held_by_one_and_goes_round() {
    bounded(2, || {
        let world = World::new(1);
        let other = {
            let world = world.clone();
            thread::spawn(move || {
                never(blocking(world.raw().acquire(&mut Thread, world.party(1), 1)));
                world.go_in_and_out(1);
            })
        };
        never(blocking(world.raw().acquire(&mut Thread, world.party(0), 1)));
        world.go_in_and_out(0);
        other.join().unwrap();
        assert_eq!(world.raw().permits(world.party(0)), 1);
    });
}

#[test]
fn semaphore_a_release_wakes_a_task_and_a_permit_a_thread() {
    bounded(2, || {
        let world = World::new(0);
        let other = {
            let world = world.clone();
            thread::spawn(move || {
                never(loom::future::block_on(world.raw().acquire(&mut Task, world.party(1), 1)));
                world.go_in_and_out(1);
            })
        };
        world.raw().release(world.party(0), 1).unwrap();
        never(blocking(world.raw().acquire(&mut Thread, world.party(0), 1)));
        world.go_in_and_out(0);
        other.join().unwrap();
    });
}

#[test]
fn semaphore_passes_on_a_wake_up_that_came_too_late() {
    bounded(2, || {
        let world = World::new(0);
        let others: Vec<_> = [true, false]
            .into_iter()
            .enumerate()
            .map(|(who, is_patient)| {
                let world = world.clone();
                thread::spawn(move || {
                    let party = world.party(who as u16 + 1);
                    if is_patient {
                        never(blocking(world.raw().acquire(&mut Thread, party, 1)));
                        world.raw().give_back(party, 1);
                    } else if blocking(world.raw().acquire(&mut Impatient, party, 1)).is_ok() {
                        world.raw().give_back(party, 1);
                    }
                })
            })
            .collect();
        world.raw().release(world.party(0), 1).unwrap();
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(world.raw().permits(world.party(0)), 1);
    });
}
