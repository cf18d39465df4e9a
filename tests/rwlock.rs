//! What a readers-writer lock promises.
#![cfg_attr(not(feature = "tokio"), allow(dead_code, unused_imports))]

mod kit;

use std::time::{Duration, Instant};

use aioprocessing::{
    AcquireError, AcquireTimeoutError, AioEvent, AioProcess, AioRwLock, AioRwLockReadGuard,
    AioRwLockWriteGuard, AioSemaphore, AioValue,
};
use kit::either::either;
use kit::sides::{Place, Side, each, start};
use kit::{Watchdog, sleep_for_ever};

aioprocessing::test_support!();

const SHORT: Duration = Duration::from_millis(30);

fn read(side: Side, lock: &AioRwLock) -> Result<AioRwLockReadGuard, AcquireError<AioRwLockReadGuard>> {
    either!(side, lock.read(), lock.coro_read())
}

fn write(side: Side, lock: &AioRwLock) -> Result<AioRwLockWriteGuard, AcquireError<AioRwLockWriteGuard>> {
    either!(side, lock.write(), lock.coro_write())
}

fn hold_reading(lock: AioRwLock, held: AioEvent, let_go: AioEvent) {
    let guard = lock.read().unwrap();
    held.set();
    let_go.wait().unwrap();
    drop(guard);
}

fn hold_writing(lock: AioRwLock, held: AioEvent, let_go: AioEvent) {
    let guard = lock.write().unwrap();
    held.set();
    let_go.wait().unwrap();
    drop(guard);
}

#[test]
fn many_read_at_once_and_keep_a_writer_out() {
    each("many_read_at_once", |side, place, _| {
        let (lock, held, let_go) =
            (AioRwLock::new().unwrap(), AioEvent::new().unwrap(), AioEvent::new().unwrap());
        let holder = start!(place, hold_reading, (lock, held, let_go));
        held.wait().unwrap();
        let (one, other) = (read(side, &lock).unwrap(), lock.try_read().unwrap());
        drop((one, other, lock.read_timeout(SHORT).unwrap()));
        assert!(lock.try_write().unwrap_err().is_would_block());
        let begun = Instant::now();
        let error = lock.write_timeout(SHORT).unwrap_err();
        assert!(begun.elapsed() >= SHORT);
        let AcquireTimeoutError::Timeout { holder: Some(seen) } = error else { panic!("{error}") };
        assert_eq!(seen.pid == std::process::id(), place == Place::Thread, "it names a reader");
        drop(lock.try_read().expect("the writer that gave up keeps nobody out"));
        let setter = let_go.clone();
        let setter = std::thread::spawn(move || setter.set());
        drop(write(side, &lock).unwrap());
        setter.join().unwrap();
        holder.join();
        drop(lock.try_write().unwrap());
    });
}

#[test]
fn one_writes_and_keeps_all_out() {
    each("one_writes", |side, place, _| {
        let (lock, held, let_go) =
            (AioRwLock::new().unwrap(), AioEvent::new().unwrap(), AioEvent::new().unwrap());
        let holder = start!(place, hold_writing, (lock, held, let_go));
        held.wait().unwrap();
        assert!(lock.try_read().unwrap_err().is_would_block());
        assert!(lock.try_write().unwrap_err().is_would_block());
        let begun = Instant::now();
        assert!(lock.read_timeout(SHORT).unwrap_err().is_timeout());
        assert!(lock.write_timeout(SHORT).unwrap_err().is_timeout());
        assert!(begun.elapsed() >= 2 * SHORT);
        let setter = let_go.clone();
        let setter = std::thread::spawn(move || setter.set());
        drop(read(side, &lock).unwrap());
        drop(write(side, &lock).unwrap());
        setter.join().unwrap();
        holder.join();
    });
}

/// Writers keep two values equal; readers see them equal.
fn take_part(lock: AioRwLock, values: (AioValue<u64>, AioValue<u64>), writes: bool, side: Side) {
    let rounds = if side == Side::Blocking { 4_000 } else { 300 };
    for _ in 0..rounds {
        if writes {
            let _guard = write(side, &lock).unwrap();
            values.0.set(values.0.get() + 1);
            values.1.set(values.1.get() + 1);
        } else {
            let _guard = read(side, &lock).unwrap();
            assert_eq!(values.0.get(), values.1.get());
        }
    }
}

#[test]
fn readers_and_writers_are_never_inside_together() {
    each("never_inside_together", |side, place, _| {
        let lock = AioRwLock::new().unwrap();
        let values = (AioValue::new(0_u64).unwrap(), AioValue::new(0_u64).unwrap());
        let parts: Vec<_> = [true, false, true, false]
            .map(|writes| start!(place, take_part, (lock, values, writes, side)))
            .into_iter()
            .collect();
        parts.into_iter().for_each(kit::sides::Started::join);
        let rounds = if side == Side::Blocking { 4_000 } else { 300 };
        assert_eq!((values.0.get(), values.1.get()), (2 * rounds, 2 * rounds));
    });
}

/// Overlapping readers, so that there is always one.
fn read_for_ever(lock: AioRwLock, others: AioSemaphore, stop: AioEvent) {
    while !stop.is_set() {
        let guard = lock.read().unwrap();
        others.release(1).unwrap();
        // Holds on until another has come, if one comes.
        let _ = others.acquire_many_timeout(2, Duration::from_millis(2)).map(aioprocessing::Permit::forget);
        drop(guard);
    }
}

fn write_for_ever(lock: AioRwLock, stop: AioEvent) {
    while !stop.is_set() {
        drop(lock.write().unwrap());
    }
}

#[test]
fn neither_writers_nor_readers_starve() {
    each("neither_starve", |side, place, watchdog| {
        let (lock, stop) = (AioRwLock::new().unwrap(), AioEvent::new().unwrap());
        let others = AioSemaphore::new(0).unwrap();
        let readers: Vec<_> = (0..3).map(|_| start!(place, read_for_ever, (lock, others, stop))).collect();
        for round in 0..20 {
            watchdog.step(format!("write {round}, {side:?} against a {place:?}"));
            drop(write(side, &lock).unwrap());
        }
        let writers: Vec<_> = (0..2).map(|_| start!(place, write_for_ever, (lock, stop))).collect();
        for round in 0..20 {
            watchdog.step(format!("read {round}, {side:?} against a {place:?}"));
            drop(read(side, &lock).unwrap());
        }
        stop.set();
        readers.into_iter().chain(writers).for_each(kit::sides::Started::join);
    });
}

#[test]
fn a_waiting_writer_keeps_new_readers_out() {
    let _watchdog = Watchdog::new("a_waiting_writer");
    let lock = AioRwLock::new().unwrap();
    let first = lock.read().unwrap();
    let theirs = lock.clone();
    let writer = std::thread::spawn(move || drop(theirs.write().unwrap()));
    kit::until("it waits", || lock.try_read().is_err());
    drop(first);
    writer.join().unwrap();
    drop(lock.read().unwrap());
}

fn read_and_sleep(lock: AioRwLock, held: AioEvent) {
    let _guards = (lock.read().unwrap(), lock.read().unwrap());
    held.set();
    sleep_for_ever();
}

fn write_and_sleep(lock: AioRwLock, held: AioEvent) {
    let _guard = lock.write().unwrap();
    held.set();
    sleep_for_ever();
}

#[test]
fn a_killed_reader_is_as_one_that_has_left() {
    let watchdog = Watchdog::new("a_killed_reader");
    for &side in Side::ALL {
        for waits_first in [false, true] {
            watchdog.step(format!("{side:?}, waits first: {waits_first}"));
            let (lock, held) = (AioRwLock::new().unwrap(), AioEvent::new().unwrap());
            let child: AioProcess<()> =
                AioProcess::spawn(read_and_sleep, (lock.clone(), held.clone())).unwrap();
            held.wait().unwrap();
            if waits_first {
                let theirs = lock.clone();
                let writer = std::thread::spawn(move || drop(write(side, &theirs).unwrap()));
                kit::until("it waits", || lock.try_read().is_err());
                child.kill().unwrap();
                writer.join().unwrap();
            } else {
                child.kill().unwrap();
                child.join().unwrap_err();
                drop(lock.try_write().unwrap());
                drop(write(side, &lock).unwrap());
            }
        }
    }
}

#[test]
fn who_follows_a_killed_writer_is_told() {
    each("who_follows_a_killed_writer", |side, _, _| {
        for reads in [false, true] {
            let (lock, held) = (AioRwLock::new().unwrap(), AioEvent::new().unwrap());
            let child: AioProcess<()> =
                AioProcess::spawn(write_and_sleep, (lock.clone(), held.clone())).unwrap();
            held.wait().unwrap();
            child.kill().unwrap();
            if reads {
                let AcquireError::OwnerDied(guard) = read(side, &lock).unwrap_err() else { panic!() };
                assert_eq!(guard.dead_holder().map(|holder| holder.pid), Some(child.pid()));
                drop(lock.try_read().expect("told once, and many may read"));
            } else {
                let AcquireError::OwnerDied(guard) = write(side, &lock).unwrap_err() else { panic!() };
                assert_eq!(guard.dead_holder().map(|holder| holder.pid), Some(child.pid()));
                assert!(lock.try_read().is_err());
            }
            drop(lock.write().unwrap());
            child.join().unwrap_err();
        }
    });
}

#[test]
fn who_follows_a_writer_that_panicked_is_told() {
    let lock = AioRwLock::new().unwrap();
    for reads in [false, true] {
        let theirs = lock.clone();
        let panicked = std::thread::spawn(move || {
            let _guard = theirs.write().unwrap();
            panic!("on purpose");
        });
        panicked.join().unwrap_err();
        if reads {
            assert!(lock.try_read().unwrap_err().is_owner_died());
        } else {
            assert!(lock.write_timeout(SHORT).unwrap_err().is_owner_died());
        }
        drop(lock.write().unwrap());
    }
}

#[cfg(feature = "tokio")]
#[test]
fn a_cancelled_writer_lets_the_readers_in_again() {
    let _watchdog = Watchdog::new("a_cancelled_writer");
    for _ in 0..100 {
        let lock = AioRwLock::new().unwrap();
        kit::runtime().block_on(async {
            let first = lock.coro_read().await.unwrap();
            let theirs = lock.clone();
            let writer = tokio::spawn(async move { theirs.coro_write().await.map(drop) });
            while lock.try_read().is_ok() {
                tokio::task::yield_now().await;
            }
            let theirs = lock.clone();
            let reader = tokio::spawn(async move { theirs.coro_read().await.map(drop) });
            while !format!("{lock:?}").contains("waiting_readers: 1") {
                tokio::task::yield_now().await;
            }
            writer.abort();
            reader.await.unwrap().unwrap();
            drop(first);
            drop(lock.coro_write().await.unwrap());
        });
    }
}
