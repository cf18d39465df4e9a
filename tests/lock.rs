//! What a lock promises: cases 61 to 75 of CPython's suite and of its users, D2 to D4, P1 and P27.
#![cfg_attr(not(feature = "tokio"), allow(dead_code, unused_imports))]

mod kit;

use std::time::{Duration, Instant};

use aioprocessing::{
    AcquireError, AcquireTimeoutError, AioEvent, AioLock, AioProcess, ReleaseError, TryAcquireError,
};
use kit::sides::{Place, Side, each, start};
use kit::{LONG, Watchdog};

aioprocessing::test_support!();

const SHORT: Duration = Duration::from_millis(30);

/// Holds the lock from before it sets `held` until `let_go` is set.
fn hold(lock: AioLock, held: AioEvent, let_go: AioEvent) {
    let guard = lock.acquire().unwrap();
    held.set();
    let_go.wait().unwrap();
    drop(guard);
}

#[test]
fn case_61_a_held_lock_is_refused_after_the_right_time() {
    each("case_61", |side, place, _| {
        let (lock, held, let_go) =
            (AioLock::new().unwrap(), AioEvent::new().unwrap(), AioEvent::new().unwrap());
        let holder = start!(place, hold, (lock, held, let_go));
        held.wait().unwrap();
        assert!(lock.try_acquire().unwrap_err().is_would_block());
        let begun = Instant::now();
        assert!(side.acquire_for(&lock, SHORT).is_none());
        assert!(begun.elapsed() >= SHORT);
        assert!(lock.acquire_timeout(Duration::ZERO).unwrap_err().is_timeout());
        let_go.set();
        holder.join();
        drop(side.acquire_for(&lock, LONG).expect("it is free").unwrap());
    });
}

#[test]
fn a_timeout_says_who_holds_the_lock() {
    let _watchdog = Watchdog::new("a_timeout_says_who_holds_the_lock");
    let (lock, held, let_go) = (AioLock::new().unwrap(), AioEvent::new().unwrap(), AioEvent::new().unwrap());
    assert_eq!(lock.owner(), None);
    let builder = AioProcess::<()>::builder().name("the holder");
    let child: AioProcess<()> = builder.spawn(hold, (lock.clone(), held.clone(), let_go.clone())).unwrap();
    held.wait().unwrap();
    let error = lock.acquire_timeout(SHORT).unwrap_err();
    let text = error.to_string();
    let AcquireTimeoutError::Timeout { holder: Some(holder) } = error else { panic!("{error:?}") };
    assert_eq!(holder.name, "the holder");
    assert_eq!(holder.pid, child.pid());
    assert!(holder.held_for >= SHORT, "{:?}", holder.held_for);
    let location = holder.location.clone().expect("the same program");
    assert!(location.contains("tests/lock.rs:"), "{location}");
    for part in ["the holder", &child.pid().to_string(), &location] {
        assert!(text.contains(part), "{part:?} is missing in {text:?}");
    }
    assert_eq!(lock.owner().map(|owner| owner.pid), Some(child.pid()));
    let_go.set();
    child.join().unwrap();
    assert_eq!(lock.owner(), None);
}

#[test]
fn case_62_release_of_an_unheld_lock_is_an_error() {
    let lock = AioLock::new().unwrap();
    assert!(matches!(lock.release(), Err(ReleaseError::NotHeld)));
    let guard = lock.acquire().unwrap();
    assert!(matches!(lock.release(), Err(ReleaseError::Guarded)));
    drop(guard);
    assert!(matches!(lock.release(), Err(ReleaseError::NotHeld)));
}

#[test]
fn case_63_a_lock_held_elsewhere_is_got_when_it_is_let_go() {
    each("case_63", |side, place, _| {
        let (lock, held, let_go) =
            (AioLock::new().unwrap(), AioEvent::new().unwrap(), AioEvent::new().unwrap());
        let holder = start!(place, hold, (lock, held, let_go));
        held.wait().unwrap();
        assert!(matches!(lock.try_acquire(), Err(TryAcquireError::WouldBlock { .. })));
        let setter = let_go.clone();
        let about_to_wait = std::thread::spawn(move || setter.set());
        drop(side.acquire(&lock).unwrap());
        about_to_wait.join().unwrap();
        holder.join();
    });
}

fn hold_for_ever(lock: AioLock, held: AioEvent) {
    let _guard = lock.acquire().unwrap();
    held.set();
    kit::sleep_for_ever();
}

#[test]
fn case_64_p1_a_killed_owner_is_told_of_and_followed() {
    let watchdog = Watchdog::new("case_64");
    for &side in Side::ALL {
        // Killed before anybody waits for it, and while somebody does.
        for waits_first in [false, true] {
            watchdog.step(format!("{side:?}, waits first: {waits_first}"));
            let (lock, held) = (AioLock::new().unwrap(), AioEvent::new().unwrap());
            let child: AioProcess<()> =
                AioProcess::spawn(hold_for_ever, (lock.clone(), held.clone())).unwrap();
            held.wait().unwrap();
            let (pid, waiter) = (child.pid(), lock.clone());
            let next = if waits_first {
                let waiter = std::thread::spawn(move || side.acquire(&waiter));
                kit::until("somebody waits", || format!("{lock:?}").contains("waiters: 1"));
                child.kill().unwrap();
                waiter.join().unwrap()
            } else {
                child.kill().unwrap();
                child.join().unwrap_err();
                side.acquire(&waiter)
            };
            let AcquireError::OwnerDied(guard) = next.unwrap_err() else { panic!("no word of the death") };
            assert_eq!(guard.dead_holder().map(|holder| holder.pid), Some(pid));
            assert!(lock.is_locked(), "the lock is taken all the same");
            drop(guard);
            drop(side.acquire(&lock).expect("told once, and not again"));
        }
    }
}

#[test]
fn case_64_a_dead_owner_does_not_hold_the_lock() {
    let (lock, held) = (AioLock::new().unwrap(), AioEvent::new().unwrap());
    let child: AioProcess<()> = AioProcess::spawn(hold_for_ever, (lock.clone(), held.clone())).unwrap();
    held.wait().unwrap();
    assert!(lock.is_locked());
    child.kill().unwrap();
    child.join().unwrap_err();
    assert!(!lock.is_locked());
    assert!(lock.try_acquire().unwrap_err().is_owner_died());
    drop(lock.try_acquire().unwrap());
}

#[test]
fn case_65_a_panic_releases_the_lock_and_the_next_is_told() {
    each("case_65", |side, _, _| {
        let lock = AioLock::new().unwrap();
        let theirs = lock.clone();
        let panicked = std::thread::spawn(move || {
            let _guard = theirs.acquire().unwrap();
            panic!("on purpose");
        });
        panicked.join().unwrap_err();
        let guard = side.acquire(&lock).unwrap_err().into_guard().expect("the lock is taken");
        assert!(guard.dead_holder().is_none());
        drop(guard);
        drop(side.acquire(&lock).unwrap());
        // A panic in a child ends the child, and its guard with it.
        let child: AioProcess<()> = AioProcess::spawn(
            |lock: AioLock| {
                let _guard = lock.acquire().unwrap();
                panic!("on purpose, in a child");
            },
            (lock.clone(),),
        )
        .unwrap();
        child.join().unwrap_err();
        assert!(side.acquire(&lock).unwrap_err().is_owner_died());
    });
}

#[test]
fn an_exit_with_the_lock_is_a_death() {
    let lock = AioLock::new().unwrap();
    let child: AioProcess<()> = AioProcess::spawn(
        |lock: AioLock| {
            let _guard = lock.acquire().unwrap();
            std::process::exit(0);
        },
        (lock.clone(),),
    )
    .unwrap();
    child.join().unwrap_err();
    assert!(lock.acquire().unwrap_err().is_owner_died());
}

#[cfg(feature = "tokio")]
mod tasks {
    use super::*;

    #[test]
    fn case_66_d4_tasks_of_one_process_exclude_each_other() {
        let _watchdog = Watchdog::new("case_66");
        for threads in [1, 2] {
            let lock = AioLock::new().unwrap();
            let inside = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
            runtime(threads).block_on(async {
                let tasks: Vec<_> = (0..20)
                    .map(|_| {
                        let (lock, inside) = (lock.clone(), inside.clone());
                        tokio::spawn(async move {
                            for _ in 0..50 {
                                let guard = lock.coro_acquire().await.unwrap();
                                assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                                tokio::task::yield_now().await;
                                inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                                drop(guard);
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

    fn runtime(threads: usize) -> tokio::runtime::Runtime {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        if threads == 1 {
            builder = tokio::runtime::Builder::new_current_thread();
        }
        builder.worker_threads(threads).enable_all().build().unwrap()
    }

    #[test]
    fn case_66_a_waiting_task_does_not_block_the_loop() {
        let _watchdog = Watchdog::new("case_66_loop");
        let (lock, held, let_go) =
            (AioLock::new().unwrap(), AioEvent::new().unwrap(), AioEvent::new().unwrap());
        let holder: AioProcess<()> =
            AioProcess::spawn(hold, (lock.clone(), held.clone(), let_go.clone())).unwrap();
        held.wait().unwrap();
        runtime(1).block_on(async {
            let waiting = tokio::spawn({
                let lock = lock.clone();
                async move { drop(lock.coro_acquire().await.unwrap()) }
            });
            // The only thread of this runtime goes on.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert!(!waiting.is_finished());
            let_go.set();
            waiting.await.unwrap();
        });
        holder.join().unwrap();
    }

    #[test]
    fn case_67_d3_acquire_and_release_in_one_task() {
        let _watchdog = Watchdog::new("case_67");
        let lock = AioLock::new().unwrap();
        runtime(1).block_on(async {
            for _ in 0..1000 {
                drop(lock.coro_acquire().await.unwrap());
                lock.coro_acquire().await.unwrap().leak();
                lock.release().unwrap();
            }
        });
    }

    #[test]
    fn case_68_d2_a_cancelled_acquire_leaves_the_lock_free_and_wakes_the_next() {
        let watchdog = Watchdog::new("case_68");
        for round in 0..300 {
            watchdog.step(format!("round {round}"));
            let lock = AioLock::new().unwrap();
            runtime(1).block_on(async {
                let guard = lock.coro_acquire().await.unwrap();
                let cancelled = tokio::spawn({
                    let lock = lock.clone();
                    async move { lock.coro_acquire().await.map(drop) }
                });
                let next = tokio::spawn({
                    let lock = lock.clone();
                    async move { drop(lock.coro_acquire().await.unwrap()) }
                });
                while !format!("{lock:?}").contains("waiters: 2") {
                    tokio::task::yield_now().await;
                }
                // The wake-up may be under way to the one that is cancelled: by turns before and after the release.
                if round % 2 == 0 {
                    cancelled.abort();
                    drop(guard);
                } else {
                    drop(guard);
                    cancelled.abort();
                }
                next.await.unwrap();
                let _ = cancelled.await;
            });
            assert!(!lock.is_locked());
            drop(lock.try_acquire().unwrap());
            assert!(format!("{lock:?}").contains("waiters: 0"), "{lock:?}");
        }
    }

    #[test]
    fn case_75_a_guard_moves_over_an_await_to_another_thread() {
        let _watchdog = Watchdog::new("case_75");
        let lock = AioLock::new().unwrap();
        runtime(2).block_on(async {
            for _ in 0..100 {
                let guard = lock.coro_acquire().await.unwrap();
                let handed_over = tokio::spawn(async move {
                    tokio::task::yield_now().await;
                    guard
                });
                let guard = handed_over.await.unwrap();
                std::thread::spawn(move || drop(guard)).join().unwrap();
                assert!(!lock.is_locked());
            }
        });
    }

    /// The last process to come takes part with four tasks.
    fn take_turns(lock: AioLock, start: AioEvent, stop: AioEvent) -> Vec<u64> {
        runtime(1).block_on(async {
            start.coro_wait().await.unwrap();
            let tasks: Vec<_> = (0..4)
                .map(|_| {
                    let (lock, stop) = (lock.clone(), stop.clone());
                    tokio::spawn(async move {
                        let mut turns = 0;
                        while !stop.is_set() {
                            drop(lock.coro_acquire().await.unwrap());
                            turns += 1;
                        }
                        turns
                    })
                })
                .collect();
            let mut all = Vec::new();
            for task in tasks {
                all.push(task.await.unwrap());
            }
            all
        })
    }

    #[test]
    fn case_69_nobody_starves_among_two_processes_of_four_tasks() {
        let _watchdog = Watchdog::new("case_69");
        let (lock, start, stop) =
            (AioLock::new().unwrap(), AioEvent::new().unwrap(), AioEvent::new().unwrap());
        let children: Vec<AioProcess<Vec<u64>>> = (0..2)
            .map(|_| AioProcess::spawn(take_turns, (lock.clone(), start.clone(), stop.clone())).unwrap())
            .collect();
        start.set();
        assert!(stop.wait_timeout(Duration::from_secs(5)).unwrap_err().is_timeout());
        stop.set();
        for child in children {
            let turns = child.join().unwrap();
            assert!(turns.iter().all(|&turns| turns > 0), "one of them never had the lock: {turns:?}");
        }
    }
}

#[test]
fn case_72_is_locked_agrees_across_processes() {
    let _watchdog = Watchdog::new("case_72");
    let (lock, held, let_go) = (AioLock::new().unwrap(), AioEvent::new().unwrap(), AioEvent::new().unwrap());
    let look = |lock: AioLock| lock.is_locked();
    let seen_by_a_child = || AioProcess::<bool>::spawn(look, (lock.clone(),)).unwrap().join().unwrap();
    assert!(!lock.is_locked() && !seen_by_a_child());
    let holder: AioProcess<()> =
        AioProcess::spawn(hold, (lock.clone(), held.clone(), let_go.clone())).unwrap();
    held.wait().unwrap();
    assert!(lock.is_locked() && seen_by_a_child());
    let_go.set();
    holder.join().unwrap();
    assert!(!lock.is_locked() && !seen_by_a_child());
}

/// Counts in a file, in two steps that only the lock makes one.
fn count(lock: AioLock, path: String, times: u32, side: Side) {
    use std::os::unix::fs::FileExt as _;
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    for _ in 0..times {
        let guard = side.acquire(&lock).unwrap();
        let mut number = [0; 8];
        file.read_exact_at(&mut number, 0).unwrap();
        file.write_all_at(&(u64::from_ne_bytes(number) + 1).to_ne_bytes(), 0).unwrap();
        drop(guard);
    }
}

#[test]
fn case_73_a_hundred_thousand_contended_cycles_count_right() {
    let _watchdog = Watchdog::new("case_73");
    let lock = AioLock::new().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), 0_u64.to_ne_bytes()).unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    let mut expected = 0;
    let mut parts = Vec::new();
    for &side in Side::ALL {
        for place in Place::ALL {
            // A runtime for each acquisition is slow; the others make up for it.
            let times = if side == Side::Blocking { 24_000_u32 } else { 1_000 };
            for _ in 0..2 {
                parts.push(start!(place, count, (lock, path, times, side)));
                expected += u64::from(times);
            }
        }
    }
    parts.into_iter().for_each(kit::sides::Started::join);
    let counted = std::fs::read(file.path()).unwrap();
    assert_eq!(u64::from_ne_bytes(counted.try_into().unwrap()), expected);
}

#[test]
fn case_74_only_the_process_that_holds_a_leaked_lock_releases_it() {
    let _watchdog = Watchdog::new("case_74");
    let lock = AioLock::new().unwrap();
    lock.acquire().unwrap().leak();
    let refused: AioProcess<Option<u32>> = AioProcess::spawn(
        |lock: AioLock| match lock.release() {
            Err(ReleaseError::NotOwner(holder)) => Some(holder.pid),
            _ => None,
        },
        (lock.clone(),),
    )
    .unwrap();
    assert_eq!(refused.join().unwrap(), Some(std::process::id()));
    assert!(lock.is_locked());
    let other_thread = lock.clone();
    std::thread::spawn(move || other_thread.release().unwrap()).join().unwrap();
    assert!(!lock.is_locked());
}

#[test]
fn a_thousand_locks_take_two_descriptors() {
    let taken: AioProcess<usize> = AioProcess::spawn(
        || {
            let before = kit::descriptors().len();
            let _locks = AioLock::many(1000).unwrap();
            kit::descriptors().len() - before
        },
        (),
    )
    .unwrap();
    assert_eq!(taken.join().unwrap(), 2);
    let locks = AioLock::many(1000).unwrap();
    let guards: Vec<_> = locks.iter().map(|lock| lock.try_acquire().unwrap()).collect();
    assert!(locks.iter().all(AioLock::is_locked));
    drop(guards);
    // All of them travel as one region.
    let held: AioProcess<usize> = AioProcess::spawn(
        |locks: Vec<AioLock>| locks.iter().filter(|lock| lock.is_locked()).count(),
        ({
            locks[17].acquire().unwrap().leak();
            locks.clone()
        },),
    )
    .unwrap();
    assert_eq!(held.join().unwrap(), 1);
    assert!(AioLock::many(0).unwrap().is_empty());
}

#[test]
fn a_handle_outside_of_a_message_is_refused_with_advice() {
    let lock = AioLock::new().unwrap();
    let mut bytes = Vec::new();
    let error = <aioprocessing::Postcard as aioprocessing::Codec>::encode(&lock, &mut bytes).unwrap_err();
    assert!(!error.to_string().is_empty());
}

#[test]
fn a_guard_outlives_its_handle() {
    let lock = AioLock::new().unwrap();
    let same = lock.clone();
    let guard = lock.acquire().unwrap();
    drop(lock);
    assert!(same.is_locked());
    drop(guard);
    assert!(!same.is_locked());
}
