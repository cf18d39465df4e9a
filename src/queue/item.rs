//! Items to messages and back.

use std::cell::Cell;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::bare::{self, cast};
use super::get_error::Nothing;
use super::put_error::Failure;
use crate::raw::queue::{Flags, Message, Taken};
use crate::wire::{Codec, DecodeError, Packed, pack_into, unpack};

/// An item on its way into a queue.
pub(super) enum Parcel<T> {
    /// Its own bytes are the message.
    Bytes(Vec<u8>),
    Text(String),
    #[cfg(feature = "bytes")]
    Shared(bytes::Bytes),
    /// A copy of its bytes is.
    Copied {
        item: T,
        bytes: Vec<u8>,
        marks: Flags,
    },
    Encoded {
        item: T,
        packed: Packed,
    },
}

/// A vector that is used again by the next item on this thread.
const KEPT: usize = 64 * 1024;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

fn scratch() -> Vec<u8> {
    SCRATCH.take()
}

fn keep(mut bytes: Vec<u8>) {
    if bytes.capacity() <= KEPT {
        bytes.clear();
        SCRATCH.set(bytes);
    }
}

impl<T: 'static> Parcel<T> {
    pub(super) fn pack<C: Codec>(item: T) -> Result<Self, (Failure, T)>
    where
        T: Serialize,
    {
        let Some(marks) = bare::marks::<T>() else {
            return match pack_into::<C, T>(&item, scratch()) {
                Ok(packed) => Ok(Self::Encoded { item, packed }),
                Err(error) => Err((Failure::Encode(error), item)),
            };
        };
        if !bare::is_moved::<T>() {
            let mut bytes = scratch();
            bare::write(&item, &mut bytes);
            return Ok(Self::Copied { item, bytes, marks });
        }
        #[cfg(feature = "bytes")]
        let item = match cast::<T, bytes::Bytes>(item) {
            Ok(bytes) => return Ok(Self::Shared(bytes)),
            Err(item) => item,
        };
        let item = match cast::<T, Vec<u8>>(item) {
            Ok(bytes) => return Ok(Self::Bytes(bytes)),
            Err(item) => item,
        };
        match cast::<T, String>(item) {
            Ok(text) => Ok(Self::Text(text)),
            Err(_) => unreachable!("what is moved is one of these"),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) | Self::Copied { bytes, .. } => bytes,
            Self::Encoded { packed, .. } => &packed.bytes,
            Self::Text(text) => text.as_bytes(),
            #[cfg(feature = "bytes")]
            Self::Shared(bytes) => bytes,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes().len()
    }

    pub(super) fn message(&self) -> Message<'_> {
        let (flags, luggage): (_, &[_]) = match self {
            Self::Encoded { packed, .. } => (Flags::ENCODED, &packed.descriptors),
            Self::Copied { marks, .. } => (*marks, &[]),
            _ => (bare::marks::<T>().unwrap_or(Flags::ENCODED), &[]),
        };
        Message { bytes: self.bytes(), flags, luggage }
    }

    /// What is left of it once it was sent.
    pub(super) fn sent(self) {
        match self {
            Self::Encoded { packed: Packed { bytes, .. }, .. } | Self::Copied { bytes, .. } => keep(bytes),
            _ => {}
        }
    }

    /// The item again.
    pub(super) fn into_item(self) -> T {
        let same = match self {
            Self::Bytes(bytes) => cast(bytes).ok(),
            Self::Text(text) => cast(text).ok(),
            #[cfg(feature = "bytes")]
            Self::Shared(bytes) => cast(bytes).ok(),
            Self::Encoded { item, .. } | Self::Copied { item, .. } => Some(item),
        };
        let Some(item) = same else { unreachable!("a parcel is made from the type that it is of") };
        item
    }
}

/// A vector for the bytes of a `T` to come.
pub(super) fn buffer<T: 'static>() -> Vec<u8> {
    // What becomes the item itself can't be used again.
    if bare::is_moved::<T>() { Vec::new() } else { scratch() }
}

/// The item that a message holds.
pub(super) fn unpack_item<T, C>(taken: Taken, bytes: Vec<u8>) -> Result<T, Nothing>
where
    T: DeserializeOwned + 'static,
    C: Codec,
{
    let wrong =
        |message: String, bytes| Err(Nothing::Decode { bytes, source: DecodeError::Value { message } });
    let marks = bare::marks::<T>();
    if taken.flags.bare_kind() != marks.and_then(Flags::bare_kind) {
        return wrong(
            format!("the sender's items are not of the type {}", std::any::type_name::<T>()),
            bytes,
        );
    }
    if marks.is_none() {
        return match unpack::<C, T>(&bytes, taken.luggage) {
            Ok(item) => {
                keep(bytes);
                Ok(item)
            }
            Err(source) => Err(Nothing::Decode { bytes, source }),
        };
    }
    if !bare::is_moved::<T>() {
        return match bare::read(&bytes) {
            Some(item) => {
                keep(bytes);
                Ok(item)
            }
            None => wrong(format!("so many bytes are no {}", std::any::type_name::<T>()), bytes),
        };
    }
    #[cfg(feature = "bytes")]
    let bytes = if std::any::TypeId::of::<T>() == std::any::TypeId::of::<bytes::Bytes>() {
        match cast::<bytes::Bytes, T>(bytes.into()) {
            Ok(item) => return Ok(item),
            Err(same) => same.into(),
        }
    } else {
        bytes
    };
    let bytes = match cast::<Vec<u8>, T>(bytes) {
        Ok(item) => return Ok(item),
        Err(bytes) => bytes,
    };
    match String::from_utf8(bytes) {
        Ok(text) => {
            cast(text).or_else(|text: String| wrong("the item is a text".to_owned(), text.into_bytes()))
        }
        Err(error) => wrong(error.to_string(), error.into_bytes()),
    }
}
