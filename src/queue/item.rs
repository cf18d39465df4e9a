//! Items to messages and back.

use std::any::{Any, TypeId};
use std::cell::Cell;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{Failure, Nothing};
use crate::raw::queue::{Flags, Message, Taken};
use crate::wire::{Codec, DecodeError, Packed, pack_into, unpack};

/// An item on its way into a queue.
pub(super) enum Parcel<T> {
    /// Its own bytes are the message.
    Bytes(Vec<u8>),
    Text(String),
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

/// The item as a `U`, if that is what it is.
fn cast<T: 'static, U: 'static>(item: T) -> Result<U, T> {
    let mut item = Some(item);
    if let Some(same) = (&mut item as &mut dyn Any).downcast_mut::<Option<U>>()
        && let Some(same) = same.take()
    {
        return Ok(same);
    }
    item.ok_or_else(|| unreachable!("it is taken out as the type that it is, or not at all")).and_then(Err)
}

/// Whether items of this type are their own bytes.
fn is_raw<T: 'static>() -> bool {
    let id = TypeId::of::<T>();
    id == TypeId::of::<Vec<u8>>() || id == TypeId::of::<String>()
}

impl<T: 'static> Parcel<T> {
    pub(super) fn pack<C: Codec>(item: T) -> Result<Self, (Failure, T)>
    where
        T: Serialize,
    {
        let item = match cast::<T, Vec<u8>>(item) {
            Ok(bytes) => return Ok(Self::Bytes(bytes)),
            Err(item) => item,
        };
        let item = match cast::<T, String>(item) {
            Ok(text) => return Ok(Self::Text(text)),
            Err(item) => item,
        };
        match pack_into::<C, T>(&item, scratch()) {
            Ok(packed) => Ok(Self::Encoded { item, packed }),
            Err(error) => Err((Failure::Encode(error), item)),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Encoded { packed, .. } => &packed.bytes,
            Self::Text(text) => text.as_bytes(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes().len()
    }

    pub(super) fn message(&self) -> Message<'_> {
        match self {
            Self::Bytes(_) | Self::Text(_) => {
                Message { bytes: self.bytes(), flags: Flags::RAW, luggage: &[] }
            }
            Self::Encoded { packed, .. } => {
                Message { bytes: &packed.bytes, flags: Flags::ENCODED, luggage: &packed.descriptors }
            }
        }
    }

    /// What is left of it once it was sent.
    pub(super) fn sent(self) {
        if let Self::Encoded { packed, .. } = self {
            keep(packed.bytes);
        }
    }

    /// The item again.
    pub(super) fn into_item(self) -> T {
        let same = match self {
            Self::Bytes(bytes) => cast(bytes).ok(),
            Self::Text(text) => cast(text).ok(),
            Self::Encoded { item, .. } => Some(item),
        };
        let Some(item) = same else { unreachable!("a parcel is made from the type that it is of") };
        item
    }
}

/// A vector for the bytes of a `T` to come.
pub(super) fn buffer<T: 'static>() -> Vec<u8> {
    // What becomes the item itself can't be used again.
    if is_raw::<T>() { Vec::new() } else { scratch() }
}

/// The item that a message holds.
pub(super) fn unpack_item<T, C>(taken: Taken, bytes: Vec<u8>) -> Result<T, Nothing>
where
    T: DeserializeOwned + 'static,
    C: Codec,
{
    if taken.flags.has(Flags::RAW) != is_raw::<T>() {
        let message = format!("the sender's items are not of the type {}", std::any::type_name::<T>());
        return Err(Nothing::Decode { bytes, source: DecodeError::Value { message } });
    }
    if !taken.flags.has(Flags::RAW) {
        return match unpack::<C, T>(&bytes, taken.luggage) {
            Ok(item) => {
                keep(bytes);
                Ok(item)
            }
            Err(source) => Err(Nothing::Decode { bytes, source }),
        };
    }
    let bytes = match cast::<Vec<u8>, T>(bytes) {
        Ok(item) => return Ok(item),
        Err(bytes) => bytes,
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let source = DecodeError::Value { message: error.to_string() };
        Nothing::Decode { bytes: error.into_bytes(), source }
    })?;
    cast::<String, T>(text).map_err(|text| {
        let source = DecodeError::Value { message: "the item is a text".to_owned() };
        Nothing::Decode { bytes: text.into_bytes(), source }
    })
}
