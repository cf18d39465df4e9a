//! Pools and what is scarce: memory, patience, and a terminal's attention.
#![allow(missing_docs)]

mod kit;

use std::io::{Read as _, Seek as _};
use std::time::Duration;

use aioprocessing::{AioPool, AioProcess, AioQueue, ProcessPoolExecutor, TaskError};
use kit::pools::{Way, each_way};

aioprocessing::test_support!();

/// One test at a time: some of them look at what this process has.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn alone() -> impl Drop {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What this process has in memory, its part of regions included, in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let kib = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    kib("VmRSS:") * 1024
}

fn long(x: u64) -> String {
    (x % 10).to_string().repeat(64 << 10)
}

#[test]
fn case_148_p25_results_of_a_large_count_take_bounded_memory() {
    let _alone = alone();
    each_way("case 148, memory", |way, watchdog| {
        let pool = AioPool::new(2).unwrap();
        assert_eq!(way.apply(&pool, long, (1,)).unwrap().len(), 64 << 10);
        for buffer in [None, Some(16)] {
            watchdog.step(format!("{way:?}, buffer {buffer:?}"));
            let pool = buffer.map_or(pool.clone(), |items| pool.with_buffer(items));
            let before = resident();
            let mut most = 0;
            // 128 MiB pass in both directions.
            let inputs = (0..2000).map(long);
            let mut seen = 0;
            way.each(pool.imap(|text: String| text, inputs), |result| {
                assert!(result.unwrap() == long(seen));
                seen += 1;
                most = most.max(resident().saturating_sub(before));
            });
            assert_eq!(seen, 2000);
            assert!(most < 40 << 20, "{most} bytes more at the most");
        }
        watchdog.step(format!("{way:?}, long arguments of a map"));
        let (before, mut most) = (resident(), 0);
        // 200 MiB, of which a part is under way at a time.
        let inputs = (0..800).map(|x| {
            most = most.max(resident().saturating_sub(before));
            long(x).repeat(4)
        });
        let lengths = way.map(&pool.with_chunk_size(1), |text: String| text.len(), inputs).unwrap();
        assert!(lengths.len() == 800 && lengths.iter().all(|length| *length == 256 << 10));
        assert!(most < 80 << 20, "{most} bytes more at the most");
    });
}

fn take_and_die(begun: AioQueue<u64>) {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    begun.put((now.tv_sec * 1_000_000_000 + now.tv_nsec).cast_unsigned()).unwrap();
    kit::kill(std::process::id());
}

#[test]
fn a_task_that_kills_every_worker_is_tried_again_more_and_more_slowly() {
    let _alone = alone();
    each_way("a deadly task", |way, watchdog| {
        let pool = AioPool::builder().workers(2).retries(u32::MAX).build().unwrap();
        let tries = AioQueue::unbounded().unwrap();
        let deadly = pool.submit(take_and_die, (tries.clone(),)).unwrap();
        let mut times = Vec::new();
        while times.len() < 14 {
            watchdog.step(format!("{way:?}, after {} tries", times.len()));
            // Others go on meanwhile, and so does the pool.
            assert_eq!(way.apply(&pool, |x: u64| x + 1, (4,)).unwrap(), 5);
            times.extend(std::iter::from_fn(|| tries.try_get().ok()));
        }
        // Between the ninth and the fourteenth there are waits of 2, 4, 8, 16 and 32 ms.
        let took = Duration::from_nanos(times[13] - times[8]);
        assert!(took >= Duration::from_millis(62), "five tries in {took:?}");
        assert!(!deadly.is_done());
        assert!(deadly.abort());
        assert!(way.result(&deadly).unwrap_err().is_cancelled());
        way.join(&pool).unwrap();
    });
}

/// A cgroup whose processes may have so much memory; removed at the end.
struct Cgroup(std::path::PathBuf);

impl Cgroup {
    /// `None` where this user may not make one.
    fn new(bytes: u64) -> Option<Self> {
        for (root, file) in
            [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]
        {
            let path = std::path::Path::new(root).join(format!("aioprocessing-{}", std::process::id()));
            if std::fs::create_dir(&path).is_err() {
                continue;
            }
            let group = Self(path);
            if group.0.join(file).exists() && std::fs::write(group.0.join(file), bytes.to_string()).is_ok() {
                let _ = std::fs::write(group.0.join("memory.swap.max"), "0");
                return Some(group);
            }
        }
        None
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Refused as long as a process of it is not reaped.
        kit::until("the end of the cgroup", || std::fs::remove_dir(&self.0).is_ok());
    }
}

fn eat(group: String, bytes: usize) -> usize {
    std::fs::write(format!("{group}/cgroup.procs"), "0").unwrap();
    vec![1_u8; bytes].iter().map(|&byte| usize::from(byte)).sum()
}

/// Where no cgroup can be made, what tells of the kernel's kills is held to its contract by the tests of `sys/oom.rs` alone.
#[test]
fn case_136_a_worker_that_the_kernel_killed_for_its_memory_is_told_of_as_such() {
    let _alone = alone();
    let Some(group) = Cgroup::new(48 << 20) else {
        eprintln!("no cgroup with a memory limit can be made here: run this as root");
        return;
    };
    each_way("case 136, out of memory", |way, _| {
        let pool = AioPool::new(1).unwrap();
        let path = group.0.to_str().unwrap().to_owned();
        assert_eq!(way.apply(&pool, eat, (path.clone(), 1 << 20)).unwrap(), 1 << 20);
        let error = way.apply(&pool, eat, (path, 256 << 20)).unwrap_err();
        let TaskError::WorkerDied { status, out_of_memory, .. } = error else { panic!("{error}") };
        assert_eq!((status.signal(), out_of_memory), (Some(libc::SIGKILL), true));
        assert!(error.to_string().contains("out-of-memory killer"), "{error}");
        let error = way.apply(&pool, || kit::kill(std::process::id()), ()).unwrap_err();
        let TaskError::WorkerDied { out_of_memory, .. } = error else { panic!("{error}") };
        assert!(!out_of_memory, "that one was killed by itself");
        way.join(&pool).unwrap();
    });
}

fn leave_it_at_that(pids: AioQueue<u32>, waits: bool, is_async: bool) {
    let executor = ProcessPoolExecutor::new(1).unwrap();
    let _task = executor
        .submit(
            |pids: AioQueue<u32>| {
                pids.put(std::process::id()).unwrap();
                kit::sleep_for_ever();
            },
            (pids,),
        )
        .unwrap();
    if waits {
        kit::until("the worker", || executor.pool().worker_pids().len() == 1);
    }
    #[cfg(feature = "tokio")]
    if is_async {
        return kit::runtime().block_on(executor.coro_shutdown(false, false)).unwrap();
    }
    let _ = is_async;
    executor.shutdown(false, false).unwrap();
}

#[test]
fn p13_a_process_may_end_right_after_a_shutdown_that_does_not_wait() {
    let _alone = alone();
    let watchdog = kit::Watchdog::new("p13");
    for (waits, is_async) in [(true, false), (false, false), (true, true), (false, true)] {
        watchdog.step(format!("waits {waits}, async {is_async}"));
        let pids = AioQueue::unbounded().unwrap();
        AioProcess::spawn(leave_it_at_that, (pids.clone(), waits, is_async)).unwrap().join().unwrap();
        if let Ok(pid) = pids.try_get() {
            kit::until("the end of the worker", || kit::is_dead(pid));
        }
    }
}

const ITEMS: usize = 40;

/// Runs a map in the way of that number, and tells how far it has come.
fn report(number: usize, told: AioQueue<(usize, Option<usize>)>, is_known: bool) {
    let way = Way::ALL[number];
    let pool = AioPool::builder().workers(1).chunk_size(1).progress(true);
    let pool =
        pool.on_progress(move |progress| told.put((progress.done, progress.total)).unwrap()).build().unwrap();
    let nap = |_: usize| std::thread::sleep(Duration::from_millis(10));
    if is_known {
        way.map(&pool, nap, 0..ITEMS).unwrap();
    } else {
        way.map(&pool, nap, (0..ITEMS).filter(|_| true)).unwrap();
    }
}

fn assert_told(told: &AioQueue<(usize, Option<usize>)>, is_known: bool) {
    let all: Vec<_> = std::iter::from_fn(|| told.try_get().ok()).collect();
    let expected: Vec<_> = (1..=ITEMS).map(|done| (done, is_known.then_some(ITEMS))).collect();
    assert_eq!(all, expected);
}

#[test]
fn without_a_terminal_a_bar_is_nowhere_and_the_listener_is_told_of_each_item() {
    let _alone = alone();
    let watchdog = kit::Watchdog::new("no terminal");
    for number in 0..Way::ALL.len() {
        watchdog.step(format!("{:?}", Way::ALL[number]));
        for is_known in [true, false] {
            let told = AioQueue::unbounded().unwrap();
            let mut errors = tempfile::tempfile().unwrap();
            let child = AioProcess::builder().stderr(errors.try_clone().unwrap());
            child.spawn(report, (number, told.clone(), is_known)).unwrap().join().unwrap();
            assert_told(&told, is_known);
            errors.rewind().unwrap();
            let mut text = String::new();
            errors.read_to_string(&mut text).unwrap();
            assert_eq!(text, "");
        }
    }
}

#[cfg(feature = "progress")]
#[test]
fn on_a_terminal_a_bar_shows_rate_and_time_left() {
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
    use rustix::termios::{Winsize, tcsetwinsize};

    let _alone = alone();
    let watchdog = kit::Watchdog::new("a terminal");
    for number in 0..Way::ALL.len() {
        for is_known in [true, false] {
            watchdog.step(format!("{:?}, known {is_known}", Way::ALL[number]));
            let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
            let master = openpt(flags).unwrap();
            grantpt(&master).unwrap();
            unlockpt(&master).unwrap();
            let terminal = ioctl_tiocgptpeer(&master, flags).unwrap();
            tcsetwinsize(&master, Winsize { ws_row: 24, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
            let told = AioQueue::unbounded().unwrap();
            let child = AioProcess::builder().stderr(terminal).env("TERM", "xterm");
            let child = child.spawn(report, (number, told.clone(), is_known)).unwrap();
            let mut text = Vec::new();
            let mut bytes = [0; 4096];
            // An error when the last one who has the terminal has gone.
            while let Ok(length) = rustix::io::read(&master, &mut bytes) {
                text.extend_from_slice(&bytes[..length]);
            }
            child.join().unwrap();
            assert_told(&told, is_known);
            let text = String::from_utf8_lossy(&text).into_owned();
            let steps: Vec<&str> = text.split('\r').filter(|step| step.contains("/s")).collect();
            if is_known {
                assert!(text.contains(&format!("{ITEMS}/{ITEMS} ")), "{text:?}");
                // In between: so many of all, so many a second, and seconds left.
                let is_whole = |step: &&&str| {
                    let words: Vec<&str> = step.split_whitespace().collect();
                    let place = words.iter().position(|word| word.ends_with(&format!("/{ITEMS}")));
                    place.is_some_and(|place| {
                        let count =
                            words[place].split('/').next().and_then(|done| done.parse::<usize>().ok());
                        count.is_some_and(|done| done > 0 && done < ITEMS)
                            && words.get(place + 1).is_some_and(|word| word.ends_with("/s"))
                            && words.get(place + 2).is_some_and(|word| word.contains('s'))
                    })
                };
                assert!(steps.iter().any(|step| is_whole(&step)), "{text:?}");
            } else {
                assert!(steps.len() > 1, "{text:?}");
            }
        }
    }
}
