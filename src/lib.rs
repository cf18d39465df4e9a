//! What Python's `multiprocessing` and `aioprocessing` are for Python, for Rust on Linux.
//!
//! * [`AioProcess`] runs a function of this program in a process of its own. [`init`] is the first line of `main`,
//!   [`test_support!`] stands once in each test program.
//! * [`AioLock`], [`AioEvent`] and [`AioQueue`] are shared between processes, threads and tasks. A handle reaches another
//!   process as an argument of [`AioProcess::spawn`] or inside of an item. [`AioLeaseQueue`] delivers again what a process that
//!   died had taken, and [`AioOnce`] runs a function once for all of them.
//! * [`AioPipe`] connects two ends that send messages with anything in them, sockets by [`Passed`] included, and
//!   [`wait_any`] waits for ends, processes, events and queues together.
//! * [`SharedMemory`] and [`ShareableList`] are named, and shared with Python's of the same name.
//! * [`AioListener`] and [`AioClient`] connect programs that know an address and a key, over local sockets and TCP, and with
//!   `python_compatible` Python's `multiprocessing.connection`.
//! * [`AioManager`] keeps objects behind proxies, and handles by name, for programs that share nothing but its address and key.
//! * [`Programs`] runs external programs, so many at a time; `Prefork` serves a socket in worker processes; [`supervise`] keeps
//!   processes running.
//! * An operation that waits comes in four forms: `try_get`, `get`, `get_timeout`, and the async `coro_get`, which needs
//!   tokio, uses no helper thread, and has had no effect if it is dropped before it is done.
//! * A process that dies, even by `kill -9` at any instruction, harms nobody else.
//!
//! The [`guide`] has more: [coming from Python](guide::from_python), [which one for which job](guide::choosing), [patterns](guide::patterns),
//! and [what happens when somebody dies](guide::crash_model).
//!
//! # Features
//!
//! They add and never change: `tokio`, the only default one, is the async face; without it the blocking face is all there.
//! `bytes`, `bincode`, `tracing`, `progress` and `shared_memory` work with the crates of these names (`progress` with `indicatif`), and
//! `fixture` is for tests.
//!
//! # Examples
//!
//! ```
//! use aioprocessing::{AioProcess, AioQueue};
//!
//! fn squares(jobs: AioQueue<u64>, results: AioQueue<u64>) {
//!     while let Ok(job) = jobs.get() {
//!         results.put(job * job).unwrap();
//!     }
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     aioprocessing::init();
//!     let (jobs, results) = (AioQueue::unbounded()?, AioQueue::unbounded()?);
//!     let child = AioProcess::spawn(squares, (jobs.clone(), results.clone()))?;
//!     for job in 1..=3 {
//!         jobs.put(job)?;
//!     }
//!     jobs.close(); // the child drains what is left, and then its `get` says so
//!     child.join()?;
//!     assert_eq!((results.get()?, results.get()?, results.get()?), (1, 4, 9));
//!     Ok(())
//! }
//! ```
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// Models run the state machines alone.
#![cfg_attr(aioprocessing_loom, allow(dead_code, unused_imports))]

#[cfg(not(aioprocessing_loom))]
mod connection;
#[cfg(not(aioprocessing_loom))]
pub mod fixture;
#[cfg(doc)]
pub mod guide;
#[cfg(not(aioprocessing_loom))]
mod manager;
#[cfg(not(aioprocessing_loom))]
mod memory;
#[cfg(not(aioprocessing_loom))]
mod pipe;
mod planted;
#[cfg(not(aioprocessing_loom))]
mod pool;
#[cfg(not(aioprocessing_loom))]
mod process;
#[cfg(not(aioprocessing_loom))]
mod program;
#[cfg(not(aioprocessing_loom))]
mod queue;
mod raw;
#[cfg(all(feature = "tokio", not(aioprocessing_loom)))]
mod server;
mod shm;
#[cfg(not(aioprocessing_loom))]
mod supervise;
#[cfg(not(aioprocessing_loom))]
mod sync;
mod sys;
mod trace;
mod wait;
#[cfg(not(aioprocessing_loom))]
mod wire;

#[cfg(not(aioprocessing_loom))]
pub use connection::*;
#[cfg(not(aioprocessing_loom))]
pub use manager::*;
#[cfg(not(aioprocessing_loom))]
pub use memory::*;
#[cfg(not(aioprocessing_loom))]
pub use pipe::*;
#[cfg(not(aioprocessing_loom))]
pub use pool::*;
#[cfg(not(aioprocessing_loom))]
pub use process::*;
#[cfg(not(aioprocessing_loom))]
pub use program::*;
#[cfg(not(aioprocessing_loom))]
pub use queue::*;
#[cfg(all(feature = "tokio", not(aioprocessing_loom)))]
pub use server::*;
#[cfg(not(aioprocessing_loom))]
pub use supervise::{Restart, Stopper, SuperviseError, Supervisor, supervise};
#[cfg(not(aioprocessing_loom))]
pub use sync::*;
#[cfg(all(feature = "tokio", not(aioprocessing_loom)))]
pub use wait::coro_wait_any;
#[cfg(not(aioprocessing_loom))]
pub use wait::{WaitAnyError, Waitable, wait_any};
#[cfg(all(feature = "bincode", not(aioprocessing_loom)))]
pub use wire::Bincode;
#[cfg(not(aioprocessing_loom))]
pub use wire::{Codec, DecodeError, EncodeError, Postcard};

/// The README's code compiles and runs.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;
