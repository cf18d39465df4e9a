//! Pools: what ends well.
#![allow(missing_docs)]

#[macro_use]
mod kit;

use aioprocessing::{AioPool, AioQueue, AioTask, TaskError};
use kit::pools::{Way, each_way};

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
fn case_132_nothing_in_is_nothing_out() {
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
fn case_136_a_killed_worker_fails_its_own_task_alone() {
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
