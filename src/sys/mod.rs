//! The kernel: one small file per facility, each call with its C name.

pub(crate) mod clock;
pub(crate) mod cpu;
pub(crate) mod credentials;
pub(crate) mod descend;
pub(crate) mod entry;
pub(crate) mod epoll;
pub(crate) mod eventfd;
pub(crate) mod forked;
pub(crate) mod futex;
pub(crate) mod gather;
pub(crate) mod identity;
pub(crate) mod image;
pub(crate) mod inherit;
pub(crate) mod inotify;
pub(crate) mod map;
pub(crate) mod memfd;
pub(crate) mod named;
pub(crate) mod ofd;
pub(crate) mod oom;
pub(crate) mod peer;
pub(crate) mod pidfd;
pub(crate) mod place;
pub(crate) mod signal;
#[cfg(feature = "tokio")]
pub(crate) mod signals;
pub(crate) mod socket;
pub(crate) mod socket_file;
mod source;
pub(crate) mod spawn;
pub(crate) mod spill;
pub(crate) mod stream;
pub(crate) mod timer;
pub(crate) mod unread;

pub(crate) use source::Source;
#[cfg(feature = "tokio")]
pub(crate) use source::{Registration, Watched, Way};
