//! Descriptors that belong to tasks and to results: packets on two sockets that all workers share, each tagged with the use of
//! the cell that it is for.
//!
//! Tasks with descriptors are taken in the order in which they were posted, under a lock, so a packet with another tag in front
//! of the one that is looked for is of a task that was withdrawn, or whose taker died: it is dropped.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};

use serde::de::{Deserializer, Error as _};
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};

use super::outcome::RecordLuggage;
use crate::sys::{Source, socket};
use crate::wait::{Park, Ready, Waiter, blocking, never};
use crate::wire::{claim, stow};

/// Whose packet it is: a cell, its turn, and of results the how manieth of that turn.
type Tag = (u32, u32, u32);

const TAG: usize = 12;

fn to_bytes((cell, turn, place): Tag) -> [u8; TAG] {
    let mut bytes = [0; TAG];
    for (to, from) in bytes.chunks_exact_mut(4).zip([cell, turn, place]) {
        to.copy_from_slice(&from.to_le_bytes());
    }
    bytes
}

fn from_bytes(bytes: &[u8]) -> Option<Tag> {
    let mut words = bytes.chunks_exact(4).map(|word| Some(u32::from_le_bytes(word.try_into().ok()?)));
    Some((words.next()??, words.next()??, words.next()??))
}

fn send(to: impl AsFd, tag: Tag, luggage: &[OwnedFd]) -> io::Result<()> {
    let descriptors: Vec<_> = luggage.iter().map(AsFd::as_fd).collect();
    socket::send(to, &[IoSlice::new(&to_bytes(tag))], &descriptors)
}

/// A packet, with `None` for descriptors for which there was no room here. `Ok(None)`: there is no packet.
fn receive(from: impl AsFd) -> io::Result<Option<(Tag, Option<Vec<OwnedFd>>)>> {
    let mut bytes = [0; TAG];
    let packet = match socket::receive(from, &mut bytes) {
        Ok(packet) => packet,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error),
    };
    let tag = from_bytes(&bytes[..packet.length.min(TAG)]).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Some((tag, (!packet.descriptors_lost).then_some(packet.descriptors))))
}

/// The owner's ends.
pub(super) struct Counter {
    tasks: OwnedFd,
    results: OwnedFd,
    /// The workers' ends, for those to come.
    theirs: Ends,
    came: HashMap<Tag, Option<Vec<OwnedFd>>>,
}

impl Counter {
    pub(super) fn new() -> io::Result<Self> {
        let (tasks, their_tasks) = socket::pair()?;
        let (results, their_results) = socket::pair()?;
        let theirs = Ends { tasks: their_tasks, results: Source::new(their_results) };
        Ok(Self { tasks, results, theirs, came: HashMap::new() })
    }

    pub(super) fn ends(&self) -> io::Result<Ends> {
        let results = self.theirs.results.as_fd().try_clone_to_owned()?;
        Ok(Ends { tasks: self.theirs.tasks.try_clone()?, results: Source::new(results) })
    }

    /// Sends what belongs to a task that is about to be posted. False: there is no room now.
    pub(super) fn send(&self, cell: u32, turn: u32, luggage: &[OwnedFd]) -> io::Result<bool> {
        match send(&self.tasks, (cell, turn, 0), luggage) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Drops all packets for tasks.
    pub(super) fn discard(&self) {
        while let Ok(Some(_)) = receive(&self.theirs.tasks) {}
    }

    /// Takes in what workers have sent, so that none of them waits.
    pub(super) fn drain(&mut self) {
        while let Ok(Some((tag, luggage))) = receive(&self.results) {
            self.came.insert(tag, luggage);
        }
    }

    /// What came with the results of a cell's turn, by their place.
    pub(super) fn take(&mut self, cell: u32, turn: u32) -> RecordLuggage {
        self.drain();
        let of_this = self.came.extract_if(|&(other, its_turn, _), _| (other, its_turn) == (cell, turn));
        of_this.map(|((_, _, place), luggage)| (place, luggage)).collect()
    }
}

/// A worker's ends.
pub(super) struct Ends {
    tasks: OwnedFd,
    results: Source,
}

impl Ends {
    /// What belongs to a task that was taken just now, under the lock. `None`: there was no room for it.
    pub(super) fn fetch(&self, cell: u32, turn: u32) -> Option<Vec<OwnedFd>> {
        loop {
            match receive(&self.tasks) {
                Ok(Some(((other, its_turn, _), luggage))) if (other, its_turn) == (cell, turn) => {
                    return luggage;
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// Sends what belongs to a result, and waits while the owner has not taken what was sent before.
    pub(super) fn send(&self, tag: Tag, luggage: &[OwnedFd]) -> io::Result<()> {
        let attempt = || match send(&self.results, tag, luggage) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            other => Some(other),
        };
        never(blocking(Park::new().on_fd(&self.results, Ready::Write, attempt)))
    }
}

impl Serialize for Ends {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let own = |fd: io::Result<OwnedFd>| fd.map_err(S::Error::custom);
        let tasks = stow(own(self.tasks.try_clone())?).map_err(S::Error::custom)?;
        let results = stow(own(self.results.as_fd().try_clone_to_owned())?).map_err(S::Error::custom)?;
        (tasks, results).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Ends {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (tasks, results) = <(u32, u32)>::deserialize(deserializer)?;
        let tasks = claim(tasks).map_err(D::Error::custom)?;
        let results = claim(results).map_err(D::Error::custom)?;
        Ok(Self { tasks, results: Source::new(results) })
    }
}
