//! The workers of a pool: starting, watching and replacing them.

use std::sync::Arc;
use std::time::Duration;

use super::worker::{Kit, attend, attend_after};
use crate::planted::planted;
use crate::process::{AioProcess, JoinError, ProcessBuilder, ProcessFn, SpawnError};
use crate::wait::Deadline;

/// How a worker is started.
pub(super) type Start = Arc<dyn Fn(ProcessBuilder, Kit) -> Result<AioProcess<()>, SpawnError> + Send + Sync>;

/// So many workers may end before they have done anything, one after the other, and each of the crew once more.
const PATIENCE: u32 = 8;
/// Who was killed was killed by somebody else, who may stop doing so: of these so many count as one.
const KILLS: u32 = 16;
/// After this many the next is started later.
const UNMARKED: u32 = 2;
const LONGEST_DELAY: Duration = Duration::from_secs(1);

/// What all workers have in common.
pub(super) struct Plan {
    pub(super) size: usize,
    pub(super) serves: u64,
    pub(super) memory_limit: Option<u64>,
    pub(super) nice: Option<i32>,
    pub(super) start: Start,
}

pub(super) fn plain() -> Start {
    Arc::new(|builder, kit| builder.spawn(attend, (kit,)))
}

pub(super) fn with_initializer<F, A>(_: F, args: A) -> Start
where
    F: ProcessFn<A>,
    A: serde::Serialize + serde::de::DeserializeOwned + Clone + Send + Sync + 'static,
{
    Arc::new(move |builder, kit| builder.spawn(attend_after::<F, A>, (kit, args.clone())))
}

pub(super) struct Worker {
    pub(super) serial: u32,
    pub(super) process: AioProcess<()>,
    /// It has done something, so its end is no fault of its start.
    pub(super) has_worked: bool,
}

/// A worker that has ended.
pub(super) struct Ended {
    pub(super) serial: u32,
    pub(super) pid: u32,
    pub(super) has_worked: bool,
    /// `None`: it has served its number, or was sent home.
    pub(super) error: Option<JoinError>,
}

pub(super) struct Crew {
    plan: Plan,
    pub(super) workers: Vec<Worker>,
    serial: u32,
    /// Workers that ended one after the other before they had done anything.
    failures: u32,
    /// Those of them that were killed.
    kills: u32,
    not_before: Option<Deadline>,
}

impl Crew {
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan, workers: Vec::new(), serial: 0, failures: 0, kills: 0, not_before: None }
    }

    pub(super) fn size(&self) -> usize {
        self.plan.size
    }

    /// Starts one more worker.
    pub(super) fn hire(&mut self, kit: impl FnOnce(u32, u64) -> Kit) -> Result<(), SpawnError> {
        self.serial += 1;
        let serial = self.serial;
        let mut builder =
            AioProcess::builder().name(format!("PoolWorker-{serial}")).daemon(true).kill_on_drop(true);
        if let Some(bytes) = self.plan.memory_limit {
            builder = builder.memory_limit(bytes);
        }
        if let Some(nice) = self.plan.nice {
            builder = builder.nice(nice);
        }
        let process = (self.plan.start)(builder, kit(serial, self.plan.serves))?;
        self.workers.push(Worker { serial, process, has_worked: false });
        Ok(())
    }

    /// Whether a worker may be started now: not so soon after several that failed.
    pub(super) fn may_hire(&mut self) -> bool {
        match self.not_before {
            Some(time) if !time.has_passed() => false,
            _ => {
                self.not_before = None;
                true
            }
        }
    }

    /// Takes out those that have ended.
    pub(super) fn ended(&mut self) -> Vec<Ended> {
        let mut ended = Vec::new();
        self.workers.retain(|worker| match worker.process.try_join() {
            Err(JoinError::Timeout) => true,
            joined => {
                let (serial, has_worked) = (worker.serial, worker.has_worked);
                ended.push(Ended { serial, pid: worker.process.pid(), has_worked, error: joined.err() });
                false
            }
        });
        ended
    }

    pub(super) fn has_worked(&mut self, serial: u32) {
        (self.failures, self.kills) = (0, 0);
        if let Some(worker) = self.workers.iter_mut().find(|worker| worker.serial == serial) {
            worker.has_worked = true;
        }
    }

    /// A worker ended, or could not be started, before it had done anything. True: too many have.
    pub(super) fn has_failed(&mut self, was_killed: bool) -> bool {
        self.failures += 1;
        self.kills += u32::from(was_killed);
        if self.failures > UNMARKED {
            let doublings = (self.failures - UNMARKED).min(10);
            let delay = Duration::from_millis(1 << doublings).min(LONGEST_DELAY);
            self.not_before = Some(Deadline::after(delay));
        }
        let patience = PATIENCE + u32::try_from(self.plan.size).unwrap_or(u32::MAX);
        planted!("a-storm-never-ends", self.failures - self.kills + self.kills / KILLS > patience, false)
    }

    pub(super) fn kill(&self, serial: u32) {
        if let Some(worker) = self.workers.iter().find(|worker| worker.serial == serial) {
            let _ = worker.process.kill();
        }
    }

    /// Kills all of them; the system reaps them when it likes.
    pub(super) fn kill_all(&self) {
        for worker in &self.workers {
            let _ = worker.process.kill();
        }
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        self.workers.iter().map(|worker| worker.process.pid()).collect()
    }
}
