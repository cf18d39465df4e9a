//! Named shared memory, between strangers and with Python.

mod access;
mod draft;
mod error;
mod handle;
mod item;
mod layout;
mod ledger;
mod list;
mod list_error;
mod manager;
mod name;
mod places;
#[cfg(feature = "shared_memory")]
mod shmem;
mod tracker;
mod travel;

pub use error::{CreateMemoryError, OpenMemoryError, OutOfBoundsError, UnlinkError};
pub use handle::SharedMemory;
pub use item::ShareableItem;
pub use list::{ListItems, ShareableList};
pub use list_error::{CreateListError, GetItemError, OpenListError, SetItemError};
pub use manager::SharedMemoryManager;
pub use name::MemoryNameError;
#[cfg(feature = "shared_memory")]
pub use shmem::ShmemError;
#[cfg(feature = "fixture")]
pub(crate) use tracker::rest;
