//! A worker, as the master knows it.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use super::control::{WorkerInfo, WorkerState};
use super::message::{Counts, Kit, Link, Order, Report};
use crate::pipe::{AioPipe, Passed};
use crate::planted::planted;
use crate::process::{AioProcess, JoinError, SpawnError};
use crate::sys::gather::Gather;

/// Starts a worker, the how manieth it is and what it is given.
pub(super) type Start = Arc<dyn Fn(u64, Kit) -> Result<AioProcess<()>, SpawnError> + Send + Sync>;

/// How often a worker is asked whether it lives, at the least.
const PING: u64 = 1_000_000_000;

#[derive(Debug)]
pub(super) struct Hand {
    place: usize,
    process: AioProcess<()>,
    link: Link,
    started: u64,
    /// Since when it accepts.
    ready: Option<u64>,
    /// A ping of this time has no answer yet. The first one is asked by its start.
    asked: Option<u64>,
    next_ping: u64,
    counts: Counts,
    /// Connections handed to it that are not closed.
    given: u64,
    /// Those of them that it has not told to have, the oldest first. If it dies they are another's.
    handed: VecDeque<OwnedFd>,
    /// When it is killed, if it has been told to leave.
    killing: Option<u64>,
    wants_to_leave: bool,
}

/// What a new worker gets.
pub(super) struct Share<'a> {
    pub(super) place: usize,
    pub(super) listener: Option<&'a OwnedFd>,
    pub(super) serves: u64,
    pub(super) max_connections: u32,
}

fn refused(doing: &'static str) -> impl FnOnce(std::io::Error) -> SpawnError {
    move |source| SpawnError::Os { doing, source }
}

impl Hand {
    pub(super) fn start(
        start: &Start,
        serial: u64,
        share: &Share<'_>,
        gather: &Gather,
        now: u64,
    ) -> Result<Self, SpawnError> {
        let listener = share.listener.map(OwnedFd::try_clone).transpose();
        let listener = listener.map_err(refused("copying its listener"))?.map(Passed::new);
        let (link, theirs) = AioPipe::<Order, Report>::duplex()
            .map_err(|error| refused("making its pipe")(std::io::Error::other(error)))?;
        let kit =
            Kit { listener, link: theirs, serves: share.serves, max_connections: share.max_connections };
        let process = start(serial, kit)?;
        gather.add(process.sentinel()).map_err(refused("watching it"))?;
        link.with_descriptor(|fd| gather.add(fd)).transpose().map_err(refused("watching it"))?;
        Ok(Self {
            place: share.place,
            process,
            link,
            started: now,
            ready: None,
            asked: Some(now),
            next_ping: now,
            counts: Counts::default(),
            given: 0,
            handed: VecDeque::new(),
            killing: None,
            wants_to_leave: false,
        })
    }

    /// Reads what it has reported.
    pub(super) fn hear(&mut self, now: u64) {
        while let Ok(report) = self.link.try_recv() {
            self.asked = None;
            match report {
                Report::Ready => self.ready = Some(now),
                Report::Alive(counts) => self.counts = counts,
                Report::Taken => drop(self.handed.pop_front()),
                Report::Closed(count) => self.given = self.given.saturating_sub(count.into()),
                Report::Leaving(counts) => {
                    self.counts = counts;
                    self.wants_to_leave = true;
                }
            }
        }
    }

    /// How it ended, if it has.
    pub(super) fn ended(&self) -> Option<Result<(), JoinError>> {
        match self.process.try_join() {
            Err(JoinError::Timeout) => None,
            ended => Some(ended),
        }
    }

    /// Asks whether it lives. False: it has not answered for `limit`, or not begun, and is killed.
    pub(super) fn check(&mut self, now: u64, limit: Option<u64>) -> bool {
        let is_overdue = |asked: u64| limit.is_some_and(|limit| now.saturating_sub(asked) >= limit);
        if planted!("nobody-asks-for-answers", self.asked.is_some_and(is_overdue), false) {
            let _ = self.process.kill();
            return false;
        }
        if self.asked.is_none() && now >= self.next_ping {
            // One whose pipe is full has not answered either.
            let _ = self.link.try_send(&Order::Ping);
            self.asked = Some(now);
            self.next_ping = now.saturating_add(limit.map_or(PING, |limit| (limit / 3).min(PING)));
        }
        true
    }

    /// When to look at it again unasked.
    pub(super) fn due(&self, limit: Option<u64>) -> Option<u64> {
        match (self.killing, self.asked) {
            (Some(killing), _) => Some(killing),
            (None, Some(asked)) => limit.map(|limit| asked.saturating_add(limit)),
            (None, None) => Some(self.next_ping),
        }
    }

    /// Tells it to finish what it has, and to be gone by then.
    pub(super) fn leave(&mut self, is_last: bool, killing: u64) {
        self.killing = Some(killing);
        if self.link.try_send(&Order::Leave { is_last }).is_err() {
            // It has left too many orders unread, or is dead.
            let _ = self.process.terminate();
        }
    }

    pub(super) fn kill_if_due(&self, now: u64) {
        if self.killing.is_some_and(|killing| killing <= now) {
            let _ = self.process.kill();
        }
    }

    pub(super) fn kill(&self) {
        let _ = self.process.kill();
    }

    /// Hands it a connection. `Err`: there is no room in its pipe, or nobody there.
    pub(super) fn take(&mut self, socket: OwnedFd) -> Result<(), OwnedFd> {
        let order = Order::Take(Passed::new(socket));
        let sent = self.link.try_send(&order);
        let Order::Take(socket) = order else { return Ok(()) };
        let socket = socket.into_inner();
        if sent.is_err() {
            return Err(socket);
        }
        self.given += 1;
        self.handed.push_back(socket);
        Ok(())
    }

    /// What it was handed and has not taken. To be asked of one that is dead.
    pub(super) fn untaken(&mut self) -> impl Iterator<Item = OwnedFd> {
        planted!("what-was-not-taken-is-lost", std::mem::take(&mut self.handed), VecDeque::new()).into_iter()
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready.is_some()
    }

    pub(super) fn wants_to_leave(&self) -> bool {
        self.wants_to_leave
    }

    /// Connections handed to it that are not closed.
    pub(super) fn load(&self) -> u64 {
        self.given
    }

    /// Nanoseconds that it served.
    pub(super) fn served_for(&self, now: u64) -> Option<u64> {
        self.ready.map(|ready| now.saturating_sub(ready))
    }

    pub(super) fn info(&self, now: u64) -> WorkerInfo {
        let state = match (self.killing, self.ready) {
            (Some(_), _) => WorkerState::Leaving,
            (None, None) => WorkerState::Starting,
            (None, Some(_)) => WorkerState::Serving,
        };
        WorkerInfo {
            place: self.place,
            pid: self.process.pid(),
            state,
            served: self.counts.served,
            open: self.counts.open,
            age: Duration::from_nanos(now.saturating_sub(self.started)),
        }
    }
}
