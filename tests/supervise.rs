//! Supervisors.
#![allow(missing_docs)]

mod kit;

use std::time::Duration;

use aioprocessing::{AioQueue, Restart, SuperviseError, Supervisor, supervise};

aioprocessing::test_support!();

fn each_face(test: &str, mut body: impl FnMut(bool)) {
    let watchdog = kit::Watchdog::new(test);
    for is_async in [false, true] {
        watchdog.step(format!("async {is_async}"));
        body(is_async);
    }
}

fn run(supervisor: &Supervisor<()>, is_async: bool) -> Result<(), SuperviseError> {
    #[cfg(feature = "tokio")]
    if is_async {
        return kit::runtime().block_on(supervisor.coro_run());
    }
    let _ = is_async;
    supervisor.run()
}

/// Fails as long as fewer than `enough` have begun.
fn begin(begun: AioQueue<u32>, enough: usize) {
    begun.put(std::process::id()).unwrap();
    match begun.len() {
        n if n >= enough => {}
        n if n % 2 == 0 => std::process::exit(3),
        _ => kit::kill(std::process::id()),
    }
}

fn stay(begun: AioQueue<u32>) {
    begun.put(std::process::id()).unwrap();
    kit::sleep_for_ever();
}

#[test]
fn what_fails_is_started_again_until_it_does_not() {
    each_face("on failure", |is_async| {
        let begun = AioQueue::unbounded().unwrap();
        let supervisor = supervise(1, begin, (begun.clone(), 5)).unwrap();
        run(&supervisor.restart(Restart::OnFailure), is_async).unwrap();
        assert_eq!(begun.len(), 5);
        let supervisor = supervise(3, begin, (begun.clone(), 100)).unwrap();
        run(&supervisor.restart(Restart::Never), is_async).unwrap();
        assert_eq!(begun.len(), 8);
    });
}

#[test]
fn what_ends_too_often_ends_the_supervisor() {
    each_face("intensity", |is_async| {
        let begun = AioQueue::unbounded().unwrap();
        let supervisor = supervise(2, begin, (begun.clone(), 1000)).unwrap();
        let supervisor = supervisor.intensity(4, Duration::from_secs(60));
        let error = run(&supervisor, is_async).unwrap_err();
        assert!(matches!(error, SuperviseError::TooManyRestarts { restarts: 4, .. }), "{error}");
        // The last one may have been killed before it could say so.
        assert!((5..=6).contains(&begun.len()));
    });
}

#[test]
fn a_killed_one_is_replaced_and_a_stop_ends_all() {
    each_face("stop", |is_async| {
        let begun = AioQueue::unbounded().unwrap();
        let supervisor = supervise(2, stay, (begun.clone(),)).unwrap();
        let stopper = supervisor.stopper();
        std::thread::scope(|scope| {
            let running = scope.spawn(|| run(&supervisor, is_async));
            let (first, second) = (begun.get().unwrap(), begun.get().unwrap());
            kit::kill(first);
            let third = begun.get().unwrap();
            assert!(!kit::is_dead(second) && !kit::is_dead(third));
            stopper.stop();
            running.join().unwrap().unwrap();
            assert!(kit::is_dead(second) && kit::is_dead(third));
        });
    });
}
