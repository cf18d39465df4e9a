//! Values with handles in them to bytes with descriptors, and back.

mod codec;
pub(crate) mod frame;
mod guard;
pub(crate) mod handle;
mod luggage;
mod pack;
#[cfg(test)]
mod tests;

pub use codec::{Codec, DecodeError, EncodeError, Postcard};
#[allow(unused_imports, reason = "handles of shared objects come with `sync` and `queue`")]
pub(crate) use luggage::{LuggageError, claim, claim_shared, stow, stow_shared};
#[allow(unused_imports, reason = "queues and pipes pack messages")]
pub(crate) use pack::pack;
pub(crate) use pack::{Packed, pack_within, unpack};
