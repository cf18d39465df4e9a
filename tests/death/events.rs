//! The event: set with nobody and with peers asleep, waited for, cleared.

use std::time::Duration;

use aioprocessing::{AioEvent, AioProcess};

use crate::crowd::{Crowd, FACES, Face, Fault, Kind, Mode, hear, run, tell};
use crate::suite::{Play, Scenario, wrong};
use crate::trace::{Stimulus, Victim, begin, end, warm};

/// `false`: the time was over.
fn wait(event: &AioEvent, face: Face, limit: Option<Duration>) -> bool {
    match (face, limit) {
        (Face::Blocking, None) => event.wait().is_ok(),
        (Face::Blocking, Some(limit)) => event.wait_timeout(limit).is_ok(),
        (Face::Async, limit) => run(limit, event.coro_wait()).is_some(),
    }
}

fn peer(event: AioEvent, limit: Option<Duration>) {
    tell(u8::from(wait(&event, Face::Blocking, limit)));
}

fn went(woken: bool, mode: Mode) -> Result<(), Fault> {
    if woken || mode == Mode::Stop { Ok(()) } else { wrong(Kind::Lost, "the wait ended without the event") }
}

struct Events {
    event: AioEvent,
    naps: usize,
    /// The victim clears the event, and nobody sets it again before it is gone.
    clears: bool,
}

impl Play for Events {
    fn stimulus(&mut self, sleep: usize) -> Stimulus {
        if sleep < self.naps {
            Stimulus::Nap
        } else if !self.event.is_set() {
            self.event.set();
            Stimulus::Done
        } else {
            Stimulus::Nothing
        }
    }

    fn after(&mut self, crowd: &mut Crowd) {
        // Set by the victim or not: who sets it now must reach everybody in either case.
        if self.clears || !self.event.is_set() {
            self.event.set();
        }
        let (limit, mode) = (crowd.mode.limit(), crowd.mode);
        for face in FACES {
            let event = self.event.clone();
            crowd.late(format!("{face:?}, late"), move || went(wait(&event, face, limit), mode));
        }
        crowd.settle();
        if !self.event.is_set() {
            crowd.fault(Kind::Lost, "an event that was set is not");
        }
        self.event.clear();
        if self.event.is_set() || self.event.wait_timeout(Duration::from_millis(1)).is_ok() {
            crowd.fault(Kind::Torn, "an event that was cleared is set");
        }
    }
}

fn sets_for_the_first_time(event: AioEvent) {
    begin();
    event.set();
    end();
}

fn sets(event: AioEvent) {
    warm();
    begin();
    event.set();
    end();
}

fn clears(event: AioEvent) {
    warm();
    begin();
    event.clear();
    end();
}

fn waits(event: AioEvent) {
    warm();
    begin();
    let woken = event.wait();
    end();
    woken.unwrap();
}

fn waits_for_a_time(event: AioEvent) {
    warm();
    begin();
    let woken = event.wait_timeout(Duration::from_millis(2));
    end();
    drop(woken);
}

pub(crate) fn waits_in_a_task(event: AioEvent) {
    warm();
    run(None, async {
        tokio::task::yield_now().await;
        begin();
        let woken = event.coro_wait().await;
        end();
        woken.unwrap();
    });
}

fn with_peers(crowd: &mut Crowd, event: &AioEvent, faces: &[Face], process: bool) {
    let (limit, mode) = (crowd.mode.limit(), crowd.mode);
    for &face in faces {
        let event = event.clone();
        crowd.asleep(format!("{face:?}, asleep"), move |ready| {
            ready.now();
            went(wait(&event, face, limit), mode)
        });
    }
    if process {
        let event = event.clone();
        crowd.asleep("a process, asleep", move |ready| went(hear(peer, (event, limit), ready)? == 1, mode));
    }
}

fn stage(
    crowd: &mut Crowd,
    start: fn(AioEvent) -> AioProcess<()>,
    faces: &[Face],
    process: bool,
    naps: usize,
) -> (Victim, Box<dyn Play>) {
    let event = AioEvent::new().unwrap();
    let victim = Victim::at_begin(start(event.clone()));
    with_peers(crowd, &event, faces, process);
    if process && crowd.mode == Mode::Kill {
        std::thread::sleep(Duration::from_millis(12));
    }
    (victim, Box::new(Events { event, naps, clears: false }))
}

fn setter(event: AioEvent) -> AioProcess<()> {
    AioProcess::spawn(sets, (event,)).unwrap()
}

fn waiter(event: AioEvent) -> AioProcess<()> {
    AioProcess::spawn(waits, (event,)).unwrap()
}

fn task(event: AioEvent) -> AioProcess<()> {
    AioProcess::spawn(waits_in_a_task, (event,)).unwrap()
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "event, set for the first time in a process",
        stage: |crowd| {
            let start = |event| AioProcess::spawn(sets_for_the_first_time, (event,)).unwrap();
            stage(crowd, start, &[Face::Blocking], false, 0)
        },
    },
    Scenario { name: "event, set, nobody waits", stage: |crowd| stage(crowd, setter, &[], false, 0) },
    Scenario {
        name: "event, set, a thread just asleep",
        stage: |crowd| stage(crowd, setter, &[Face::Blocking], false, 0),
    },
    Scenario {
        name: "event, set, a task just asleep",
        stage: |crowd| stage(crowd, setter, &[Face::Async], false, 0),
    },
    Scenario {
        name: "event, set, thread, task and process asleep for long",
        stage: |crowd| stage(crowd, setter, &FACES, true, 0),
    },
    Scenario { name: "event, wait", stage: |crowd| stage(crowd, waiter, &FACES, false, 0) },
    Scenario { name: "event, wait for long", stage: |crowd| stage(crowd, waiter, &FACES, false, 2) },
    Scenario { name: "event, coro_wait", stage: |crowd| stage(crowd, task, &FACES, false, 0) },
    Scenario { name: "event, coro_wait for long", stage: |crowd| stage(crowd, task, &FACES, false, 2) },
    Scenario {
        name: "event, wait_timeout, out of time",
        stage: |crowd| {
            stage(crowd, |event| AioProcess::spawn(waits_for_a_time, (event,)).unwrap(), &FACES, false, 9)
        },
    },
    Scenario {
        name: "event, clear",
        stage: |crowd| {
            let event = AioEvent::new().unwrap();
            event.set();
            let victim = Victim::at_begin(AioProcess::spawn(clears, (event.clone(),)).unwrap());
            let _ = crowd;
            (victim, Box::new(Events { event, naps: 0, clears: true }))
        },
    },
];
