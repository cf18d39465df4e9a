//! The workers of a pool: starting, watching and replacing them.

use std::sync::Arc;
use std::time::Duration;

use super::worker::{Kit, attend, attend_after};
use crate::planted::planted;
use crate::process::{AioProcess, JoinError, ProcessBuilder, ProcessFn, SpawnError};
use crate::supervise::{Backoff, Policy, Restarts};
use crate::sys::clock;

/// How a worker is started.
pub(super) type Start = Arc<dyn Fn(ProcessBuilder, Kit) -> Result<AioProcess<()>, SpawnError> + Send + Sync>;

/// So many workers may end before they have done anything, one after the other, and each of the crew once more.
const PATIENCE: usize = 8;
/// Who was killed was killed by somebody else, who may stop doing so: of these so many count as one.
const KILLS: u32 = 16;

/// What all workers have in common.
pub(super) struct CrewPlan {
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
    plan: CrewPlan,
    pub(super) workers: Vec<Worker>,
    serial: u32,
    /// After workers that ended one after the other before they had done anything.
    restarts: Restarts,
    /// Those of them that were killed and have not been counted yet.
    kills: u32,
    /// In nanoseconds of the clock.
    not_before: u64,
}

impl Crew {
    pub(super) fn new(plan: CrewPlan) -> Self {
        Self { plan, workers: Vec::new(), serial: 0, restarts: Restarts::default(), kills: 0, not_before: 0 }
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

    /// How long no worker may be started yet, in nanoseconds: not so soon after several that failed.
    pub(super) fn waits(&self) -> Option<u64> {
        if self.not_before == 0 {
            return None;
        }
        Some(self.not_before.saturating_sub(clock::now())).filter(|&left| left > 0)
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
        self.restarts.forget();
        (self.kills, self.not_before) = (0, 0);
        if let Some(worker) = self.workers.iter_mut().find(|worker| worker.serial == serial) {
            worker.has_worked = true;
        }
    }

    /// A worker ended, or could not be started, before it had done anything. True: too many have.
    pub(super) fn has_failed(&mut self, was_killed: bool) -> bool {
        if was_killed {
            self.kills += 1;
            if !self.kills.is_multiple_of(KILLS) {
                return false;
            }
        }
        let policy = Policy {
            restarts: PATIENCE + self.plan.size,
            within: Duration::MAX,
            backoff: Backoff { first: Duration::from_millis(1), longest: Duration::from_secs(1) },
        };
        let next = self.restarts.another(&policy, true, clock::now());
        self.not_before = next.unwrap_or(0);
        planted!("a-storm-never-ends", next.is_none(), false)
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
