//! Python's `multiprocessing` and `aioprocessing`, for Rust.
#![deny(unsafe_code)]

mod planted;
#[cfg(not(aioprocessing_loom))]
mod process;
mod raw;
mod shm;
mod sync;
mod sys;
mod wait;
#[cfg(not(aioprocessing_loom))]
mod wire;

#[cfg(not(aioprocessing_loom))]
pub use process::*;
pub use sync::*;
#[cfg(not(aioprocessing_loom))]
pub use wire::{Codec, DecodeError, EncodeError, Postcard};
