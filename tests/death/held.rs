//! What is built on the lock: values, the mutex and the re-entrant lock.

use std::time::Duration;

use aioprocessing::{AioMutex, AioProcess, AioRLock, AioValue};

use crate::crowd::{Crowd, FACES, Face, Fault, Kind, LIMIT, Mode, PATIENCE, run};
use crate::suite::{Play, Scenario, wrong};
use crate::trace::{Reached, Stimulus, Victim, begin, end, warm};

/// Too wide for one store.
type Wide = [u64; 6];

fn wide(number: u64) -> Wide {
    [number; 6]
}

fn number(wide: Wide) -> Result<u64, Fault> {
    if wide.iter().all(|&each| each == wide[0]) {
        Ok(wide[0])
    } else {
        wrong(Kind::Torn, format!("{wide:?}"))
    }
}

struct Values {
    value: AioValue<Wide>,
    /// What the victim makes of 1.
    makes: u64,
    is_done: bool,
}

impl Play for Values {
    fn look(&mut self, _: &Victim, reached: Reached) {
        self.is_done = reached == Reached::End;
    }

    fn after(&mut self, crowd: &mut Crowd) {
        let (makes, is_done) = (self.makes, self.is_done);
        // Neither of these waits, whoever stands still.
        let value = self.value.clone();
        crowd.late("get", move || match number(value.get())? {
            1 if is_done && makes > 1 => wrong(Kind::Lost, "what was written is not there"),
            seen if seen == 1 || seen == makes => Ok(()),
            seen => wrong(Kind::Torn, format!("{seen} was never written")),
        });
        crowd.settle();
        let value = self.value.clone();
        crowd.late("set and get", move || {
            value.set(wide(50));
            let seen = number(value.get())?;
            if seen == 50 { Ok(()) } else { wrong(Kind::Lost, format!("50 was written, {seen} is there")) }
        });
        crowd.settle();
        for face in FACES {
            let (value, mode) = (self.value.clone(), crowd.mode);
            crowd.late(format!("{face:?} with_lock"), move || {
                let add = |wide: &mut Wide| *wide = wide.map(|each| each + 1);
                let done = match face {
                    Face::Blocking => {
                        let limit = if mode == Mode::Kill { PATIENCE } else { LIMIT };
                        value.with_lock_timeout(limit, add).is_ok()
                    }
                    Face::Async => {
                        run(mode.limit(), value.coro_with_lock(add)).is_some_and(|done| done.is_ok())
                    }
                };
                if done || mode == Mode::Stop {
                    Ok(())
                } else {
                    wrong(Kind::Hung, "the lock of a value is gone")
                }
            });
        }
        crowd.settle();
        match number(self.value.get()) {
            Ok(seen) if crowd.mode == Mode::Kill && seen != 52 => {
                crowd.fault(Kind::Lost, format!("50 and two made {seen}"));
            }
            Ok(_) => {}
            Err(fault) => crowd.faults.push(fault),
        }
    }
}

fn sets(value: AioValue<Wide>) {
    warm();
    begin();
    value.set(wide(2));
    end();
}

fn changes(value: AioValue<Wide>) {
    warm();
    begin();
    let changed = value.with_lock(|wide| *wide = wide.map(|each| each + 1));
    end();
    drop(changed);
}

fn gets(value: AioValue<Wide>) {
    warm();
    begin();
    let seen = value.get();
    end();
    drop(number(seen));
}

fn value(start: fn(AioValue<Wide>) -> AioProcess<()>, makes: u64) -> (Victim, Box<dyn Play>) {
    let value = AioValue::new(wide(1)).unwrap();
    let victim = Victim::at_begin(start(value.clone()));
    (victim, Box::new(Values { value, makes, is_done: false }))
}

struct Mutexes {
    mutex: AioMutex<Wide>,
}

/// Adds one, and says whether the last holder was alive, or `None` when the time was over.
fn count(mutex: &AioMutex<Wide>, face: Face, limit: Option<Duration>) -> Result<Option<bool>, Fault> {
    let got = match (face, limit) {
        (Face::Blocking, Some(limit)) => match mutex.lock_timeout(limit) {
            Ok(guard) => Some((guard, false)),
            Err(error) if error.is_owner_died() => error.into_guard().map(|guard| (guard, true)),
            Err(_) => None,
        },
        (_, limit) => run(limit, mutex.coro_lock()).and_then(|got| match got {
            Ok(guard) => Some((guard, false)),
            Err(error) => error.into_guard().map(|guard| (guard, true)),
        }),
    };
    let Some((mut guard, told)) = got else { return Ok(None) };
    if !told {
        number(*guard)?;
    }
    // Whoever is told repairs.
    *guard = wide(guard[0] + 1);
    Ok(Some(told))
}

impl Play for Mutexes {
    fn after(&mut self, crowd: &mut Crowd) {
        let mode = crowd.mode;
        for face in FACES {
            let mutex = self.mutex.clone();
            let limit = if mode == Mode::Stop { LIMIT } else { PATIENCE };
            crowd.late(format!("{face:?}, late"), move || match count(&mutex, face, Some(limit))? {
                None if mode == Mode::Kill => wrong(Kind::Hung, "a mutex that nobody holds was refused"),
                _ => Ok(()),
            });
        }
    }
}

fn locks(mutex: AioMutex<Wide>) {
    warm();
    begin();
    let mut guard = mutex.lock().unwrap();
    for each in guard.iter_mut() {
        *each = 2;
    }
    drop(guard);
    end();
}

struct Again(AioRLock);

impl Play for Again {
    fn stimulus(&mut self, _: usize) -> Stimulus {
        Stimulus::Nothing
    }

    fn after(&mut self, crowd: &mut Crowd) {
        let mode = crowd.mode;
        for face in FACES {
            let lock = self.0.clone();
            crowd.late(format!("{face:?}, late"), move || {
                let limit = if mode == Mode::Stop { LIMIT } else { PATIENCE };
                let got = match face {
                    Face::Blocking => match lock.acquire_timeout(limit) {
                        Err(error) => error.into_guard(),
                        Ok(guard) => Some(guard),
                    },
                    Face::Async => run(Some(limit), lock.coro_acquire()).and_then(|got| match got {
                        Err(error) => error.into_guard(),
                        Ok(guard) => Some(guard),
                    }),
                };
                match got {
                    // Twice, as an owner may.
                    Some(_guard) => drop(lock.try_acquire()),
                    None if mode == Mode::Kill => {
                        return wrong(Kind::Hung, "a lock that nobody holds was refused");
                    }
                    None => {}
                }
                Ok(())
            });
        }
        crowd.settle();
        if mode == Mode::Kill && self.0.is_locked() {
            crowd.fault(Kind::Hung, "the lock is held by nobody");
        }
    }
}

fn locks_twice(lock: AioRLock) {
    warm();
    begin();
    let outer = lock.acquire();
    let inner = lock.acquire();
    drop(inner);
    drop(outer);
    end();
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "value, set", stage: |_| value(|value| AioProcess::spawn(sets, (value,)).unwrap(), 2) },
    Scenario {
        name: "value, with_lock",
        stage: |_| value(|value| AioProcess::spawn(changes, (value,)).unwrap(), 2),
    },
    Scenario { name: "value, get", stage: |_| value(|value| AioProcess::spawn(gets, (value,)).unwrap(), 0) },
    Scenario {
        name: "mutex, lock, write and unlock",
        stage: |_| {
            let mutex = AioMutex::new(wide(1)).unwrap();
            let child = AioProcess::spawn(locks, (mutex.clone(),)).unwrap();
            (Victim::at_begin(child), Box::new(Mutexes { mutex }))
        },
    },
    Scenario {
        name: "rlock, acquire and release twice",
        stage: |_| {
            let lock = AioRLock::new().unwrap();
            let child = AioProcess::spawn(locks_twice, (lock.clone(),)).unwrap();
            (Victim::at_begin(child), Box::new(Again(lock)))
        },
    },
];
