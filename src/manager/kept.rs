//! A value that is kept for others, unopened: its bytes, and the descriptors that they name.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};

use crate::planted::planted;
use crate::wire::{Codec, DecodeError, EncodeError, Packed, Parting, claim, handle, pack, stow, unpack};

/// Whoever keeps it knows nothing of its type, maps no memory and holds no slot in it.
#[derive(Debug)]
pub(super) struct Kept {
    bytes: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

impl Kept {
    /// What is to be done once it was sent comes with it.
    pub(super) fn pack<C: Codec, T: Serialize>(value: &T) -> Result<(Self, Parting), EncodeError> {
        let Packed { bytes, descriptors, parting } = pack::<C, T>(value)?;
        Ok((Self { bytes, descriptors }, parting))
    }

    pub(super) fn unpack<C: Codec, T: DeserializeOwned>(self) -> Result<T, DecodeError> {
        unpack::<C, T>(&self.bytes, self.descriptors)
    }

    pub(super) fn has_descriptors(&self) -> bool {
        !self.descriptors.is_empty()
    }

    /// Another one, for another receiver: each attaches by a description of its own.
    pub(super) fn again(&self) -> io::Result<Self> {
        let copy =
            |fd: &OwnedFd| planted!("one-description-for-all", handle::send_on(fd.as_fd()), fd.try_clone());
        let descriptors = self.descriptors.iter().map(copy).collect::<io::Result<_>>()?;
        Ok(Self { bytes: self.bytes.clone(), descriptors })
    }
}

/// `(bytes, luggage)`.
impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stowed = |fd: &OwnedFd| stow(fd.try_clone().map_err(S::Error::custom)?).map_err(S::Error::custom);
        let luggage = self.descriptors.iter().map(stowed).collect::<Result<Vec<u32>, _>>()?;
        (Bytes(&self.bytes), luggage).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (OwnedBytes(bytes), luggage) = <(OwnedBytes, Vec<u32>)>::deserialize(deserializer)?;
        let claimed = luggage.into_iter().map(|name| claim(name).map_err(D::Error::custom));
        Ok(Self { bytes, descriptors: claimed.collect::<Result<_, _>>()? })
    }
}

/// Bytes that are copied, and not encoded one by one.
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

struct OwnedBytes(Vec<u8>);

impl<'de> Deserialize<'de> for OwnedBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Copied;

        impl Visitor<'_> for Copied {
            type Value = OwnedBytes;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<OwnedBytes, E> {
                Ok(OwnedBytes(bytes.to_vec()))
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<OwnedBytes, E> {
                Ok(OwnedBytes(bytes))
            }
        }

        deserializer.deserialize_byte_buf(Copied)
    }
}
