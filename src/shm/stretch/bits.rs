//! A plain value, word by word.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;

use crate::shm::plain::Plain;

/// A plain value as words; the bytes behind its end are zero.
pub(crate) struct Bits<T>(MaybeUninit<T>);

impl<T: Plain> Bits<T> {
    pub(crate) const WORDS: usize = size_of::<T>().div_ceil(8);

    pub(crate) fn of(value: T) -> Self {
        Self(MaybeUninit::new(value))
    }

    /// All of them zero.
    pub(crate) fn empty() -> Self {
        Self(MaybeUninit::zeroed())
    }

    pub(crate) fn value(&self) -> T {
        // SAFETY: made of a value, or of zeroes and words: any bits are a value (contract of `Plain`).
        unsafe { self.0.assume_init() }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: all of the value, which is initialised, and has no padding (contract of `Plain`).
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), size_of::<T>()) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; any bytes written make a value.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), size_of::<T>()) }
    }

    pub(crate) fn word(&self, index: usize) -> u64 {
        let part = self.bytes().chunks(8).nth(index).unwrap_or_default();
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        u64::from_ne_bytes(word)
    }

    pub(crate) fn set_word(&mut self, index: usize, word: u64) {
        if let Some(part) = self.bytes_mut().chunks_mut(8).nth(index) {
            let length = part.len();
            part.copy_from_slice(&word.to_ne_bytes()[..length]);
        }
    }
}
