//! Pools: what ends well.
#![allow(missing_docs)]

mod kit;

use std::os::linux::fs::MetadataExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aioprocessing::{
    AioEvent, AioPool, AioQueue, AioTask, ProcessPoolExecutor, SubmitError, TaskError, When,
    wait_tasks_timeout,
};
use kit::pools::each_way;

aioprocessing::test_support!();

fn square(x: u64) -> u64 {
    x * x
}

fn multiply(a: u64, b: u64) -> u64 {
    a * b
}

#[test]
fn case_131_all_variants_equal_the_serial_result() {
    let squares: Vec<u64> = (0..500).map(square).collect();
    let products: Vec<u64> = (0..500).map(|x| multiply(x, x + 1)).collect();
    each_way("case 131", |way, watchdog| {
        let pool = AioPool::new(2).unwrap();
        assert_eq!(way.apply(&pool, multiply, (6, 7)).unwrap(), 42);
        assert_eq!(way.result(&pool.submit(multiply, (6, 7)).unwrap()).unwrap(), 42);
        for chunk in [0, 1, 7, 100, 1000] {
            watchdog.step(format!("{way:?}, chunks of {chunk}"));
            let pool = if chunk == 0 { pool.clone() } else { pool.with_chunk_size(chunk) };
            assert_eq!(way.map(&pool, square, 0..500).unwrap(), squares);
            let pairs = (0..500_u64).map(|x| (x, x + 1));
            assert_eq!(way.starmap(&pool, multiply, pairs.clone()).unwrap(), products);
            let ordered: Result<Vec<_>, _> = way.collect(pool.imap(square, 0..500)).into_iter().collect();
            assert_eq!(ordered.unwrap(), squares);
            let unordered: Result<Vec<_>, _> =
                way.collect(pool.imap_unordered(square, 0..500)).into_iter().collect();
            let mut unordered = unordered.unwrap();
            unordered.sort_unstable();
            assert_eq!(unordered, squares);
        }
        // Of these nobody knows how many there are.
        let odd = (0..500_u64).filter(|x| x % 2 == 1);
        let expected: Vec<u64> = odd.clone().map(square).collect();
        assert_eq!(way.map(&pool, square, odd).unwrap(), expected);
        watchdog.step("join");
        way.join(&pool).unwrap();
    });
}

#[test]
fn case_132_d10_nothing_in_is_nothing_out() {
    each_way("case 132", |way, _| {
        let pool = AioPool::new(2).unwrap();
        assert_eq!(way.map(&pool, square, []).unwrap(), []);
        assert_eq!(way.starmap(&pool, multiply, []).unwrap(), []);
        assert_eq!(way.collect(pool.imap(square, [])), []);
        assert_eq!(way.collect(pool.imap_unordered(square, [])), []);
        way.join(&pool).unwrap();
    });
}

#[test]
fn case_136_d11_p3_p3b_a_killed_worker_fails_its_own_task_alone() {
    each_way("case 136", |way, _| {
        let pool = AioPool::new(2).unwrap();
        let before: Vec<_> = (0..20).map(|x| pool.submit(square, (x,)).unwrap()).collect();
        let doomed = pool.submit(kit::sleep_for_ever, ()).unwrap();
        let pid = way.apply(&pool, std::process::id, ()).unwrap();
        let after: Vec<_> = (0..20).map(|x| pool.submit(square, (x,)).unwrap()).collect();
        let victim = *pool.worker_pids().iter().find(|&&other| other != pid).unwrap();
        kit::kill(victim);
        match way.result(&doomed) {
            Err(TaskError::WorkerDied { pid, status, .. }) => {
                assert_eq!((pid, status.signal()), (victim, Some(9)));
            }
            other => panic!("{other:?}"),
        }
        for (x, task) in (0..20).chain(0..20).zip(before.iter().chain(&after)) {
            assert_eq!(way.result(task).unwrap(), x * x);
        }
        assert_eq!(way.map(&pool, square, 0..10).unwrap().len(), 10);
    });
}

fn put_square(queue: AioQueue<u64>, x: u64) -> AioQueue<u64> {
    queue.put(x * x).unwrap();
    queue
}

#[test]
fn handles_travel_with_tasks_and_with_results() {
    each_way("handles in tasks", |way, watchdog| {
        let pool = AioPool::new(2).unwrap();
        let queue = AioQueue::unbounded().unwrap();
        let back = way.apply(&pool, put_square, (queue.clone(), 7)).unwrap();
        assert_eq!(back.get().unwrap(), 49);
        watchdog.step(format!("{way:?}, a map of handles among chunks"));
        let inputs = (0..300).map(|x| (queue.clone(), x));
        let all = way.starmap(&pool.with_chunk_size(10), put_square, inputs).unwrap();
        assert_eq!(all.len(), 300);
        let mut got: Vec<u64> = (0..300).map(|_| queue.get().unwrap()).collect();
        got.sort_unstable();
        assert_eq!(got, (0..300).map(square).collect::<Vec<_>>());
        watchdog.step(format!("{way:?}, more at once than fit into a socket"));
        let sleeper = pool.submit(kit::sleep_for_ever, ()).unwrap();
        let doomed = pool.submit(kit::sleep_for_ever, ()).unwrap();
        let tasks: Vec<_> = (0..400).map(|x| pool.submit(put_square, (queue.clone(), x)).unwrap()).collect();
        assert!(tasks[..300].iter().all(AioTask::cancel));
        assert!(sleeper.abort() && doomed.abort());
        for (x, task) in (300..).zip(&tasks[300..]) {
            way.result(task).unwrap_or_else(|error| panic!("{x}: {error}"));
        }
        assert_eq!(queue.len(), 100);
    });
}

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Gap {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    hole: Option<u8>,
    rest: u8,
}

fn fill(gap: Gap) -> Gap {
    Gap { hole: None, ..gap }
}

fn at_most(x: u64, limit: u64) -> u64 {
    assert!(x < limit, "{x} is too much");
    x
}

#[test]
fn case_133_what_goes_wrong_in_a_task_is_told_and_its_worker_lives() {
    each_way("case 133", |way, _| {
        let pool = AioPool::new(1).unwrap();
        let pid = way.apply(&pool, std::process::id, ()).unwrap();
        match way.apply(&pool, at_most, (7, 5)).unwrap_err() {
            TaskError::Panicked { message, location, .. } => {
                assert_eq!(message, "7 is too much");
                assert!(location.contains("tests/pool.rs:"), "{location}");
            }
            other => panic!("{other}"),
        }
        let error = pool.submit(fill, (Gap { hole: None, rest: 1 },)).unwrap_err();
        assert!(matches!(error, SubmitError::Encode(_)), "{error}");
        let error = way.apply(&pool, fill, (Gap { hole: Some(1), rest: 1 },)).unwrap_err();
        assert!(matches!(error, TaskError::Output { .. }), "{error}");
        let all = way.collect(pool.imap(fill, [None, Some(1), None].map(|hole| Gap { hole, rest: 2 })));
        assert!(matches!(all[0], Err(TaskError::Submit(SubmitError::Encode(_)))), "{all:?}");
        assert!(matches!(all[1], Err(TaskError::Output { .. })), "{all:?}");
        assert_eq!(all.len(), 3);
        assert_eq!(way.apply(&pool, std::process::id, ()).unwrap(), pid);
    });
}

#[test]
fn case_134_a_map_ends_with_its_first_error_and_an_iterator_may_panic() {
    each_way("case 134", |way, _| {
        let pool = AioPool::new(2).unwrap();
        let inputs = (0..510).map(|x| (x, 500));
        let error = way.starmap(&pool, at_most, inputs.clone()).unwrap_err();
        assert!(
            matches!(&error, TaskError::Panicked { message, .. } if message == "500 is too much"),
            "{error}"
        );
        // One by one it goes on behind what failed.
        let all = way.collect(pool.imap(|x: u64| at_most(x, 3), [1, 9, 2]));
        assert!(all[0] == Ok(1) && all[1].is_err() && all[2] == Ok(2), "{all:?}");
        let broken = || (0..100_u64).inspect(|&x| assert!(x < 50, "no more inputs"));
        let panicked =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| way.map(&pool, square, broken())));
        assert!(panicked.is_err());
        assert_eq!(way.map(&pool, square, 0..3).unwrap(), [0, 1, 4]);
    });
}

fn wait_and_square(event: AioEvent, x: u64) -> u64 {
    event.wait().unwrap();
    x * x
}

#[test]
fn case_135_a_result_that_timed_out_is_got_later() {
    each_way("case 135", |way, _| {
        let pool = AioPool::new(1).unwrap();
        let event = AioEvent::new().unwrap();
        let task = pool.submit(wait_and_square, (event.clone(), 5)).unwrap();
        assert!(!task.is_done());
        assert!(task.try_result().unwrap_err().is_timeout());
        assert!(task.result_timeout(Duration::from_millis(20)).unwrap_err().is_timeout());
        let mut all = pool.imap(|(event, x)| wait_and_square(event, x), [(event.clone(), 3)]);
        assert!(all.next_timeout(Duration::ZERO).unwrap().unwrap_err().is_timeout());
        assert!(all.next_timeout(Duration::from_millis(20)).unwrap().unwrap_err().is_timeout());
        event.set();
        assert_eq!(way.result(&task).unwrap(), 25);
        assert_eq!(way.result(&task).unwrap(), 25);
        assert_eq!(way.collect(all), [Ok(9)]);
    });
}

#[test]
fn case_146_p13_a_shutdown_may_cancel_what_has_not_begun() {
    each_way("case 146", |way, watchdog| {
        for cancels in [false, true] {
            watchdog.step(format!("{way:?}, cancel_futures {cancels}"));
            let executor = ProcessPoolExecutor::new(2).unwrap();
            let event = AioEvent::new().unwrap();
            let running: Vec<_> =
                (0..2).map(|x| executor.submit(wait_and_square, (event.clone(), x)).unwrap()).collect();
            kit::until("both workers", || executor.pool().worker_pids().len() == 2);
            let queued: Vec<_> = (0..2000).map(|x| executor.submit(square, (x,)).unwrap()).collect();
            assert!(queued[0].cancel());
            // The workers may not have begun yet: then these two are cancelled as well.
            executor.shutdown(false, cancels).unwrap();
            event.set();
            way.shutdown(&executor).unwrap();
            assert!(way.result(&queued[0]).unwrap_err().is_cancelled());
            for (x, task) in (1..).zip(&queued[1..]) {
                match way.result(task) {
                    Ok(value) => assert!(!cancels && value == x * x),
                    Err(error) => assert!(cancels && error.is_cancelled(), "{error}"),
                }
            }
            for (x, task) in (0..).zip(&running) {
                assert!(
                    way.result(task).map_or_else(|error| cancels && error.is_cancelled(), |y| y == x * x)
                );
            }
            assert!(executor.submit(square, (1,)).unwrap_err().is_closed());
        }
    });
}

#[test]
fn case_147_p13_many_more_tasks_than_places() {
    each_way("case 147", |way, watchdog| {
        let pool = AioPool::new(2).unwrap();
        let event = AioEvent::new().unwrap();
        let blocked: Vec<_> =
            (0..30).map(|x| pool.submit(wait_and_square, (event.clone(), x)).unwrap()).collect();
        watchdog.step(format!("{way:?}, 50,000 submits while the workers wait"));
        let tasks: Vec<_> = (0..50_000).map(|x| pool.submit(square, (x,)).unwrap()).collect();
        event.set();
        watchdog.step(format!("{way:?}, their results"));
        for (x, task) in (0..).zip(&blocked) {
            assert_eq!(way.result(task).unwrap(), x * x);
        }
        // From behind: those before it are done by then.
        for (x, task) in tasks.iter().enumerate().rev() {
            assert_eq!(task.result().unwrap(), (x * x) as u64);
        }
    });
}

#[test]
fn case_148_p25_inputs_are_pulled_as_results_leave() {
    each_way("case 148", |way, _| {
        let pool = AioPool::builder().workers(2).buffer(10).build().unwrap();
        let pulled = AtomicUsize::new(0);
        let inputs = (0..200_u64).inspect(|_| {
            pulled.fetch_add(1, Ordering::Relaxed);
        });
        let mut results = pool.imap(square, inputs);
        for left in 0..50 {
            let pulled = pulled.load(Ordering::Relaxed);
            assert!(pulled <= left + 10, "{pulled} pulled and {left} have left");
            assert_eq!(results.next().unwrap().unwrap(), (left * left) as u64);
        }
        // An iterator that never ends does not hang.
        drop(results);
        let mut endless = pool.imap_unordered(square, 0_u64..);
        assert!(endless.next().is_some());
        drop(endless);
        way.join(&pool).unwrap();
    });
}

#[test]
fn case_149_tasks_as_they_are_done() {
    each_way("case 149", |way, _| {
        let pool = AioPool::new(2).unwrap();
        let event = AioEvent::new().unwrap();
        let late = pool.submit(wait_and_square, (event.clone(), 9)).unwrap();
        let early = pool.submit(square, (2,)).unwrap();
        way.wait_tasks(&[late.clone(), early.clone()], When::First);
        assert!(early.is_done() && !late.is_done());
        let failing = pool.submit(at_most, (7, 5)).unwrap();
        way.wait_tasks(&[late.clone(), early.clone(), failing.clone()], When::FirstError);
        assert!(failing.is_done() && !late.is_done());
        let all = [late.clone(), early.clone()];
        assert!(wait_tasks_timeout(&all, When::All, Duration::from_millis(10)).unwrap_err().is_timeout());
        event.set();
        way.wait_tasks(&all, When::All);
        assert!(late.is_done());
        way.wait_tasks::<u64>(&[], When::First);
        // Those of two pools, one of them twice.
        let other = AioPool::new(1).unwrap();
        let there = other.submit(square, (3,)).unwrap();
        let done = way.as_completed([there.clone(), late, early, there]);
        let mut values: Vec<u64> = done.iter().map(|task| task.result().unwrap()).collect();
        values.sort_unstable();
        assert_eq!(values, [4, 9, 9, 81]);
    });
}

#[test]
fn case_150_p23_a_callback_that_panics_affects_nothing_else() {
    each_way("case 150", |way, _| {
        let pool = AioPool::new(2).unwrap();
        let seen = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..20_u64)
            .map(|x| {
                let task = pool.submit(square, (x,)).unwrap();
                let seen = seen.clone();
                task.on_done(move |result| {
                    seen.fetch_add(1, Ordering::Relaxed);
                    assert!(result.unwrap() % 2 == 0, "a callback that panics");
                });
                task
            })
            .collect();
        for (x, task) in (0..).zip(&tasks) {
            assert_eq!(way.result(task).unwrap(), x * x);
        }
        tasks[0].on_done(|result| assert_eq!(result.unwrap(), 1, "at once, and it panics"));
        let told = Arc::new(Mutex::new(Vec::new()));
        let listener = told.clone();
        let told_pool = pool.with_chunk_size(4).with_progress(move |progress| {
            listener.lock().unwrap().push((progress.done, progress.total));
            panic!("a listener that panics");
        });
        assert_eq!(way.map(&told_pool, square, 0..10).unwrap().len(), 10);
        assert_eq!(
            *told.lock().unwrap_or_else(|poisoned| poisoned.into_inner()),
            [4, 8, 10].map(|n| (n, Some(10)))
        );
        way.join(&pool).unwrap();
        assert_eq!(seen.load(Ordering::Relaxed), 20);
    });
}

#[test]
fn case_151_one_task_after_the_other_needs_one_worker() {
    each_way("case 151", |way, _| {
        let pool = AioPool::new(4).unwrap();
        let pids: Vec<u32> = (0..3).map(|_| way.apply(&pool, std::process::id, ()).unwrap()).collect();
        assert!(pids.iter().all(|pid| *pid == pids[0]));
        assert_eq!(pool.worker_pids(), [pids[0]]);
    });
}

#[test]
fn case_152_arguments_and_results_are_freed() {
    each_way("case 152", |way, _| {
        let pool = AioPool::builder().workers(2).shared_memory(19 << 20).build().unwrap();
        for round in 10..20 {
            let inputs = (0..4).map(|_| round.to_string().repeat(1 << 19));
            let all = way.map(&pool.with_chunk_size(1), |text: String| text, inputs).unwrap();
            assert!(all.iter().all(|text| text.len() == 1 << 20 && text.ends_with(&round.to_string())));
        }
        let error = pool.submit(|text: String| text.len(), ("x".repeat(10 << 20),)).unwrap_err();
        assert_eq!(error, SubmitError::TooLarge);
        let error = way.apply(&pool, |n: usize| "x".repeat(n), (10 << 20,)).unwrap_err();
        assert!(matches!(error, TaskError::Output { .. }), "{error}");
        // What is kept for the next is small beside the 80 MiB that have passed.
        // Of the largest: tests beside this one have pools, too.
        let kept =
            memfds().iter().filter(|file| file.st_size() > 4 << 20).map(|file| file.st_blocks() * 512).max();
        let kept = kept.unwrap();
        assert!(kept < 8 << 20, "{kept} bytes are kept");
    });
}

fn letters(x: u64) -> String {
    (x % 10).to_string().repeat(100_000)
}

fn queue_and_letters(x: u64) -> (AioQueue<u64>, String) {
    let queue = AioQueue::unbounded().unwrap();
    queue.put(x).unwrap();
    (queue, letters(x))
}

#[test]
fn case_152_results_of_chunks_may_be_more_than_the_memory() {
    each_way("case 152, chunks", |way, watchdog| {
        // Sixteen blocks, and a chunk's results take a hundred.
        let pool = AioPool::builder().workers(2).shared_memory(1 << 20).chunk_size(60).build().unwrap();
        let all = way.map(&pool, letters, 0..120).unwrap();
        assert!(all.len() == 120 && (0..).zip(&all).all(|(x, text)| *text == letters(x)));
        watchdog.step(format!("{way:?}, one by one, among some that fail"));
        let mixed = |x: u64| if x % 7 == 3 { panic!("no letters") } else { letters(x) };
        let all = way.collect(pool.imap(mixed, 0..120));
        for (x, result) in (0..).zip(&all) {
            assert!(result.as_ref().map_or(x % 7 == 3, |text| *text == letters(x)), "{x}");
        }
        watchdog.step(format!("{way:?}, with handles in them"));
        let all = way.map(&pool.with_chunk_size(20), queue_and_letters, 0..40).unwrap();
        for (x, (queue, text)) in (0..).zip(&all) {
            assert_eq!((queue.get().unwrap(), text), (x, &letters(x)));
        }
        watchdog.step(format!("{way:?}, as little memory as there may be"));
        let pool = AioPool::builder().workers(2).shared_memory(1).chunk_size(9).build().unwrap();
        let all = way.map(&pool, |text: String| text, (0..40).map(letters)).unwrap();
        assert!((0..).zip(&all).all(|(x, text)| *text == letters(x)));
        let error = way.apply(&pool, |n: usize| "x".repeat(n), (200_000,)).unwrap_err();
        assert!(matches!(error, TaskError::Output { .. }), "{error}");
        let error = pool.submit(|text: String| text.len(), ("x".repeat(200_000),)).unwrap_err();
        assert_eq!(error, SubmitError::TooLarge);
    });
}

#[test]
fn an_item_too_large_fails_alone() {
    each_way("an item too large", |way, _| {
        let pool = AioPool::builder().workers(2).shared_memory(1).build().unwrap();
        for chunk in [1, 2] {
            let texts = (0..6).map(|n| "x".repeat(if n == 2 { 200_000 } else { n }));
            let all = way.collect(pool.with_chunk_size(chunk).imap(|text: String| text.len(), texts));
            assert_eq!(all.len(), 6);
            for (n, result) in all.into_iter().enumerate() {
                match result {
                    Ok(length) => assert!(length == n && n != 2, "{n}"),
                    Err(error) => assert!(n == 2, "{n}: {error}"),
                }
            }
        }
    });
}

/// The regions that this process has open.
fn memfds() -> Vec<std::fs::Metadata> {
    let paths = kit::descriptors().into_iter().map(|number| format!("/proc/self/fd/{number}"));
    paths
        .filter(|path| {
            std::fs::read_link(path).is_ok_and(|to| to.to_string_lossy().contains("memfd:aioproc"))
        })
        .filter_map(|path| std::fs::metadata(path).ok())
        .collect()
}

fn inner_sum(n: u64) -> u64 {
    let pool = AioPool::new(2).unwrap();
    pool.map(square, 0..n).unwrap().into_iter().sum()
}

#[test]
fn case_154_a_pool_inside_of_a_worker() {
    each_way("case 154", |way, _| {
        let pool = AioPool::new(2).unwrap();
        assert_eq!(way.map(&pool, inner_sum, [3, 4]).unwrap(), [5, 14]);
    });
}

#[test]
fn one_call_on_the_pool_of_the_program() {
    assert_eq!(aioprocessing::run_in_process_blocking(square, (12,)).unwrap(), 144);
    #[cfg(feature = "tokio")]
    for _ in 0..2 {
        // The runtime may go; the pool stays.
        let sum = kit::runtime().block_on(aioprocessing::run_in_process(inner_sum, (4,)));
        assert_eq!(sum.unwrap(), 14);
    }
}
