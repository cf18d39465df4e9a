//! The doorbell: one process must not take from another what was meant for both.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use aioprocessing::{AioEvent, AioProcess};

use crate::crowd::{Crowd, Kind};
use crate::events::waits_in_a_task;
use crate::suite::{Play, Scenario, wrong};
use crate::trace::{Stimulus, Victim};

/// The survivor's runtime is busy from before the ring until after the victim's end.
struct Busy {
    event: AioEvent,
    release: Option<Sender<()>>,
}

impl Play for Busy {
    fn stimulus(&mut self, _: usize) -> Stimulus {
        if self.event.is_set() {
            return Stimulus::Nothing;
        }
        self.event.set();
        Stimulus::Done
    }

    fn after(&mut self, crowd: &mut Crowd) {
        if !self.event.is_set() {
            self.event.set();
        }
        self.release = None;
        crowd.settle();
    }
}

fn stage(crowd: &mut Crowd) -> (Victim, Box<dyn Play>) {
    let event = AioEvent::new().unwrap();
    let (limit, theirs) = (crowd.mode.limit(), event.clone());
    let (release, released) = channel::<()>();
    crowd.asleep("a task of a busy runtime", move |ready| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            // A task of its own: it looks again only if its runtime tells it to.
            let task = tokio::spawn(async move { theirs.coro_wait().await.is_ok() });
            // Past the first nap, which is short.
            tokio::time::sleep(Duration::from_millis(12)).await;
            ready.now();
            let _ = released.recv();
            let outcome = match limit {
                Some(limit) => tokio::time::timeout(limit, task).await.ok(),
                None => Some(task.await),
            };
            match outcome {
                Some(Ok(false) | Err(_)) => wrong(Kind::Lost, "the wait failed"),
                _ => Ok(()),
            }
        })
    });
    let victim = Victim::at_begin(AioProcess::spawn(waits_in_a_task, (event.clone(),)).unwrap());
    (victim, Box::new(Busy { event, release: Some(release) }))
}

pub(crate) const SCENARIOS: &[Scenario] = &[Scenario { name: "bell, heard by two processes", stage }];
