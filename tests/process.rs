//! Processes that do what they are asked: cases 1 to 28 of a child's life that ends well.

mod kit;

use std::io::Write;
#[cfg(feature = "tokio")]
use std::sync::Arc;
use std::time::{Duration, Instant};

use aioprocessing::{AioProcess, JoinError, Stdio, active_children};
use kit::{Watchdog, each_face, sleep_for_ever, until};

aioprocessing::test_support!();

fn nothing() {}

fn add(a: u64, b: u64) -> u64 {
    a + b
}

#[test]
fn case_01_spawn_join_exit0() {
    each_face("case 1", |face| {
        let child = AioProcess::spawn(add, (20, 22)).unwrap();
        assert_eq!(face.join(&child).unwrap(), 42);
        assert_eq!(child.exit_code(), Some(0));
        assert!(!child.is_alive());
        assert!(active_children().iter().all(|other| other.pid() != child.pid()));
    });
}

#[test]
fn case_04_args_reach_the_child_unchanged() {
    type Nested = Vec<(Option<String>, [i16; 3], std::collections::BTreeMap<char, f64>)>;
    fn echo(text: String, list: Vec<u8>, nested: Nested) -> (String, Vec<u8>, Nested) {
        (text, list, nested)
    }
    each_face("case 4", |face| {
        let args = (
            "grüße\0".to_owned(),
            vec![0, 255, 7],
            vec![
                (None, [-1, 0, 1], [('ä', 0.5), ('b', f64::MAX)].into()),
                (Some(String::new()), [0; 3], [].into()),
            ],
        );
        let child = AioProcess::spawn(echo, args.clone()).unwrap();
        assert_eq!(face.join(&child).unwrap(), args);
    });
}

#[test]
fn functions_of_0_to_12_arguments_and_closures_that_capture_nothing() {
    #[allow(clippy::too_many_arguments, reason = "that many are promised")]
    fn twelve(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8) -> Vec<u8> {
        vec![a, b, c, d, e, f, g, h, i, j, k, l]
    }
    fn generic<T: std::ops::Mul<Output = T> + Copy>(x: T) -> T {
        x * x
    }
    let _watchdog = Watchdog::new("functions");
    AioProcess::spawn(nothing, ()).unwrap().join().unwrap();
    assert_eq!(AioProcess::spawn(|| "text".to_owned(), ()).unwrap().join().unwrap(), "text");
    assert_eq!(AioProcess::spawn(|x: i32| -x, (5,)).unwrap().join().unwrap(), -5);
    assert_eq!(
        AioProcess::spawn(|x: i32| x - 1, (5,)).unwrap().join().unwrap(),
        4,
        "another closure of the same shape"
    );
    assert_eq!(AioProcess::spawn(generic::<u32>, (5,)).unwrap().join().unwrap(), 25);
    assert_eq!(AioProcess::spawn(generic::<f64>, (0.5,)).unwrap().join().unwrap(), 0.25);
    let child = AioProcess::spawn(twelve, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)).unwrap();
    assert_eq!(child.join().unwrap(), (1..=12).collect::<Vec<u8>>());
}

#[test]
fn values_of_any_size_travel_both_ways() {
    fn bytes(n: usize) -> Vec<u8> {
        (0..n).map(|i| (i % 251) as u8).collect()
    }
    fn check(all: Vec<u8>) -> Vec<u8> {
        assert!(all.iter().enumerate().all(|(i, &byte)| byte == (i % 251) as u8));
        all
    }
    each_face("sizes", |face| {
        for size in [0, 1, 65_500, 65_533, 65_536, 65_600, 1 << 18] {
            let child = AioProcess::spawn(check, (bytes(size),)).unwrap();
            assert!(face.join(&child).unwrap() == bytes(size), "{size} bytes");
        }
        // 100 MB in, and as much out: neither side may wait for the other.
        let text = "0123456789".repeat(10_000_000);
        let child = AioProcess::spawn(|text: String| text, (text.clone(),)).unwrap();
        until("the child's end", || !child.is_alive());
        assert!(face.join(&child).unwrap() == text);
    });
}

#[test]
fn case_05_join_zero_returns_at_once_while_running() {
    let _watchdog = Watchdog::new("case 5");
    let child = AioProcess::builder().kill_on_drop(true).spawn(sleep_for_ever, ()).unwrap();
    assert!(child.try_join().unwrap_err().is_timeout());
    assert!(child.join_timeout(Duration::ZERO).unwrap_err().is_timeout());
    assert!(child.is_alive());
    assert_eq!(child.exit_code(), None);
    let process = active_children().into_iter().find(|other| other.pid() == child.pid()).unwrap();
    assert!(process.try_wait().unwrap_err().is_timeout());
    assert!(process.wait_timeout(Duration::ZERO).unwrap_err().is_timeout());
}

#[test]
fn case_06_join_with_timeout_then_join() {
    fn echo_a_line() -> String {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
        line
    }
    each_face("case 6", |face| {
        let child = AioProcess::builder().stdin(Stdio::piped()).spawn(echo_a_line, ()).unwrap();
        let mut stdin = child.take_stdin().unwrap();
        let begun = Instant::now();
        let wait = Duration::from_millis(30);
        assert!(matches!(child.join_timeout(wait), Err(JoinError::Timeout)));
        assert!(begun.elapsed() >= wait);
        writeln!(stdin, "go").unwrap();
        assert_eq!(face.join(&child).unwrap(), "go\n");
    });
}

#[test]
fn case_07_join_again_and_from_several_at_once() {
    fn told() -> Vec<u64> {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
        vec![line.trim().parse().unwrap(); 3]
    }
    let _watchdog = Watchdog::new("case 7");
    let child = AioProcess::builder().stdin(Stdio::piped()).spawn(told, ()).unwrap();
    let mut stdin = child.take_stdin().unwrap();
    std::thread::scope(|scope| {
        let joins: Vec<_> = (0..4).map(|_| scope.spawn(|| child.join().unwrap())).collect();
        writeln!(stdin, "9").unwrap();
        for join in joins {
            assert_eq!(join.join().unwrap(), [9, 9, 9]);
        }
    });
    assert_eq!(child.join().unwrap(), [9, 9, 9]);
    assert_eq!(child.try_join().unwrap(), [9, 9, 9]);
}

#[cfg(feature = "tokio")]
#[test]
fn case_07_join_from_several_tasks_and_two_runtimes() {
    let watchdog = Watchdog::new("case 7, tasks");
    let read = || std::io::read_to_string(std::io::stdin()).unwrap();
    let child = AioProcess::builder().stdin(Stdio::piped()).spawn(read, ()).unwrap();
    let mut stdin = child.take_stdin().unwrap();
    let child = Arc::new(child);
    let (ready, all_wait) = std::sync::mpsc::channel();
    let several = |runtime: tokio::runtime::Runtime| {
        let (child, ready) = (child.clone(), ready.clone());
        std::thread::spawn(move || {
            runtime.block_on(async {
                let wait = |_| {
                    let child = child.clone();
                    tokio::spawn(async move { child.coro_join().await.unwrap() })
                };
                let tasks: Vec<_> = (0..8).map(wait).collect();
                tokio::task::yield_now().await;
                ready.send(()).unwrap();
                for task in tasks {
                    assert_eq!(task.await.unwrap(), "over");
                }
            });
        })
    };
    let threads = [
        several(kit::runtime()),
        several(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()),
    ];
    all_wait.recv().unwrap();
    all_wait.recv().unwrap();
    watchdog.step("all tasks wait");
    stdin.write_all(b"over").unwrap();
    drop(stdin);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(kit::runtime().block_on(child.coro_join()).unwrap(), "over", "in a third runtime");
}

#[cfg(feature = "tokio")]
#[test]
fn case_25_coro_join_is_cancel_safe() {
    let _watchdog = Watchdog::new("case 25");
    let read = || std::io::read_to_string(std::io::stdin()).unwrap();
    let child = AioProcess::builder().stdin(Stdio::piped()).spawn(read, ()).unwrap();
    let mut stdin = child.take_stdin().unwrap();
    kit::runtime().block_on(async {
        for _ in 0..1000 {
            let mut join = std::pin::pin!(child.coro_join());
            assert!(futures_poll(join.as_mut()).is_pending());
        }
        let late = tokio::time::timeout(Duration::from_millis(20), child.coro_join()).await;
        assert!(late.is_err());
        stdin.write_all(b"kept").unwrap();
        drop(stdin);
        assert_eq!(child.coro_join().await.unwrap(), "kept");
    });
}

#[cfg(feature = "tokio")]
fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}

#[test]
fn a_child_finds_the_arguments_and_the_environment_of_its_parent() {
    let _watchdog = Watchdog::new("arguments");
    let args = || std::env::args().collect::<Vec<_>>();
    assert_eq!(AioProcess::spawn(args, ()).unwrap().join().unwrap(), args());
    let bootstrap = || std::env::vars().any(|(key, _)| key.starts_with("AIOPROCESSING_BOOTSTRAP"));
    assert!(!AioProcess::spawn(bootstrap, ()).unwrap().join().unwrap(), "its own is taken out");
}

#[test]
fn a_panic_inside_of_the_parent_does_not_end_its_child() {
    let _watchdog = Watchdog::new("unwinding");
    let child = AioProcess::spawn(add, (1, 1)).unwrap();
    let child = std::thread::spawn(move || {
        let _kept = &child;
        std::panic::resume_unwind(Box::new(child))
    });
    let child = child.join().unwrap_err().downcast::<AioProcess<u64>>().unwrap();
    assert_eq!(child.join().unwrap(), 2);
}

#[cfg(feature = "tokio")]
mod asynchronous {
    use super::{AioProcess, each_face};

    async fn wait_and_add(a: u64, b: u64) -> u64 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        let other = tokio::spawn(async move { a });
        other.await.unwrap() + b
    }

    #[test]
    fn async_functions_run_on_a_runtime_of_the_child() {
        each_face("async functions", |face| {
            let child = AioProcess::spawn_async(wait_and_add, (1, 2)).unwrap();
            assert_eq!(face.join(&child).unwrap(), 3);
            let child = AioProcess::spawn_async(|| async { "closure".to_owned() }, ()).unwrap();
            assert_eq!(face.join(&child).unwrap(), "closure");
            let child = AioProcess::builder().name("n").spawn_async(async |x: u8| x + 1, (1,)).unwrap();
            assert_eq!(face.join(&child).unwrap(), 2);
        });
    }

    #[test]
    fn an_async_child_can_have_children_of_its_own() {
        async fn grandparent() -> u64 {
            AioProcess::spawn_async(wait_and_add, (3, 4)).unwrap().coro_join().await.unwrap()
        }
        each_face("async grandchildren", |face| {
            assert_eq!(face.join(&AioProcess::spawn_async(grandparent, ()).unwrap()).unwrap(), 7);
        });
    }

    #[test]
    fn a_child_does_not_wait_for_what_blocks_in_its_runtime() {
        async fn leave_a_blocking_task() -> u8 {
            tokio::task::spawn_blocking(crate::sleep_for_ever);
            5
        }
        each_face("blocking tasks", |face| {
            assert_eq!(face.join(&AioProcess::spawn_async(leave_a_blocking_task, ()).unwrap()).unwrap(), 5);
        });
    }

    #[test]
    fn futures_of_processes_are_send() {
        fn is_send<T: Send>(_: &T) {}
        fn is_shared<T: Send + Sync + 'static>(_: &T) {}
        // A type of return value that is itself bound to its thread.
        let child = AioProcess::spawn(|| std::cell::Cell::new(3_u8), ()).unwrap();
        is_send(&child.coro_join());
        is_shared(&child);
        is_shared(&aioprocessing::current_process());
        is_send(&aioprocessing::current_process().coro_wait());
        assert_eq!(child.join().unwrap().get(), 3);
    }
}
