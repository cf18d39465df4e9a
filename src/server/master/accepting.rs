//! Connections that the master accepts and hands over.

use std::io;

use super::Master;
use crate::server::hand::Hand;
use crate::server::listen;

/// Connections handed over at one look.
const BATCH: usize = 64;
/// Without descriptors nothing can be accepted; some are given back soon.
const SHORTAGE: u64 = 20_000_000;

impl Master {
    /// In the design where this process accepts; the first time when all workers have begun, or one has failed to. Gives when to go on, if there may be more.
    pub(super) fn hand_over(&mut self, now: u64) -> Option<u64> {
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
}
