//! Pools whose workers die, and whose owners go.
#![allow(missing_docs)]

mod kit;

use std::time::{Duration, Instant};

use aioprocessing::{AioEvent, AioPool, AioProcess, AioQueue, AioTask, TaskError, WorkerStatus};
use kit::pools::{Way, each_way};
use rustix::process::Signal;

aioprocessing::test_support!();

fn square(x: u64) -> u64 {
    x * x
}

fn hold(event: AioEvent) -> u32 {
    event.set();
    kit::sleep_for_ever();
    0
}

/// A worker that runs something, and will until it is killed.
fn occupied(pool: &AioPool) -> AioTask<u32> {
    let event = AioEvent::new().unwrap();
    let task = pool.submit(hold, (event.clone(),)).unwrap();
    event.wait().unwrap();
    task
}

fn assert_works(way: Way, pool: &AioPool) {
    let squares: Vec<u64> = (0..50).map(square).collect();
    assert_eq!(way.map(pool, square, 0..50).unwrap(), squares);
}

/// Its end comes at a place of the caller's choice.
#[derive(serde::Serialize, serde::Deserialize, Clone, Copy, Debug, PartialEq)]
enum End {
    Exit,
    Kill,
    Panic,
    Abort,
}

impl End {
    const ALL: [Self; 4] = [Self::Exit, Self::Kill, Self::Panic, Self::Abort];

    fn come(self) {
        match self {
            Self::Exit => std::process::exit(3),
            Self::Kill => kit::kill(std::process::id()),
            Self::Panic => panic!("an end"),
            Self::Abort => std::process::abort(),
        }
    }

    fn matches(self, error: &TaskError) -> bool {
        match (self, error) {
            (Self::Panic, TaskError::Panicked { message, .. }) => message == "an end",
            (Self::Exit, TaskError::WorkerDied { status, .. }) => *status == WorkerStatus::Exited(3),
            (Self::Kill, TaskError::WorkerDied { status, .. }) => status.signal() == Some(libc::SIGKILL),
            (Self::Abort, TaskError::WorkerDied { status, .. }) => status.signal() == Some(libc::SIGABRT),
            _ => false,
        }
    }
}

/// Ends the process that reads it.
#[derive(Debug)]
struct DeadlyToRead(End);

impl serde::Serialize for DeadlyToRead {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for DeadlyToRead {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let end = End::deserialize(deserializer)?;
        end.come();
        Ok(Self(end))
    }
}

/// Ends the process that writes it, when half of it is written.
#[derive(Debug, serde::Deserialize)]
struct DeadlyToWrite(#[allow(dead_code, reason = "nobody gets to read it")] Vec<u8>, End);

impl serde::Serialize for DeadlyToWrite {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeTuple as _;
        let mut tuple = serializer.serialize_tuple(2)?;
        tuple.serialize_element(&vec![1_u8; 1 << 20])?;
        self.1.come();
        tuple.end()
    }
}

#[test]
fn case_138_an_end_in_a_task_in_reading_it_and_in_writing_its_result() {
    each_way("case 138", |way, watchdog| {
        let pool = AioPool::new(2).unwrap();
        for end in End::ALL {
            watchdog.step(format!("{way:?}, {end:?}"));
            let others: Vec<_> = (0..10).map(|x| pool.submit(square, (x,)).unwrap()).collect();
            let error = way.apply(&pool, |end: End| end.come(), (end,)).unwrap_err();
            assert!(end.matches(&error), "{end:?} in the task: {error}");
            let error = way.apply(&pool, |_: DeadlyToRead| (), (DeadlyToRead(end),)).unwrap_err();
            assert!(end.matches(&error), "{end:?} in reading the task: {error}");
            let error = way.apply(&pool, |end: End| DeadlyToWrite(Vec::new(), end), (end,)).unwrap_err();
            assert!(end.matches(&error), "{end:?} in writing the result: {error}");
            for (x, task) in (0..).zip(&others) {
                assert_eq!(way.result(task).unwrap(), x * x);
            }
        }
        assert_works(way, &pool);
    });
}

#[test]
fn case_137_a_worker_is_killed_while_idle() {
    each_way("case 137", |way, _| {
        let pool = AioPool::new(2).unwrap();
        for _ in 0..4 {
            assert_works(way, &pool);
            pool.worker_pids().into_iter().for_each(kit::kill);
        }
        assert_works(way, &pool);
    });
}

fn fail_at(queue: AioQueue<u64>, x: u64) -> u64 {
    queue.put(x).unwrap();
    if x == 40 {
        kit::kill(std::process::id());
    }
    x
}

#[test]
fn a_death_in_a_chunk_costs_the_item_that_ran() {
    each_way("a death in a chunk", |way, _| {
        let pool = AioPool::builder().workers(2).chunk_size(30).build().unwrap();
        let begun = AioQueue::unbounded().unwrap();
        let all = way.collect(pool.imap(
            |x: u64| {
                if x == 40 {
                    kit::kill(std::process::id());
                }
                x
            },
            0..100,
        ));
        for (x, result) in (0..).zip(&all) {
            match result {
                Ok(value) => assert_eq!(*value, x),
                Err(error) => assert!(x == 40 && error.is_worker_died(), "{x}: {error}"),
            }
        }
        assert_eq!(all.len(), 100);
        let error = way.apply(&pool, fail_at, (begun.clone(), 40)).unwrap_err();
        assert!(error.is_worker_died());
        assert_eq!((begun.get().unwrap(), begun.len()), (40, 0));
        // As often as it may be tried again, and once.
        let error = way.apply(&pool.with_retries(2), fail_at, (begun.clone(), 40)).unwrap_err();
        assert!(error.is_worker_died());
        assert_eq!(begun.len(), 3);
    });
}

#[test]
fn case_139_all_workers_are_killed_at_once() {
    each_way("case 139", |way, _| {
        let pool = AioPool::new(3).unwrap();
        let held: Vec<_> = (0..3).map(|_| occupied(&pool)).collect();
        let queued: Vec<_> = (0..100).map(|x| pool.submit(square, (x,)).unwrap()).collect();
        pool.worker_pids().into_iter().for_each(kit::kill);
        for task in &held {
            assert!(way.result(task).unwrap_err().is_worker_died());
        }
        for (x, task) in (0..).zip(&queued) {
            assert_eq!(way.result(task).unwrap(), x * x);
        }
    });
}

#[test]
fn case_140_workers_serve_their_number() {
    each_way("case 140", |way, watchdog| {
        for number in [1, 2, 3] {
            for chunk in [1, 5] {
                watchdog.step(format!("{way:?}, {number} tasks a worker in chunks of {chunk}"));
                let pool = AioPool::builder().workers(2).max_tasks_per_child(number);
                let pool = pool.chunk_size(chunk).build().unwrap();
                let pids = way.map(&pool, |_: u64| std::process::id(), 0..20).unwrap();
                for pid in &pids {
                    let served = pids.iter().filter(|other| *other == pid).count();
                    assert!(served <= usize::try_from(number).unwrap(), "{served} of {number}");
                }
                watchdog.step(format!("{way:?}, {number} tasks a worker, an early close"));
                let tasks: Vec<_> = (0..10).map(|x| pool.submit(square, (x,)).unwrap()).collect();
                pool.close();
                way.join(&pool).unwrap();
                for (x, task) in (0..).zip(&tasks) {
                    assert_eq!(task.try_result().unwrap(), x * x);
                }
            }
        }
    });
}

fn set_up(queue: AioQueue<u32>, fails: bool) {
    queue.put(std::process::id()).unwrap();
    assert!(!fails, "no way");
}

#[test]
fn case_141_an_initializer_runs_once_in_each_worker() {
    each_way("case 141", |way, _| {
        let begun = AioQueue::unbounded().unwrap();
        let pool = AioPool::builder().workers(1).initializer(set_up, (begun.clone(), false)).build().unwrap();
        assert_works(way, &pool);
        assert_eq!(begun.get().unwrap(), pool.worker_pids()[0]);
        kit::kill(pool.worker_pids()[0]);
        assert_works(way, &pool);
        assert_eq!(begun.get().unwrap(), pool.worker_pids()[0]);
        assert!(begun.is_empty());

        let pool = AioPool::builder().workers(2).initializer(set_up, (begun.clone(), true)).build().unwrap();
        let error = way.apply(&pool, square, (1,)).unwrap_err();
        assert!(matches!(&error, TaskError::Broken { message, .. } if message.contains("no way")), "{error}");
        assert!(pool.submit(square, (1,)).is_err());
        assert!(begun.len() <= 2, "no storm");
        assert!(way.join(&pool).is_err());
    });
}

#[test]
fn workers_that_die_at_their_start_end_the_pool_and_not_the_machine() {
    each_way("a storm", |way, _| {
        let pool = AioPool::builder().workers(2).initializer(|| std::process::exit(9), ()).build().unwrap();
        let error = way.apply(&pool, square, (1,)).unwrap_err();
        assert!(matches!(&error, TaskError::Broken { message, .. } if message.contains("code 9")), "{error}");
    });
}

fn nap() {
    std::thread::sleep(Duration::from_millis(500));
}

#[test]
fn case_142_close_and_join_run_what_was_queued_and_terminate_does_not() {
    each_way("case 142", |way, _| {
        let pool = AioPool::new(2).unwrap();
        let tasks: Vec<_> = (0..3000).map(|x| pool.submit(square, (x,)).unwrap()).collect();
        pool.close();
        way.join(&pool).unwrap();
        for (x, task) in (0..).zip(&tasks) {
            assert_eq!(task.try_result().unwrap(), x * x);
        }
        let pool = AioPool::new(2).unwrap();
        let tasks: Vec<_> = (0..10_000).map(|_| pool.submit(nap, ()).unwrap()).collect();
        let pids = pool.worker_pids();
        pool.terminate();
        way.join(&pool).unwrap();
        assert!(tasks.iter().all(|task| task.try_result() == Err(TaskError::Terminated)));
        assert!(pids.into_iter().all(kit::is_dead));
    });
}

#[test]
fn case_143_a_dropped_pool_leaves_nothing() {
    each_way("case 143", |way, watchdog| {
        let before = kit::descriptors();
        let mut pids = Vec::new();
        let mut make = || {
            let pool = AioPool::new(2).unwrap();
            let held = [occupied(&pool), occupied(&pool)];
            pids.extend(pool.worker_pids());
            (pool, held)
        };
        let (pool, held) = make();
        assert!(pool.clone().worker_pids().len() == 2);
        pool.close();
        assert!(pool.submit(square, (1,)).unwrap_err().is_closed());
        assert!(way.map(&pool, square, 0..3).unwrap_err().is_closed());
        drop(pool);
        assert_eq!(way.result(&held[0]), Err(TaskError::Terminated));
        drop(held);
        let (pool, held) = make();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _held = (pool, held);
            panic!("with a pool");
        }));
        assert!(panicked.is_err());
        watchdog.step(format!("{way:?}, the workers' end"));
        kit::until("the end of the workers", || pids.iter().all(|&pid| kit::is_dead(pid)));
        kit::until("descriptors", || {
            drop(aioprocessing::active_children());
            kit::descriptors().len() <= before.len() + 4
        });
    });
}

#[test]
fn case_144_a_cancelled_task_never_runs_and_an_aborted_one_frees_its_worker() {
    each_way("case 144", |way, _| {
        let pool = AioPool::new(1).unwrap();
        let held = occupied(&pool);
        let ran = AioQueue::unbounded().unwrap();
        let queued: Vec<_> =
            (0..1500).map(|x| pool.submit(fail_at, (ran.clone(), 100 + x)).unwrap()).collect();
        assert!(queued.iter().skip(1).all(AioTask::cancel));
        assert!(!queued[1].cancel() && way.result(&queued[1]).unwrap_err().is_cancelled());
        assert!(!held.cancel(), "it runs");
        assert!(held.abort());
        assert!(way.result(&held).unwrap_err().is_cancelled());
        assert_eq!(way.result(&queued[0]).unwrap(), 100);
        assert!(!queued[0].abort(), "it is done");
        assert_works(way, &pool);
        assert_eq!((ran.get().unwrap(), ran.len()), (100, 0));
    });
}

#[cfg(feature = "tokio")]
#[test]
fn case_145_a_dropped_future_or_runtime_never_wedges_the_pool() {
    each_way("case 145", |way, watchdog| {
        let pool = AioPool::new(2).unwrap();
        let held = [occupied(&pool), occupied(&pool)];
        for _ in 0..10 {
            let runtime = kit::runtime();
            let clone = pool.clone();
            runtime.spawn(async move { clone.coro_apply(kit::sleep_for_ever, ()).await });
            let clone = pool.clone();
            runtime.spawn(async move { clone.coro_map(square, 0..100).await });
            runtime.block_on(async {
                tokio::time::timeout(Duration::from_millis(5), held[0].coro_result()).await.unwrap_err();
            });
        }
        watchdog.step(format!("{way:?}, after the runtimes have gone"));
        assert!(held.iter().all(AioTask::abort));
        assert_works(way, &pool);
        way.join(&pool).unwrap();
    });
}

#[test]
fn a_task_that_overruns_is_killed_with_its_worker() {
    each_way("a limit", |way, _| {
        let pool = AioPool::builder().workers(2).timeout(Duration::from_secs(1)).retries(3).build().unwrap();
        let begun = Instant::now();
        let error = way.apply(&pool, kit::sleep_for_ever, ()).unwrap_err();
        assert!(error.is_overran(), "{error}");
        assert!(begun.elapsed() >= Duration::from_secs(1));
        let naps = |n: u64| {
            if n == 3 {
                kit::sleep_for_ever();
            }
            std::thread::sleep(Duration::from_millis(300));
            n
        };
        // Each item of a chunk for itself.
        let all = way.collect(pool.with_chunk_size(6).imap(naps, 0..6));
        for (x, result) in (0..).zip(&all) {
            assert_eq!(result.as_ref().is_ok_and(|value| *value == x), x != 3, "{x}: {result:?}");
        }
        assert!(way.apply(&pool.with_timeout(Duration::from_secs(60)), nap, ()).is_ok());
    });
}

#[test]
fn p15_workers_ignore_sigint() {
    let pool = AioPool::new(1).unwrap();
    assert_eq!(pool.apply(square, (2,)).unwrap(), 4);
    let pids = pool.worker_pids();
    kit::signal(pids[0], Signal::INT);
    assert_eq!(pool.apply(std::process::id, ()).unwrap(), pids[0]);
}

fn own_a_pool(pids: AioQueue<u32>) {
    let pool = AioPool::new(2).unwrap();
    let _held = [occupied(&pool), occupied(&pool)];
    pool.worker_pids().into_iter().for_each(|pid| pids.put(pid).unwrap());
    kit::sleep_for_ever();
}

#[test]
fn workers_die_with_the_owner_of_the_pool() {
    let pids = AioQueue::unbounded().unwrap();
    let owner = AioProcess::spawn(own_a_pool, (pids.clone(),)).unwrap();
    let workers = [pids.get().unwrap(), pids.get().unwrap()];
    owner.kill().unwrap();
    for pid in workers {
        kit::until("the end of a worker", || kit::is_dead(pid));
    }
}

fn run_out_of_descriptors() -> usize {
    let pool = AioPool::new(8).unwrap();
    let open = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    // Enough for the pool, and not for eight workers.
    let low = kit::descriptors().into_iter().filter(|&number| number < 32).count() as u64;
    let limit = rustix::process::Rlimit { current: Some(low + 12), ..open };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let squares = pool.map(|x: u64| x * x, 0..200).unwrap();
    assert_eq!(squares[199], 199 * 199);
    let workers = pool.worker_pids().len();
    rustix::process::setrlimit(rustix::process::Resource::Nofile, open).unwrap();
    let pids = pool.worker_pids();
    drop(pool);
    kit::until("the end of the workers", || pids.iter().all(|&pid| kit::is_dead(pid)));
    workers
}

#[test]
fn case_153_workers_that_can_t_be_started_leave_the_others() {
    let watchdog = kit::Watchdog::new("case 153");
    watchdog.step("a pool without enough descriptors");
    let workers = AioProcess::spawn(run_out_of_descriptors, ()).unwrap().join().unwrap();
    assert!((1..8).contains(&workers), "{workers}");
}

fn note_and_square(begun: AioQueue<u64>, x: u64) -> u64 {
    begun.put(x).unwrap();
    x * x
}

#[test]
fn no_task_is_lost_or_run_twice_in_a_storm() {
    let watchdog = kit::Watchdog::new("a storm of kills");
    let pool = AioPool::new(3).unwrap();
    for round in 0..3 {
        watchdog.step(format!("round {round}"));
        let begun = AioQueue::unbounded().unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        let results: Vec<_> = std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut turn = round;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    // Longer than a start takes: who kills faster than that lets nothing be done.
                    std::thread::sleep(Duration::from_millis(20));
                    let pids = pool.worker_pids();
                    if !pids.is_empty() {
                        turn += 1;
                        let pid = rustix::process::Pid::from_raw(pids[turn % pids.len()].cast_signed());
                        let _ = rustix::process::kill_process(pid.unwrap(), Signal::KILL);
                    }
                }
            });
            let results = if round == 0 {
                let plain = pool.with_chunk_size(20).imap(square, 0..60_000);
                plain.map(|result| result.map(|_| 0)).collect()
            } else {
                let tasks: Vec<_> =
                    (0..2000).map(|x| pool.submit(note_and_square, (begun.clone(), x)).unwrap()).collect();
                tasks.iter().map(AioTask::result).collect::<Vec<_>>()
            };
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            results
        });
        let mut times = vec![0; results.len()];
        while let Ok(x) = begun.try_get() {
            times[usize::try_from(x).unwrap()] += 1;
        }
        for (x, result) in results.iter().enumerate() {
            match result {
                Ok(value) if round > 0 => assert_eq!((*value, times[x]), ((x * x) as u64, 1)),
                Ok(_) => {}
                Err(error) => assert!(error.is_worker_died() && times[x] <= 1, "{x}: {error}, {}", times[x]),
            }
        }
    }
}

#[test]
fn with_retries_every_result_is_right_in_a_storm() {
    each_way("a storm with retries", |way, _| {
        let pool = AioPool::builder().workers(2).retries(1000).build().unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(20));
                    if let Some(&pid) = pool.worker_pids().first() {
                        let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
                        let _ = rustix::process::kill_process(pid, Signal::KILL);
                    }
                }
            });
            let squares: Vec<u64> = (0..100_000).map(square).collect();
            let all = way.map(&pool, square, 0..100_000);
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(all.unwrap() == squares);
        });
    });
}

/// Its nice value, field 19 of `stat`.
fn niceness() -> i32 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = text.rsplit_once(')').unwrap().1;
    fields.split_whitespace().nth(16).unwrap().parse().unwrap()
}

#[test]
fn workers_are_as_nice_as_they_are_to_be_and_those_that_follow_too() {
    each_way("nice", |way, _| {
        let pool = AioPool::builder().workers(1).nice(7).build().unwrap();
        assert_eq!(way.apply(&pool, niceness, ()).unwrap(), 7);
        pool.worker_pids().into_iter().for_each(kit::kill);
        assert_eq!(way.apply(&pool, niceness, ()).unwrap(), 7);
    });
}

fn allocate(bytes: usize) -> usize {
    let all = vec![1_u8; bytes];
    all.iter().map(|&byte| usize::from(byte)).sum()
}

#[test]
fn a_task_that_wants_more_memory_than_its_worker_may_have_fails_alone() {
    each_way("a memory limit", |way, _| {
        let pool = AioPool::builder().workers(1).memory_limit(256 << 20).build().unwrap();
        assert_eq!(way.apply(&pool, allocate, (1 << 20,)).unwrap(), 1 << 20);
        let error = way.apply(&pool, allocate, (1 << 30,)).unwrap_err();
        // The allocator ends the process; the system's killer had no part in it.
        assert!(
            matches!(&error, TaskError::WorkerDied { status, out_of_memory: false, .. }
                if status.signal() == Some(libc::SIGABRT)),
            "{error}"
        );
        assert_works(way, &pool);
    });
}

#[test]
fn with_nobody_inside_workers_go_on_and_the_dead_are_replaced_at_the_next_call() {
    each_way("an idle pool", |way, watchdog| {
        let pool = AioPool::new(1).unwrap();
        let done = AioQueue::unbounded().unwrap();
        let tasks: Vec<_> =
            (0..100).map(|x| pool.submit(note_and_square, (done.clone(), x)).unwrap()).collect();
        watchdog.step(format!("{way:?}, what is done by itself"));
        for x in 0..100 {
            assert_eq!(done.get().unwrap(), x);
        }
        let held = occupied(&pool);
        let pid = pool.worker_pids()[0];
        kit::kill(pid);
        kit::until("its end", || kit::is_dead(pid));
        watchdog.step(format!("{way:?}, the next call"));
        assert_ne!(pool.worker_pids().first(), Some(&pid));
        assert!(way.result(&held).unwrap_err().is_worker_died());
        for (x, task) in (0..).zip(&tasks) {
            assert_eq!(way.result(task).unwrap(), x * x);
        }
    });
}
