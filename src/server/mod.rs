//! Servers of several processes.
//!
//! A master holds the listeners and starts the workers. A worker accepts by itself, or is handed each connection by the master. The
//! listeners stay open while workers come and go: what connects meanwhile waits in them.

mod address;
mod builder;
mod control;
mod error;
mod hand;
mod handler;
mod listen;
mod master;
mod message;
mod prefork;
mod worker;

pub use address::BindAddress;
pub use builder::PreforkBuilder;
pub use control::{PreforkControl, WorkerInfo, WorkerState};
pub use error::{PreforkBindError, ServeError};
pub use handler::ServerStream;
pub use prefork::Prefork;
