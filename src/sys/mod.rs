//! The kernel: one small file per facility, each call with its C name.

pub(crate) mod clock;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod cpu;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod credentials;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod entry;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod epoll;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod eventfd;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod forked;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod futex;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod identity;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod image;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod inherit;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod inotify;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod map;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod memfd;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod ofd;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod pidfd;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod signal;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod socket;
mod source;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod spawn;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod spill;

#[cfg(feature = "tokio")]
pub(crate) use source::Registration;
pub(crate) use source::Source;
