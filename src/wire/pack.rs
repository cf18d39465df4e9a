//! A value with everything that travels with it.

use std::os::fd::OwnedFd;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::{Codec, DecodeError, EncodeError};
use super::luggage::{self, Parting};
use super::strict::strictly;
use crate::sys::socket::MOST_DESCRIPTORS;

/// A message: bytes, and the descriptors that they name.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) descriptors: Vec<OwnedFd>,
    /// To be completed by who sends a value that its owner keeps; a value that is dropped closes what it holds itself.
    pub(crate) parting: Parting,
}

/// Encodes a value with `C`, for one message.
pub(crate) fn pack<C: Codec, T: Serialize + ?Sized>(value: &T) -> Result<Packed, EncodeError> {
    pack_whole::<C, T>(value, Vec::new(), MOST_DESCRIPTORS)
}

/// The same into a vector that is empty and may have served before.
pub(crate) fn pack_into<C: Codec, T: Serialize + ?Sized>(
    value: &T,
    bytes: Vec<u8>,
) -> Result<Packed, EncodeError> {
    pack_whole::<C, T>(value, bytes, MOST_DESCRIPTORS)
}

/// Appends a value to `bytes`, and gives the descriptors that belong to it. Refused, it has appended nothing.
pub(crate) fn pack_onto<C: Codec, T: Serialize + ?Sized>(
    value: &T,
    bytes: &mut Vec<u8>,
) -> Result<Vec<OwnedFd>, EncodeError> {
    let start = bytes.len();
    let packed = pack_limited::<C, T>(value, bytes, MOST_DESCRIPTORS);
    packed.map(|(descriptors, _)| descriptors).inspect_err(|_| bytes.truncate(start))
}

/// Encodes a value that goes away with this, with at most `limit` descriptors.
pub(crate) fn pack_away<C: Codec, T: Serialize + ?Sized>(
    value: &T,
    limit: usize,
) -> Result<Packed, EncodeError> {
    luggage::giving(|| pack_whole::<C, T>(value, Vec::new(), limit))
}

fn pack_whole<C: Codec, T: Serialize + ?Sized>(
    value: &T,
    mut bytes: Vec<u8>,
    limit: usize,
) -> Result<Packed, EncodeError> {
    let (descriptors, parting) = pack_limited::<C, T>(value, &mut bytes, limit)?;
    Ok(Packed { bytes, descriptors, parting })
}

fn pack_limited<C: Codec, T: Serialize + ?Sized>(
    value: &T,
    bytes: &mut Vec<u8>,
    limit: usize,
) -> Result<(Vec<OwnedFd>, Parting), EncodeError> {
    let packing = luggage::packing(|| {
        if C::IS_STRICT {
            C::encode(value, bytes)
        } else {
            strictly(value, C::SELF_DESCRIBING, |value| C::encode(value, bytes))
        }
    });
    // What a handle said comes first: the codec only repeats that something did.
    packing.result.map_err(|error| match packing.refusal {
        Some(refusal) => EncodeError::Handle { message: refusal.to_string() },
        None => error,
    })?;
    let descriptors = packing.descriptors;
    if descriptors.len() > limit {
        return Err(EncodeError::TooManyDescriptors { count: descriptors.len(), limit });
    }
    Ok((descriptors, packing.parting))
}

/// Decodes several values that came without descriptors, one after the other, by what it is given. An error is a reason to ask
/// [`unpack`], which knows what a handle said.
pub(crate) fn unpack_each<R>(decode: impl FnOnce() -> R) -> R {
    luggage::unpacking(Vec::new(), decode).result
}

/// Decodes a value with `C`. Descriptors that nobody claims are closed.
pub(crate) fn unpack<C: Codec, T: DeserializeOwned>(
    bytes: &[u8],
    descriptors: Vec<OwnedFd>,
) -> Result<T, DecodeError> {
    let unpacking = luggage::unpacking(descriptors, || C::decode(bytes));
    unpacking.result.map_err(|error| match unpacking.refusal {
        Some(refusal) => DecodeError::Handle { message: refusal.to_string() },
        None => error,
    })
}
