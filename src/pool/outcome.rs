//! What came of a task: the results of its items, as a worker wrote them.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use serde::de::DeserializeOwned;

use super::error::TaskError;
use super::function::{Ran, Refusal};
use crate::process::Panic;
use crate::wire::{Codec, Postcard, unpack};

const VALUE: u8 = 0;
const PANICKED: u8 = 1;
const ARGUMENTS: u8 = 2;
const OUTPUT: u8 = 3;
const VALUE_WITH_LUGGAGE: u8 = 4;

/// Descriptors, by the place of the record that they belong to; `None`: there was no room for them here.
pub(super) type Luggage = HashMap<u32, Option<Vec<OwnedFd>>>;

/// Results of items that follow one another.
#[derive(Debug)]
pub(super) enum Piece {
    /// As workers wrote them, with the descriptors that belong to them.
    Records(Vec<u8>, Luggage),
    /// Of one item.
    Failed(TaskError),
    /// Of all that are left.
    Rest(TaskError),
}

/// What came of a task.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) pieces: Vec<Piece>,
}

/// Appends the result of one item.
pub(super) fn record(ran: Result<Ran, Panic>, into: &mut Vec<u8>) -> Vec<OwnedFd> {
    let mut luggage = Vec::new();
    let (tag, bytes) = match ran {
        Ok(Ok(value)) => {
            luggage = value.descriptors;
            (if luggage.is_empty() { VALUE } else { VALUE_WITH_LUGGAGE }, value.bytes)
        }
        Ok(Err(Refusal::Arguments(message))) => (ARGUMENTS, message.into_bytes()),
        Ok(Err(Refusal::Output(message))) => (OUTPUT, message.into_bytes()),
        Err(panic) => {
            let mut bytes = Vec::new();
            // Two texts can always be written.
            let _ = Postcard::encode(&panic, &mut bytes);
            (PANICKED, bytes)
        }
    };
    into.push(tag);
    into.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    into.extend_from_slice(&bytes);
    luggage
}

impl Outcome {
    pub(super) fn failed(error: TaskError) -> Self {
        Self { pieces: vec![Piece::Rest(error)] }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.pieces.iter().any(|piece| match piece {
            Piece::Records(bytes, _) => !matches!(bytes.first(), None | Some(&VALUE | &VALUE_WITH_LUGGAGE)),
            Piece::Failed(_) | Piece::Rest(_) => true,
        })
    }

    /// The results of `count` items, decoded.
    pub(super) fn items<T: DeserializeOwned>(&self, count: u32) -> Vec<Result<T, TaskError>> {
        let count = count as usize;
        let mut all = Vec::with_capacity(count);
        for piece in &self.pieces {
            match piece {
                Piece::Records(bytes, luggage) => read(bytes, luggage, &mut all),
                Piece::Failed(error) => all.push(Err(error.clone())),
                Piece::Rest(error) => all.resize_with(count.max(all.len()), || Err(error.clone())),
            }
        }
        let missing = || Err(damaged());
        all.resize_with(count, missing);
        all
    }
}

fn damaged() -> TaskError {
    TaskError::Decode { message: "the worker's message is damaged".to_owned() }
}

fn read<T: DeserializeOwned>(mut bytes: &[u8], luggage: &Luggage, into: &mut Vec<Result<T, TaskError>>) {
    let mut place = 0;
    while let Some((&tag, rest)) = bytes.split_first() {
        let Some((length, rest)) = rest.split_first_chunk() else { break };
        let Ok(length) = usize::try_from(u64::from_le_bytes(*length)) else { break };
        let Some((body, rest)) = rest.split_at_checked(length) else { break };
        into.push(match luggage.get(&place) {
            _ if tag != VALUE_WITH_LUGGAGE => one(tag, body, &[]),
            Some(Some(luggage)) => one(VALUE, body, luggage),
            Some(None) => Err(TaskError::Decode {
                message: "no room for its descriptors: raise the limit of open files (ulimit -n)".to_owned(),
            }),
            None => Err(damaged()),
        });
        place += 1;
        bytes = rest;
    }
}

fn one<T: DeserializeOwned>(tag: u8, body: &[u8], luggage: &[OwnedFd]) -> Result<T, TaskError> {
    let text = || String::from_utf8_lossy(body).into_owned();
    match tag {
        VALUE => {
            // Another call for the result wants its own.
            let luggage: Result<Vec<_>, _> = luggage.iter().map(OwnedFd::try_clone).collect();
            let luggage = luggage.map_err(|error| TaskError::Decode { message: error.to_string() })?;
            unpack::<Postcard, T>(body, luggage)
                .map_err(|error| TaskError::Decode { message: error.to_string() })
        }
        PANICKED => match Postcard::decode::<Panic>(body) {
            Ok(Panic { message, location }) => Err(TaskError::Panicked { message, location }),
            Err(_) => Err(damaged()),
        },
        ARGUMENTS => Err(TaskError::Arguments { message: text() }),
        OUTPUT => Err(TaskError::Output { message: text() }),
        _ => Err(damaged()),
    }
}
