//! What one side has to say to the other: what came together goes out together, as one message.
//!
//! There is no thread behind it. Whoever has put something sends all that is there, and leaves it to somebody who is at it already. What carries
//! descriptors, and what is long, goes alone: it is refused, or has to wait for a descriptor, without harm to others.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::kept::Bytes;
use crate::pipe::{AioConnection, Letter, SendError};
use crate::planted::planted;

/// So many are one message at most.
pub(super) const TOGETHER: usize = 64;
/// And so many bytes: longer ones gain nothing from company.
const BYTES_TOGETHER: usize = 16 * 1024;

/// A message that can be several.
pub(super) trait Several: Serialize {
    /// The parts are encoded messages of the same type, and none is several.
    fn several(parts: Vec<Bytes>) -> Self;
}

#[derive(Default)]
pub(super) struct Outbox {
    waiting: Mutex<VecDeque<(u64, Letter)>>,
    /// What is being sent. Whoever holds the lock is at it.
    flight: Mutex<Option<Flight>>,
    /// How many are not out.
    left: AtomicUsize,
}

struct Flight {
    letter: Letter,
    /// The questions in it.
    ids: Vec<u64>,
}

impl Outbox {
    pub(super) fn put(&self, id: u64, letter: Letter) {
        let mut waiting = self.waiting.lock();
        waiting.push_back((id, letter));
        self.left.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes it back, if it is not on its way.
    pub(super) fn take_back(&self, id: u64) -> bool {
        let mut waiting = self.waiting.lock();
        let at = waiting.iter().position(|(known, _)| *known == id);
        let found = at.and_then(|at| waiting.remove(at));
        self.left.fetch_sub(usize::from(found.is_some()), Ordering::Relaxed);
        drop(waiting);
        found.is_some()
    }

    /// A hint where several threads use it: who is at it may be done.
    pub(super) fn is_empty(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    /// What waits is more than goes out together.
    pub(super) fn is_heavy(&self) -> bool {
        let mut bytes = 0;
        self.waiting.lock().iter().any(|(_, letter)| match letter.light_length() {
            Some(length) => {
                bytes += length;
                bytes > BYTES_TOGETHER
            }
            None => true,
        })
    }

    /// Sends what there is room for, and says whether that is all. What can't be sent goes to `refused`, with the questions in it.
    pub(super) fn send<S: Several, R: DeserializeOwned>(
        &self,
        connection: &AioConnection<S, R>,
        mut refused: impl FnMut(&[u64], SendError),
    ) -> bool {
        while !self.is_empty() {
            if !self.send_on(&mut self.flight.lock(), connection, &mut refused) {
                return false;
            }
        }
        true
    }

    /// The same, unless somebody is at it. Who leaves something listens for room, and so sends it if it should be here still.
    pub(super) fn send_or_leave<S: Several, R: DeserializeOwned>(
        &self,
        connection: &AioConnection<S, R>,
        mut refused: impl FnMut(&[u64], SendError),
    ) {
        // What is left to somebody who has just looked is seen here, after the lock was given back.
        while !self.is_empty() {
            let Some(mut flight) = self.flight.try_lock() else { return };
            if !self.send_on(&mut flight, connection, &mut refused) {
                return;
            }
        }
    }

    fn send_on<S: Several, R: DeserializeOwned>(
        &self,
        flight: &mut Option<Flight>,
        connection: &AioConnection<S, R>,
        refused: &mut impl FnMut(&[u64], SendError),
    ) -> bool {
        loop {
            if flight.is_none() {
                *flight = self.next(connection, refused);
            }
            let Some(Flight { letter, .. }) = flight else { return true };
            let Some(sent) = connection.attempt(letter) else { return false };
            if let Some(Flight { ids, .. }) = flight.take() {
                self.left.fetch_sub(ids.len(), Ordering::Relaxed);
                if let Err(error) = sent {
                    refused(&ids, error);
                }
            }
        }
    }

    /// What goes next, made of all that waits and can go together.
    fn next<S: Several, R: DeserializeOwned>(
        &self,
        connection: &AioConnection<S, R>,
        refused: &mut impl FnMut(&[u64], SendError),
    ) -> Option<Flight> {
        let (ids, parts) = {
            let mut waiting = self.waiting.lock();
            let mut room = BYTES_TOGETHER;
            let mut fits = |(_, letter): &(u64, Letter)| {
                let length = letter.light_length().filter(|&length| length <= room);
                room -= length.unwrap_or(0);
                length.is_some()
            };
            let most = planted!("all-go-alone", TOGETHER, 1);
            let count = waiting.iter().take(most).take_while(|one| fits(one)).count();
            if count < 2 {
                let (id, letter) = waiting.pop_front()?;
                return Some(Flight { letter, ids: vec![id] });
            }
            waiting
                .drain(..count)
                .map(|(id, letter)| (id, Bytes(letter.into_bytes())))
                .unzip::<_, _, Vec<_>, Vec<_>>()
        };
        match connection.letter(&S::several(parts)) {
            Ok(letter) => Some(Flight { letter, ids }),
            Err(error) => {
                self.left.fetch_sub(ids.len(), Ordering::Relaxed);
                refused(&ids, error);
                None
            }
        }
    }
}
