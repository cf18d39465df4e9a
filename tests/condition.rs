//! What a condition promises: cases 80 to 88, D7 and P4.
#![cfg_attr(not(feature = "tokio"), allow(dead_code, unused_imports))]

mod kit;

use std::time::{Duration, Instant};

use aioprocessing::{
    AioArray, AioCondition, AioEvent, AioLock, AioMutex, AioProcess, AioRLock, AioSemaphore, AioValue,
    ConditionGuard, ConditionWaitError, ConditionWaitTimeoutError,
};
use kit::either::either;
use kit::sides::{Place, Side, each, start};
use kit::{LONG, Watchdog, sleep_for_ever};

aioprocessing::test_support!();

const SHORT: Duration = Duration::from_millis(30);

fn lock(side: Side, condition: &AioCondition) -> aioprocessing::AioConditionGuard {
    either!(side, condition.lock(), condition.coro_lock()).unwrap()
}

fn wait<G: ConditionGuard + std::fmt::Debug>(side: Side, condition: &AioCondition, guard: G) -> G {
    either!(side, condition.wait(guard), condition.coro_wait(guard)).unwrap()
}

/// Waits once, and says when it has come back.
fn wait_once(condition: AioCondition, woken: AioSemaphore, side: Side) {
    let guard = lock(side, &condition);
    let guard = wait(side, &condition, guard);
    woken.release(1).unwrap();
    drop(guard);
}

/// The same, as two tasks of one runtime.
#[cfg(feature = "tokio")]
fn wait_once_in_two_tasks(condition: AioCondition, woken: AioSemaphore) {
    kit::runtime().block_on(async {
        let wait = async || {
            let guard = condition.coro_lock().await.unwrap();
            let guard = condition.coro_wait(guard).await.unwrap();
            woken.release(1).unwrap();
            drop(guard);
        };
        tokio::join!(wait(), wait());
    });
}

fn waiters(condition: &AioCondition) -> String {
    let text = format!("{condition:?}");
    text.rsplit_once("waiters: ").unwrap().1.trim_end_matches(" }").to_owned()
}

fn until_waiting(condition: &AioCondition, count: u32) {
    kit::until("they all wait", || waiters(condition) == count.to_string());
}

/// Exactly so many come back: one more does not.
fn exactly(woken: &AioSemaphore, count: u32) {
    woken.acquire_many(count).unwrap().forget();
    assert!(woken.acquire_timeout(SHORT).unwrap_err().is_timeout(), "one more came back");
}

#[test]
fn case_80_and_81_a_notification_reaches_exactly_so_many() {
    let watchdog = Watchdog::new("case_80");
    let (condition, woken) = (AioCondition::new().unwrap(), AioSemaphore::new(0).unwrap());
    // A surplus is not kept.
    condition.notify(3);
    condition.notify_all();
    let mut started = Vec::new();
    for &side in Side::ALL {
        for place in Place::ALL {
            for _ in 0..2 {
                started.push(start!(place, wait_once, (condition, woken, side)));
            }
        }
    }
    #[cfg(feature = "tokio")]
    for place in Place::ALL {
        started.push(start!(place, wait_once_in_two_tasks, (condition, woken)));
    }
    let all = if cfg!(feature = "tokio") { 12 } else { 4 };
    until_waiting(&condition, all);
    let mut left = all;
    for count in [1, 1, 2, 0, if all == 12 { 5 } else { 0 }] {
        watchdog.step(format!("notify({count}), {left} are waiting"));
        let guard = condition.lock().unwrap();
        condition.notify(count as usize);
        drop(guard);
        exactly(&woken, count);
        left -= count;
        assert_eq!(waiters(&condition), left.to_string());
    }
    watchdog.step("more than are waiting");
    condition.notify(100);
    exactly(&woken, left);
    started.into_iter().for_each(kit::sides::Started::join);
    // And nothing of that is kept either.
    let guard = condition.lock().unwrap();
    assert!(condition.wait_timeout(guard, SHORT).unwrap_err().is_timeout());
}

/// Waits in vain.
fn wait_in_vain(condition: AioCondition, side: Side) {
    let guard = lock(side, &condition);
    either!(side, assert!(condition.wait_timeout(guard, SHORT).unwrap_err().is_timeout()), async {
        assert!(tokio::time::timeout(SHORT, condition.coro_wait(guard)).await.is_err());
    });
}

#[test]
fn case_82_who_gave_up_eats_no_notification() {
    each("case_82", |side, place, _| {
        let (condition, woken) = (AioCondition::new().unwrap(), AioSemaphore::new(0).unwrap());
        let vain: Vec<_> = (0..3).map(|_| start!(place, wait_in_vain, (condition, side))).collect();
        vain.into_iter().for_each(kit::sides::Started::join);
        assert_eq!(waiters(&condition), "0");
        let waiting: Vec<_> = (0..6).map(|_| start!(place, wait_once, (condition, woken, side))).collect();
        until_waiting(&condition, 6);
        condition.notify(1);
        exactly(&woken, 1);
        condition.notify_all();
        exactly(&woken, 5);
        waiting.into_iter().for_each(kit::sides::Started::join);
    });
}

#[test]
fn case_83_a_timeout_comes_after_the_right_time_and_holds_the_lock_again() {
    let _watchdog = Watchdog::new("case_83");
    let own = AioLock::new().unwrap();
    let condition = AioCondition::with_lock(&own).unwrap();
    let begun = Instant::now();
    let error = condition.wait_timeout(own.acquire().unwrap(), SHORT).unwrap_err();
    assert!(begun.elapsed() >= SHORT);
    let ConditionWaitTimeoutError::Timeout(guard) = error else { panic!("{error}") };
    assert!(own.try_acquire().is_err(), "it is held again");
    let error = condition.wait_timeout(guard, Duration::ZERO).unwrap_err();
    let guard = error.into_guard().expect("it is held again");
    drop(guard);
    drop(own.try_acquire().unwrap());
}

fn take_and_keep(own: AioLock, condition: AioCondition, taken: AioEvent, let_go: AioEvent) {
    kit::until("the other waits", || waiters(&condition) == "1");
    let guard = own.acquire().unwrap();
    taken.set();
    let_go.wait().unwrap();
    drop(guard);
}

#[test]
fn case_83_a_timeout_does_not_wait_for_a_lock_that_is_kept() {
    let _watchdog = Watchdog::new("case_83_kept");
    for place in Place::ALL {
        let own = AioLock::new().unwrap();
        let condition = AioCondition::with_lock(&own).unwrap();
        let (taken, let_go) = (AioEvent::new().unwrap(), AioEvent::new().unwrap());
        let keeper = start!(place, take_and_keep, (own, condition, taken, let_go));
        let guard = own.acquire().unwrap();
        let begun = Instant::now();
        let error = condition.wait_timeout(guard, Duration::from_millis(500)).unwrap_err();
        assert!(begun.elapsed() >= Duration::from_millis(500));
        assert!(taken.is_set() && error.is_timeout());
        let ConditionWaitTimeoutError::LockTimeout { holder } = error else { panic!("{error}") };
        assert_eq!(holder.unwrap().pid == std::process::id(), place == Place::Thread);
        let_go.set();
        keeper.join();
        assert_eq!(waiters(&condition), "0");
    }
}

/// Raises the value step by step, with a notification each time.
fn raise(condition: AioCondition, value: AioValue<u32>, to: u32) {
    for _ in 0..to {
        let guard = condition.lock().unwrap();
        value.fetch_add(1);
        condition.notify_all();
        drop(guard);
    }
}

#[test]
fn case_84_wait_for_waits_until_it_is_true() {
    each("case_84", |side, place, _| {
        let (condition, value) = (AioCondition::new().unwrap(), AioValue::new(0_u32).unwrap());
        let guard = lock(side, &condition);
        // True from the beginning: no wait.
        let guard =
            either!(side, condition.wait_for(guard, || true), condition.coro_wait_for(guard, || true))
                .unwrap();
        let to = 50_u32;
        let raiser = start!(place, raise, (condition, value, to));
        let is_there = || value.get() == 50;
        let guard =
            either!(side, condition.wait_for(guard, is_there), condition.coro_wait_for(guard, is_there))
                .unwrap();
        assert_eq!(value.get(), 50);
        drop(guard);
        raiser.join();
        let guard = condition.lock().unwrap();
        let begun = Instant::now();
        let mut asked = 0;
        let error = condition
            .wait_for_timeout(guard, SHORT, || {
                asked += 1;
                false
            })
            .unwrap_err();
        assert!(begun.elapsed() >= SHORT && asked >= 2);
        let guard = error.into_guard().unwrap();
        drop(condition.wait_for_timeout(guard, LONG, || true).unwrap());
    });
}

#[test]
fn case_85_a_guard_of_another_lock_is_refused() {
    let condition = AioCondition::new().unwrap();
    let other = AioLock::new().unwrap();
    let error = condition.wait(other.acquire().unwrap()).unwrap_err();
    let ConditionWaitError::WrongLock(guard) = error else { panic!("{error}") };
    drop(guard);
    assert!(!other.is_locked());
    let guard = other.acquire().unwrap();
    let error = condition.wait_timeout(guard, Duration::ZERO).unwrap_err();
    assert!(matches!(error, ConditionWaitTimeoutError::WrongLock(_)) && !error.is_timeout());
}

fn wait_for_ever(condition: AioCondition) {
    let guard = condition.lock().unwrap();
    drop(condition.wait(guard));
}

#[test]
fn case_86_p4_killed_waiters_are_passed_over() {
    each("case_86", |side, place, watchdog| {
        let (condition, woken) = (AioCondition::new().unwrap(), AioSemaphore::new(0).unwrap());
        let doomed: Vec<AioProcess<()>> =
            (0..3).map(|_| AioProcess::spawn(wait_for_ever, (condition.clone(),)).unwrap()).collect();
        until_waiting(&condition, 3);
        // And not one that is counted and has the lock still.
        drop(condition.lock().unwrap());
        let living: Vec<_> = (0..2).map(|_| start!(place, wait_once, (condition, woken, side))).collect();
        until_waiting(&condition, 5);
        for child in &doomed {
            child.kill().unwrap();
            child.join().unwrap_err();
        }
        watchdog.step("notify");
        condition.notify(1);
        exactly(&woken, 1);
        condition.notify(1);
        exactly(&woken, 1);
        living.into_iter().for_each(kit::sides::Started::join);
        condition.notify_all();
        assert_eq!(waiters(&condition), "0");
    });
}

fn wait_in_two_threads(condition: AioCondition, ready: AioSemaphore, woken: AioSemaphore) {
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let guard = condition.lock().unwrap();
                ready.release(1).unwrap();
                let guard = condition.wait(guard).unwrap();
                woken.release(1).unwrap();
                drop(guard);
            });
        }
    });
}

#[test]
fn case_86_who_comes_after_a_killed_waiter_is_notified() {
    let _watchdog = Watchdog::new("case_86_after");
    let (condition, woken) = (AioCondition::new().unwrap(), AioSemaphore::new(0).unwrap());
    for _ in 0..5 {
        let doomed: AioProcess<()> = AioProcess::spawn(wait_for_ever, (condition.clone(),)).unwrap();
        kit::until("it waits", || waiters(&condition) != "0");
        // Counted, and without the lock.
        drop(condition.lock().unwrap());
        doomed.kill().unwrap();
        doomed.join().unwrap_err();
        let ready = AioSemaphore::new(0).unwrap();
        let next = start!(Place::Process, wait_in_two_threads, (condition, ready, woken));
        ready.acquire_many(2).unwrap().forget();
        // Whoever held the lock when it said so waits by the time the lock is to be had.
        drop(condition.lock().unwrap());
        condition.notify(1);
        exactly(&woken, 1);
        condition.notify(1);
        next.join();
        exactly(&woken, 1);
    }
}

#[test]
fn every_lock_will_do() {
    each("every_lock_will_do", |side, place, watchdog| {
        let value = AioValue::new(0_u32).unwrap();
        let (plain, again) = (AioLock::new().unwrap(), AioRLock::new().unwrap());
        let (mutex, array) = (AioMutex::new(1_u8).unwrap(), AioArray::from_slice(&[1_u8]).unwrap());
        let conditions = [
            AioCondition::with_lock(&plain).unwrap(),
            AioCondition::with_lock(&again).unwrap(),
            AioCondition::with_lock(&mutex).unwrap(),
            AioCondition::with_lock(&array).unwrap(),
        ];
        for (index, condition) in conditions.iter().enumerate() {
            watchdog.step(format!("condition {index}, {side:?} against a {place:?}"));
            value.set(0);
            let to = 1_u32;
            // Each gives the lock up to the raiser, and has it again.
            match index {
                0 => {
                    let guard = plain.acquire().unwrap();
                    let raiser = start!(place, raise, (condition, value, to));
                    let guard = wait(side, condition, guard);
                    raiser.join();
                    assert!(plain.is_locked());
                    drop(guard);
                }
                1 => {
                    // However often it is held.
                    let outer = either!(side, again.acquire(), again.coro_acquire()).unwrap();
                    let inner = either!(side, again.acquire(), again.coro_acquire()).unwrap();
                    let raiser = start!(place, raise, (condition, value, to));
                    let inner = wait(side, condition, inner);
                    raiser.join();
                    drop(inner);
                    assert!(again.is_locked());
                    drop(outer);
                    assert!(!again.is_locked());
                }
                2 => {
                    let guard = mutex.lock().unwrap();
                    let raiser = start!(place, raise, (condition, value, to));
                    let mut guard = wait(side, condition, guard);
                    raiser.join();
                    *guard += 1;
                }
                _ => {
                    let guard = array.lock().unwrap();
                    let raiser = start!(place, raise, (condition, value, to));
                    let mut guard = wait(side, condition, guard);
                    raiser.join();
                    guard[0] += 1;
                }
            }
            assert_eq!(value.get(), 1);
        }
        assert_eq!((*mutex.lock().unwrap(), array.get(0)), (2, Some(2)));
    });
}

fn hold_and_die(own: AioLock, condition: AioCondition) {
    kit::until("the other waits", || waiters(&condition) == "1");
    let _guard = own.acquire().unwrap();
    condition.notify(1);
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
    sleep_for_ever();
}

#[test]
fn a_wait_that_follows_a_killed_holder_is_told() {
    each("a_wait_that_follows", |side, _, _| {
        let own = AioLock::new().unwrap();
        let condition = AioCondition::with_lock(&own).unwrap();
        let guard = own.acquire().unwrap();
        let child: AioProcess<()> =
            AioProcess::spawn(hold_and_die, (own.clone(), condition.clone())).unwrap();
        let error = either!(side, condition.wait(guard), condition.coro_wait(guard)).unwrap_err();
        let ConditionWaitError::OwnerDied(guard) = error else { panic!("{error}") };
        assert_eq!(guard.dead_holder().map(|holder| holder.pid), Some(child.pid()));
        child.join().unwrap_err();
    });
}

/// One side of a conversation under one lock: answers each change with another.
fn converse(condition: AioCondition, turn: AioValue<u32>, mine: u32, side: Side) {
    for _ in 0..rounds(side) {
        let guard = lock(side, &condition);
        let is_mine = || turn.get() % 2 == mine;
        let guard =
            either!(side, condition.wait_for(guard, is_mine), condition.coro_wait_for(guard, is_mine))
                .unwrap();
        turn.fetch_add(1);
        condition.notify(1);
        drop(guard);
    }
}

fn rounds(side: Side) -> u32 {
    if side == Side::Blocking { 5_000 } else { 300 }
}

#[test]
fn case_89_no_notification_is_lost_between_the_look_and_the_sleep() {
    each("case_89", |side, place, _| {
        let (condition, turn) = (AioCondition::new().unwrap(), AioValue::new(0_u32).unwrap());
        let one = 1_u32;
        let other = start!(place, converse, (condition, turn, one, side));
        converse(condition, turn.clone(), 0, side);
        other.join();
        assert_eq!(turn.get(), 2 * rounds(side));
    });
}

#[cfg(feature = "tokio")]
mod tasks {
    use super::*;

    /// Waits for one notification.
    async fn wait(condition: AioCondition) {
        let guard = condition.coro_lock().await.unwrap();
        drop(condition.coro_wait(guard).await.unwrap());
    }

    async fn until_waiting(condition: &AioCondition, count: &str) {
        while waiters(condition) != count {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn case_88_d7_waiter_and_notifier_are_tasks_of_one_process() {
        let _watchdog = Watchdog::new("case_88");
        let (condition, value) = (AioCondition::new().unwrap(), AioValue::new(0_u32).unwrap());
        kit::runtime().block_on(async {
            let (theirs, seen) = (condition.clone(), value.clone());
            let waiter = tokio::spawn(async move {
                let guard = theirs.coro_lock().await.unwrap();
                drop(theirs.coro_wait_for(guard, || seen.get() == 1).await.unwrap());
            });
            until_waiting(&condition, "1").await;
            let guard = condition.coro_lock().await.unwrap();
            value.set(1);
            condition.notify(1);
            drop(guard);
            waiter.await.unwrap();
        });
    }

    #[test]
    fn case_87_a_cancelled_wait_gives_up_the_lock_and_passes_the_notification_on() {
        let watchdog = Watchdog::new("case_87");
        for round in 0..200 {
            watchdog.step(format!("round {round}"));
            let condition = AioCondition::new().unwrap();
            kit::runtime().block_on(async {
                let cancelled = tokio::spawn(wait(condition.clone()));
                until_waiting(&condition, "1").await;
                let next = tokio::spawn(wait(condition.clone()));
                until_waiting(&condition, "2").await;
                match round % 3 {
                    // Notified, then cancelled: before it ran again, or while it waits for the lock.
                    0 => {
                        condition.notify(1);
                        cancelled.abort();
                    }
                    1 => {
                        let guard = condition.coro_lock().await.unwrap();
                        condition.notify(1);
                        for _ in 0..5 {
                            tokio::task::yield_now().await;
                        }
                        cancelled.abort();
                        let _ = cancelled.await;
                        drop(guard);
                        next.await.unwrap();
                        return;
                    }
                    // Cancelled first.
                    _ => {
                        cancelled.abort();
                        let _ = cancelled.await;
                        drop(condition.coro_lock().await.expect("the lock was given up"));
                        condition.notify(1);
                        next.await.unwrap();
                        return;
                    }
                }
                next.await.unwrap();
                let _ = cancelled.await;
            });
            assert_eq!(waiters(&condition), "0");
            drop(condition.try_lock().unwrap());
        }
    }

    #[test]
    fn case_87_a_cancelled_wait_leaves_no_residue() {
        let _watchdog = Watchdog::new("case_87_residue");
        let condition = AioCondition::new().unwrap();
        kit::runtime().block_on(async {
            for _ in 0..50 {
                let guard = condition.coro_lock().await.unwrap();
                assert!(
                    tokio::time::timeout(Duration::from_millis(1), condition.coro_wait(guard)).await.is_err()
                );
            }
            assert_eq!(waiters(&condition), "0");
            let waiter = tokio::spawn(wait(condition.clone()));
            until_waiting(&condition, "1").await;
            condition.notify(1);
            waiter.await.unwrap();
        });
    }

    #[test]
    fn who_comes_later_does_not_take_what_was_meant_for_another() {
        let watchdog = Watchdog::new("who_comes_later");
        for round in 0..100 {
            watchdog.step(format!("round {round}"));
            let condition = AioCondition::new().unwrap();
            kit::runtime().block_on(async {
                let first = tokio::spawn(wait(condition.clone()));
                until_waiting(&condition, "1").await;
                condition.notify(1);
                // Joins before the first one has run.
                let guard = condition.try_lock().unwrap();
                let later = tokio::time::timeout(Duration::from_millis(5), condition.coro_wait(guard)).await;
                assert!(later.is_err(), "it took the first one's");
                first.await.unwrap();
            });
        }
    }
}
