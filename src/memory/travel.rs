//! How a handle travels: with its descriptor where descriptors can, elsewhere by name alone.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::OpenMemoryError;
use super::handle::{Block, SharedMemory};
use super::name;
use crate::planted::planted;
use crate::sys::named::FileId;
use crate::wire::{LuggageError, claim_shared, refuse_to_unpack, stow_shared};

/// What is written for a handle.
#[derive(Serialize, Deserialize)]
struct Sent {
    luggage: Option<u32>,
    name: String,
    identity: FileId,
}

impl Serialize for SharedMemory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let copy = || Ok(vec![self.block.bytes.fd().try_clone_to_owned()?]);
        let luggage = match stow_shared(self.block.identity, copy) {
            Ok(luggage) => Some(luggage),
            Err(LuggageError::NotInMessage) => None,
            Err(error) => return Err(S::Error::custom(error)),
        };
        Sent { luggage, name: self.name().to_owned(), identity: self.block.identity }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SharedMemory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let sent = Sent::deserialize(deserializer)?;
        let received = match sent.luggage {
            Some(luggage) => {
                name::checked(&sent.name).map_err(|error| refused(error.into()))?;
                let open = |mut files: Vec<OwnedFd>| match files.pop() {
                    Some(file) => Block::of(file, &sent.name).map(Arc::new),
                    None => Err(OpenMemoryError::NotFound { name: sent.name.clone() }),
                };
                let block = claim_shared(luggage, open).map_err(D::Error::custom)?;
                Self { name: sent.name.into(), block }
            }
            None => Self::open(&sent.name).map_err(refused)?,
        };
        if planted!("any-block-of-the-name-will-do", received.block.identity != sent.identity, false) {
            return Err(refused(OpenMemoryError::Replaced { name: received.name().to_owned() }));
        }
        Ok(received)
    }
}

/// What serde is told, some codecs forget.
fn refused<E: serde::de::Error>(why: OpenMemoryError) -> E {
    let _ = refuse_to_unpack(&why);
    E::custom(why)
}
