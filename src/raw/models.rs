//! Models of the state machines: every interleaving that loom finds, with threads and tasks as waiters.
//!
//! `ci/loom.sh` runs them as they are, and once for each planted bug that they must catch.

pub(in crate::raw) mod killed;
mod rwlock;
mod semaphore;
mod value;

use std::sync::Arc;

use loom::thread;

use super::{Acquired, EventWords, LockWords, Party};
use crate::shm::atomic::{AtomicU32, Ordering};
use crate::shm::{Alive, Owner};
use crate::wait::model::{Impatient, Kernel, Task, Thread};
use crate::wait::{Bell, blocking, never};

struct AllLive;

impl Alive for AllLive {
    fn is_alive(&self, _: Owner) -> bool {
        true
    }
}

struct World<T> {
    words: T,
    kernel: Kernel,
    /// Counted up in two steps, as data under a lock may be.
    count: AtomicU32,
}

impl<T: Default> World<T> {
    fn new() -> Arc<Self> {
        Arc::new(Self { words: T::default(), kernel: Kernel::default(), count: AtomicU32::new(0) })
    }

    fn party(&self, who: u16) -> Party<'_, AllLive> {
        Party { me: Owner::new(who, 1), alive: &AllLive, bell: Bell::new(&self.kernel) }
    }
}

/// At most three threads are preempted; `LOOM_MAX_PREEMPTIONS` asks for more.
fn model(body: impl Fn() + Sync + Send + 'static) {
    bounded(3, body);
}

pub(in crate::raw) fn bounded(preemptions: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.check(body);
}

fn count_up(world: &World<LockWords>) {
    world.count.store(world.count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

fn lock_by_thread(world: &World<LockWords>, who: u16) {
    let taken = never(blocking(world.words.acquire(&mut Thread, world.party(who))));
    assert_eq!(taken, Acquired::Clean);
    count_up(world);
    assert!(world.words.release(world.party(who), false));
}

fn lock_by_task(world: &World<LockWords>, who: u16) {
    let taken = never(loom::future::block_on(world.words.acquire(&mut Task, world.party(who))));
    assert_eq!(taken, Acquired::Clean);
    count_up(world);
    assert!(world.words.release(world.party(who), false));
}

#[test]
fn lock_threads_exclude_each_other_and_none_is_forgotten() {
    model(|| {
        let world = World::<LockWords>::new();
        let others: Vec<_> = (1..3)
            .map(|who| {
                let world = world.clone();
                thread::spawn(move || lock_by_thread(&world, who))
            })
            .collect();
        lock_by_thread(&world, 0);
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(world.count.load(Ordering::Relaxed), 3);
    });
}

#[test]
fn lock_a_task_and_a_thread_wake_each_other() {
    model(|| {
        let world = World::<LockWords>::new();
        let other = {
            let world = world.clone();
            thread::spawn(move || lock_by_task(&world, 1))
        };
        lock_by_thread(&world, 0);
        other.join().unwrap();
        assert_eq!(world.count.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn lock_passes_on_a_wake_up_that_came_too_late() {
    bounded(2, || {
        let world = World::<LockWords>::new();
        let taken = never(blocking(world.words.acquire(&mut Thread, world.party(0))));
        assert_eq!(taken, Acquired::Clean);
        let impatient = {
            let world = world.clone();
            thread::spawn(move || {
                if blocking(world.words.acquire(&mut Impatient, world.party(1))).is_ok() {
                    assert!(world.words.release(world.party(1), false));
                }
            })
        };
        let patient = {
            let world = world.clone();
            thread::spawn(move || lock_by_thread(&world, 2))
        };
        assert!(world.words.release(world.party(0), false));
        impatient.join().unwrap();
        patient.join().unwrap();
    });
}

#[test]
fn event_set_wakes_a_thread() {
    model(|| {
        let world = World::<EventWords>::new();
        let waiter = {
            let world = world.clone();
            thread::spawn(move || never(blocking(world.words.wait(&mut Thread, world.party(1)))))
        };
        world.words.set(world.party(0));
        waiter.join().unwrap();
    });
}

#[test]
fn event_set_wakes_two_tasks_of_one_process() {
    bounded(2, || {
        let world = World::<EventWords>::new();
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let world = world.clone();
                thread::spawn(move || {
                    never(loom::future::block_on(world.words.wait(&mut Task, world.party(1))))
                })
            })
            .collect();
        world.words.set(world.party(0));
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    });
}

#[test]
fn event_set_and_cleared_at_once_wakes_who_waited_before() {
    model(|| {
        let world = World::<EventWords>::new();
        let waiter = {
            let world = world.clone();
            thread::spawn(move || never(blocking(world.words.wait(&mut Thread, world.party(1)))))
        };
        let has_begun = world.words.waiters() > 0;
        world.words.set(world.party(0));
        if has_begun {
            world.words.clear();
        }
        waiter.join().unwrap();
    });
}
