//! Ten thousand spawns, kills and joins leave nothing behind.
//!
//! Alone in its program: what it counts is everybody's.

mod kit;

use aioprocessing::{AioProcess, Stdio};
use kit::{Face, Watchdog, sleep_for_ever};

aioprocessing::test_support!();

const ROUNDS: usize = 10_000;

/// What a process may leave behind.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    descriptors: Vec<String>,
    threads: String,
    children: String,
    shared_memory: usize,
}

impl Left {
    fn now() -> Self {
        let name =
            |number| std::fs::read_link(format!("/proc/self/fd/{number}")).unwrap().display().to_string();
        let mut descriptors: Vec<_> = kit::descriptors().into_iter().map(name).collect();
        descriptors.sort();
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let children = |task: std::fs::DirEntry| {
            std::fs::read_to_string(task.path().join("children")).unwrap_or_default()
        };
        Self {
            descriptors,
            threads: kit::status("Threads"),
            children: tasks.map(|task| children(task.unwrap())).collect(),
            shared_memory: std::fs::read_dir("/dev/shm").map_or(0, Iterator::count),
        }
    }
}

fn cycle(round: usize) {
    let face = Face::ALL[round % Face::ALL.len()];
    match round % 5 {
        0 => {
            let child = AioProcess::spawn(|x: usize| x, (round,)).unwrap();
            assert_eq!(face.join(&child).unwrap(), round);
        }
        1 => {
            let child = AioProcess::spawn(sleep_for_ever, ()).unwrap();
            child.kill().unwrap();
            assert!(face.join(&child).unwrap_err().is_signaled());
        }
        2 => {
            let builder = AioProcess::builder().daemon(true).stdin(Stdio::piped()).stdout(Stdio::piped());
            let child = builder.spawn(sleep_for_ever, ()).unwrap();
            child.terminate().unwrap();
            assert!(face.join(&child).unwrap_err().is_signaled());
        }
        // Never joined.
        3 => drop(AioProcess::spawn(|| (), ()).unwrap()),
        _ => drop(AioProcess::builder().daemon(true).kill_on_drop(true).spawn(sleep_for_ever, ()).unwrap()),
    }
}

#[test]
fn ten_thousand_spawns_kills_and_joins_leave_nothing() {
    let watchdog = Watchdog::new("ten thousand");
    (0..10).for_each(cycle);
    settle();
    let before = Left::now();
    for round in 0..ROUNDS {
        if round % 1000 == 0 {
            watchdog.step(format!("round {round}"));
        }
        cycle(round);
    }
    settle();
    assert_eq!(Left::now(), before);
}

/// Those without a handle end in their own time.
fn settle() {
    for child in aioprocessing::active_children() {
        let _ = child.wait();
    }
}
