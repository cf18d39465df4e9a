//! Pipes: two ends, messages between them, end of file when one is gone.

mod builder;
mod connection;
mod end;
mod error;
#[cfg(test)]
mod fuzz;
mod packet;
mod passed;
mod receiving;
mod sending;

pub use builder::{AioPipe, PipeBuilder};
pub use connection::{AioConnection, AioReceiver, AioSender};
pub use error::{
    PipeError, PollError, RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError,
    TrySendError,
};
pub use passed::{Passable, Passed};
