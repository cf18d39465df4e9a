//! Pipes: two ends, messages between them, end of file when one is gone.

mod builder;
mod connection;
mod end;
mod error;
pub(crate) mod frames;
#[cfg(test)]
mod fuzz;
mod link;
mod packet;
mod packets;
mod passed;
mod peer;
mod receiving;
mod sending;

pub(crate) use builder::MAX_LENGTH;
pub use builder::{AioPipe, PipeBuilder};
pub(crate) use connection::Letter;
pub use connection::{AioConnection, AioReceiver, AioSender};
pub use error::{
    PipeError, PollError, RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError,
    TrySendError,
};
pub use passed::{Passable, Passed};
pub use peer::PeerCredentials;
