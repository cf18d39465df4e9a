//! Connections between strangers: programs that know an address and a key, and not each other.
//!
//! A listener and its clients greet each other over a byte stream (a local socket or TCP). Once both have proved that they
//! hold the key, a local connection goes on over a pipe whose other end the listener sends along with its last word, so it
//! has all that pipes have; TCP, and what is to be spoken with Python, goes on over the stream itself.

mod address;
mod builder;
mod client;
mod dial;
mod error;
mod exchange;
#[cfg(test)]
mod fuzz;
mod key;
mod listener;
mod local;
mod ours;
mod pending;
mod python;

pub use address::{Address, AddressError, IntoAddress};
pub use builder::{ClientBuilder, ListenerBuilder};
pub use client::AioClient;
pub use error::{
    AcceptError, AcceptTimeoutError, BindError, ConnectError, ConnectTimeoutError, HandshakeError, Refusal,
    TryAcceptError, TryConnectError,
};
pub use key::AuthKey;
pub use listener::AioListener;
