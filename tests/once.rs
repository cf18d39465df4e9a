//! `AioOnce`: one run across threads and processes, in both faces, and another's if the runner dies.

mod kit;

use aioprocessing::{AioEvent, AioOnce, AioProcess, AioSemaphore, AioValue};
use kit::Watchdog;
use kit::either::either;
use kit::sides::{Place, Side, start};

aioprocessing::test_support!();

fn count_up(once: AioOnce<u64>, runs: AioValue<u64>, go: AioEvent, side: Side) -> u64 {
    go.wait().unwrap();
    let run = || runs.fetch_add(1) + 100;
    either!(side, once.get_or_init(run), once.coro_get_or_init(async || run())).unwrap()
}

#[test]
fn one_runs_and_all_have_its_result() {
    for &side in Side::ALL {
        for place in Place::ALL {
            let _watchdog = Watchdog::new("one runs");
            for _ in 0..10 {
                let (once, runs, go) =
                    (AioOnce::new().unwrap(), AioValue::new(0).unwrap(), AioEvent::new().unwrap());
                let all: Vec<_> = (0..4).map(|_| start!(place, count_up, (once, runs, go, side))).collect();
                go.set();
                assert!(all.into_iter().all(|one| one.join() == 100));
                assert_eq!((runs.get(), once.get()), (1, Some(100)));
            }
        }
    }
}

fn begin_and_hang(once: AioOnce<u64>, begun: AioSemaphore, side: Side) {
    let hang = || {
        begun.release(1).unwrap();
        kit::sleep_for_ever();
        0
    };
    let _ = either!(side, once.get_or_init(hang), once.coro_get_or_init(async || hang()));
}

#[test]
fn if_the_runner_is_killed_another_runs() {
    for &side in Side::ALL {
        let _watchdog = Watchdog::new("the runner is killed");
        let (once, begun) = (AioOnce::new().unwrap(), AioSemaphore::new(0).unwrap());
        let builder = AioProcess::builder().daemon(true).kill_on_drop(true);
        let runner = builder.spawn(begin_and_hang, (once.clone(), begun.clone(), side)).unwrap();
        begun.acquire().unwrap().forget();
        assert!(once.try_get_or_init(|| 1).unwrap_err().is_would_block());
        assert!(
            once.get_or_init_timeout(|| 1, std::time::Duration::from_millis(5)).unwrap_err().is_timeout()
        );
        let (runs, go) = (AioValue::new(0).unwrap(), AioEvent::new().unwrap());
        go.set();
        let waiting: Vec<_> =
            (0..2).map(|_| start!(Place::Process, count_up, (once, runs, go, side))).collect();
        kit::until("they wait", || format!("{once:?}").contains("waiters: 2"));
        runner.kill().unwrap();
        assert!(waiting.into_iter().all(|one| one.join() == 100));
        assert_eq!((runs.get(), once.get()), (1, Some(100)));
    }
}

#[test]
fn if_the_runner_panics_another_runs() {
    let once = AioOnce::new().unwrap();
    let theirs = once.clone();
    let panics = move || theirs.get_or_init(|| -> u32 { panic!("on purpose") });
    std::thread::spawn(panics).join().unwrap_err();
    assert_eq!(once.get(), None);
    assert_eq!(once.get_or_init(|| 5), Ok(5));
    assert_eq!(once.try_get_or_init(|| 6), Ok(5));
    assert_eq!(once.get_or_init_timeout(|| 6, std::time::Duration::ZERO), Ok(5));
}

#[cfg(feature = "tokio")]
#[test]
fn if_the_runner_is_cancelled_another_runs() {
    kit::runtime().block_on(async {
        let once = AioOnce::new().unwrap();
        tokio::select! {
            biased;
            result = once.coro_get_or_init(std::future::pending) => panic!("{result:?}"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(once.get(), None);
        assert_eq!(once.coro_get_or_init(async || 5_i32).await, Ok(5));
        assert_eq!(once.coro_get_or_init(async || 6).await, Ok(5));
    });
}
