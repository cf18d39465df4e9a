//! Items to messages and back.

use std::cell::Cell;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::get_error::Nothing;
use super::put_error::Failure;
use crate::raw::queue::{Flags, Message, Taken};
use crate::wire::{Bare, Codec, DecodeError, Form, Packed, is_moved, of_another_type, pack_into, unpack};

/// An item on its way into a queue.
pub(super) enum Parcel<T> {
    /// Its own bytes are the message.
    Bare {
        item: T,
        bare: Bare<T>,
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

pub(super) fn scratch() -> Vec<u8> {
    SCRATCH.take()
}

pub(super) fn keep(mut bytes: Vec<u8>) {
    if bytes.capacity() <= KEPT {
        bytes.clear();
        SCRATCH.set(bytes);
    }
}

impl<T> Parcel<T> {
    #[inline]
    pub(super) fn pack<C: Codec>(form: &Form<T>, item: T) -> Result<Self, (Failure, T)>
    where
        T: Serialize,
    {
        if let Some(bare) = form.bare::<C>() {
            return Ok(Self::Bare { item, bare });
        }
        match pack_into::<C, T>(&item, scratch()) {
            Ok(packed) => Ok(Self::Encoded { item, packed }),
            Err(error) => Err((Failure::Encode(error), item)),
        }
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Bare { item, bare } => bare.bytes(item),
            Self::Encoded { packed, .. } => &packed.bytes,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes().len()
    }

    #[inline]
    pub(super) fn message(&self) -> Message<'_> {
        let (flags, luggage): (_, &[_]) = match self {
            Self::Bare { bare, .. } => (Flags::bare(bare.mark()), &[]),
            Self::Encoded { packed, .. } => (Flags::ENCODED, &packed.descriptors),
        };
        Message { bytes: self.bytes(), flags, luggage }
    }

    /// What is left of it once it was sent.
    #[inline]
    pub(super) fn sent(self) {
        if let Self::Encoded { packed: Packed { bytes, .. }, .. } = self {
            keep(bytes);
        }
    }

    /// The item again.
    pub(super) fn into_item(self) -> T {
        match self {
            Self::Bare { item, .. } | Self::Encoded { item, .. } => item,
        }
    }
}

/// A vector for the bytes of a `T` to come.
pub(super) fn buffer<T>() -> Vec<u8> {
    // What becomes the item itself can't be used again.
    if is_moved::<T>() { Vec::new() } else { scratch() }
}

/// The item that a message holds.
#[inline]
pub(super) fn unpack_item<T, C>(form: &Form<T>, taken: Taken, mut bytes: Vec<u8>) -> Result<T, Nothing>
where
    T: DeserializeOwned,
    C: Codec,
{
    let bare = form.bare::<C>();
    let item = if taken.flags.mark() != bare.as_ref().map(Bare::mark) {
        Err(DecodeError::Value { message: of_another_type::<T>() })
    } else if let Some(bare) = bare {
        bare.value(&mut bytes).map_err(|message| DecodeError::Value { message })
    } else {
        unpack::<C, T>(&bytes, taken.luggage)
    };
    match item {
        Ok(item) => {
            if !is_moved::<T>() {
                keep(bytes);
            }
            Ok(item)
        }
        Err(source) => Err(Nothing::Decode { bytes, source }),
    }
}
