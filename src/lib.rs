//! Python's `multiprocessing` and `aioprocessing`, for Rust.
#![deny(unsafe_code)]
// Models run the state machines alone.
#![cfg_attr(aioprocessing_loom, allow(dead_code, unused_imports))]

#[cfg(not(aioprocessing_loom))]
mod pipe;
mod planted;
#[cfg(not(aioprocessing_loom))]
mod pool;
#[cfg(not(aioprocessing_loom))]
mod process;
#[cfg(not(aioprocessing_loom))]
mod queue;
mod raw;
mod shm;
#[cfg(not(aioprocessing_loom))]
mod sync;
mod sys;
mod wait;
#[cfg(not(aioprocessing_loom))]
mod wire;

#[cfg(not(aioprocessing_loom))]
pub use pipe::*;
#[cfg(not(aioprocessing_loom))]
pub use pool::*;
#[cfg(not(aioprocessing_loom))]
pub use process::*;
#[cfg(not(aioprocessing_loom))]
pub use queue::*;
#[cfg(not(aioprocessing_loom))]
pub use sync::*;
#[cfg(not(aioprocessing_loom))]
pub use wire::{Codec, DecodeError, EncodeError, Postcard};
