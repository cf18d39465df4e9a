//! Attaching to a region, leaving it, and sending a handle to a new process.

use aioprocessing::{AioLock, AioProcess};
use serde::{Deserialize, Deserializer};

use crate::crowd::{Crowd, FACES, Kind, Mode};
use crate::locks::{self, take};
use crate::suite::{Play, Scenario, wrong};
use crate::trace::{Victim, begin, end, warm};

/// Receives what it holds between the marks.
struct Marked<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Marked<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        begin();
        let inner = T::deserialize(deserializer);
        end();
        inner.map(Self)
    }
}

impl<T: serde::Serialize> serde::Serialize for Marked<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

fn attaches(lock: Marked<AioLock>) {
    drop(lock.0);
}

fn detaches(lock: AioLock) {
    warm();
    begin();
    drop(lock);
    end();
}

fn sends(lock: AioLock) {
    warm();
    begin();
    let child = AioProcess::spawn(uses, (lock,));
    end();
    drop(child);
}

fn uses(lock: AioLock) {
    drop(lock.acquire());
}

struct Lifecycle(AioLock);

impl Play for Lifecycle {
    fn after(&mut self, crowd: &mut Crowd) {
        let limit = crowd.mode.limit();
        for face in FACES {
            let lock = self.0.clone();
            crowd.late(format!("{face:?}, late"), move || match take(&lock, face, limit) {
                Some((_, true)) => wrong(Kind::Duplicated, "told of an owner that never was"),
                None if limit.is_none() => wrong(Kind::Hung, "a free lock was refused"),
                _ => Ok(()),
            });
        }
        let lock = self.0.clone();
        crowd.untimed("a new process", move || {
            let child = AioProcess::spawn(locks::peer, (lock, limit)).unwrap();
            match child.join() {
                Ok(0) => Ok(()),
                Ok(_) if limit.is_some() => Ok(()),
                other => wrong(Kind::Lost, format!("a new process could not use the lock: {other:?}")),
            }
        });
        crowd.settle();
        if crowd.mode == Mode::Kill && self.0.try_acquire().is_err() {
            crowd.fault(Kind::Hung, "the lock is held by nobody");
        }
    }
}

fn stage(start: fn(AioLock) -> AioProcess<()>) -> (Victim, Box<dyn Play>) {
    let lock = AioLock::new().unwrap();
    (Victim::at_begin(start(lock.clone())), Box::new(Lifecycle(lock)))
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "region, attach",
        stage: |_| stage(|lock| AioProcess::spawn(attaches, (Marked(lock),)).unwrap()),
    },
    Scenario {
        name: "region, detach",
        stage: |_| stage(|lock| AioProcess::spawn(detaches, (lock,)).unwrap()),
    },
    Scenario {
        name: "region, handle sent to a new process",
        stage: |_| stage(|lock| AioProcess::spawn(sends, (lock,)).unwrap()),
    },
];
