//! The kernel: one small file per facility, each call with its C name.

pub(crate) mod clock;
pub(crate) mod cpu;
pub(crate) mod epoll;
pub(crate) mod eventfd;
pub(crate) mod forked;
pub(crate) mod futex;
pub(crate) mod inotify;
pub(crate) mod identity;
pub(crate) mod map;
pub(crate) mod memfd;
pub(crate) mod ofd;
mod source;

#[cfg(feature = "tokio")]
pub(crate) use source::Registration;
pub(crate) use source::Source;
