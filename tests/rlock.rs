//! What a re-entrant lock promises: cases 70 and 71, D5, and those of the lock that hold for it too.
#![cfg_attr(not(feature = "tokio"), allow(dead_code, unused_imports))]

mod kit;

use std::time::{Duration, Instant};

use aioprocessing::{AcquireError, AioEvent, AioMutex, AioProcess, AioRLock, ReleaseError};
use kit::either::either;
use kit::sides::{Place, Side, each, start};
use kit::{Watchdog, sleep_for_ever};

aioprocessing::test_support!();

const SHORT: Duration = Duration::from_millis(30);

/// Holds the lock twice from before it sets `held` until `let_go` is set, and lets go once before.
fn hold(lock: AioRLock, held: AioEvent, let_go: AioEvent, side: Side) {
    either!(
        side,
        {
            let outer = lock.acquire().unwrap();
            let inner = lock.acquire().unwrap();
            drop(outer);
            held.set();
            let_go.wait().unwrap();
            drop(inner);
        },
        async {
            let outer = lock.coro_acquire().await.unwrap();
            let inner = lock.coro_acquire().await.unwrap();
            drop(outer);
            held.set();
            let_go.coro_wait().await.unwrap();
            drop(inner);
        }
    );
}

#[test]
fn case_70_as_many_releases_as_acquires() {
    each("case_70", |side, place, _| {
        let (lock, held, let_go) =
            (AioRLock::new().unwrap(), AioEvent::new().unwrap(), AioEvent::new().unwrap());
        let holder = start!(place, hold, (lock, held, let_go, side));
        held.wait().unwrap();
        assert!(lock.is_locked());
        assert!(lock.try_acquire().unwrap_err().is_would_block());
        let begun = Instant::now();
        assert!(lock.acquire_timeout(SHORT).unwrap_err().is_timeout());
        assert!(begun.elapsed() >= SHORT);
        let_go.set();
        let guards = either!(side, [(); 3].map(|()| lock.acquire().unwrap()), async {
            [
                lock.coro_acquire().await.unwrap(),
                lock.coro_acquire().await.unwrap(),
                lock.coro_acquire().await.unwrap(),
            ]
        });
        holder.join();
        for guard in guards {
            assert!(lock.is_locked());
            drop(guard);
        }
        assert!(!lock.is_locked());
    });
}

#[test]
fn case_70_another_thread_is_excluded_and_every_form_is_re_entrant() {
    let _watchdog = Watchdog::new("case_70_forms");
    let lock = AioRLock::new().unwrap();
    let guards = [
        lock.acquire().unwrap(),
        lock.try_acquire().unwrap(),
        lock.acquire_timeout(SHORT).unwrap(),
        lock.acquire_timeout(Duration::ZERO).unwrap(),
    ];
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(lock.try_acquire().unwrap_err().is_would_block()));
    });
    // On whichever thread, and in any order.
    let [first, second, third, fourth] = guards;
    drop(second);
    std::thread::spawn(move || drop((fourth, first))).join().unwrap();
    assert!(lock.is_locked());
    drop(third);
    std::thread::scope(|scope| {
        scope.spawn(|| drop(lock.try_acquire().unwrap()));
    });
}

/// Two words that only the lock keeps equal; taken twice each time.
fn count(lock: AioRLock, counts: AioMutex<[u64; 2]>, times: u32, side: Side) {
    fn step(counts: &AioMutex<[u64; 2]>) -> u64 {
        let mut both = counts.lock().unwrap();
        both[0] += 1;
        both[0]
    }
    for _ in 0..times {
        either!(
            side,
            {
                let _outer = lock.acquire().unwrap();
                let now = step(&counts);
                let _inner = lock.acquire().unwrap();
                counts.lock().unwrap()[1] = now;
            },
            async {
                let _outer = lock.coro_acquire().await.unwrap();
                let now = step(&counts);
                let _inner = lock.coro_acquire().await.unwrap();
                counts.lock().unwrap()[1] = now;
            }
        );
        let both = {
            let _guard = lock.acquire().unwrap();
            *counts.lock().unwrap()
        };
        assert_eq!(both[0], both[1]);
    }
}

#[test]
fn case_73_contended_holds_exclude_each_other() {
    each("case_73", |side, place, _| {
        let (lock, counts) = (AioRLock::new().unwrap(), AioMutex::new([0; 2]).unwrap());
        let times = if side == Side::Blocking { 3_000_u32 } else { 300 };
        let parts: Vec<_> = (0..3).map(|_| start!(place, count, (lock, counts, times, side))).collect();
        parts.into_iter().for_each(kit::sides::Started::join);
        assert_eq!(*counts.lock().unwrap(), [3 * u64::from(times); 2]);
    });
}

#[test]
fn case_71_release_by_another_is_an_error() {
    let _watchdog = Watchdog::new("case_71");
    let lock = AioRLock::new().unwrap();
    assert!(matches!(lock.release(), Err(ReleaseError::NotHeld)));
    let guard = lock.acquire().unwrap();
    assert!(matches!(lock.release(), Err(ReleaseError::Guarded)));
    drop(guard);
    lock.acquire().unwrap().leak();
    lock.acquire().unwrap().leak();
    for place in Place::ALL {
        let release = |lock: AioRLock| match lock.release() {
            Err(ReleaseError::NotOwner(holder)) => holder.pid,
            other => panic!("{other:?}"),
        };
        assert_eq!(start!(place, release, (lock)).join(), std::process::id());
    }
    lock.release().unwrap();
    assert!(lock.is_locked());
    lock.release().unwrap();
    assert!(!lock.is_locked());
    assert!(matches!(lock.release(), Err(ReleaseError::NotHeld)));
}

fn hold_twice_for_ever(lock: AioRLock, held: AioEvent) {
    let _outer = lock.acquire().unwrap();
    let _inner = lock.acquire().unwrap();
    held.set();
    sleep_for_ever();
}

#[test]
fn case_64_a_killed_owner_is_told_of_and_followed() {
    each("case_64", |side, _, _| {
        let (lock, held) = (AioRLock::new().unwrap(), AioEvent::new().unwrap());
        let child: AioProcess<()> =
            AioProcess::spawn(hold_twice_for_ever, (lock.clone(), held.clone())).unwrap();
        held.wait().unwrap();
        child.kill().unwrap();
        let error = either!(side, lock.acquire(), lock.coro_acquire()).unwrap_err();
        let AcquireError::OwnerDied(guard) = error else { panic!("{error}") };
        assert_eq!(guard.dead_holder().map(|holder| holder.pid), Some(child.pid()));
        drop(guard);
        assert!(!lock.is_locked(), "one hold, whatever the dead one had");
        drop(either!(side, lock.acquire(), lock.coro_acquire()).unwrap());
        child.join().unwrap_err();
    });
}

#[test]
fn case_65_a_panic_under_any_of_the_guards_is_told() {
    let lock = AioRLock::new().unwrap();
    let theirs = lock.clone();
    let panicked = std::thread::spawn(move || {
        let _outer = theirs.acquire().unwrap();
        let _inner = theirs.acquire().unwrap();
        panic!("on purpose");
    });
    panicked.join().unwrap_err();
    assert!(lock.acquire().unwrap_err().is_owner_died());
    drop(lock.acquire().unwrap());
}

#[cfg(feature = "tokio")]
mod tasks {
    use super::*;

    #[test]
    fn d5_two_tasks_are_never_inside_at_the_same_time() {
        let _watchdog = Watchdog::new("d5");
        let lock = AioRLock::new().unwrap();
        let inside = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        kit::runtime().block_on(async {
            let tasks: Vec<_> = (0..10)
                .map(|_| {
                    let (lock, inside) = (lock.clone(), inside.clone());
                    tokio::spawn(async move {
                        for _ in 0..30 {
                            let outer = lock.coro_acquire().await.unwrap();
                            let inner = lock.coro_acquire().await.unwrap();
                            assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                            tokio::task::yield_now().await;
                            drop(outer);
                            tokio::task::yield_now().await;
                            inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                            drop(inner);
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert!(!lock.is_locked());
    }

    #[test]
    fn branches_of_one_join_are_one_owner() {
        let _watchdog = Watchdog::new("branches");
        let lock = AioRLock::new().unwrap();
        kit::runtime().block_on(async {
            let task = tokio::spawn(async move {
                let branch = async || {
                    let guard = lock.coro_acquire().await.unwrap();
                    tokio::task::yield_now().await;
                    guard
                };
                let (first, second) = tokio::join!(branch(), branch());
                // A blocking form in the same task does not wait for that task.
                let third = lock.acquire().unwrap();
                // Nor a release for what it holds by a leak.
                first.leak();
                lock.release().unwrap();
                drop((second, third));
                assert!(!lock.is_locked());
            });
            task.await.unwrap();
        });
    }

    #[test]
    fn case_75_a_task_keeps_its_lock_on_another_thread() {
        let _watchdog = Watchdog::new("case_75");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let lock = AioRLock::new().unwrap();
        runtime.block_on(async {
            let tasks: Vec<_> = (0..4)
                .map(|_| {
                    let lock = lock.clone();
                    tokio::spawn(async move {
                        for _ in 0..200 {
                            let outer = lock.coro_acquire().await.unwrap();
                            tokio::task::yield_now().await;
                            drop(lock.coro_acquire().await.unwrap());
                            drop(outer);
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    }
}
