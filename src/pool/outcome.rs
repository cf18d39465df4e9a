//! What came of a task: the results of its items, as a worker wrote them.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use serde::de::DeserializeOwned;

use super::error::TaskError;
use super::frames::{self, ARGUMENTS, OUTPUT, PANICKED, VALUE, VALUE_WITH_LUGGAGE};
use super::function::Refusal;
use crate::process::Panic;
use crate::wire::{Codec, Postcard, unpack, unpack_each};

/// Descriptors, by the place of the record that they belong to; `None`: there was no room for them here.
pub(super) type RecordLuggage = BTreeMap<u32, Option<Vec<OwnedFd>>>;

/// Results of items that follow one another.
#[derive(Debug)]
pub(super) enum Piece {
    /// As workers wrote them, with the descriptors that belong to them.
    Records(Vec<u8>, RecordLuggage),
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

/// Makes a frame of what came of one item, whose value was written behind the frame's head if it came to that. Gives the
/// descriptors that belong to it.
pub(super) fn record(
    ran: Result<Result<Vec<OwnedFd>, Refusal>, Panic>,
    into: &mut Vec<u8>,
    at: usize,
) -> Vec<OwnedFd> {
    let mut fail = |kind, message: &[u8]| {
        into.truncate(at + 1);
        into.extend_from_slice(message);
        (kind, Vec::new())
    };
    let (kind, luggage) = match ran {
        Ok(Ok(luggage)) if luggage.is_empty() => (VALUE, luggage),
        Ok(Ok(luggage)) => (VALUE_WITH_LUGGAGE, luggage),
        Ok(Err(Refusal::Arguments(message))) => fail(ARGUMENTS, message.as_bytes()),
        Ok(Err(Refusal::Output(message))) => fail(OUTPUT, message.as_bytes()),
        Err(panic) => {
            let mut bytes = Vec::new();
            // Two texts can always be written.
            let _ = Postcard::encode(&panic, &mut bytes);
            fail(PANICKED, &bytes)
        }
    };
    frames::end(into, at, kind);
    luggage
}

impl Outcome {
    pub(super) fn failed(error: TaskError) -> Self {
        Self { pieces: vec![Piece::Rest(error)] }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.pieces.iter().any(|piece| match piece {
            Piece::Records(bytes, _) => {
                let kind = frames::first(bytes).map(|(kind, ..)| kind);
                !matches!(kind, None | Some(VALUE | VALUE_WITH_LUGGAGE))
            }
            Piece::Failed(_) | Piece::Rest(_) => true,
        })
    }

    /// The results of `count` items, decoded, each to `sink`.
    pub(super) fn each<T: DeserializeOwned>(&self, count: u32, mut sink: impl FnMut(Result<T, TaskError>)) {
        let mut left = count;
        let mut counted = |result| {
            // What a worker wrote beyond its task is nobody's.
            if left > 0 {
                left -= 1;
                sink(result);
            }
        };
        for piece in &self.pieces {
            match piece {
                Piece::Records(bytes, luggage) => read(bytes, luggage, &mut counted),
                Piece::Failed(error) => counted(Err(error.clone())),
                Piece::Rest(error) => (0..count).for_each(|_| counted(Err(error.clone()))),
            }
        }
        (0..left).for_each(|_| sink(Err(damaged())));
    }
}

fn damaged() -> TaskError {
    TaskError::Decode { message: "the worker's message is damaged".to_owned() }
}

fn read<T: DeserializeOwned>(
    mut bytes: &[u8],
    luggage: &RecordLuggage,
    sink: &mut impl FnMut(Result<T, TaskError>),
) {
    let mut place = 0;
    while !bytes.is_empty() {
        // As many as there are values: those with luggage want a scope of their own.
        let other = unpack_each(|| {
            while let Some((kind, body, rest)) = frames::first(bytes) {
                let decoded = if kind == VALUE { Postcard::decode(body).ok() } else { None };
                (bytes, place) = (rest, place + 1);
                match decoded {
                    Some(value) => sink(Ok(value)),
                    None => return Some((kind, body)),
                }
            }
            None
        });
        let Some((kind, body)) = other else { return };
        sink(match luggage.get(&(place - 1)) {
            _ if kind != VALUE_WITH_LUGGAGE => one(kind, body, &[]),
            Some(Some(luggage)) => one(VALUE, body, luggage),
            Some(None) => Err(TaskError::Decode {
                message: "no room for its descriptors: raise the limit of open files (ulimit -n)".to_owned(),
            }),
            None => Err(damaged()),
        });
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
