//! Workers of pools killed at random moments, thousands of them.
//!
//! The killer finds its victims in /proc and never asks the pool: a call of the pool's would also do the pool's work, and
//! so hide what nobody does without it. Each kind of work has retries, so that every result must come and be right.
//!
//! ```text
//! cargo test --release --test pool_storm                                 some hundred kills
//! AIOPROCESSING_STORM=20000 cargo test --release --test pool_storm       so many for each kind of work
//! ```
#![allow(missing_docs)]

mod kit;

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aioprocessing::{AioPool, AioQueue, AioTask, TaskError};
use kit::pools::Way;

aioprocessing::test_support!();

/// Between two kills, on average, in microseconds: about as long as a worker needs for its start on a quiet machine.
const INTERVAL: u64 = 3000;
/// After so many kills without a result, workers are left to live twice as long: on a slow machine none comes to the end of a
/// chunk before it is killed.
const FRUITLESS: u64 = 150;
/// No result for so long is a stall.
const PATIENCE: Duration = Duration::from_secs(20);

fn kills_wanted() -> u64 {
    let asked = std::env::var("AIOPROCESSING_STORM").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(150)
}

/// This process's children that run.
fn children() -> Vec<u32> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lines = tasks.map(|task| std::fs::read_to_string(task.path().join("children")).unwrap_or_default());
    let pids: Vec<u32> = lines
        .flat_map(|line| line.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect();
    pids.into_iter().filter(|&pid| !kit::is_dead(pid)).collect()
}

/// It may have ended by itself.
fn end(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

/// Where a process stands, thread by thread.
fn stand(pid: u32) -> String {
    let mut text = format!("process {pid}\n");
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let stat = read("stat");
        let state = stat
            .rsplit_once(')')
            .map_or("gone", |(_, rest)| rest.trim_start())
            .get(..1)
            .unwrap_or("?")
            .to_owned();
        text += &format!("  {:?} {state} {} {}\n", task.file_name(), read("wchan"), read("syscall").trim());
    }
    if let Ok(output) = std::process::Command::new("gdb")
        .args(["-p", &pid.to_string(), "-batch", "-ex", "thread apply all bt 30"])
        .stderr(std::process::Stdio::null())
        .output()
    {
        let backtrace = String::from_utf8_lossy(&output.stdout).into_owned();
        text.extend(
            backtrace.lines().filter(|line| line.starts_with(['#', 'T'])).flat_map(|line| [line, "\n"]),
        );
    }
    text
}

/// Random numbers by xorshift, from a seed that is told.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// One storm at a time: each kills all children.
static STORM: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Ends the killer, in a panic too.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs the work again and again, while workers are killed, until enough have been.
fn storm(name: &str, way: Way, mut work: impl FnMut(Way, &AtomicU64)) {
    let _one = STORM.lock();
    let (progress, kills, is_over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut dice = Dice(u64::from(seed) << 8 | 1);
            let (mut interval, mut seen, mut fruitful) = (INTERVAL, 0, 0);
            while !is_over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_micros(dice.below(2 * interval)));
                let (now, count) = (progress.load(Ordering::Relaxed), kills.load(Ordering::Relaxed));
                if now != seen {
                    (seen, fruitful) = (now, count);
                } else if count - fruitful > FRUITLESS {
                    (interval, fruitful) = (2 * interval, count);
                }
                let victims = children();
                if let Some(last) = u64::try_from(victims.len()).ok().filter(|&count| count > 0) {
                    let victim = victims[usize::try_from(dice.below(last)).unwrap()];
                    end(victim);
                    kills.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        scope.spawn(|| {
            let (mut seen, mut since) = (0, Instant::now());
            while !is_over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
                let now = progress.load(Ordering::Relaxed);
                if now != seen {
                    (seen, since) = (now, Instant::now());
                } else if since.elapsed() > PATIENCE {
                    let mut text =
                        format!("{name}, {way:?}: stalled after {seen} results and {kills:?} kills\n");
                    text.extend(children().into_iter().chain([std::process::id()]).map(stand));
                    // Past what captures the output of tests, which an abort would lose.
                    let _ = std::io::stderr().write_all(text.as_bytes());
                    std::process::abort();
                }
            }
        });
        let _over = Over(&is_over);
        while kills.load(Ordering::Relaxed) < kills_wanted() {
            work(way, &progress);
        }
    });
    println!("{name}, {way:?}: {kills:?} kills, {progress:?} results, {:.1?}", begun.elapsed());
}

fn square(x: u64) -> u64 {
    x * x
}

fn long(x: u64) -> Vec<u64> {
    vec![x; 20_000]
}

fn each_way(name: &str, mut work: impl FnMut(Way, &AtomicU64)) {
    for &way in Way::ALL {
        storm(name, way, &mut work);
    }
}

fn pool() -> AioPool {
    AioPool::builder().workers(3).retries(u32::MAX).build().unwrap()
}

#[test]
fn short_items_in_chunks() {
    let pool = pool();
    let squares: Vec<u64> = (0..2000).map(square).collect();
    each_way("short items in chunks", |way, progress| {
        assert!(way.map(&pool.with_chunk_size(20), square, 0..2000).unwrap() == squares);
        progress.fetch_add(2000, Ordering::Relaxed);
    });
}

#[test]
fn long_arguments_and_results() {
    let pool = AioPool::builder().workers(3).retries(u32::MAX).shared_memory(2 << 20).build().unwrap();
    each_way("long arguments and results", |way, progress| {
        let inputs = (0..40).map(|x| vec![x + 200; 10_000]);
        // A chunk's results are more than half of the memory.
        let all = way.map(&pool.with_chunk_size(20), |x: Vec<u64>| long(x[9_999]), inputs).unwrap();
        for (x, values) in (0..).zip(&all) {
            assert!(values.len() == 20_000 && values.iter().all(|value| *value == x + 200));
        }
        progress.fetch_add(40, Ordering::Relaxed);
    });
}

#[test]
fn results_behind_their_cells() {
    let pool = pool();
    each_way("results behind their cells", |way, progress| {
        let all = way.map(&pool.with_chunk_size(1), |x: u64| vec![x; 500], 0..300).unwrap();
        for (x, values) in (0..).zip(&all) {
            assert!(values.len() == 500 && values.iter().all(|value| *value == x));
        }
        progress.fetch_add(300, Ordering::Relaxed);
    });
}

fn back(queue: AioQueue<u64>, x: u64) -> (AioQueue<u64>, u64) {
    (queue, x * x)
}

#[test]
fn handles_there_and_back() {
    let pool = pool();
    let queue = AioQueue::unbounded().unwrap();
    each_way("handles there and back", |way, progress| {
        let all = way.starmap(&pool, back, (0..50).map(|x| (queue.clone(), x))).unwrap();
        for (x, (_, value)) in (0..).zip(&all) {
            assert_eq!(*value, x * x);
        }
        progress.fetch_add(50, Ordering::Relaxed);
    });
}

#[test]
fn tasks_some_of_which_are_cancelled() {
    let pool = pool();
    each_way("tasks, some cancelled", |way, progress| {
        let tasks: Vec<_> = (0..300).map(|x| pool.submit(square, (x,)).unwrap()).collect();
        let gone: Vec<bool> = tasks
            .iter()
            .enumerate()
            .map(|(x, task)| match x % 5 {
                0 => task.cancel(),
                1 => task.abort(),
                _ => false,
            })
            .collect();
        for (x, (task, gone)) in (0..).zip(tasks.iter().zip(gone)) {
            let result = way.result(task);
            assert!(if gone { result.is_err_and(|error| error.is_cancelled()) } else { result == Ok(x * x) });
            progress.fetch_add(1, Ordering::Relaxed);
        }
    });
}

#[test]
fn workers_that_serve_their_number() {
    let pool = AioPool::builder().workers(3).retries(u32::MAX).max_tasks_per_child(7).build().unwrap();
    each_way("workers that serve their number", |way, progress| {
        let all = way.collect(pool.imap_unordered(square, 0..200));
        assert!(all.len() == 200 && all.iter().all(Result::is_ok));
        progress.fetch_add(200, Ordering::Relaxed);
    });
}

#[test]
fn without_retries_nothing_is_lost_or_run_twice() {
    let pool = AioPool::new(3).unwrap();
    each_way("without retries", |way, progress| {
        let begun = AioQueue::unbounded().unwrap();
        let tasks: Vec<AioTask<u64>> = (0..200)
            .map(|x| {
                pool.submit(|begun: AioQueue<u64>, x: u64| begun.put(x).map_or(0, |()| x), (begun.clone(), x))
                    .unwrap()
            })
            .collect();
        let results: Vec<_> = tasks.iter().map(|task| way.result(task)).collect();
        let mut times = [0; 200];
        while let Ok(x) = begun.try_get() {
            times[usize::try_from(x).unwrap()] += 1;
        }
        for (x, (result, times)) in (0..).zip(results.iter().zip(times)) {
            match result {
                Ok(value) => assert_eq!((*value, times), (x, 1)),
                Err(error) => {
                    assert!(error.is_worker_died() && times <= 1, "{x}: {error}, begun {times} times")
                }
            }
        }
        progress.fetch_add(200, Ordering::Relaxed);
    });
}

#[test]
fn a_storm_that_lets_nothing_be_done_is_told_of() {
    let _one = STORM.lock();
    for &way in Way::ALL {
        let watchdog = kit::Watchdog::new("a storm without end");
        watchdog.step(format!("{way:?}"));
        // As if somebody were faster than any worker.
        let pool =
            AioPool::builder().workers(3).initializer(|| kit::kill(std::process::id()), ()).build().unwrap();
        let error = way.apply(&pool, square, (3,)).unwrap_err();
        assert!(
            matches!(&error, TaskError::Broken { message, .. } if message.contains("SIGKILL")),
            "{error}"
        );
    }
}
