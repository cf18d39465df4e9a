//! Items that are lent, and queues that are joined: cases 57 to 59.
#![cfg_attr(not(feature = "tokio"), allow(dead_code, unused_imports))]

mod kit;

use std::time::Duration;

use aioprocessing::{AioEvent, AioJoinableQueue, AioLeaseQueue, AioProcess, AioQueue, AioSimpleQueue, Lease};
use kit::sides::{Side, each, start};
use kit::{Watchdog, kill};

aioprocessing::test_support!();

fn borrow(side: Side, queue: &AioLeaseQueue<u64>) -> Option<Lease<u64>> {
    let lease = match side {
        Side::Blocking => queue.get(),
        #[cfg(feature = "tokio")]
        Side::Coro => kit::runtime().block_on(queue.coro_get()),
        #[cfg(not(feature = "tokio"))]
        Side::Coro => unreachable!("not in ALL"),
    };
    match lease {
        Ok(lease) => Some(lease),
        Err(error) if error.is_closed() => None,
        Err(error) => panic!("{error}"),
    }
}

fn work_off(queue: AioLeaseQueue<u64>, side: Side) -> Vec<u64> {
    std::iter::from_fn(|| borrow(side, &queue).map(Lease::into_inner)).collect()
}

#[test]
fn lent_items_are_done_with_once_each() {
    each("lease", |side, place, _| {
        let queue = AioQueue::builder().lease(3).max_items(20).build::<u64>().unwrap();
        let workers: Vec<_> = (0..2).map(|_| start!(place, work_off, (queue, side))).collect();
        for item in 0..3000 {
            queue.put(item).unwrap();
        }
        queue.close();
        let mut all: Vec<u64> = workers.into_iter().flat_map(kit::sides::Started::join).collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..3000));
        assert!(queue.is_empty() && queue.given_up() == 0);
    });
}

#[test]
fn what_is_given_back_comes_again_with_its_count_and_ends_with_the_dead_letters() {
    each("give_back", |side, _, _| {
        let dead = AioQueue::unbounded().unwrap();
        let queue = AioQueue::builder().lease(3).build_with_dead_letters(&dead).unwrap();
        queue.put(5_u64).unwrap();
        queue.put(6).unwrap();
        for attempt in 1..=3 {
            let lease = borrow(side, &queue).unwrap();
            assert_eq!((*lease, lease.attempts()), (5, attempt));
            lease.give_back();
        }
        let next = borrow(side, &queue).unwrap();
        assert_eq!((*next, next.attempts()), (6, 1));
        assert_eq!(dead.get().unwrap(), 5);
        assert_eq!((queue.len(), queue.given_up()), (1, 1));
        assert!(next.ack());
        assert!(queue.is_empty() && queue.try_get().unwrap_err().is_empty());
    });
}

fn borrow_and_sleep(queue: AioLeaseQueue<u64>, taken: AioEvent) {
    let _lease = queue.get().unwrap();
    taken.set();
    kit::sleep_for_ever();
}

#[test]
fn what_a_killed_process_had_borrowed_comes_again() {
    each("killed", |side, _, _| {
        let queue = AioQueue::builder().lease(5).build::<u64>().unwrap();
        queue.put(1).unwrap();
        queue.put(2).unwrap();
        let taken = AioEvent::new().unwrap();
        let victim = AioProcess::spawn(borrow_and_sleep, (queue.clone(), taken.clone())).unwrap();
        taken.wait().unwrap();
        let second = borrow(side, &queue).unwrap();
        assert_eq!((*second, second.attempts()), (2, 1));
        kill(victim.pid());
        victim.join().unwrap_err();
        let first = borrow(side, &queue).unwrap();
        assert_eq!((*first, first.attempts()), (1, 2));
        assert!(first.ack() && second.ack() && queue.is_empty());
    });
}

#[test]
fn one_slow_lease_holds_nobody_up() {
    let _watchdog = Watchdog::new("slow_lease");
    let queue = AioQueue::builder().lease(2).max_items(3).build::<Vec<u8>>().unwrap();
    queue.put(vec![0; 100_000]).unwrap();
    let slow = queue.get().unwrap();
    for round in 0..2000_usize {
        queue.put(vec![1; round * 50]).unwrap();
        queue.put(vec![2; 10]).unwrap();
        assert_eq!(queue.get().unwrap().into_inner().len(), round * 50);
        assert_eq!(queue.get().unwrap().into_inner().len(), 10);
    }
    assert_eq!(queue.len(), 1);
    assert!(slow.iter().all(|&byte| byte == 0));
    assert!(slow.ack() && queue.is_empty());
}

#[test]
fn a_closed_lease_queue_waits_for_what_may_come_back() {
    let _watchdog = Watchdog::new("closed_lease");
    let queue = AioQueue::builder().lease(2).build::<u64>().unwrap();
    queue.put(7).unwrap();
    let lease = queue.get().unwrap();
    queue.close();
    let getter = std::thread::spawn({
        let queue = queue.clone();
        move || work_off(queue, Side::Blocking)
    });
    kit::until("it waits", || format!("{queue:?}").contains("waiting_getters: 1"));
    assert!(queue.join_timeout(Duration::ZERO).unwrap_err().is_timeout());
    drop(lease);
    assert_eq!(getter.join().unwrap(), [7]);
    queue.join_timeout(Duration::ZERO).unwrap();
    queue.join().unwrap();
}

/// Whoever finishes an item counts it, and whoever moves the head over it takes it off the count again.
#[test]
fn items_that_several_finish_at_once_are_counted_once_each() {
    const ITEMS: u64 = 100_000;
    let _watchdog = Watchdog::new("finished_at_once");
    for _ in 0..3 {
        let queue = AioQueue::builder().lease(3).build::<u64>().unwrap();
        (0..ITEMS).for_each(|item| queue.put(item).unwrap());
        let borrowers = [(); 3].map(|()| {
            let queue = queue.clone();
            std::thread::spawn(move || while queue.try_get().is_ok_and(Lease::ack) {})
        });
        borrowers.into_iter().for_each(|borrower| borrower.join().unwrap());
        while queue.try_get().is_ok_and(Lease::ack) {}
        queue.try_join().unwrap();
        queue.put(7).unwrap();
        assert_eq!(queue.len(), 1);
        let lent = queue.get().unwrap();
        queue.close();
        assert!(!queue.is_empty() && queue.try_join().unwrap_err().is_timeout());
        assert!(queue.get_timeout(Duration::from_millis(1)).unwrap_err().is_timeout(), "it may come back");
        drop(lent);
        assert_eq!(work_off(queue.clone(), Side::Blocking), [7]);
        queue.try_join().unwrap();
    }
}

#[test]
fn borrowers_killed_at_any_moment_lose_nothing() {
    let watchdog = Watchdog::new("borrowers_killed");
    let queue = AioQueue::builder().lease(1000).build::<u64>().unwrap();
    (0..2000).for_each(|item| queue.put(item).unwrap());
    for round in 0..30 {
        watchdog.step(format!("round {round}"));
        let taken = AioEvent::new().unwrap();
        let victim = AioProcess::spawn(borrow_for_ever, (queue.clone(), taken.clone())).unwrap();
        taken.wait().unwrap();
        std::thread::sleep(Duration::from_micros(round * 50));
        kill(victim.pid());
        victim.join().unwrap_err();
    }
    queue.close();
    let mut all = work_off(queue.clone(), Side::Blocking);
    all.sort_unstable();
    assert!(all.into_iter().eq(0..2000));
    assert_eq!(queue.given_up(), 0);
}

/// Borrows and gives back, some times, so that no item runs out of attempts.
fn borrow_for_ever(queue: AioLeaseQueue<u64>, taken: AioEvent) {
    for _ in 0..20 {
        let _held: Vec<_> = (0..3).map(|_| queue.get().unwrap()).collect();
        taken.set();
    }
    let _held = (queue.get().unwrap(), queue.get().unwrap());
    kit::sleep_for_ever();
}

fn finish(queue: AioJoinableQueue<u64>, side: Side) {
    loop {
        let got = match side {
            Side::Blocking => queue.get(),
            #[cfg(feature = "tokio")]
            Side::Coro => kit::runtime().block_on(queue.coro_get()),
            #[cfg(not(feature = "tokio"))]
            Side::Coro => unreachable!("not in ALL"),
        };
        if got.is_err() {
            return;
        }
        queue.task_done().unwrap();
    }
}

#[test]
fn case_57_join_ends_with_the_last_task_done() {
    each("case_57", |side, place, _| {
        let queue = AioJoinableQueue::unbounded().unwrap();
        queue.join().unwrap();
        assert!(queue.task_done().is_err(), "too many");
        let workers: Vec<_> = (0..2).map(|_| start!(place, finish, (queue, side))).collect();
        for round in 1..20_u64 {
            for item in 0..round * 10 {
                queue.put(item).unwrap();
            }
            match side {
                Side::Blocking => queue.join().unwrap(),
                #[cfg(feature = "tokio")]
                Side::Coro => kit::runtime().block_on(queue.coro_join()).unwrap(),
                #[cfg(not(feature = "tokio"))]
                Side::Coro => unreachable!("not in ALL"),
            }
            assert!(queue.is_empty() && queue.unfinished() == 0);
        }
        queue.put(1).unwrap();
        queue.close();
        for worker in workers {
            worker.join();
        }
        queue.join().unwrap();
        assert!(queue.task_done().is_err(), "too many");
    });
}

fn take_and_sleep(queue: AioJoinableQueue<u64>, taken: AioEvent) {
    queue.get().unwrap();
    taken.set();
    kit::sleep_for_ever();
}

#[test]
fn case_58_a_worker_killed_before_task_done_is_reported() {
    each("case_58", |side, _, _| {
        let queue = AioJoinableQueue::bounded(5).unwrap();
        queue.put(1).unwrap();
        let taken = AioEvent::new().unwrap();
        let victim = AioProcess::spawn(take_and_sleep, (queue.clone(), taken.clone())).unwrap();
        taken.wait().unwrap();
        assert!(queue.join_timeout(Duration::from_millis(20)).unwrap_err().is_timeout());
        let joiner = std::thread::spawn({
            let queue = queue.clone();
            move || match side {
                Side::Blocking => queue.join(),
                #[cfg(feature = "tokio")]
                Side::Coro => kit::runtime().block_on(queue.coro_join()),
                #[cfg(not(feature = "tokio"))]
                Side::Coro => unreachable!("not in ALL"),
            }
        });
        kill(victim.pid());
        victim.join().unwrap_err();
        assert!(joiner.join().unwrap().unwrap_err().is_worker_lost());
    });
}

#[test]
fn case_59_a_simple_queue_in_several_processes() {
    fn child(queue: AioSimpleQueue<u64>, reply: AioSimpleQueue<bool>) {
        reply.put(queue.empty()).unwrap();
        queue.put(3).unwrap();
        reply.put(queue.empty()).unwrap();
    }
    each("case_59", |_, place, _| {
        let (queue, reply) = (AioSimpleQueue::new().unwrap(), AioSimpleQueue::new().unwrap());
        start!(place, child, (queue, reply)).join();
        assert!(reply.get().unwrap() && !reply.get().unwrap() && !queue.empty());
        assert_eq!(queue.get().unwrap(), 3);
    });
}

#[test]
fn a_handle_of_another_kind_is_refused() {
    let _watchdog = Watchdog::new("another_kind");
    let lease = AioQueue::builder().lease(2).build::<u64>().unwrap();
    let carrier = AioQueue::unbounded().unwrap();
    carrier.put((1_u8, lease)).unwrap();
    // Sent on by one who takes it for what it is not.
    let (_, lease) = carrier.get().unwrap();
    let disguised = Disguised(lease);
    let other = AioQueue::<Disguised>::unbounded().unwrap();
    assert!(matches!(other.put(disguised), Ok(())));
    match other.get() {
        Err(aioprocessing::GetError::Decode { .. }) => {}

        other => panic!("{:?}", other.map(|_| ())),
    }
}

/// Written as a lease queue and read as a plain one.
struct Disguised(AioLeaseQueue<u64>);

impl serde::Serialize for Disguised {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Disguised {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let _: (AioQueue<u64>, Option<AioQueue<u64>>) = serde::Deserialize::deserialize(deserializer)?;
        unreachable!("it is no plain queue")
    }
}
