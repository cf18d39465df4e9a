//! What a semaphore promises: cases 76 to 78, and those of the lock that hold for it too.
#![cfg_attr(not(feature = "tokio"), allow(dead_code, unused_imports))]

mod kit;

use std::time::{Duration, Instant};

use aioprocessing::{
    AcquirePermitTimeoutError, AioBoundedSemaphore, AioEvent, AioProcess, AioSemaphore, AioValue, Permit,
};
use kit::either::either;
use kit::sides::{Place, Side, each, start};
use kit::{LONG, Watchdog, sleep_for_ever};

aioprocessing::test_support!();

const SHORT: Duration = Duration::from_millis(30);

fn acquire(side: Side, semaphore: &AioSemaphore, count: u32) -> Permit {
    either!(side, semaphore.acquire_many(count), semaphore.coro_acquire_many(count)).unwrap()
}

/// `None`: the time was over.
fn acquire_for(side: Side, semaphore: &AioSemaphore, count: u32, time: Duration) -> Option<Permit> {
    either!(
        side,
        match semaphore.acquire_many_timeout(count, time) {
            Ok(permit) => Some(permit),
            Err(AcquirePermitTimeoutError::Timeout) => None,
            Err(error) => panic!("{error}"),
        },
        async {
            tokio::time::timeout(time, semaphore.coro_acquire_many(count)).await.ok().map(Result::unwrap)
        }
    )
}

/// Holds so many permits from before it sets `held` until `let_go` is set.
fn hold(semaphore: AioSemaphore, count: u32, held: AioEvent, let_go: AioEvent) {
    let permit = semaphore.acquire_many(count).unwrap();
    held.set();
    let_go.wait().unwrap();
    drop(permit);
}

#[test]
fn case_76_permits_are_counted_down_and_up_again() {
    each("case_76", |side, place, _| {
        let semaphore = AioSemaphore::new(2).unwrap();
        assert_eq!(semaphore.permits(), 2);
        let mine = acquire(side, &semaphore, 1);
        assert_eq!(semaphore.permits(), 1);
        let (held, let_go) = (AioEvent::new().unwrap(), AioEvent::new().unwrap());
        let count = 1;
        let holder = start!(place, hold, (semaphore, count, held, let_go));
        held.wait().unwrap();
        assert_eq!(semaphore.permits(), 0);
        assert!(semaphore.try_acquire().unwrap_err().is_would_block());
        let begun = Instant::now();
        assert!(acquire_for(side, &semaphore, 1, SHORT).is_none());
        assert!(begun.elapsed() >= SHORT);
        assert!(semaphore.acquire_timeout(Duration::ZERO).unwrap_err().is_timeout());
        drop(mine);
        drop(acquire_for(side, &semaphore, 1, LONG).expect("one is left"));
        let setter = let_go.clone();
        let setter = std::thread::spawn(move || setter.set());
        drop(acquire(side, &semaphore, 2));
        setter.join().unwrap();
        holder.join();
        assert_eq!(semaphore.permits(), 2);
        // It may grow beyond its start.
        semaphore.release(1).unwrap();
        assert_eq!(acquire(side, &semaphore, 3).count(), 3);
        assert_eq!(semaphore.permits(), 3);
    });
}

#[test]
fn case_76_a_bounded_one_does_not_grow() {
    each("case_76_bounded", |side, place, _| {
        let bounded = AioBoundedSemaphore::new(2).unwrap();
        assert!(bounded.release(1).is_err());
        either!(side, bounded.acquire(), bounded.coro_acquire()).unwrap().forget();
        let guarded = bounded.acquire().unwrap();
        assert!(bounded.release(2).is_err(), "one was forgotten, the other is held");
        let give_back = |bounded: AioBoundedSemaphore| bounded.release(1).is_ok();
        assert!(start!(place, give_back, (bounded)).join());
        assert!(bounded.release(1).is_err());
        drop(guarded);
        assert!(bounded.release(1).is_err());
        assert_eq!(bounded.permits(), 2);
    });
}

/// Releases what others forget. Whether there ever were more permits than the bound.
fn release_on(bounded: AioBoundedSemaphore, stop: AioEvent) -> bool {
    let mut exceeded = false;
    while !stop.is_set() {
        exceeded |= bounded.release(1).is_ok() && bounded.permits() > 3;
    }
    exceeded
}

#[test]
fn case_76_releases_at_once_do_not_exceed_the_bound() {
    let _watchdog = Watchdog::new("case_76_releases_at_once");
    for place in Place::ALL {
        let (bounded, stop) = (AioBoundedSemaphore::new(3).unwrap(), AioEvent::new().unwrap());
        let releasers: Vec<_> = (0..3).map(|_| start!(place, release_on, (bounded, stop))).collect();
        for _ in 0..10_000 {
            bounded.acquire().unwrap().forget();
        }
        stop.set();
        let exceeded =
            releasers.into_iter().map(kit::sides::Started::join).filter(|&exceeded| exceeded).count();
        assert_eq!(exceeded, 0, "more permits than the bound");
        assert!(bounded.permits() <= 3);
    }
}

#[test]
fn case_78_more_permits_than_there_may_be_are_refused() {
    // Fewer than none can't be written down.
    assert!(AioSemaphore::new(u32::MAX).is_err());
    let most = AioSemaphore::new(i32::MAX.cast_unsigned()).unwrap();
    assert!(most.release(1).is_err());
    most.acquire().unwrap().forget();
    most.release(1).unwrap();
    let none = AioSemaphore::new(0).unwrap();
    assert!(none.try_acquire().unwrap_err().is_would_block());
    none.release(1).unwrap();
    drop(none.try_acquire().unwrap());
}

fn hold_for_ever(semaphore: AioSemaphore, held: u32, forgotten: u32, ready: AioEvent) {
    semaphore.acquire_many(forgotten).unwrap().forget();
    let _permit = semaphore.acquire_many(held).unwrap();
    ready.set();
    sleep_for_ever();
}

#[test]
fn case_77_the_permits_of_a_killed_holder_come_back() {
    let watchdog = Watchdog::new("case_77");
    for &side in Side::ALL {
        for waits_first in [false, true] {
            watchdog.step(format!("{side:?}, waits first: {waits_first}"));
            let (semaphore, ready) = (AioSemaphore::new(5).unwrap(), AioEvent::new().unwrap());
            let child: AioProcess<()> =
                AioProcess::spawn(hold_for_ever, (semaphore.clone(), 3, 1, ready.clone())).unwrap();
            ready.wait().unwrap();
            assert_eq!(semaphore.permits(), 1);
            let waiting = semaphore.clone();
            let permit = if waits_first {
                let waiter = std::thread::spawn(move || acquire(side, &waiting, 4));
                kit::until("somebody waits", || format!("{semaphore:?}").contains("waiters: 1"));
                child.kill().unwrap();
                waiter.join().unwrap()
            } else {
                child.kill().unwrap();
                child.join().unwrap_err();
                assert_eq!(semaphore.permits(), 4, "what was forgotten does not come back");
                acquire(side, &semaphore, 4)
            };
            assert_eq!(semaphore.permits(), 0);
            drop(permit);
            semaphore.release(1).unwrap();
            assert_eq!(semaphore.permits(), 5);
        }
    }
}

#[test]
fn case_77_a_death_lets_as_many_go_on_as_it_frees() {
    fn take_one(semaphore: AioSemaphore, side: Side, taken: AioSemaphore, end: AioEvent) {
        let _permit = acquire(side, &semaphore, 1);
        taken.release(1).unwrap();
        end.wait().unwrap();
    }
    each("case_77_as_many", |side, place, _| {
        let (semaphore, ready) = (AioSemaphore::new(3).unwrap(), AioEvent::new().unwrap());
        let child: AioProcess<()> =
            AioProcess::spawn(hold_for_ever, (semaphore.clone(), 3, 0, ready.clone())).unwrap();
        ready.wait().unwrap();
        let (taken, end) = (AioSemaphore::new(0).unwrap(), AioEvent::new().unwrap());
        let waiters: Vec<_> =
            (0..3).map(|_| start!(place, take_one, (semaphore, side, taken, end))).collect();
        kit::until("all wait", || format!("{semaphore:?}").contains("waiters: 3"));
        child.kill().unwrap();
        // All three hold one at the same time.
        drop(taken.acquire_many(3).unwrap());
        assert_eq!(semaphore.permits(), 0);
        end.set();
        waiters.into_iter().for_each(kit::sides::Started::join);
        assert_eq!(semaphore.permits(), 3);
        child.join().unwrap_err();
    });
}

#[test]
fn case_77_a_slot_that_is_taken_again_holds_nothing_of_the_dead() {
    let watchdog = Watchdog::new("case_77_slot");
    let semaphore = AioSemaphore::new(2).unwrap();
    for round in 0..10 {
        watchdog.step(format!("round {round}"));
        let ready = AioEvent::new().unwrap();
        let child: AioProcess<()> =
            AioProcess::spawn(hold_for_ever, (semaphore.clone(), 2, 0, ready.clone())).unwrap();
        ready.wait().unwrap();
        child.kill().unwrap();
        child.join().unwrap_err();
    }
    assert_eq!(semaphore.permits(), 2);
    drop(semaphore.try_acquire_many(2).unwrap());
}

/// Never are more inside than there are permits, and nothing is left over.
fn go_in_and_out(semaphore: AioSemaphore, inside: AioValue<i32>, side: Side) -> bool {
    let rounds = if side == Side::Blocking { 3_000_u32 } else { 300 };
    (0..rounds).all(|round| {
        let count = 1 + round % 2;
        let permit = acquire(side, &semaphore, count);
        let others = inside.fetch_add(count.cast_signed());
        let fits = others + count.cast_signed() <= 3;
        inside.fetch_add(-count.cast_signed());
        if round % 7 == 0 {
            permit.forget();
            semaphore.release(count).unwrap();
        }
        fits
    })
}

#[test]
fn case_73_contended_permits_are_exact() {
    each("case_73", |side, place, _| {
        let (semaphore, inside) = (AioSemaphore::new(3).unwrap(), AioValue::new(0).unwrap());
        let parts: Vec<_> = (0..4).map(|_| start!(place, go_in_and_out, (semaphore, inside, side))).collect();
        assert!(parts.into_iter().all(kit::sides::Started::join), "more inside than permits");
        assert_eq!(semaphore.permits(), 3);
        assert!(format!("{semaphore:?}").contains("waiters: 0"), "{semaphore:?}");
    });
}

fn forget_and_release(semaphore: AioSemaphore) -> u32 {
    let refused = (0..20_000).filter(|_| {
        semaphore.acquire().unwrap().forget();
        semaphore.release(1).is_err()
    });
    u32::try_from(refused.count()).unwrap()
}

#[test]
fn what_was_forgotten_can_be_released_whatever_others_do() {
    let _watchdog = Watchdog::new("what_was_forgotten");
    for place in Place::ALL {
        let semaphore = AioSemaphore::new(3).unwrap();
        let parts: Vec<_> = (0..3).map(|_| start!(place, forget_and_release, (semaphore))).collect();
        assert_eq!(parts.into_iter().map(kit::sides::Started::join).sum::<u32>(), 0, "were refused");
        assert_eq!(semaphore.permits(), 3);
    }
}

#[cfg(feature = "tokio")]
mod tasks {
    use super::*;

    #[test]
    fn case_66_d4_tasks_share_one_permit() {
        let _watchdog = Watchdog::new("case_66");
        let semaphore = AioSemaphore::new(1).unwrap();
        let inside = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        kit::runtime().block_on(async {
            let tasks: Vec<_> = (0..20)
                .map(|_| {
                    let (semaphore, inside) = (semaphore.clone(), inside.clone());
                    tokio::spawn(async move {
                        for _ in 0..50 {
                            let permit = semaphore.coro_acquire().await.unwrap();
                            assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                            tokio::task::yield_now().await;
                            inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                            drop(permit);
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(semaphore.permits(), 1);
    }

    #[test]
    fn case_68_a_cancelled_acquire_takes_nothing_and_wakes_the_next() {
        let watchdog = Watchdog::new("case_68");
        for round in 0..300 {
            watchdog.step(format!("round {round}"));
            let semaphore = AioSemaphore::new(1).unwrap();
            kit::runtime().block_on(async {
                let permit = semaphore.coro_acquire().await.unwrap();
                let (first, second) = (semaphore.clone(), semaphore.clone());
                let cancelled = tokio::spawn(async move { first.coro_acquire().await.map(drop) });
                let next = tokio::spawn(async move { second.coro_acquire().await.map(drop) });
                while !format!("{semaphore:?}").contains("waiters: 2") {
                    tokio::task::yield_now().await;
                }
                if round % 2 == 0 {
                    cancelled.abort();
                    drop(permit);
                } else {
                    drop(permit);
                    cancelled.abort();
                }
                next.await.unwrap().unwrap();
                let _ = cancelled.await;
            });
            assert_eq!(semaphore.permits(), 1);
        }
    }

    #[test]
    fn case_75_a_permit_moves_over_an_await_to_another_thread() {
        let _watchdog = Watchdog::new("case_75");
        let semaphore = AioSemaphore::new(1).unwrap();
        kit::runtime().block_on(async {
            for _ in 0..50 {
                let permit = semaphore.coro_acquire().await.unwrap();
                tokio::task::yield_now().await;
                std::thread::spawn(move || drop(permit)).join().unwrap();
                assert_eq!(semaphore.permits(), 1);
            }
        });
    }
}
