//! What a child said before its end, and what that makes of a join.

use std::io;
use std::os::fd::OwnedFd;

use serde::de::DeserializeOwned;

use super::error::{BootstrapError, JoinError};
use super::message::{FAILED, Failure, PANICKED, Panic, RETURNED};
use crate::planted::planted;
use crate::sys::pidfd::Ending;
use crate::sys::unread::peer_left_something_unread;
use crate::wire::frame::{self, Frame};
use crate::wire::{Codec, Postcard, unpack};

/// What a child said before its end.
#[derive(Debug)]
pub(super) enum Outcome {
    Returned(Frame),
    Panicked(Panic),
    Failed(Failure),
    /// Nothing, though it had taken what it was to do.
    Silent,
    /// Nothing, and it had not even taken that: it never came to `init`.
    Mute,
}

impl Outcome {
    /// Reads what a child that has ended left to say of what became of it. Never waits.
    pub(super) fn read(socket: OwnedFd) -> Self {
        // A message of its own from each child that begins would cost every spawn; the kernel knows as well. Asked before anything
        // is received, which uses up what it tells.
        let has_begun =
            planted!("who-never-began-ended-silently", !peer_left_something_unread(&socket), true);
        let frame = match frame::receive(&socket) {
            Ok(Some(frame)) => frame,
            Ok(None) if has_begun => return Self::Silent,
            Ok(None) => return Self::Mute,
            Err(error) => return Self::Failed(Failure::Message(error.to_string())),
        };
        let damaged = |error: crate::DecodeError| Self::Failed(Failure::Message(error.to_string()));
        match frame.kind {
            RETURNED => Self::Returned(frame),
            PANICKED => Postcard::decode(&frame.bytes).map_or_else(damaged, Self::Panicked),
            FAILED => Postcard::decode(&frame.bytes).map_or_else(damaged, Self::Failed),
            _ => Self::Failed(Failure::Message("its kind is not known".to_owned())),
        }
    }

    /// The value, which is decoded anew for each join, or why there is none.
    ///
    /// A value that was sent whole counts, however the child ended after that.
    pub(super) fn value<T: DeserializeOwned>(
        &self,
        name: &str,
        pid: u32,
        ending: Ending,
    ) -> Result<T, JoinError> {
        match (self, ending) {
            (Self::Returned(frame), _) => value(frame),
            (Self::Panicked(Panic { message, location }), _) => Err(JoinError::Panicked {
                message: message.clone(),
                location: location.clone(),
                name: name.to_owned(),
                pid,
            }),
            (Self::Failed(failure), _) => Err(JoinError::Bootstrap(failed(failure))),
            (Self::Mute, Ending::Exited(_)) => Err(JoinError::NotInitialised),
            (Self::Mute | Self::Silent, ending) => Err(silent(ending, name.to_owned(), pid)),
        }
    }
}

fn value<T: DeserializeOwned>(frame: &Frame) -> Result<T, JoinError> {
    // Another join wants its own.
    let descriptors: io::Result<Vec<_>> = frame.descriptors.iter().map(OwnedFd::try_clone).collect();
    let message = match descriptors {
        Err(error) => error.to_string(),
        Ok(descriptors) => match unpack::<Postcard, T>(&frame.bytes, descriptors) {
            Ok(value) => return Ok(value),
            Err(error) => error.to_string(),
        },
    };
    Err(JoinError::Bootstrap(BootstrapError::Output { message }))
}

fn failed(failure: &Failure) -> BootstrapError {
    match failure.clone() {
        Failure::Message(message) => BootstrapError::Message { message },
        Failure::OtherBuild => BootstrapError::OtherBuild,
        Failure::NoFunction => BootstrapError::NoFunction,
        Failure::Setting(setting, code) => {
            BootstrapError::Setting { setting, source: io::Error::from_raw_os_error(code) }
        }
        Failure::Arguments(message) => BootstrapError::Arguments { message },
        Failure::Output(message) => BootstrapError::Output { message },
    }
}

fn silent(ending: Ending, name: String, pid: u32) -> JoinError {
    match ending {
        Ending::Exited(code) => JoinError::Exited { code, name, pid },
        Ending::Signaled { signal, core_dumped } => JoinError::Signaled { signal, core_dumped, name, pid },
        Ending::Elsewhere => JoinError::StatusLost { name, pid },
    }
}
