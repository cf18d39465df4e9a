//! The readers-writer lock.

use std::time::Duration;

use aioprocessing::{AioProcess, AioRwLock, AioRwLockReadGuard};

use crate::crowd::{Crowd, FACES, Face, Fault, Kind, LIMIT, Mode, PATIENCE, run};
use crate::suite::{Play, Scenario, wrong};
use crate::trace::{Stimulus, Victim, begin, end, warm};

struct Readers {
    lock: AioRwLock,
    ours: Option<AioRwLockReadGuard>,
}

/// Of who comes after the end: how long it may take.
fn patience(mode: Mode) -> Duration {
    if mode == Mode::Stop { LIMIT } else { PATIENCE }
}

/// Of who is asleep before: the victim is stepped meanwhile, for as long as that takes, and the crowd's patience counts.
const LONG: Duration = Duration::from_secs(600);

/// Reads, or writes, once; `false`: the time was over.
fn once(lock: &AioRwLock, face: Face, writes: bool, limit: Duration) -> bool {
    // A guard inside of an error is a guard.
    match (face, writes) {
        (Face::Blocking, false) => {
            lock.read_timeout(limit).map_or_else(|error| !error.is_timeout(), |_| true)
        }
        (Face::Blocking, true) => {
            lock.write_timeout(limit).map_or_else(|error| !error.is_timeout(), |_| true)
        }
        (Face::Async, false) => run(Some(limit), lock.coro_read()).is_some(),
        (Face::Async, true) => run(Some(limit), lock.coro_write()).is_some(),
    }
}

fn went(went: bool, mode: Mode) -> Result<(), Fault> {
    if went || mode == Mode::Stop {
        Ok(())
    } else {
        wrong(Kind::Hung, "a lock that nobody holds was refused")
    }
}

impl Play for Readers {
    fn stimulus(&mut self, _: usize) -> Stimulus {
        if self.ours.take().is_some() { Stimulus::Done } else { Stimulus::Nothing }
    }

    fn after(&mut self, crowd: &mut Crowd) {
        self.ours = None;
        let mode = crowd.mode;
        for face in FACES {
            for writes in [false, true] {
                let lock = self.lock.clone();
                let what = if writes { "write" } else { "read" };
                crowd.late(format!("{face:?} {what}, late"), move || {
                    went(once(&lock, face, writes, patience(mode)), mode)
                });
            }
        }
        crowd.settle();
        if mode == Mode::Kill && self.lock.try_write().is_err() {
            crowd.fault(Kind::Hung, "the lock is held by nobody");
        }
    }
}

fn reads(lock: AioRwLock) {
    warm();
    begin();
    drop(lock.read());
    end();
}

fn writes(lock: AioRwLock) {
    warm();
    begin();
    drop(lock.write());
    end();
}

fn stage(crowd: &mut Crowd, write: bool, held: bool) -> (Victim, Box<dyn Play>) {
    let lock = AioRwLock::new().unwrap();
    let ours = held.then(|| lock.read().unwrap());
    let child = if write {
        AioProcess::spawn(writes, (lock.clone(),))
    } else {
        AioProcess::spawn(reads, (lock.clone(),))
    };
    let victim = Victim::at_begin(child.unwrap());
    if held && crowd.mode == Mode::Kill {
        for face in FACES {
            let lock = lock.clone();
            crowd.asleep(format!("{face:?} write, asleep"), move |ready| {
                ready.now();
                went(once(&lock, face, true, LONG), Mode::Kill)
            });
        }
    }
    (victim, Box::new(Readers { lock, ours }))
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "rwlock, read and release", stage: |crowd| stage(crowd, false, false) },
    Scenario { name: "rwlock, write and release", stage: |crowd| stage(crowd, true, false) },
    Scenario { name: "rwlock, write, a reader inside", stage: |crowd| stage(crowd, true, true) },
    Scenario {
        name: "rwlock, read, a reader inside and writers asleep",
        stage: |crowd| stage(crowd, false, true),
    },
];
