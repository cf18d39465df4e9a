//! Batches of items to messages and back: without an allocation for each, but for what an item needs itself.

use std::marker::PhantomData;
use std::os::fd::OwnedFd;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::get_error::Nothing;
use super::item::{buffer, keep, scratch, unpack_item};
use super::put_error::Failure;
use crate::raw::queue::{Basket, Flags, Incoming, Message, Messages};
use crate::wire::{Bare, Codec, DecodeError, Form, is_moved, of_another_type, pack_onto, unpack};

/// How many items are encoded ahead of the lock.
const MOST: usize = 64;
/// Nor more bytes than this.
const MOST_BYTES: usize = 64 * 1024;
/// For how many items room is made at once, whatever is said to come.
const MOST_ROOM: usize = 1024;

/// Items on their way into a queue.
pub(super) struct Batch<'a, T, C> {
    form: &'a Form<T>,
    items: Vec<T>,
    /// Of those that go through the codec: one behind the other.
    bytes: Vec<u8>,
    /// For each of those, where its bytes end, and what travels with it.
    coded: Vec<(usize, Vec<OwnedFd>)>,
    length: usize,
    codec: PhantomData<fn() -> C>,
}

impl<'a, T: Serialize + Send, C: Codec> Batch<'a, T, C> {
    pub(super) fn new(form: &'a Form<T>, expected: usize) -> Self {
        let items = Vec::with_capacity(expected.min(MOST));
        Self { form, items, bytes: Vec::new(), coded: Vec::new(), length: 0, codec: PhantomData }
    }

    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= MOST || self.length >= MOST_BYTES
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// How long the message of an item is.
    pub(super) fn length_of(&mut self, index: usize) -> usize {
        self.at(index).map_or(0, |message| message.bytes.len())
    }

    #[inline]
    pub(super) fn add(&mut self, item: T) -> Result<(), (Failure, T)> {
        if let Some(bare) = self.form.bare::<C>() {
            self.length += bare.bytes(&item).len();
        } else {
            if self.coded.is_empty() {
                self.bytes = scratch();
            }
            match pack_onto::<C, T>(&item, &mut self.bytes) {
                Ok(luggage) => self.coded.push((self.bytes.len(), luggage)),
                Err(error) => return Err((Failure::Encode(error), item)),
            }
            self.length = self.bytes.len();
        }
        self.items.push(item);
        Ok(())
    }

    /// The first so many were put: the others come back.
    pub(super) fn take_back(&mut self, put: usize) -> std::vec::Drain<'_, T> {
        self.items.drain(put..)
    }

    /// All were put: there is room for others.
    pub(super) fn clear(&mut self) {
        self.items.clear();
        if !self.coded.is_empty() {
            self.coded.clear();
            keep(std::mem::take(&mut self.bytes));
        }
        self.length = 0;
    }
}

impl<T: Serialize + Send, C: Codec> Messages for Batch<'_, T, C> {
    #[inline]
    fn at(&mut self, index: usize) -> Option<Message<'_>> {
        let item = self.items.get(index)?;
        if let Some(bare) = self.form.bare::<C>() {
            return Some(Message { bytes: bare.bytes(item), flags: Flags::bare(bare.mark()), luggage: &[] });
        }
        let start = if index == 0 { 0 } else { self.coded.get(index - 1)?.0 };
        let (end, luggage) = self.coded.get(index)?;
        Some(Message { bytes: &self.bytes[start..*end], flags: Flags::ENCODED, luggage })
    }
}

/// Items that come out of a queue.
pub(super) struct Gathered<'a, T, C> {
    form: &'a Form<T>,
    items: Vec<T>,
    reasons: Vec<Nothing>,
    /// What becomes the next item, or the bytes of those that go through the codec, one behind the other.
    bytes: Vec<u8>,
    /// Each of those.
    coded: Vec<(Flags, usize)>,
    codec: PhantomData<fn() -> C>,
}

impl<'a, T: DeserializeOwned, C: Codec> Gathered<'a, T, C> {
    pub(super) fn new(form: &'a Form<T>) -> Self {
        let bytes = buffer::<T>();
        Self { form, items: Vec::new(), reasons: Vec::new(), bytes, coded: Vec::new(), codec: PhantomData }
    }

    fn note(&mut self, item: Result<T, Nothing>) {
        match item {
            Ok(item) => self.items.push(item),
            Err(nothing) => self.reasons.push(nothing),
        }
    }

    /// Decodes what waits for that.
    fn decode(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut rest = &bytes[..];
        for (flags, length) in std::mem::take(&mut self.coded) {
            let (message, others) = rest.split_at(length);
            rest = others;
            let item = match flags.mark() {
                None => unpack::<C, T>(message, Vec::new()),
                Some(_) => Err(DecodeError::Value { message: of_another_type::<T>() }),
            };
            self.note(item.map_err(|source| Nothing::Decode { bytes: message.to_vec(), source }));
        }
        self.bytes = bytes;
        self.bytes.clear();
    }

    /// The items, and what was wrong with others.
    pub(super) fn done(mut self, outcome: Result<(), Nothing>) -> (Vec<T>, Vec<Nothing>) {
        self.decode();
        if !is_moved::<T>() {
            keep(self.bytes);
        }
        self.reasons.extend(outcome.err());
        (self.items, self.reasons)
    }
}

impl<T: DeserializeOwned + Send, C: Codec> Basket for Gathered<'_, T, C> {
    fn expect(&mut self, count: usize) {
        let count = count.min(MOST_ROOM);
        self.items.reserve(count);
        if self.form.bare::<C>().is_none() {
            self.coded.reserve(count);
        }
    }

    #[inline]
    fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    #[inline]
    fn add(&mut self, flags: Flags, length: usize) {
        let Some(bare) = self.form.bare::<C>() else { return self.coded.push((flags, length)) };
        let item = item_of(&bare, flags, &mut self.bytes);
        self.note(item);
        // If they have not become the item.
        self.bytes.clear();
    }

    fn add_lone(&mut self, mut message: Incoming) {
        self.decode();
        let item = unpack_item::<T, C>(self.form, &mut message);
        self.note(item);
    }
}

/// The item that has these bytes.
#[inline]
fn item_of<T>(bare: &Bare<T>, flags: Flags, bytes: &mut Vec<u8>) -> Result<T, Nothing> {
    let value =
        if flags.mark() == Some(bare.mark()) { bare.value(bytes) } else { Err(of_another_type::<T>()) };
    value.map_err(|message| Nothing::Decode {
        bytes: std::mem::take(bytes),
        source: DecodeError::Value { message },
    })
}
