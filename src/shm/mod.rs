//! Shared memory: regions, who holds them, what may stand in them.

#[cfg(not(aioprocessing_loom))]
mod area;
pub(crate) mod atomic;
#[cfg(not(aioprocessing_loom))]
mod bytes;
#[cfg(not(aioprocessing_loom))]
mod luggage;
#[cfg(aioprocessing_loom)]
pub(crate) mod mortal;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod notice;
mod owner;
#[cfg(not(aioprocessing_loom))]
mod plain;
#[cfg(not(aioprocessing_loom))]
mod plain_type;
#[cfg(not(aioprocessing_loom))]
mod plan;
#[cfg(not(aioprocessing_loom))]
mod reference;
#[cfg(not(aioprocessing_loom))]
mod region;
#[cfg(not(aioprocessing_loom))]
mod row;
#[cfg(not(aioprocessing_loom))]
mod same;
#[cfg(not(aioprocessing_loom))]
mod shape;
mod shared;
#[cfg(not(aioprocessing_loom))]
mod slot;
#[cfg(not(aioprocessing_loom))]
mod stretch;
#[cfg(not(aioprocessing_loom))]
mod told;

#[cfg(not(aioprocessing_loom))]
pub(crate) use area::Area;
#[cfg(not(aioprocessing_loom))]
pub(crate) use bytes::Bytes;
#[cfg(not(aioprocessing_loom))]
pub(crate) use luggage::{Peeked, Sent};
pub(crate) use owner::{Alive, Owner, SLOTS};
#[cfg(not(aioprocessing_loom))]
pub use plain::Plain;
#[cfg(not(aioprocessing_loom))]
pub use plain_type::PlainType;
#[cfg(not(aioprocessing_loom))]
pub(crate) use plain_type::Plainly;
#[cfg(not(aioprocessing_loom))]
pub(crate) use plan::Plan;
#[cfg(not(aioprocessing_loom))]
pub(crate) use reference::Ref;
#[cfg(not(aioprocessing_loom))]
pub(crate) use region::{AttachError, Region};
#[cfg(not(aioprocessing_loom))]
pub(crate) use row::Row;
#[cfg(not(aioprocessing_loom))]
pub(crate) use same::{as_same, exactly, into_same, is};
#[cfg(not(aioprocessing_loom))]
pub use shape::shape_of_fields;
pub(crate) use shared::{Object, Shared, shared};
#[cfg(not(aioprocessing_loom))]
pub(crate) use stretch::{Bits, InPlace, Locked, Words};

/// What this process is called in the slots that it takes from now on.
#[cfg(not(aioprocessing_loom))]
static PROCESS_NAME: parking_lot::RwLock<Option<String>> = parking_lot::RwLock::new(None);

#[cfg(not(aioprocessing_loom))]
pub(crate) fn set_process_name(name: &str) {
    *PROCESS_NAME.write() = Some(name.to_owned());
}

#[cfg(not(aioprocessing_loom))]
fn process_name() -> String {
    PROCESS_NAME.read().clone().unwrap_or_else(|| "MainProcess".to_owned())
}
