//! How a handle to an object in a region travels: the region as luggage, the object as its offset.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use serde::de::{Deserializer, Error as _};
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};

use super::luggage::{claim_shared, refuse_to_unpack, stow_shared};
use crate::shm::{Object, Ref, Region};

/// `(luggage, offset)`; for `#[serde(with)]` and for hand-written impls alike.
pub(crate) fn serialize<T: Object, S: Serializer>(object: &Ref<T>, serializer: S) -> Result<S::Ok, S::Error> {
    let region = object.region();
    let luggage = stow_shared(region.id(), || region.descriptors()).map_err(S::Error::custom)?;
    (luggage, object.offset()).serialize(serializer)
}

/// A copy of a descriptor of luggage that nobody has claimed, for a message to somebody else.
pub(crate) fn send_on(descriptor: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    Region::send_on(descriptor)
}

pub(crate) fn deserialize<'de, T: Object, D: Deserializer<'de>>(deserializer: D) -> Result<Ref<T>, D::Error> {
    let (luggage, offset) = <(u32, u64)>::deserialize(deserializer)?;
    let region = claim_shared(luggage, Region::attach).map_err(D::Error::custom)?;
    region.object(offset).map_err(refuse_to_unpack).map_err(D::Error::custom)
}
