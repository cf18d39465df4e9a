//! Python's `multiprocessing` and `aioprocessing`, for Rust.
#![deny(unsafe_code)]

mod planted;
mod raw;
mod shm;
mod sync;
mod sys;
mod wait;

pub use sync::*;
