//! The condition: waited for and notified; and the barrier.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aioprocessing::{AioBarrier, AioCondition, AioConditionGuard, AioProcess};

use crate::crowd::{Crowd, FACES, Face, Fault, Kind, LIMIT, Mode, PATIENCE, run};
use crate::suite::{Play, Scenario, wrong};
use crate::trace::{Stimulus, Victim, begin, end, warm};

fn lock(condition: &AioCondition, face: Face, limit: Duration) -> Option<AioConditionGuard> {
    match face {
        Face::Blocking => match condition.lock_timeout(limit) {
            Ok(guard) => Some(guard),
            Err(error) => error.into_guard(),
        },
        Face::Async => match run(Some(limit), condition.coro_lock())? {
            Ok(guard) => Some(guard),
            Err(error) => error.into_guard(),
        },
    }
}

/// Waits until the flag is up; `false`: not within the time.
fn wait_for(condition: &AioCondition, flag: &AtomicBool, face: Face, limit: Duration) -> bool {
    let (up, begun) = (|| flag.load(Ordering::SeqCst), Instant::now());
    let mut guard = lock(condition, face, limit);
    while let Some(held) = guard.take() {
        // A dead owner ends a wait; it goes on.
        let left = limit.saturating_sub(begun.elapsed());
        guard = match face {
            Face::Blocking => match condition.wait_for_timeout(held, left, up) {
                Ok(_) => return true,
                Err(error) if error.is_timeout() => return false,
                Err(error) => error.into_guard(),
            },
            Face::Async => match run(Some(left), condition.coro_wait_for(held, up)) {
                None => return false,
                Some(Ok(_)) => return true,
                Some(Err(error)) => error.into_guard(),
            },
        };
    }
    false
}

struct Conditions {
    condition: AioCondition,
    flag: Arc<AtomicBool>,
    was_stimulated: bool,
}

impl Conditions {
    fn raise(&self, limit: Duration) -> bool {
        let guard = lock(&self.condition, Face::Blocking, limit);
        self.flag.store(true, Ordering::SeqCst);
        self.condition.notify_all();
        guard.is_some()
    }
}

impl Play for Conditions {
    fn stimulus(&mut self, _: usize) -> Stimulus {
        if std::mem::replace(&mut self.was_stimulated, true) {
            return Stimulus::Nothing;
        }
        self.raise(LIMIT);
        Stimulus::Done
    }

    fn after(&mut self, crowd: &mut Crowd) {
        let limit = if crowd.mode == Mode::Stop { LIMIT } else { PATIENCE };
        let mode = crowd.mode;
        if !self.raise(limit) && mode == Mode::Kill {
            crowd.fault(Kind::Hung, "the lock of the condition is gone");
        }
        crowd.settle();
        for face in FACES {
            let (condition, flag) = (self.condition.clone(), self.flag.clone());
            crowd.late(format!("{face:?}, late"), move || {
                let went = wait_for(&condition, &flag, face, limit);
                if went || mode == Mode::Stop {
                    Ok(())
                } else {
                    wrong(Kind::Hung, "a flag that is up was waited for")
                }
            });
        }
    }
}

fn waits(condition: AioCondition) {
    warm();
    let guard = condition.lock().unwrap();
    begin();
    let woken = condition.wait(guard);
    end();
    drop(woken);
}

fn waits_in_a_task(condition: AioCondition) {
    warm();
    run(None, async {
        let guard = condition.coro_lock().await.unwrap();
        begin();
        let woken = condition.coro_wait(guard).await;
        end();
        drop(woken);
    });
}

fn notifies(condition: AioCondition) {
    warm();
    begin();
    condition.notify(1);
    end();
}

fn notifies_all(condition: AioCondition) {
    warm();
    begin();
    condition.notify_all();
    end();
}

fn condition(
    crowd: &mut Crowd,
    start: fn(AioCondition) -> AioProcess<()>,
    waits: bool,
) -> (Victim, Box<dyn Play>) {
    let condition = AioCondition::new().unwrap();
    let flag = Arc::new(AtomicBool::new(false));
    // A victim that waits holds the lock at its beginning: its peers wait before it does.
    let early = waits.then(|| peers(crowd, &condition, &flag));
    let victim = Victim::at_begin(start(condition.clone()));
    if early.is_none() {
        peers(crowd, &condition, &flag);
    }
    (victim, Box::new(Conditions { condition, flag, was_stimulated: false }))
}

fn peers(crowd: &mut Crowd, condition: &AioCondition, flag: &Arc<AtomicBool>) {
    let mode = crowd.mode;
    for face in FACES {
        let (condition, flag) = (condition.clone(), flag.clone());
        crowd.asleep(format!("{face:?}, asleep"), move |ready| {
            ready.now();
            // As long as it takes; the crowd's patience is shorter.
            let limit = if mode == Mode::Stop { LIMIT } else { 10 * PATIENCE };
            let went = wait_for(&condition, &flag, face, limit);
            if went || mode == Mode::Stop { Ok(()) } else { wrong(Kind::Hung, "no notification came") }
        });
    }
}

struct Barriers {
    barrier: AioBarrier,
    /// How many have come besides the victim.
    others: usize,
    counted: bool,
}

/// Meets the others, or hears that the barrier is broken.
fn meet(barrier: &AioBarrier, face: Face, mode: Mode) -> Result<(), Fault> {
    let result = match (face, mode) {
        (Face::Blocking, Mode::Kill) => barrier.wait().map(drop).map_err(|error| error.is_broken()),
        (Face::Blocking, Mode::Stop) => {
            barrier.wait_timeout(LIMIT).map(drop).map_err(|error| error.is_broken() || error.is_timeout())
        }
        (Face::Async, mode) => match run(mode.limit(), barrier.coro_wait()) {
            None => Ok(()),
            Some(result) => result.map(drop).map_err(|error| error.is_broken()),
        },
    };
    result.or_else(|is_broken| if is_broken { Ok(()) } else { wrong(Kind::Torn, "neither met nor broken") })
}

impl Play for Barriers {
    fn stimulus(&mut self, _: usize) -> Stimulus {
        // The last one comes.
        let (barrier, before, begun) = (self.barrier.clone(), self.barrier.n_waiting(), Instant::now());
        std::thread::spawn(move || barrier.wait_timeout(PATIENCE));
        // It counts among the others, so it has to be there before anybody counts.
        while self.barrier.n_waiting() == before && begun.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
        self.others += 1;
        Stimulus::Done
    }

    fn look(&mut self, _: &Victim, _: crate::trace::Reached) {
        // Its own place, or none because all have met.
        self.counted = self.barrier.n_waiting() != self.others || self.barrier.is_broken();
    }

    fn after(&mut self, crowd: &mut Crowd) {
        let mode = crowd.mode;
        if !self.counted && mode == Mode::Kill {
            // It never came: the others need as many more as are missing.
            for index in self.others..self.barrier.parties() {
                let barrier = self.barrier.clone();
                crowd.late("in its place", move || meet(&barrier, FACES[index % 2], mode));
            }
        }
        crowd.settle();
        // Whatever it was, it can be used again.
        if mode == Mode::Kill {
            self.barrier.reset();
            for index in 0..self.barrier.parties() {
                let barrier = self.barrier.clone();
                crowd.late("after the reset", move || match FACES[index % 2] {
                    Face::Blocking if barrier.wait_timeout(PATIENCE).is_ok() => Ok(()),
                    Face::Async
                        if run(Some(PATIENCE), barrier.coro_wait()).is_some_and(|met| met.is_ok()) =>
                    {
                        Ok(())
                    }
                    _ => wrong(Kind::Hung, "a barrier that was reset is of no use"),
                });
            }
        }
    }
}

fn comes(barrier: AioBarrier) {
    warm();
    begin();
    let met = barrier.wait();
    end();
    drop(met);
}

fn comes_in_a_task(barrier: AioBarrier) {
    warm();
    run(None, async {
        tokio::task::yield_now().await;
        begin();
        let met = barrier.coro_wait().await;
        end();
        drop(met);
    });
}

fn barrier(
    crowd: &mut Crowd,
    start: fn(AioBarrier) -> AioProcess<()>,
    parties: usize,
) -> (Victim, Box<dyn Play>) {
    let barrier = AioBarrier::new(parties).unwrap();
    let victim = Victim::at_begin(start(barrier.clone()));
    let mode = crowd.mode;
    for face in FACES {
        let barrier = barrier.clone();
        crowd.asleep(format!("{face:?}, asleep"), move |ready| {
            ready.now();
            meet(&barrier, face, mode)
        });
    }
    if mode == Mode::Kill {
        let begun = Instant::now();
        while barrier.n_waiting() < 2 && begun.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
    }
    (victim, Box::new(Barriers { barrier, others: 2, counted: false }))
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "condition, wait",
        stage: |crowd| condition(crowd, |shared| AioProcess::spawn(waits, (shared,)).unwrap(), true),
    },
    Scenario {
        name: "condition, coro_wait",
        stage: |crowd| {
            condition(crowd, |shared| AioProcess::spawn(waits_in_a_task, (shared,)).unwrap(), true)
        },
    },
    Scenario {
        name: "condition, notify one of two",
        stage: |crowd| condition(crowd, |shared| AioProcess::spawn(notifies, (shared,)).unwrap(), false),
    },
    Scenario {
        name: "condition, notify_all",
        stage: |crowd| condition(crowd, |shared| AioProcess::spawn(notifies_all, (shared,)).unwrap(), false),
    },
    Scenario {
        name: "barrier, wait, the last to come",
        stage: |crowd| barrier(crowd, |shared| AioProcess::spawn(comes, (shared,)).unwrap(), 3),
    },
    Scenario {
        name: "barrier, wait, one is missing",
        stage: |crowd| barrier(crowd, |shared| AioProcess::spawn(comes, (shared,)).unwrap(), 4),
    },
    Scenario {
        name: "barrier, coro_wait, one is missing",
        stage: |crowd| barrier(crowd, |shared| AioProcess::spawn(comes_in_a_task, (shared,)).unwrap(), 4),
    },
];
