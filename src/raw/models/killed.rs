//! A victim that is killed before each of its accesses to shared memory in turn, and others who must go on.
//!
//! One model for each access: loom takes the survivors through every interleaving with what the victim did before it.

use std::sync::Arc;

use loom::thread;

use super::bounded;
use crate::raw::{Acquired, EventWords, LockWords, Party, Semaphore, SemaphoreSlot, SemaphoreWords};
use crate::shm::atomic::{AtomicU32, Ordering};
use crate::shm::mortal::die_before;
use crate::shm::{Alive, Owner};
use crate::wait::model::{Kernel, Task, Thread};
use crate::wait::{Bell, blocking, never};

/// The slot of the victim.
pub(in crate::raw) const VICTIM: u16 = 2;

impl Alive for Kernel {
    fn is_alive(&self, owner: Owner) -> bool {
        owner != Owner::new(VICTIM, 1) || self.deaths() == 0
    }
}

#[derive(Default)]
struct World {
    lock: LockWords,
    event: EventWords,
    semaphore: SemaphoreWords,
    slots: [SemaphoreSlot; 3],
    kernel: Kernel,
    inside: AtomicU32,
}

/// What a model is about, with a kernel that is told of the death.
pub(in crate::raw) trait Scene: Default + Send + Sync + 'static {
    fn kernel(&self) -> &Kernel;

    fn party(&self, who: u16) -> Party<'_, Kernel> {
        Party { me: Owner::new(who, 1), alive: self.kernel(), bell: Bell::new(self.kernel()) }
    }
}

impl Scene for World {
    fn kernel(&self) -> &Kernel {
        &self.kernel
    }
}

impl World {
    fn semaphore(&self) -> Semaphore<'_> {
        Semaphore { words: &self.semaphore, slots: &self.slots }
    }

    /// Alone; a dead one inside does not count.
    fn be_alone(&self) {
        assert_eq!(self.inside.fetch_add(1, Ordering::Relaxed), 0, "two at once");
        self.inside.fetch_sub(1, Ordering::Relaxed);
    }

    fn lock_and_release(&self, who: u16) -> Acquired {
        let taken = never(blocking(self.lock.acquire(&mut Thread, self.party(who))));
        self.be_alone();
        assert!(self.lock.release(self.party(who), false));
        taken
    }
}

/// With a victim in a thread of its own that dies before its first access, before its second, and so on until it gets
/// through. `survivors` go on beside it, and `at_the_end`, when it has ended: with whether it died.
pub(in crate::raw) fn at_each_access<S: Scene, T: 'static>(
    preemptions: usize,
    setup: impl Fn(&S) + Send + Sync + 'static,
    victim: impl Fn(&S) + Send + Sync + Clone + 'static,
    survivors: impl Fn(&Arc<S>) -> T + Send + Sync + 'static,
    at_the_end: impl Fn(&S, T, bool) + Send + Sync + 'static,
) {
    let (setup, survivors, at_the_end) = (Arc::new(setup), Arc::new(survivors), Arc::new(at_the_end));
    for access in 0.. {
        let got_through = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let (setup, survivors, at_the_end) = (setup.clone(), survivors.clone(), at_the_end.clone());
        let (victim, seen) = (victim.clone(), got_through.clone());
        bounded(preemptions, move || {
            let world = Arc::new(S::default());
            setup(&world);
            let other = {
                let (world, victim, seen) = (world.clone(), victim.clone(), seen.clone());
                thread::spawn(move || {
                    let died = die_before(access, || victim(&world)).is_none();
                    if died {
                        seen.store(false, std::sync::atomic::Ordering::Relaxed);
                        world.kernel().died();
                    }
                    died
                })
            };
            let beside = survivors(&world);
            at_the_end(&world, beside, other.join().unwrap());
        });
        if got_through.load(std::sync::atomic::Ordering::Relaxed) {
            assert!(access > 2, "the victim did nothing");
            return;
        }
    }
}

#[test]
fn killed_with_a_lock_or_waiting_for_it() {
    at_each_access(
        2,
        |_: &World| (),
        |world| {
            let taken = never(blocking(world.lock.acquire(&mut Thread, world.party(VICTIM))));
            assert_eq!(taken, Acquired::Clean);
            assert!(world.lock.release(world.party(VICTIM), false));
        },
        |world| {
            let other = {
                let world = world.clone();
                thread::spawn(move || world.lock_and_release(1))
            };
            let told = [world.lock_and_release(0), other.join().unwrap()];
            let deaths = told.iter().filter(|taken| matches!(taken, Acquired::OwnerDied(_))).count();
            assert!(deaths <= 1, "both were told of one death");
        },
        |_, (), _| (),
    );
}

/// Whoever dies listed stays listed, and may have taken a wake-up with it. Later ones must still be woken: nobody dies then,
/// so no sleep ends by itself.
#[test]
fn killed_in_a_wait_queue() {
    at_each_access(
        2,
        |world: &World| {
            let taken = never(blocking(world.lock.acquire(&mut Thread, world.party(0))));
            assert_eq!(taken, Acquired::Clean);
        },
        |world| {
            let _ = never(blocking(world.lock.acquire(&mut Thread, world.party(VICTIM))));
            assert!(world.lock.release(world.party(VICTIM), false));
        },
        |world| {
            assert!(world.lock.release(world.party(0), false));
            let _ = world.lock_and_release(0);
            let other = {
                let world = world.clone();
                thread::spawn(move || world.lock_and_release(1))
            };
            let _ = world.lock_and_release(0);
            let _ = other.join().unwrap();
        },
        |_, (), _| (),
    );
}

/// It has set the event or it has not; who waited before it goes on if it has.
#[test]
fn killed_while_it_sets_an_event() {
    at_each_access(
        2,
        |_: &World| (),
        |world| {
            let has_begun = world.event.waiters() > 0;
            world.event.set(world.party(VICTIM));
            world.event.clear();
            world.inside.store(u32::from(has_begun), Ordering::Relaxed);
        },
        |world| {
            let world = world.clone();
            thread::spawn(move || {
                never(loom::future::block_on(world.event.wait(&mut Task, world.party(1))));
            })
        },
        |world, waiter, died| {
            if died || world.inside.load(Ordering::Relaxed) == 0 {
                world.event.set(world.party(0));
            }
            waiter.join().unwrap();
        },
    );
}

/// Its permits come back, whether it had taken them, waited for them or was giving them back.
#[test]
fn killed_with_a_permit() {
    at_each_access(
        1,
        |world: &World| world.semaphore().begin(1, 10),
        |world| {
            never(blocking(world.semaphore().acquire(&mut Thread, world.party(VICTIM), 1)));
            world.semaphore().give_back(world.party(VICTIM), 1);
        },
        |world| {
            never(blocking(world.semaphore().acquire(&mut Thread, world.party(0), 1)));
            world.be_alone();
            world.semaphore().give_back(world.party(0), 1);
        },
        |world, (), _| assert_eq!(world.semaphore().permits(world.party(0)), 1),
    );
}
