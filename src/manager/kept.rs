//! A value that is kept for others, unopened: its bytes, and what they name.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};

use super::context;
use crate::planted::planted;
use crate::wire::{
    Codec, DecodeError, EncodeError, Packed, Parting, Postcard, claim, handle, pack, stow, unpack,
};

/// Whoever keeps it knows nothing of its type, maps no memory and holds no slot in it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    bytes: Bytes,
    descriptors: Vec<TravellingFd>,
    /// The objects of the manager that it names.
    pub(super) references: Vec<Reference>,
}

/// An object that a value names.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Reference {
    pub(super) object: u64,
    /// What keeps the object; nothing where descriptors can't travel.
    pub(super) token: Option<TravellingFd>,
}

impl Kept {
    /// What is to be done once it was sent comes with it. Proxies of this manager in it become references.
    pub(super) fn pack<C: Codec, T: Serialize + ?Sized>(
        value: &T,
        manager: u128,
    ) -> Result<(Self, Parting), EncodeError> {
        let (packed, references) = context::packing(manager, || pack::<C, T>(value));
        let Packed { bytes, descriptors, parting } = packed?;
        let descriptors = descriptors.into_iter().map(TravellingFd).collect();
        Ok((Self { bytes: Bytes(bytes), descriptors, references }, parting))
    }

    pub(super) fn unpack<C: Codec, T: DeserializeOwned>(
        self,
        session: &std::sync::Arc<super::session::Session>,
    ) -> Result<T, DecodeError> {
        let descriptors = self.descriptors.into_iter().map(|fd| fd.0).collect();
        context::unpacking(session, self.references, || unpack::<C, T>(&self.bytes.0, descriptors))
    }

    /// Runs `open` with its bytes and descriptors.
    pub(super) fn open<T>(
        self,
        session: &std::sync::Arc<super::session::Session>,
        open: impl FnOnce(&[u8], Vec<OwnedFd>) -> T,
    ) -> T {
        let descriptors = self.descriptors.into_iter().map(|fd| fd.0).collect();
        context::unpacking(session, self.references, || open(&self.bytes.0, descriptors))
    }

    pub(super) fn has_descriptors(&self) -> bool {
        !self.descriptors.is_empty()
    }

    /// Whether the two are the same value.
    pub(super) fn is(&self, bytes: &Bytes) -> bool {
        self.bytes == *bytes
    }

    /// What it is compared by.
    pub(super) fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its bytes, if they are all of it.
    pub(super) fn into_key(self) -> Result<Bytes, EncodeError> {
        if self.has_descriptors() || !self.references.is_empty() {
            let message = "a key can't hold handles or proxies: they are no values".to_owned();
            return Err(EncodeError::Handle { message });
        }
        Ok(self.bytes)
    }

    /// A key as a value, to be read back.
    pub(super) fn of_key(bytes: Bytes) -> Self {
        Self { bytes, descriptors: Vec::new(), references: Vec::new() }
    }

    /// Another one, for another receiver: each attaches by a description of its own.
    pub(super) fn again(&self) -> io::Result<Self> {
        let copy = |TravellingFd(fd): &TravellingFd| {
            planted!("one-description-for-all", handle::send_on(fd.as_fd()), fd.try_clone()).map(TravellingFd)
        };
        let descriptors = self.descriptors.iter().map(copy).collect::<io::Result<_>>()?;
        let references = self.references.iter().map(Reference::again).collect::<io::Result<_>>()?;
        Ok(Self { bytes: self.bytes.clone(), descriptors, references })
    }
}

impl Reference {
    fn again(&self) -> io::Result<Self> {
        let token = self.token.as_ref().map(|token| token.0.try_clone().map(TravellingFd)).transpose()?;
        Ok(Self { object: self.object, token })
    }
}

/// A descriptor that travels.
#[derive(Debug)]
pub(super) struct TravellingFd(pub(super) OwnedFd);

impl Serialize for TravellingFd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let copy = self.0.try_clone().map_err(S::Error::custom)?;
        stow(copy).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TravellingFd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        claim(u32::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
    }
}

/// Bytes that are copied, and not encoded one by one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Bytes {
    /// A message without descriptors.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        unpack::<Postcard, T>(&self.0, Vec::new())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Copied;

        impl Visitor<'_> for Copied {
            type Value = Bytes;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }
        }

        deserializer.deserialize_byte_buf(Copied)
    }
}
