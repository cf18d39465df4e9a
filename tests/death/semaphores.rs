//! The semaphore: acquired free, contended and after a holder that died; released with nobody and with peers asleep.

use std::time::Duration;

use aioprocessing::{AioProcess, AioSemaphore, Permit};

use crate::crowd::{Crowd, FACES, Face, Fault, Kind, LIMIT, Mode, PATIENCE, run};
use crate::suite::{Play, Scenario, wrong};
use crate::trace::{Reached, Stimulus, Victim, begin, end, warm};

const PERMITS: u32 = 2;

/// `None`: the time was over.
fn take(semaphore: &AioSemaphore, face: Face, limit: Option<Duration>) -> Option<Permit> {
    match (face, limit) {
        (Face::Blocking, None) => semaphore.acquire().ok(),
        (Face::Blocking, Some(limit)) => semaphore.acquire_timeout(limit).ok(),
        (Face::Async, limit) => run(limit, semaphore.coro_acquire()).and_then(Result::ok),
    }
}

fn went(permit: Option<Permit>, mode: Mode) -> Result<(), Fault> {
    if permit.is_some() || mode == Mode::Stop { Ok(()) } else { wrong(Kind::Lost, "no permit was given") }
}

struct Semaphores {
    semaphore: AioSemaphore,
    ours: Vec<Permit>,
    /// The victim adds one.
    grows: bool,
    is_done: bool,
}

impl Play for Semaphores {
    fn stimulus(&mut self, _: usize) -> Stimulus {
        if self.ours.is_empty() {
            return Stimulus::Nothing;
        }
        self.ours.clear();
        Stimulus::Done
    }

    fn look(&mut self, _: &Victim, reached: Reached) {
        self.is_done = reached == Reached::End;
    }

    fn after(&mut self, crowd: &mut Crowd) {
        self.ours.clear();
        let (mode, limit) = (crowd.mode, crowd.mode.limit());
        for face in FACES {
            let semaphore = self.semaphore.clone();
            crowd.late(format!("{face:?}, late"), move || went(take(&semaphore, face, limit), mode));
        }
        crowd.settle();
        let patience = if mode == Mode::Kill { PATIENCE } else { LIMIT };
        let all = self.semaphore.acquire_many_timeout(PERMITS, patience);
        let more = self.semaphore.try_acquire().is_ok();
        if mode == Mode::Kill && all.is_err() {
            crowd.fault(Kind::Lost, format!("of {PERMITS} permits {} are left", self.semaphore.permits()));
        }
        if mode == Mode::Kill && self.grows && self.is_done && !more {
            crowd.fault(Kind::Lost, "a permit that was added is not there");
        }
        if all.is_ok() && more && !self.grows {
            crowd.fault(Kind::Duplicated, "there are more permits than there ever were");
        }
    }
}

fn acquires(semaphore: AioSemaphore) {
    warm();
    begin();
    let permit = semaphore.acquire();
    end();
    drop(permit);
}

fn tries(semaphore: AioSemaphore) {
    warm();
    begin();
    let permit = semaphore.try_acquire();
    end();
    drop(permit);
}

fn acquires_in_a_task(semaphore: AioSemaphore) {
    warm();
    run(None, async {
        tokio::task::yield_now().await;
        begin();
        let permit = semaphore.coro_acquire().await;
        end();
        drop(permit);
    });
}

fn gives_back(semaphore: AioSemaphore) {
    warm();
    let permit = semaphore.acquire_many(PERMITS).unwrap();
    begin();
    drop(permit);
    end();
}

fn adds(semaphore: AioSemaphore) {
    warm();
    begin();
    let added = semaphore.release(1);
    end();
    added.unwrap();
}

fn dies_with_all(semaphore: AioSemaphore) {
    let _permits = semaphore.acquire_many(PERMITS).unwrap();
    // SAFETY: ends this process.
    unsafe { libc::raise(libc::SIGKILL) };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    /// The test holds all, peers wait too.
    Held,
    /// A process died with all.
    Abandoned,
    /// The victim holds all, and peers wait for them.
    Waited,
}

fn stage(
    crowd: &mut Crowd,
    start: fn(AioSemaphore) -> AioProcess<()>,
    state: State,
    grows: bool,
) -> (Victim, Box<dyn Play>) {
    let semaphore = AioSemaphore::new(PERMITS).unwrap();
    let mut ours = Vec::new();
    match state {
        State::Free | State::Waited => {}
        State::Held => ours.push(semaphore.acquire_many(PERMITS).unwrap()),
        State::Abandoned => {
            let _ = AioProcess::spawn(dies_with_all, (semaphore.clone(),)).unwrap().join();
        }
    }
    let victim = Victim::at_begin(start(semaphore.clone()));
    let (mode, limit) = (crowd.mode, crowd.mode.limit());
    if state == State::Waited || state == State::Held && mode == Mode::Kill {
        for face in FACES {
            let semaphore = semaphore.clone();
            crowd.asleep(format!("{face:?}, asleep"), move |ready| {
                ready.now();
                went(take(&semaphore, face, limit), mode)
            });
        }
    }
    (victim, Box::new(Semaphores { semaphore, ours, grows, is_done: false }))
}

fn acquirer(semaphore: AioSemaphore) -> AioProcess<()> {
    AioProcess::spawn(acquires, (semaphore,)).unwrap()
}

fn task(semaphore: AioSemaphore) -> AioProcess<()> {
    AioProcess::spawn(acquires_in_a_task, (semaphore,)).unwrap()
}

fn giver(semaphore: AioSemaphore) -> AioProcess<()> {
    AioProcess::spawn(gives_back, (semaphore,)).unwrap()
}

fn adder(semaphore: AioSemaphore) -> AioProcess<()> {
    AioProcess::spawn(adds, (semaphore,)).unwrap()
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "semaphore, acquire, free", stage: |crowd| stage(crowd, acquirer, State::Free, false) },
    Scenario {
        name: "semaphore, acquire, contended",
        stage: |crowd| stage(crowd, acquirer, State::Held, false),
    },
    Scenario {
        name: "semaphore, coro_acquire, contended",
        stage: |crowd| stage(crowd, task, State::Held, false),
    },
    Scenario {
        name: "semaphore, acquire, a holder died",
        stage: |crowd| stage(crowd, acquirer, State::Abandoned, false),
    },
    Scenario {
        name: "semaphore, try_acquire, a holder died",
        stage: |crowd| {
            let start = |semaphore| AioProcess::spawn(tries, (semaphore,)).unwrap();
            stage(crowd, start, State::Abandoned, false)
        },
    },
    Scenario { name: "semaphore, permit dropped", stage: |crowd| stage(crowd, giver, State::Free, false) },
    Scenario {
        name: "semaphore, permit dropped, peers asleep",
        stage: |crowd| stage(crowd, giver, State::Waited, false),
    },
    Scenario { name: "semaphore, release adds one", stage: |crowd| stage(crowd, adder, State::Free, true) },
    Scenario {
        name: "semaphore, release adds one, peers asleep",
        stage: |crowd| stage(crowd, adder, State::Held, true),
    },
];
