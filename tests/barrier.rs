//! What a barrier promises: cases 95 to 100, D6 and P4.
#![cfg_attr(not(feature = "tokio"), allow(dead_code, unused_imports))]

mod kit;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use aioprocessing::{AioBarrier, AioEvent, AioProcess, AioValue, BarrierError, Met};
use kit::Watchdog;
use kit::either::either;
use kit::sides::{Side, Started, each, start};

aioprocessing::test_support!();

const SHORT: Duration = Duration::from_millis(30);

fn wait(side: Side, barrier: &AioBarrier) -> Result<Met, BarrierError> {
    either!(side, barrier.wait(), barrier.coro_wait())
}

fn until_waiting(barrier: &AioBarrier, count: usize) {
    kit::until("they all wait", || barrier.n_waiting() == count);
}

/// Passes so many times; gives its indices.
fn pass(barrier: AioBarrier, arrived: AioValue<usize>, times: usize, side: Side) -> Vec<usize> {
    let parties = barrier.parties();
    (1..=times)
        .map(|round| {
            arrived.fetch_add(1);
            let met = wait(side, &barrier).unwrap();
            // In lockstep: all have come this often, and nobody once more before all have seen it.
            assert_eq!(arrived.get(), parties * round);
            assert_eq!(met.is_leader(), met.index() == 0);
            wait(side, &barrier).unwrap();
            met.index()
        })
        .collect()
}

#[test]
fn case_95_and_100_parties_pass_in_lockstep_and_each_has_an_index_of_its_own() {
    each("case_95", |side, place, _| {
        let (barrier, arrived) = (AioBarrier::new(5).unwrap(), AioValue::new(0_usize).unwrap());
        assert_eq!((barrier.parties(), barrier.n_waiting()), (5, 0));
        let times = if side == Side::Blocking { 500_usize } else { 100 };
        let others: Vec<_> = (0..4).map(|_| start!(place, pass, (barrier, arrived, times, side))).collect();
        let mut all = vec![pass(barrier.clone(), arrived, times, side)];
        all.extend(others.into_iter().map(Started::join));
        for round in 0..times {
            let mut indices: Vec<_> = all.iter().map(|indices| indices[round]).collect();
            indices.sort_unstable();
            assert_eq!(indices, [0, 1, 2, 3, 4], "round {round}");
        }
        assert_eq!(barrier.n_waiting(), 0);
    });
}

#[test]
fn case_100_one_party_passes_alone_and_none_is_refused() {
    each("case_100", |side, _, _| {
        let barrier = AioBarrier::new(1).unwrap();
        for _ in 0..10 {
            assert!(wait(side, &barrier).unwrap().is_leader());
            assert!(barrier.try_wait().unwrap().is_leader());
            assert!(barrier.wait_timeout(Duration::ZERO).unwrap().is_leader());
        }
        assert!(AioBarrier::new(0).is_err());
        assert!(AioBarrier::new(1 << 20).is_err());
    });
}

fn wait_once(barrier: AioBarrier, side: Side) -> Option<usize> {
    match wait(side, &barrier) {
        Ok(met) => Some(met.index()),
        Err(error) => {
            assert!(error.is_broken(), "{error}");
            None
        }
    }
}

#[test]
fn try_wait_passes_only_as_the_last() {
    each("try_wait", |side, place, _| {
        let barrier = AioBarrier::new(2).unwrap();
        assert!(barrier.try_wait().unwrap_err().is_would_block());
        assert_eq!(barrier.n_waiting(), 0);
        let other = start!(place, wait_once, (barrier, side));
        kit::until("the other has come", || barrier.try_wait().is_ok());
        assert_eq!(other.join(), Some(1));
    });
}

/// Of the process that ran an action: how often it did.
static RUNS: AtomicU32 = AtomicU32::new(0);

fn count_runs() {
    RUNS.fetch_add(1, Ordering::SeqCst);
}

/// Passes so many times, and says how often the action ran in this process.
fn pass_and_count(barrier: AioBarrier, times: u32, side: Side) -> u32 {
    let before = RUNS.load(Ordering::SeqCst);
    let led = (0..times).filter(|_| wait(side, &barrier).unwrap().is_leader()).count();
    let ran = RUNS.load(Ordering::SeqCst) - before;
    assert_eq!(u32::try_from(led).unwrap(), ran, "the leader runs it");
    ran
}

#[test]
fn case_95_a_function_runs_once_in_one_of_the_parties() {
    let watchdog = Watchdog::new("case_95_function");
    for &side in Side::ALL {
        watchdog.step(format!("{side:?}"));
        let barrier = AioBarrier::builder(3).action(count_runs).build().unwrap();
        let times = 50_u32;
        let others: Vec<AioProcess<u32>> = (0..2)
            .map(|_| AioProcess::spawn(pass_and_count, (barrier.clone(), times, side)).unwrap())
            .collect();
        let mut ran = pass_and_count(barrier.clone(), times, side);
        ran += others.iter().map(|child| child.join().unwrap()).sum::<u32>();
        assert_eq!(ran, times);
    }
}

#[test]
fn case_95_a_closure_that_captures_runs_where_it_was_made_before_anybody_goes_on() {
    each("case_95_closure", |side, place, _| {
        let runs = AioValue::new(0_u32).unwrap();
        let (counted, here) = (runs.clone(), std::process::id());
        let barrier = AioBarrier::builder(4)
            .action(move || {
                assert_eq!(std::process::id(), here);
                counted.fetch_add(1);
            })
            .build()
            .unwrap();
        let others: Vec<_> = (0..3).map(|_| start!(place, wait_and_look, (barrier, runs, side))).collect();
        wait_and_look(barrier, runs.clone(), side);
        others.into_iter().for_each(Started::join);
        assert_eq!(runs.get(), 20);
    });
}

/// Each time it is let go the action has run.
fn wait_and_look(barrier: AioBarrier, runs: AioValue<u32>, side: Side) {
    for round in 1..=20 {
        wait(side, &barrier).unwrap();
        assert!(runs.get() >= round);
    }
}

#[test]
fn case_95_an_action_that_nobody_has_breaks_the_barrier() {
    let _watchdog = Watchdog::new("case_95_nobody");
    let number = AioValue::new(0).unwrap();
    let barrier = AioBarrier::builder(2).action(move || number.set(1)).build().unwrap();
    let side = Side::Blocking;
    let parties: Vec<AioProcess<Option<usize>>> =
        (0..2).map(|_| AioProcess::spawn(wait_once, (barrier.clone(), side)).unwrap()).collect();
    for party in parties {
        assert_eq!(party.join().unwrap(), None);
    }
    assert!(barrier.is_broken());
}

#[test]
fn case_100_an_action_that_panics_breaks_the_barrier() {
    each("case_100_panics", |side, place, _| {
        let barrier = AioBarrier::builder(2).action(|| panic!("on purpose, in an action")).build().unwrap();
        let other = start!(place, wait_once, (barrier, side));
        until_waiting(&barrier, 1);
        let theirs = barrier.clone();
        // The last to come runs it.
        std::thread::spawn(move || wait(side, &theirs)).join().unwrap_err();
        assert_eq!(other.join(), None);
        assert!(barrier.is_broken());
    });
}

#[test]
fn case_96_abort_breaks_it_for_all_until_it_is_reset() {
    each("case_96", |side, place, _| {
        let barrier = AioBarrier::new(3).unwrap();
        let others: Vec<_> = (0..2).map(|_| start!(place, wait_once, (barrier, side))).collect();
        until_waiting(&barrier, 2);
        assert!(!barrier.is_broken());
        barrier.abort();
        assert!(others.into_iter().all(|other| other.join().is_none()));
        assert!(barrier.is_broken());
        assert!(wait(side, &barrier).unwrap_err().is_broken());
        assert!(barrier.try_wait().unwrap_err().is_broken());
        barrier.abort();
        barrier.reset();
        assert!(!barrier.is_broken());
        let others: Vec<_> = (0..2).map(|_| start!(place, wait_once, (barrier, side))).collect();
        wait(side, &barrier).unwrap();
        assert!(others.into_iter().all(|other| other.join().is_some()));
    });
}

#[test]
fn case_96_reset_frees_waiters_as_broken_and_works_again() {
    each("case_96_reset", |side, place, _| {
        let barrier = AioBarrier::new(3).unwrap();
        barrier.reset();
        let others: Vec<_> = (0..2).map(|_| start!(place, wait_once, (barrier, side))).collect();
        until_waiting(&barrier, 2);
        barrier.reset();
        assert_eq!(barrier.n_waiting(), 0);
        assert!(!barrier.is_broken());
        // The next cycle may trip before those of the last have looked.
        let next: Vec<_> = (0..2).map(|_| start!(place, wait_once, (barrier, side))).collect();
        wait(side, &barrier).unwrap();
        assert!(next.into_iter().all(|other| other.join().is_some()));
        assert!(others.into_iter().all(|other| other.join().is_none()));
    });
}

/// Passes, and breaks the barrier at once, before others may have looked.
fn pass_then_abort(barrier: AioBarrier, side: Side) -> bool {
    let passed = wait(side, &barrier).is_ok();
    barrier.abort();
    passed
}

#[test]
fn case_96_who_has_met_is_not_told_of_what_broke_later() {
    each("case_96_later", |side, place, _| {
        for _ in 0..20 {
            let barrier = AioBarrier::new(3).unwrap();
            let others: Vec<_> = (0..2).map(|_| start!(place, pass_then_abort, (barrier, side))).collect();
            assert!(pass_then_abort(barrier, side));
            assert!(others.into_iter().all(Started::join));
        }
    });
}

#[test]
fn case_97_a_timeout_breaks_it_for_all() {
    each("case_97", |side, place, _| {
        let barrier = AioBarrier::new(3).unwrap();
        let other = start!(place, wait_once, (barrier, side));
        until_waiting(&barrier, 1);
        let begun = Instant::now();
        let error = barrier.wait_timeout(SHORT).unwrap_err();
        assert!(begun.elapsed() >= SHORT);
        assert!(error.is_timeout() && error.is_broken());
        assert_eq!(other.join(), None);
        assert!(barrier.is_broken());
        assert!(!barrier.wait_timeout(SHORT).unwrap_err().is_timeout());
    });
}

#[test]
fn case_97_its_own_timeout_travels_with_it() {
    each("case_97_own", |side, place, _| {
        let barrier = AioBarrier::builder(3).timeout(SHORT).build().unwrap();
        let begun = Instant::now();
        let other = start!(place, wait_once, (barrier, side));
        assert_eq!(other.join(), None);
        assert!(begun.elapsed() >= SHORT);
        assert!(barrier.is_broken());
        barrier.reset();
        let begun = Instant::now();
        assert!(matches!(wait(side, &barrier), Err(BarrierError::Broken)));
        assert!(begun.elapsed() >= SHORT);
    });
}

#[test]
fn case_98_p4_a_killed_party_breaks_it_for_all() {
    each("case_98", |side, place, watchdog| {
        let barrier = AioBarrier::new(4).unwrap();
        let doomed: AioProcess<Option<usize>> =
            AioProcess::spawn(wait_once, (barrier.clone(), side)).unwrap();
        until_waiting(&barrier, 1);
        let others: Vec<_> = (0..2).map(|_| start!(place, wait_once, (barrier, side))).collect();
        until_waiting(&barrier, 3);
        watchdog.step("killed");
        doomed.kill().unwrap();
        assert!(others.into_iter().all(|other| other.join().is_none()));
        assert!(barrier.is_broken());
        barrier.reset();
        let others: Vec<_> = (0..3).map(|_| start!(place, wait_once, (barrier, side))).collect();
        wait(side, &barrier).unwrap();
        assert!(others.into_iter().all(|other| other.join().is_some()));
        doomed.join().unwrap_err();
    });
}

#[test]
fn case_98_p4_a_party_killed_before_anybody_waits_is_not_counted_on() {
    each("case_98_before", |side, _, _| {
        let barrier = AioBarrier::new(2).unwrap();
        let doomed: AioProcess<Option<usize>> =
            AioProcess::spawn(wait_once, (barrier.clone(), side)).unwrap();
        until_waiting(&barrier, 1);
        doomed.kill().unwrap();
        doomed.join().unwrap_err();
        // Neither by those who ask nor by those who come.
        assert_eq!(barrier.n_waiting(), 0);
        assert!(barrier.is_broken());
        assert!(wait(side, &barrier).unwrap_err().is_broken());
    });
}

#[test]
fn a_party_killed_after_the_meeting_breaks_nothing() {
    fn pass_and_sleep(barrier: AioBarrier, passed: AioEvent) {
        barrier.wait().unwrap();
        passed.set();
        kit::sleep_for_ever();
    }
    let _watchdog = Watchdog::new("killed_after");
    let (barrier, passed) = (AioBarrier::new(2).unwrap(), AioEvent::new().unwrap());
    let doomed: AioProcess<()> =
        AioProcess::spawn(pass_and_sleep, (barrier.clone(), passed.clone())).unwrap();
    barrier.wait().unwrap();
    passed.wait().unwrap();
    doomed.kill().unwrap();
    doomed.join().unwrap_err();
    assert!(!barrier.is_broken());
    let theirs = barrier.clone();
    let other = std::thread::spawn(move || theirs.wait().map(drop));
    barrier.wait().unwrap();
    other.join().unwrap().unwrap();
}

#[cfg(feature = "tokio")]
mod tasks {
    use super::*;

    #[test]
    fn case_99_d6_two_tasks_of_one_process_meet() {
        let _watchdog = Watchdog::new("case_99");
        let barrier = AioBarrier::new(2).unwrap();
        kit::runtime().block_on(async {
            for _ in 0..50 {
                let (one, other) = tokio::join!(barrier.coro_wait(), barrier.coro_wait());
                assert_eq!(one.unwrap().index() + other.unwrap().index(), 1);
            }
        });
    }

    #[test]
    fn case_99_a_cancelled_wait_is_not_counted() {
        let watchdog = Watchdog::new("case_99_cancelled");
        for round in 0..100 {
            watchdog.step(format!("round {round}"));
            let barrier = AioBarrier::new(3).unwrap();
            kit::runtime().block_on(async {
                let party =
                    |barrier: AioBarrier| async move { barrier.coro_wait().await.map(|met| met.index()) };
                let cancelled = tokio::spawn(party(barrier.clone()));
                let first = tokio::spawn(party(barrier.clone()));
                while barrier.n_waiting() < 2 {
                    tokio::task::yield_now().await;
                }
                cancelled.abort();
                assert!(cancelled.await.unwrap_err().is_cancelled());
                assert_eq!(barrier.n_waiting(), 1);
                let second = tokio::spawn(party(barrier.clone()));
                while barrier.n_waiting() < 2 {
                    tokio::task::yield_now().await;
                }
                let mut indices = vec![
                    barrier.coro_wait().await.unwrap().index(),
                    first.await.unwrap().unwrap(),
                    second.await.unwrap().unwrap(),
                ];
                indices.sort_unstable();
                assert_eq!(indices, [0, 1, 2], "each of its own, though one has gone");
            });
        }
    }

    #[test]
    fn case_99_who_is_cancelled_after_the_meeting_has_been_there() {
        let _watchdog = Watchdog::new("case_99_after");
        let barrier = AioBarrier::new(2).unwrap();
        kit::runtime().block_on(async {
            let theirs = barrier.clone();
            let cancelled = tokio::spawn(async move { theirs.coro_wait().await.map(drop) });
            while barrier.n_waiting() < 1 {
                tokio::task::yield_now().await;
            }
            // It trips, and the other has not run since.
            assert!(barrier.try_wait().unwrap().is_leader());
            cancelled.abort();
            let _ = cancelled.await;
            assert_eq!(barrier.n_waiting(), 0);
            assert!(!barrier.is_broken());
        });
    }
}
