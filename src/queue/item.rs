//! Items to messages and back.

use std::cell::Cell;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::get_error::Nothing;
use super::put_error::Failure;
use crate::raw::queue::{Flags, Incoming, Message};
use crate::wire::{
    Bare, Codec, DecodeError, Form, Packed, bytes_as_they_are, is_bytes, is_moved, of_another_type,
    pack_into, unpack,
};

/// What an item is to be in a queue. The item itself stays where it is: to move one that was made just now, the CPU would first have to
/// wait for its parts to be written.
pub(super) enum Parcel<T> {
    /// Its own bytes are the message.
    Bare(Bare<T>),
    Encoded(Packed),
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
    pub(super) fn pack<C: Codec>(form: &Form<T>, item: &T) -> Result<Self, Failure>
    where
        T: Serialize,
    {
        if let Some(bare) = form.bare::<C>() {
            return Ok(Self::Bare(bare));
        }
        pack_into::<C, T>(item, scratch()).map(Self::Encoded).map_err(Failure::Encode)
    }

    #[inline]
    fn bytes<'a>(&'a self, item: &'a T) -> &'a [u8] {
        match self {
            Self::Bare(bare) => bare.bytes(item),
            Self::Encoded(packed) => &packed.bytes,
        }
    }

    pub(super) fn len(&self, item: &T) -> usize {
        self.bytes(item).len()
    }

    /// The message of the item that this was made for.
    #[inline]
    pub(super) fn message<'a>(&'a self, item: &'a T) -> Message<'a> {
        let (flags, luggage): (_, &[_]) = match self {
            Self::Bare(bare) => (Flags::bare(bare.mark()), &[]),
            Self::Encoded(packed) => (Flags::ENCODED, &packed.descriptors),
        };
        Message { bytes: self.bytes(item), flags, luggage }
    }

    /// What is left of it once it was sent.
    #[inline]
    pub(super) fn sent(self) {
        if let Self::Encoded(Packed { bytes, .. }) = self {
            keep(bytes);
        }
    }
}

/// A vector for the bytes of a `T` to come.
pub(super) fn buffer<T>() -> Vec<u8> {
    // What becomes the item itself can't be used again.
    if is_moved::<T>() { Vec::new() } else { scratch() }
}

/// A `T` to come.
#[inline]
pub(super) fn incoming<T>() -> Incoming {
    Incoming::new(buffer::<T>())
}

/// The item that a message holds.
// Always, for the sake of items that are their message: nothing is left to do for them.
#[inline(always)]
pub(super) fn unpack_item<T, C>(form: &Form<T>, message: &mut Incoming) -> Result<T, Nothing>
where
    T: DeserializeOwned,
    C: Codec,
{
    if let Some(bare) = form.bare::<C>()
        && message.flags.mark() == Some(bare.mark())
    {
        if is_bytes::<T>() {
            return Ok(bytes_as_they_are(std::mem::take(&mut message.bytes)));
        }
        if let Some(item) = bare.value_at_once(&message.bytes) {
            keep(std::mem::take(&mut message.bytes));
            return Ok(item);
        }
    }
    unpack_other::<T, C>(form, message)
}

fn unpack_other<T, C>(form: &Form<T>, message: &mut Incoming) -> Result<T, Nothing>
where
    T: DeserializeOwned,
    C: Codec,
{
    let bare = form.bare::<C>();
    let item = if message.flags.mark() != bare.as_ref().map(Bare::mark) {
        Err(DecodeError::Value { message: of_another_type::<T>() })
    } else if let Some(bare) = bare {
        bare.value(&mut message.bytes).map_err(|message| DecodeError::Value { message })
    } else {
        let luggage = message.take_luggage();
        unpack::<C, T>(&message.bytes, luggage)
    };
    let bytes = std::mem::take(&mut message.bytes);
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
