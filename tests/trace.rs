//! What the crate tracing is told of, with feature `tracing`.

mod kit;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aioprocessing::{
    AioEvent, AioLeaseQueue, AioLock, AioProcess, AioQueue, AioRwLock, AioSemaphore, wait_any,
};
use kit::Watchdog;
use tracing::Level;

aioprocessing::test_support!();

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The events of the calling thread while `body` runs, a line each.
fn events(body: impl FnOnce()) -> Vec<String> {
    let lines = Lines::default();
    let written = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(Level::DEBUG).with_ansi(false).without_time();
    let subscriber = subscriber.with_writer(move || written.clone()).finish();
    tracing::subscriber::with_default(subscriber, body);
    let text = String::from_utf8(std::mem::take(&mut *lines.0.lock().unwrap())).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// How many lines say all of it.
fn count(events: &[String], parts: &[&str]) -> usize {
    events.iter().filter(|line| parts.iter().all(|part| line.contains(part))).count()
}

fn assert_one(events: &[String], parts: &[&str]) {
    assert_eq!(count(events, parts), 1, "{parts:?} in {events:#?}");
}

fn end_with(code: i32) {
    if code != 0 {
        std::process::exit(code);
    }
}

/// A child of this name that has something, and is killed.
macro_rules! killed {
    ($name:expr, $function:expr, $object:expr) => {{
        let has = AioEvent::new().unwrap();
        let builder = AioProcess::builder().name($name).daemon(true);
        let child: AioProcess<()> = builder.spawn($function, ($object.clone(), has.clone())).unwrap();
        has.wait().unwrap();
        child.kill().unwrap();
        child.join().unwrap_err();
        format!("pid={} ", child.pid())
    }};
}

#[test]
fn spawns_and_deaths_are_told_of_with_pid_and_name() {
    let _watchdog = Watchdog::new("spawns_and_deaths");
    let mut pids = Vec::new();
    let told = events(|| {
        for (name, code) in [("quiet", 0), ("loud", 3)] {
            let builder = AioProcess::builder().name(name).daemon(true);
            let child: AioProcess<()> = builder.spawn(end_with, (code,)).unwrap();
            assert_eq!(child.join().is_err(), code != 0, "{code}");
            let _ = child.try_join();
            pids.push(format!("pid={} ", child.pid()));
        }
        let wait = |_: u8, has: AioEvent| {
            has.set();
            kit::sleep_for_ever();
        };
        pids.push(killed!("victim", wait, 0_u8));
    });
    for (pid, name) in pids.iter().zip(["name=\"quiet\"", "name=\"loud\"", "name=\"victim\""]) {
        assert_one(&told, &["DEBUG aioprocessing: spawned", pid, name, "object=\"process\""]);
    }
    assert_one(&told, &["DEBUG aioprocessing: ended", &pids[0], "code=0"]);
    assert_one(&told, &["WARN aioprocessing: died", &pids[1], "name=\"loud\"", "code=3"]);
    assert_one(&told, &["WARN aioprocessing: died", &pids[2], "name=\"victim\"", "signal=9"]);
}

#[test]
fn takeovers_from_the_dead_are_told_of() {
    let _watchdog = Watchdog::new("takeovers");
    let (lock, semaphore, rwlock) =
        (AioLock::new().unwrap(), AioSemaphore::new(1).unwrap(), AioRwLock::new().unwrap());
    let locks = |lock: AioLock, has: AioEvent| {
        let _guard = lock.acquire().unwrap();
        has.set();
        kit::sleep_for_ever();
    };
    let takes = |semaphore: AioSemaphore, has: AioEvent| {
        let _permit = semaphore.acquire().unwrap();
        has.set();
        kit::sleep_for_ever();
    };
    let reads = |rwlock: AioRwLock, has: AioEvent| {
        let _guard = rwlock.read().unwrap();
        has.set();
        kit::sleep_for_ever();
    };
    let writes = |rwlock: AioRwLock, has: AioEvent| {
        let _guard = rwlock.write().unwrap();
        has.set();
        kit::sleep_for_ever();
    };
    let mut pids = Vec::new();
    let told = events(|| {
        pids.push(killed!("of-lock", locks, lock));
        assert!(lock.acquire().unwrap_err().is_owner_died());
        drop(lock.acquire().unwrap());
        pids.push(killed!("of-semaphore", takes, semaphore));
        drop(semaphore.acquire().unwrap());
        drop(semaphore.try_acquire().unwrap());
        pids.push(killed!("of-reader", reads, rwlock));
        drop(rwlock.write().unwrap());
        pids.push(killed!("of-writer", writes, rwlock));
        assert!(rwlock.read().unwrap_err().is_owner_died());
    });
    let rows = [
        ("of-lock", "lock"),
        ("of-semaphore", "semaphore"),
        ("of-reader", "read lock"),
        ("of-writer", "lock"),
    ];
    for (pid, (name, object)) in pids.iter().zip(rows) {
        let (name, object) = (format!("name=\"{name}\""), format!("object=\"{object}\""));
        assert_one(&told, &["WARN aioprocessing: taken over", pid, &name, &object, "region="]);
    }
    assert_eq!(count(&told, &["taken over"]), rows.len(), "{told:#?}");
}

#[test]
fn redeliveries_are_told_of() {
    let _watchdog = Watchdog::new("redeliveries");
    let queue = AioQueue::builder().lease(5).build::<u64>().unwrap();
    let borrows = |queue: AioLeaseQueue<u64>, has: AioEvent| {
        let _lease = queue.get().unwrap();
        has.set();
        kit::sleep_for_ever();
    };
    queue.put(7).unwrap();
    let told = events(|| {
        let _pid = killed!("borrower", borrows, queue);
        assert!(queue.get().unwrap().ack());
        queue.put(8).unwrap();
        assert!(queue.get().unwrap().ack());
    });
    let me = format!("pid={} ", std::process::id());
    assert_one(&told, &["WARN aioprocessing: delivered again", &me, "object=\"queue\"", "attempt=2"]);
    assert_eq!(count(&told, &["delivered again"]), 1, "{told:#?}");
}

#[test]
fn a_long_wait_is_told_of_once() {
    let _watchdog = Watchdog::new("a_long_wait");
    let event = AioEvent::new().unwrap();
    let long = Duration::from_millis(20);
    let me = format!("pid={} ", std::process::id());
    let told = events(|| assert!(event.wait_timeout(long).unwrap_err().is_timeout()));
    assert_one(&told, &["DEBUG aioprocessing: a long wait", &me, "name=\"MainProcess\"", "region="]);
    let told = events(|| assert_eq!(wait_any(&[&event], Some(long)).unwrap(), []));
    assert_one(&told, &["DEBUG aioprocessing: a long wait", &me]);
    #[cfg(feature = "tokio")]
    {
        let told = events(|| {
            kit::runtime().block_on(async {
                assert!(tokio::time::timeout(long, event.coro_wait()).await.is_err());
            });
        });
        assert_one(&told, &["DEBUG aioprocessing: a long wait", &me]);
    }
    event.set();
    assert!(events(|| drop(event.wait())).is_empty());
}

/// A subscriber that itself waits, and then panics.
struct Waits(AioEvent);

impl Write for Waits {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let long = Duration::from_millis(5);
        assert!(self.0.wait_timeout(long).unwrap_err().is_timeout());
        std::fs::write(std::env::var_os("TOLD").unwrap(), bytes)?;
        panic!("on purpose");
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// In a process of its own, because only a subscriber for all threads is told of what happens while it is told.
#[test]
fn a_subscriber_that_waits_and_panics_does_no_harm() {
    let _watchdog = Watchdog::new("a_subscriber_that_waits");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("told");
    let builder = AioProcess::builder().name("told").daemon(true).env("TOLD", &path);
    let child: AioProcess<bool> = builder
        .spawn(
            |event: AioEvent| {
                let waits = event.clone();
                let subscriber = tracing_subscriber::fmt().with_max_level(Level::DEBUG).with_ansi(false);
                let subscriber = subscriber.with_writer(move || Waits(waits.clone())).finish();
                tracing::subscriber::set_global_default(subscriber).unwrap();
                event.wait_timeout(Duration::from_millis(20)).unwrap_err().is_timeout()
            },
            (AioEvent::new().unwrap(),),
        )
        .unwrap();
    assert!(child.join().unwrap());
    let told = std::fs::read_to_string(path).unwrap();
    assert!(told.contains("a long wait") && told.contains("name=\"told\""), "{told}");
}
