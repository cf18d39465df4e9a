//! A process that waits for what never comes.

use std::fs;

use aioprocessing::{AioEvent, AioValue, ProcessFn};

use super::beside;
use crate::measure::{Setting, on_one_thread};

/// Says how many threads it has, and waits.
fn wait(never: AioEvent, begun: AioEvent, threads: AioValue<u64>) {
    threads.set(tasks(std::process::id()).len() as u64);
    begun.set();
    never.wait().unwrap();
}

fn coro_wait(never: AioEvent, begun: AioEvent, threads: AioValue<u64>) {
    let runtime = on_one_thread();
    threads.set(tasks(std::process::id()).len() as u64);
    begun.set();
    runtime.block_on(never.coro_wait()).unwrap();
}

fn tasks(pid: u32) -> Vec<std::path::PathBuf> {
    let listed = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    listed.map(|task| task.unwrap().path()).collect()
}

/// How often its threads have gone to sleep.
fn switches(pid: u32) -> u64 {
    let of = |task: std::path::PathBuf| {
        let status = fs::read_to_string(task.join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse::<u64>().unwrap()
    };
    tasks(pid).into_iter().map(of).sum()
}

fn watch<F>(setting: &Setting, f: F) -> f64
where
    F: ProcessFn<(AioEvent, AioEvent, AioValue<u64>), Output = ()>,
{
    let (never, begun) = (AioEvent::new().unwrap(), AioEvent::new().unwrap());
    let threads = AioValue::new(0).unwrap();
    let child = beside(f, (never, begun.clone(), threads.clone()));
    begun.wait().unwrap();
    // Its sleeps grow during the first two seconds.
    std::thread::sleep(std::time::Duration::from_millis(2_200));
    assert_eq!(tasks(child.pid()).len() as u64, threads.get(), "a thread was started for waiting");
    let before = switches(child.pid());
    std::thread::sleep(setting.time);
    let count = switches(child.pid()) - before;
    assert!(child.is_alive(), "it did not wait");
    count as f64 / setting.time.as_secs_f64()
}

pub fn idle_waiter(setting: &Setting) -> f64 {
    watch(setting, wait)
}

pub fn coro_idle_waiter(setting: &Setting) -> f64 {
    watch(setting, coro_wait)
}
