//! Values with handles in them to bytes with descriptors, and back.

mod bare;
#[cfg(feature = "bincode")]
mod bincode;
mod bounds;
mod codec;
#[cfg(test)]
pub(crate) mod dice;
pub(crate) mod forms;
pub(crate) mod frame;
#[cfg(test)]
mod fuzz;
pub(crate) mod handle;
mod lone;
mod luggage;
mod pack;
mod probe;
mod strict;
#[cfg(test)]
mod tests;

pub(crate) use bare::{Bare, Form, bytes_as_they_are, is_bytes, is_moved, of_another_type};
#[cfg(feature = "bincode")]
pub use bincode::Bincode;
pub use codec::{Codec, DecodeError, EncodeError, Postcard};
pub(crate) use lone::{lone, put_lone};
pub(crate) use luggage::{
    LuggageError, Parting, claim, claim_shared, is_given, refuse_to_pack, refuse_to_unpack, stow,
    stow_and_part, stow_shared,
};
pub(crate) use pack::{Packed, pack, pack_away, pack_into, pack_onto, unpack, unpack_each};
pub(crate) use probe::needs_description;
