//! Locks and events.

use std::time::Instant;

use aioprocessing::{AioEvent, AioLock, AioProcess, ProcessFn};
use tokio::runtime::Runtime;

use super::{Place, arrived, beside, place};
use crate::board;
use crate::counted::{self, Counted};
use crate::measure::{Setting, Trips, on_one_thread, rate};
use crate::peers::shared::Shared;

const OTHER: usize = board::PRODUCERS[0];

pub fn lock_free(setting: &Setting) -> f64 {
    let lock = AioLock::new().unwrap();
    rate(setting.time, 10_000, || drop(lock.acquire().unwrap()))
}

pub fn coro_lock_free(setting: &Setting, runtime: &Runtime) -> f64 {
    let lock = AioLock::new().unwrap();
    runtime.block_on(async {
        let begun = Instant::now();
        let mut count = 0;
        while begun.elapsed() < setting.time {
            for _ in 0..10_000 {
                drop(lock.coro_acquire().await.unwrap());
            }
            count += 10_000;
        }
        f64::from(count) / begun.elapsed().as_secs_f64()
    })
}

fn contend(place: Place, lock: AioLock) {
    arrived(place);
    let counted = Counted::on(&Shared::of_parent(counted::LENGTH));
    let mut round = counted.join();
    while round.goes_on() {
        let _guard = lock.acquire().unwrap();
        counted.step();
    }
    round.end();
}

fn coro_contend(place: Place, lock: AioLock) {
    arrived(place);
    let counted = Counted::on(&Shared::of_parent(counted::LENGTH));
    on_one_thread().block_on(async {
        let mut round = counted.join();
        while round.goes_on() {
            let _guard = lock.coro_acquire().await.unwrap();
            counted.step();
        }
        round.end();
    });
}

fn other<F>(setting: &Setting, f: F, lock: &AioLock, shared: &Shared) -> AioProcess<()>
where
    F: ProcessFn<(Place, AioLock), Output = ()>,
{
    let builder = AioProcess::builder().daemon(true).kill_on_drop(true);
    let builder = builder.stdin(shared.fd().try_clone_to_owned().unwrap());
    builder.spawn(f, (place(setting, OTHER), lock.clone())).unwrap()
}

pub fn lock_contended(setting: &Setting) -> f64 {
    let (lock, shared) = (AioLock::new().unwrap(), Shared::create(counted::LENGTH));
    let _other = other(setting, contend, &lock, &shared);
    let counted = Counted::on(&shared);
    let mut round = counted.begin(setting.time);
    while round.goes_on() {
        let _guard = lock.acquire().unwrap();
        counted.step();
    }
    round.end()
}

pub fn coro_lock_contended(setting: &Setting, runtime: &Runtime) -> f64 {
    let (lock, shared) = (AioLock::new().unwrap(), Shared::create(counted::LENGTH));
    let _other = other(setting, coro_contend, &lock, &shared);
    let counted = Counted::on(&shared);
    runtime.block_on(async {
        let mut round = counted.begin(setting.time);
        while round.goes_on() {
            let _guard = lock.coro_acquire().await.unwrap();
            counted.step();
        }
        round.end()
    })
}

fn answer(place: Place, there: AioEvent, back: AioEvent) {
    arrived(place);
    loop {
        there.wait().unwrap();
        there.clear();
        back.set();
    }
}

fn coro_answer(place: Place, there: AioEvent, back: AioEvent) {
    arrived(place);
    on_one_thread().block_on(async {
        loop {
            there.coro_wait().await.unwrap();
            there.clear();
            back.set();
        }
    });
}

pub fn event(setting: &Setting) -> f64 {
    let (there, back) = (AioEvent::new().unwrap(), AioEvent::new().unwrap());
    let _other = beside(answer, (place(setting, OTHER), there.clone(), back.clone()));
    let mut trips = Trips::new(setting.time);
    loop {
        there.set();
        back.wait().unwrap();
        back.clear();
        if let Some(median) = trips.end() {
            return median / 2.0;
        }
    }
}

pub fn coro_event(setting: &Setting, runtime: &Runtime) -> f64 {
    let (there, back) = (AioEvent::new().unwrap(), AioEvent::new().unwrap());
    let _other = beside(coro_answer, (place(setting, OTHER), there.clone(), back.clone()));
    let mut trips = Trips::new(setting.time);
    runtime.block_on(async {
        loop {
            there.set();
            back.coro_wait().await.unwrap();
            back.clear();
            if let Some(median) = trips.end() {
                return median / 2.0;
            }
        }
    })
}
