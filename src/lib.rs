//! Python's `multiprocessing` and `aioprocessing`, for Rust.
#![deny(unsafe_code)]

mod sys;
mod wait;
