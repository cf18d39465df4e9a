//! The kernel: one small file per facility, each call with its C name.

pub(crate) mod clock;
mod source;

#[cfg(feature = "tokio")]
pub(crate) use source::Registration;
pub(crate) use source::Source;
