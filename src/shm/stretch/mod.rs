//! A stretch of a region that holds plain data, either in place or as words.

mod bits;
mod in_place;
mod units;
mod words;

pub(crate) use bits::Bits;
pub(crate) use in_place::{InPlace, Locked};
pub(crate) use words::Words;
