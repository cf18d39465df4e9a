//! The process that looks after the workers.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use super::builder::Settings;
use super::control::Shared;
use super::error::ServeError;
use super::hand::{Hand, Share, Start};
use super::listen::{self, Listeners};
use super::prefork::Prefork;
use crate::planted::planted;
use crate::process::SpawnError;
use crate::supervise::{Backoff, Policy, Restarts, nanos};
use crate::sys::clock;
use crate::sys::gather::Gather;
use crate::sys::signals::Listening;
use crate::wait::{Ready, Waiter};

/// A worker that served for less than this has not proved anything.
const YOUNG: u64 = 1_000_000_000;
/// How soon a place gets its next worker after deaths like that: always at some time.
const AGAIN: Policy = Policy {
    restarts: usize::MAX,
    within: Duration::from_secs(60),
    backoff: Backoff { first: Duration::from_millis(10), longest: Duration::from_secs(1) },
};
/// So many deaths in a row before they served, within this time: the server gives up, if nobody serves.
const ENOUGH: Policy = Policy { restarts: 10, ..AGAIN };
/// Connections handed over at one look.
const BATCH: usize = 64;
/// Without descriptors nothing can be accepted; some are given back soon.
const SHORTAGE: u64 = 20_000_000;

/// Where a worker is to be at any time.
#[derive(Debug, Default)]
struct Place {
    current: Option<Hand>,
    /// Its successor, in a reload, until it accepts.
    next: Option<Hand>,
    /// When one is to be started.
    due: Option<u64>,
    /// Deaths in a row after a short life.
    failures: Restarts,
}

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

    fn look_at(&mut self, index: usize, now: u64, limit: Option<u64>) -> Result<(), ServeError> {
        let killing = now.saturating_add(nanos(self.settings.grace));
        let place = &mut self.places[index];
        for hand in place.current.iter_mut().chain(&mut place.next) {
            hand.hear(now);
        }
        if let Some(hand) = &place.next {
            if let Some(ended) = hand.ended() {
                // The one before it goes on, and so do the others: this reload is over.
                place.next = None;
                self.reload = None;
                self.fail(ended.err().map(|error| error.to_string()));
            } else if hand.is_ready() {
                self.succeed(index, killing);
            }
        }
        let place = &mut self.places[index];
        if let Some(hand) = &mut place.current {
            if let Some(ended) = hand.ended() {
                let last = ended.err().map(|error| error.to_string());
                // What it said before that.
                hand.hear(now);
                self.parked.extend(hand.untaken());
                let (lived, next) = (hand.served_for(now), place.next.take());
                if lived.is_some_and(|lived| lived >= YOUNG) {
                    place.failures.forget();
                    place.due = Some(now);
                } else {
                    place.due = place.failures.another(&AGAIN, true, now);
                }
                place.due = place.due.filter(|_| next.is_none());
                if next.is_some() && self.reload == Some(index) {
                    self.reload = Some(index + 1);
                }
                place.current = next;
                self.fail(last);
                if lived.is_none() {
                    self.is_open = true;
                    self.give_up(now)?;
                }
            } else if hand.wants_to_leave() {
                hand.leave(false, killing);
                let hand = place.current.take();
                self.leaving.extend(hand);
                let place = &mut self.places[index];
                place.failures.forget();
                match place.next.take() {
                    Some(next) => place.current = Some(next),
                    None => place.due = Some(now),
                }
            } else {
                hand.check(now, limit);
            }
        }
        if let Some(hand) = &mut self.places[index].next {
            hand.check(now, limit);
        }
        if self.places[index].due.is_some_and(|due| due <= now) && self.listeners.is_some() {
            let is_first = self.started < self.settings.workers as u64;
            match self.begin(index, now) {
                Ok(hand) => {
                    let place = &mut self.places[index];
                    (place.current, place.due) = (Some(hand), None);
                }
                Err(error) if is_first => return Err(error.into()),
                Err(error) => {
                    let place = &mut self.places[index];
                    place.due = place.failures.another(&AGAIN, true, now);
                    self.fail(Some(error.to_string()));
                }
            }
        }
        Ok(())
    }

    /// The successor accepts: now the one before it may leave.
    fn succeed(&mut self, index: usize, killing: u64) {
        let place = &mut self.places[index];
        let before = std::mem::replace(&mut place.current, place.next.take());
        if let Some(mut before) = before {
            before.leave(false, killing);
            self.leaving.push(before);
        }
        self.reload = Some(index + 1);
    }

    fn go_on_reloading(&mut self, now: u64) {
        if self.reload.is_none() && std::mem::take(&mut self.is_reload_asked) {
            self.reload = Some(0);
        }
        while let Some(index) = self.reload {
            let Some(place) = self.places.get(index) else {
                // All are new. Asked again meanwhile, it begins anew.
                self.reload = std::mem::take(&mut self.is_reload_asked).then_some(0);
                continue;
            };
            if place.next.is_some() {
                return;
            }
            // A place without a worker gets a new one anyway.
            if place.current.is_some() {
                match self.begin(index, now) {
                    Ok(hand) => {
                        self.places[index].next = Some(hand);
                        return;
                    }
                    Err(error) => {
                        self.fail(Some(error.to_string()));
                        self.reload = None;
                        return;
                    }
                }
            }
            self.reload = Some(index + 1);
        }
    }

    fn begin(&mut self, index: usize, now: u64) -> Result<Hand, SpawnError> {
        let listener = self.listeners.as_ref().and_then(|listeners| listeners.of(index));
        let share = Share {
            place: index,
            listener: listener.filter(|_| !self.settings.hands_over),
            serves: self.serves(),
            max_connections: self.settings.max_connections,
        };
        let hand = Hand::start(&self.start, self.started + 1, &share, &self.gather, now)?;
        self.started += 1;
        Ok(hand)
    }

    /// How many requests the next worker serves; 0: any number.
    fn serves(&self) -> u64 {
        let Settings { max_requests, jitter, .. } = self.settings;
        if max_requests == 0 {
            return 0;
        }
        let jitter = jitter.unwrap_or(max_requests / 10);
        // std's hasher is seeded at random, anew for each.
        let random = RandomState::new().build_hasher().finish();
        max_requests.saturating_add(random.checked_rem(jitter.saturating_add(1)).unwrap_or(0))
    }

    fn fail(&self, how: Option<String>) {
        let how = how.unwrap_or_else(|| "a worker returned unasked".to_owned());
        self.shared.table.lock().last_failure = Some(how);
    }

    /// After the death of a worker that has not begun.
    fn give_up(&mut self, now: u64) -> Result<(), ServeError> {
        if self.places.iter().flat_map(|place| &place.current).any(Hand::is_ready) {
            self.deaths.forget();
        }
        if self.deaths.another(&ENOUGH, true, now).is_some() {
            return Ok(());
        }
        let last = self.shared.table.lock().last_failure.clone().unwrap_or_default();
        Err(ServeError::Workers { workers: ENOUGH.restarts + 1, within: ENOUGH.within, last })
    }

    /// In the design where this process accepts; the first time when all workers have begun, or one has failed to. Gives when to go on, if there may be more.
    fn hand_over(&mut self, now: u64) -> Option<u64> {
        let listener = self.listeners.as_ref().filter(|_| self.settings.hands_over)?.sockets.first()?;
        let all = || self.places.iter().flat_map(|place| &place.current);
        self.is_open |= all().count() == self.places.len() && all().all(Hand::is_ready);
        if !self.is_open {
            return None;
        }
        let most = u64::from(self.settings.max_connections);
        for _ in 0..BATCH {
            let free = self.places.iter_mut().filter_map(|place| place.current.as_mut());
            let free = free.filter(|hand| hand.is_ready() && hand.load() < most && !hand.wants_to_leave());
            // Nobody: the next report of one of them brings us here again.
            let hand = free.min_by_key(|hand| hand.load())?;
            let socket = match self.parked.pop_front().map_or_else(|| listen::accept(listener), Ok) {
                Ok(socket) => socket,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(_) => return Some(now.saturating_add(SHORTAGE)),
            };
            if let Err(socket) = hand.take(socket) {
                self.parked.push_front(socket);
                return Some(now.saturating_add(SHORTAGE));
            }
        }
        Some(now)
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
