//! Re-entrant locks, semaphores, barriers and joinable queues of managers: cases 155, 159 and 161, in both faces, locally and over TCP.

mod kit;

use std::time::Duration;

use aioprocessing::{
    Address, AioEvent, AioManagedBarrier, AioManagedJoinableQueue, AioManagedRLock, AioManagedSemaphore,
    AioManagedValue, AioManager, AioProcess, AioValue, ProxyError, ProxyTimeoutError,
};
use kit::Watchdog;
use kit::either::either;
use kit::sides::{Side, each, start};
use rustix::process::Signal;

aioprocessing::test_support!();

/// Longer than anything takes that is not forgotten.
const PATIENCE: Duration = Duration::from_secs(20);
const MOMENT: Duration = Duration::from_millis(10);

/// A manager that is reached by a local socket, and one by TCP.
fn managers() -> [AioManager; 2] {
    let start = |address: Address| AioManager::builder().address(address).authkey(b"key").start().unwrap();
    [Address::private().unwrap(), "tcp:127.0.0.1:0".parse().unwrap()].map(start)
}

fn add(side: Side, manager: AioManager) {
    let lock: AioManagedRLock = manager.get("lock").unwrap();
    let value: AioManagedValue<u64> = manager.get("value").unwrap();
    for _ in 0..20 {
        let outer = either!(side, lock.acquire(), lock.coro_acquire()).unwrap();
        let _inner = either!(side, lock.acquire(), lock.coro_acquire()).unwrap();
        drop(outer);
        // Two steps, which are one under the lock.
        let seen = value.get().unwrap();
        value.set(&(seen + 1)).unwrap();
    }
}

#[test]
fn case_155_a_lock_that_is_acquired_again() {
    each("case_155_a_lock_that_is_acquired_again", |side, place, watchdog| {
        for manager in managers() {
            watchdog.step(format!("{side:?} {place:?} {manager:?}"));
            let lock = either!(side, manager.rlock(), manager.coro_rlock()).unwrap();
            let value = manager.value(&0_u64).unwrap();
            manager.register("lock", &lock).unwrap();
            manager.register("value", &value).unwrap();
            let others: Vec<_> = (0..3).map(|_| start!(place, add, (side, manager))).collect();
            others.into_iter().for_each(|other| other.join());
            assert_eq!(value.get().unwrap(), 60);
            assert!(!lock.is_locked().unwrap());
        }
    });
}

/// It is this thread's, and no other's; a guard may be dropped on another.
#[test]
fn a_lock_is_its_threads() {
    let _watchdog = Watchdog::new("a_lock_is_its_threads");
    for manager in managers() {
        let lock = manager.rlock().unwrap();
        let (outer, inner) = (lock.acquire().unwrap(), lock.try_acquire().unwrap().unwrap());
        let elsewhere = {
            let lock = lock.clone();
            move || (lock.try_acquire().unwrap().is_none(), lock.acquire_timeout(MOMENT).unwrap_err())
        };
        let (is_refused, error) = std::thread::spawn(elsewhere).join().unwrap();
        assert!(is_refused && error.is_timeout());
        std::thread::spawn(move || drop((outer, inner))).join().unwrap();
        assert!(!lock.is_locked().unwrap());
        drop(lock.acquire_timeout(MOMENT * 1_000).unwrap());
    }
}

/// D4: the tasks of one thread, over its one connection.
#[cfg(feature = "tokio")]
#[test]
fn case_161_a_lock_is_its_tasks() {
    let _watchdog = Watchdog::new("case_161_a_lock_is_its_tasks");
    for manager in managers() {
        let lock = manager.rlock().unwrap();
        kit::runtime().block_on(async {
            let value = manager.coro_value(&0_u64).await.unwrap();
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..5 {
                let (lock, value) = (lock.clone(), value.clone());
                tasks.spawn(async move {
                    for _ in 0..5 {
                        // Both branches are this task.
                        let guards = tokio::join!(lock.coro_acquire(), lock.coro_acquire());
                        let seen = value.coro_get().await.unwrap();
                        let again = lock.coro_try_acquire().await.unwrap().unwrap();
                        // A blocking form in a task that holds it.
                        drop(lock.acquire().unwrap());
                        value.coro_set(&(seen + 1)).await.unwrap();
                        drop((guards, again));
                    }
                });
            }
            while let Some(done) = tasks.join_next().await {
                done.unwrap();
            }
            assert_eq!(value.coro_get().await.unwrap(), 25);
            let guard = lock.coro_acquire().await.unwrap();
            let other = lock.clone();
            assert!(
                tokio::spawn(async move { other.coro_try_acquire().await }).await.unwrap().unwrap().is_none()
            );
            drop(guard);
        });
    }
}

fn sit(side: Side, manager: AioManager, seated: AioValue<i64>) {
    let seats: AioManagedSemaphore = manager.get("seats").unwrap();
    for n in 0..20 {
        let count = 1 + n % 2;
        let permit = either!(side, seats.acquire_many(count), seats.coro_acquire_many(count)).unwrap();
        assert!(seated.fetch_add(i64::from(count)) + i64::from(count) <= 2);
        seated.fetch_add(-i64::from(permit.count()));
    }
}

#[test]
fn case_155_a_semaphore_of_several_processes() {
    each("case_155_a_semaphore_of_several_processes", |side, place, watchdog| {
        for manager in managers() {
            watchdog.step(format!("{side:?} {place:?} {manager:?}"));
            let seats = either!(side, manager.semaphore(2), manager.coro_semaphore(2)).unwrap();
            manager.register("seats", &seats).unwrap();
            let seated = AioValue::new(0_i64).unwrap();
            let others: Vec<_> = (0..3).map(|_| start!(place, sit, (side, manager, seated))).collect();
            others.into_iter().for_each(|other| other.join());
            assert_eq!(seats.permits().unwrap(), 2);
        }
    });
}

#[test]
fn permits_are_given_back_forgotten_and_released() {
    for &side in Side::ALL {
        let _watchdog = Watchdog::new("permits_are_given_back_forgotten_and_released");
        for manager in managers() {
            let bounded = manager.bounded_semaphore(2);
            let seats = either!(side, bounded, manager.coro_bounded_semaphore(2)).unwrap();
            either!(side, seats.try_acquire_many(2), seats.coro_try_acquire_many(2))
                .unwrap()
                .unwrap()
                .forget();
            assert_eq!(seats.permits().unwrap(), 0);
            assert!(either!(side, seats.try_acquire(), seats.coro_try_acquire()).unwrap().is_none());
            assert!(seats.acquire_timeout(MOMENT).unwrap_err().is_timeout());
            either!(side, seats.release(1), seats.coro_release(1)).unwrap();
            let held = seats.acquire().unwrap();
            assert!(matches!(seats.release(2).unwrap_err(), ProxyError::TooManyPermits));
            seats.release(1).unwrap();
            // One is held, one is left: there are two already.
            assert!(matches!(seats.release(1).unwrap_err(), ProxyError::TooManyPermits));
            // Who waits for several is not overtaken.
            let waiting = std::thread::spawn({
                let seats = seats.clone();
                move || either!(side, seats.acquire_many(2), seats.coro_acquire_many(2)).map(drop)
            });
            kit::until("somebody who waits for two", || seats.try_acquire().unwrap().is_none());
            drop(held);
            waiting.join().unwrap().unwrap();
            // A time that ends gives its place back.
            let one = seats.acquire().unwrap();
            assert!(seats.acquire_many_timeout(2, MOMENT).unwrap_err().is_timeout());
            drop((seats.acquire_timeout(PATIENCE).unwrap(), one));
            // One that may grow.
            let free = manager.semaphore(0).unwrap();
            free.release(3).unwrap();
            assert_eq!(free.acquire_many(3).unwrap().count(), 3);
        }
        let [manager, _] = managers();
        assert!(manager.semaphore(u32::MAX).is_err() && manager.barrier(0).is_err());
    }
}

fn meet(side: Side, manager: AioManager, sum: AioValue<u64>) {
    let barrier: AioManagedBarrier = manager.get("barrier").unwrap();
    for _ in 0..10 {
        let met = either!(side, barrier.wait(), barrier.coro_wait()).unwrap();
        sum.fetch_add(1 << (8 * met.index()));
    }
}

#[test]
fn case_155_a_barrier_of_several_processes() {
    each("case_155_a_barrier_of_several_processes", |side, place, watchdog| {
        for manager in managers() {
            watchdog.step(format!("{side:?} {place:?} {manager:?}"));
            let barrier = either!(side, manager.barrier(3), manager.coro_barrier(3)).unwrap();
            manager.register("barrier", &barrier).unwrap();
            let sum = AioValue::new(0_u64).unwrap();
            let others: Vec<_> = (0..3).map(|_| start!(place, meet, (side, manager, sum))).collect();
            others.into_iter().for_each(|other| other.join());
            // Each index as often as they met.
            assert_eq!(sum.get(), 0x0A_0A_0A);
            assert_eq!((barrier.parties().unwrap(), barrier.n_waiting().unwrap()), (3, 0));
            assert!(barrier.try_wait().unwrap().is_none());
        }
    });
}

/// Somebody who waits at that barrier.
fn waiter(side: Side, barrier: &AioManagedBarrier) -> std::thread::JoinHandle<Result<usize, ProxyError>> {
    let waiter = std::thread::spawn({
        let barrier = barrier.clone();
        move || either!(side, barrier.wait(), barrier.coro_wait()).map(|met| met.index())
    });
    kit::until("somebody at the barrier", || barrier.n_waiting().unwrap() == 1);
    waiter
}

#[test]
fn a_barrier_that_is_broken() {
    for &side in Side::ALL {
        let watchdog = Watchdog::new("a_barrier_that_is_broken");
        for manager in managers() {
            let barrier = manager.barrier(2).unwrap();
            watchdog.step("aborted");
            let other = waiter(side, &barrier);
            either!(side, barrier.abort(), barrier.coro_abort()).unwrap();
            assert!(matches!(other.join().unwrap().unwrap_err(), ProxyError::BarrierBroken));
            assert!(matches!(barrier.wait().unwrap_err(), ProxyError::BarrierBroken));
            assert!(barrier.is_broken().unwrap());
            watchdog.step("as new");
            either!(side, barrier.reset(), barrier.coro_reset()).unwrap();
            let other = waiter(side, &barrier);
            assert_eq!(barrier.try_wait().unwrap().unwrap().index() + other.join().unwrap().unwrap(), 1);
            let other = waiter(side, &barrier);
            barrier.reset().unwrap();
            assert!(matches!(other.join().unwrap().unwrap_err(), ProxyError::BarrierBroken));
            assert!(!barrier.is_broken().unwrap());
            watchdog.step("a time that ends");
            assert!(matches!(barrier.wait_timeout(MOMENT).unwrap_err(), ProxyTimeoutError::Timeout));
            assert!(barrier.is_broken().unwrap());
        }
    }
}

/// A time that ends before the question is out breaks it as well.
#[test]
fn a_time_that_ends_breaks_a_barrier_that_has_not_heard() {
    const MANY: usize = 400;
    let watchdog = Watchdog::new("a_time_that_ends_breaks_a_barrier_that_has_not_heard");
    for manager in managers() {
        let (barrier, list) = (manager.barrier(2).unwrap(), manager.list::<String>([]).unwrap());
        watchdog.step(format!("{manager:?}: a connection that is full"));
        let pid = manager.pid().unwrap();
        kit::signal(pid, Signal::STOP);
        // More than a socket holds, as packets or as bytes.
        let text = "x".repeat(1 << 16);
        for _ in 0..MANY {
            assert!(list.push_timeout(&text, Duration::from_millis(1)).unwrap_err().is_timeout());
        }
        assert!(matches!(barrier.wait_timeout(MOMENT).unwrap_err(), ProxyTimeoutError::Timeout));
        kit::signal(pid, Signal::CONT);
        watchdog.step(format!("{manager:?}: the barrier"));
        assert!(barrier.is_broken().unwrap());
    }
}

/// A future that is dropped has not come; the others wait for another.
#[cfg(feature = "tokio")]
#[test]
fn a_future_that_is_dropped_breaks_no_barrier() {
    let _watchdog = Watchdog::new("a_future_that_is_dropped_breaks_no_barrier");
    for manager in managers() {
        kit::runtime().block_on(async {
            let barrier = manager.coro_barrier(2).await.unwrap();
            let dropped = tokio::time::timeout(MOMENT, barrier.coro_wait()).await;
            assert!(dropped.is_err() && !barrier.coro_is_broken().await.unwrap());
            assert_eq!(barrier.coro_n_waiting().await.unwrap(), 0);
            let (one, other) = tokio::join!(barrier.coro_wait(), barrier.coro_wait());
            assert_eq!(one.unwrap().index() + other.unwrap().index(), 1);
        });
    }
}

fn work(side: Side, manager: AioManager, done: AioValue<u64>) {
    let queue: AioManagedJoinableQueue<u64> = manager.get("queue").unwrap();
    while let Ok(n) = either!(side, queue.get(), queue.coro_get()) {
        done.fetch_add(n);
        either!(side, queue.task_done(), queue.coro_task_done()).unwrap();
    }
}

#[test]
fn case_155_a_joinable_queue() {
    each("case_155_a_joinable_queue", |side, place, watchdog| {
        for manager in managers() {
            watchdog.step(format!("{side:?} {place:?} {manager:?}"));
            let queue = either!(side, manager.joinable_queue(5), manager.coro_joinable_queue(5)).unwrap();
            manager.register("queue", &queue).unwrap();
            let done = AioValue::new(0_u64).unwrap();
            either!(side, queue.join(), queue.coro_join()).unwrap();
            let others: Vec<_> = (0..2).map(|_| start!(place, work, (side, manager, done))).collect();
            for n in 0..30_u64 {
                either!(side, queue.put(&n), queue.coro_put(&n)).unwrap();
            }
            either!(side, queue.join(), queue.coro_join()).unwrap();
            assert_eq!((done.get(), queue.unfinished().unwrap()), (435, 0));
            assert!(matches!(queue.task_done().unwrap_err(), ProxyError::NoTask));
            watchdog.step("unfinished");
            queue.close().unwrap();
            others.into_iter().for_each(|other| other.join());
            let queue = manager.joinable_queue::<u64>(0).unwrap();
            queue.put(&1).unwrap();
            assert!(queue.join_timeout(MOMENT).unwrap_err().is_timeout());
            assert_eq!(queue.try_get().unwrap(), Some(1));
            assert!(queue.join_timeout(MOMENT).unwrap_err().is_timeout());
            queue.task_done().unwrap();
            queue.join_timeout(PATIENCE).unwrap();
            watchdog.step("an item that can't be read is finished");
            manager.register("other", &queue).unwrap();
            let other: AioManagedJoinableQueue<String> = manager.get("other").unwrap();
            queue.put(&u64::MAX).unwrap();
            assert!(matches!(other.get().unwrap_err(), ProxyError::Decode(_)));
            queue.join_timeout(PATIENCE).unwrap();
        }
    });
}

/// Case 159: one who holds, waits and works all at once.
fn hold_all(manager: AioManager, ready: AioEvent) {
    let lock: AioManagedRLock = manager.get("lock").unwrap();
    let seats: AioManagedSemaphore = manager.get("seats").unwrap();
    let barrier: AioManagedBarrier = manager.get("barrier").unwrap();
    let queue: AioManagedJoinableQueue<u32> = manager.get("queue").unwrap();
    let _twice = (lock.acquire().unwrap(), lock.acquire().unwrap());
    let _two = seats.acquire_many(2).unwrap();
    seats.acquire().unwrap().forget();
    queue.get().unwrap();
    queue.get().unwrap();
    // What is only told is before what is asked.
    queue.len().unwrap();
    ready.set();
    let _ = barrier.wait();
}

#[test]
fn case_159_who_dies_gives_back_what_it_has() {
    for &side in Side::ALL {
        let watchdog = Watchdog::new("case_159_who_dies_gives_back_what_it_has");
        for manager in managers() {
            let (lock, seats) = (manager.rlock().unwrap(), manager.semaphore(3).unwrap());
            let (barrier, queue) = (manager.barrier(3).unwrap(), manager.joinable_queue::<u32>(0).unwrap());
            manager.register("lock", &lock).unwrap();
            manager.register("seats", &seats).unwrap();
            manager.register("barrier", &barrier).unwrap();
            manager.register("queue", &queue).unwrap();
            (0..3).for_each(|n| queue.put(&n).unwrap());
            let ready = AioEvent::new().unwrap();
            let child = AioProcess::builder().daemon(true);
            let child = child.spawn(hold_all, (manager.clone(), ready.clone())).unwrap();
            watchdog.step("what it takes");
            ready.wait().unwrap();
            kit::until("it waits", || barrier.n_waiting().unwrap() == 1);
            assert!(lock.try_acquire().unwrap().is_none() && seats.permits().unwrap() == 0);
            let other = std::thread::spawn({
                let barrier = barrier.clone();
                move || {
                    either!(side, barrier.wait_timeout(PATIENCE).map_err(|error| error.to_string()), async {
                        barrier.coro_wait().await.map_err(|error| error.to_string())
                    })
                }
            });
            kit::until("both wait", || barrier.n_waiting().unwrap() == 2);
            child.kill().unwrap();
            watchdog.step("the barrier that it waited in");
            assert_eq!(other.join().unwrap().unwrap_err(), ProxyError::BarrierBroken.to_string());
            watchdog.step("what it held");
            drop(lock.acquire_timeout(PATIENCE).unwrap());
            // One was forgotten.
            drop(seats.acquire_many_timeout(2, PATIENCE).unwrap());
            assert_eq!(seats.permits().unwrap(), 2);
            watchdog.step("what it worked on");
            assert_eq!(queue.get().unwrap(), 2);
            queue.task_done().unwrap();
            let lost = queue.join_timeout(PATIENCE).unwrap_err();
            assert!(matches!(lost, ProxyTimeoutError::WorkerLost { items: 2 }), "{lost}");
            let lost = either!(side, queue.join(), queue.coro_join()).unwrap_err();
            assert!(matches!(lost, ProxyError::WorkerLost { items: 2 }), "{lost}");
            assert_eq!(queue.unfinished().unwrap(), 2);
        }
    }
}

/// Case 160: those who wait for something in it are told at once.
#[test]
fn case_160_a_manager_dies_under_those_who_wait() {
    for &side in Side::ALL {
        let _watchdog = Watchdog::new("case_160_a_manager_dies_under_those_who_wait");
        for manager in managers() {
            let (seats, barrier) = (manager.semaphore(0).unwrap(), manager.barrier(2).unwrap());
            let queue = manager.joinable_queue::<u8>(0).unwrap();
            queue.put(&1).unwrap();
            let sitting =
                std::thread::spawn(move || either!(side, seats.acquire(), seats.coro_acquire()).map(drop));
            let joining = std::thread::spawn(move || either!(side, queue.join(), queue.coro_join()));
            let other = waiter(side, &barrier);
            kit::kill(manager.pid().unwrap());
            assert!(sitting.join().unwrap().unwrap_err().is_closed());
            assert!(joining.join().unwrap().unwrap_err().is_closed());
            assert!(other.join().unwrap().unwrap_err().is_closed());
        }
    }
}
