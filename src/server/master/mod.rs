//! The process that looks after the workers.

mod accepting;
mod reloading;
mod staffing;

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use staffing::Place;

use super::builder::Settings;
use super::control::Shared;
use super::error::ServeError;
use super::hand::{Hand, Start};
use super::listen::Listeners;
use super::prefork::Prefork;
use crate::planted::planted;
use crate::supervise::{Restarts, nanos};
use crate::sys::clock;
use crate::sys::gather::Gather;
use crate::sys::signals::Listening;
use crate::wait::{Ready, Waiter};

pub(super) struct Master {
    settings: Settings,
    /// `None`: the server ends.
    listeners: Option<Listeners>,
    start: Start,
    shared: Arc<Shared>,
    signals: Option<Listening>,
    gather: Arc<Gather>,
    /// Rings for as long as the gather knows it.
    _bell: Option<OwnedFd>,
    places: Vec<Place>,
    leaving: Vec<Hand>,
    /// The place that is being replaced.
    reload: Option<usize>,
    is_reload_asked: bool,
    started: u64,
    deaths: Restarts,
    /// Connections for which nobody had room, or that were handed to who died before it took them.
    parked: VecDeque<OwnedFd>,
    /// The first workers have begun: what waited for them is spread over all.
    is_open: bool,
}

impl Master {
    pub(super) fn new(server: Prefork, start: Start) -> Result<Self, ServeError> {
        let Prefork { settings, listeners, shared } = server;
        let gather = Arc::new(Gather::new()?);
        gather.add(&shared.bell)?;
        let signals = if settings.hears_signals { Some(Listening::begin()?) } else { None };
        let bell = signals.as_ref().map(Listening::bell).transpose()?;
        bell.iter().try_for_each(|bell| gather.add(bell))?;
        if settings.hands_over {
            listeners.sockets.iter().try_for_each(|listener| gather.add(listener))?;
        }
        let places = (0..settings.workers).map(|_| Place { due: Some(0), ..Place::default() }).collect();
        Ok(Self {
            settings,
            listeners: Some(listeners),
            start,
            shared,
            signals,
            gather,
            _bell: bell,
            places,
            leaving: Vec::new(),
            reload: None,
            is_reload_asked: false,
            started: 0,
            deaths: Restarts::default(),
            parked: VecDeque::new(),
            is_open: false,
        })
    }

    pub(super) async fn run<W: Waiter>(
        &mut self,
        waiter: &mut W,
    ) -> Result<Result<(), ServeError>, W::GaveUp> {
        let gather = self.gather.clone();
        let attempt = || {
            gather.drain();
            self.look(clock::now()).transpose()
        };
        waiter.on_fd(gather.source(), Ready::Read, attempt).await
    }

    /// `Some`: there is nothing left to do.
    fn look(&mut self, now: u64) -> Result<Option<()>, ServeError> {
        self.hear_requests(now);
        let limit = self.settings.health.map(nanos);
        for hand in &mut self.leaving {
            hand.kill_if_due(now);
        }
        let parked = &mut self.parked;
        self.leaving.retain_mut(|hand| {
            let has_ended = hand.ended().is_some();
            hand.hear(now);
            if has_ended {
                parked.extend(hand.untaken());
            }
            !has_ended
        });
        for place in 0..self.places.len() {
            self.look_at(place, now, limit)?;
        }
        if self.listeners.is_some() {
            self.go_on_reloading(now);
        }
        let is_more = self.hand_over(now);
        let hands = || {
            self.places.iter().flat_map(|place| place.current.iter().chain(&place.next)).chain(&self.leaving)
        };
        let dues = self.places.iter().filter_map(|place| place.due);
        let due = hands().filter_map(|hand| hand.due(limit)).chain(dues).chain(is_more).min();
        let is_over = self.listeners.is_none() && hands().next().is_none();
        self.gather.wake_at(due)?;
        self.publish(now);
        Ok(is_over.then_some(()))
    }

    /// What signals and handles ask for.
    fn hear_requests(&mut self, now: u64) {
        let (drains, reloads) = self.shared.take();
        let asked = self.signals.as_mut().map(Listening::take).unwrap_or_default();
        self.is_reload_asked |= reloads > 0 || asked.hangups > 0;
        if drains == 0 && asked.ends == 0 {
            return;
        }
        if self.listeners.is_none() {
            // The second time.
            self.leaving.iter().for_each(Hand::kill);
            return;
        }
        // What has connected already is served, here or by who leaves.
        while self.hand_over(now) == Some(now) {}
        self.listeners = None;
        self.parked.clear();
        let killing = now.saturating_add(nanos(self.settings.grace));
        for place in &mut self.places {
            place.due = None;
            for mut hand in place.current.take().into_iter().chain(place.next.take()) {
                planted!("a-drain-is-a-kill", hand.leave(true, killing), hand.kill());
                self.leaving.push(hand);
            }
        }
    }

    fn publish(&self, now: u64) {
        let at_places = self.places.iter().flat_map(|place| place.current.iter().chain(&place.next));
        let workers = at_places.chain(&self.leaving).map(|hand| hand.info(now)).collect();
        let mut table = self.shared.table.lock();
        (table.workers, table.started) = (workers, self.started);
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        self.shared.table.lock().workers.clear();
    }
}
