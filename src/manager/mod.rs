//! Managers: a server process that keeps things by name, for programs that share nothing but an address and a key.

mod builder;
mod error;
mod handle;
mod kept;
mod kind;
mod link;
mod message;
mod owner;
mod server;

pub use builder::ManagerBuilder;
pub use error::{
    GetHandleError, GetHandleTimeoutError, ManagerError, ManagerTimeoutError, RegisterError,
    RegisterTimeoutError, StartError,
};
pub use handle::AioManager;
