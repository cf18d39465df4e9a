//! Which place has a worker, and when it gets its next one.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use super::Master;
use crate::process::SpawnError;
use crate::server::builder::Settings;
use crate::server::error::ServeError;
use crate::server::hand::{Hand, Share};
use crate::supervise::{Backoff, Policy, Restarts, nanos};

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

/// Where a worker is to be at any time.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) current: Option<Hand>,
    /// Its successor, in a reload, until it accepts.
    pub(super) next: Option<Hand>,
    /// When one is to be started.
    pub(super) due: Option<u64>,
    /// Deaths in a row after a short life.
    pub(super) failures: Restarts,
}

impl Master {
    pub(super) fn look_at(&mut self, index: usize, now: u64, limit: Option<u64>) -> Result<(), ServeError> {
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

    pub(super) fn begin(&mut self, index: usize, now: u64) -> Result<Hand, SpawnError> {
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

    pub(super) fn fail(&self, how: Option<String>) {
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
}
