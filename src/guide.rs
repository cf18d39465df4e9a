//! Guides, as they stand in the folder `docs` of the repository, and how the crate is built.
// A picture's first definition counts: here the one that holds it, in the repository the one that names its file.

#[doc = include_str!("../docs/from-python.md")]
pub mod from_python {}

// Some of the code of this one, of `patterns` and of `cancel_safety` is async.
#[cfg(any(not(doctest), feature = "tokio"))]
#[doc = include_str!("../docs/pictures/spawn.link")]
#[doc = include_str!("../docs/spawning.md")]
pub mod spawning {}

#[doc = include_str!("../docs/choosing.md")]
pub mod choosing {}

#[cfg(any(not(doctest), feature = "tokio"))]
#[doc = include_str!("../docs/patterns.md")]
pub mod patterns {}

#[cfg(any(not(doctest), feature = "tokio"))]
#[doc = include_str!("../docs/cancel-safety.md")]
pub mod cancel_safety {}

#[doc = include_str!("../docs/pictures/ring.link")]
#[doc = include_str!("../docs/crash-model.md")]
pub mod crash_model {}

// Its code is about feature `fixture`.
#[cfg(any(not(doctest), feature = "fixture"))]
#[doc = include_str!("../docs/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/pictures/scaling-queue.link")]
#[doc = include_str!("../docs/pictures/scaling-lock.link")]
#[doc = include_str!("../docs/pictures/scaling-children.link")]
#[doc = include_str!("../docs/pictures/scaling-objects.link")]
#[doc = include_str!("../docs/pictures/scaling-event.link")]
#[doc = include_str!("../docs/performance.md")]
pub mod performance {}

#[doc = include_str!("../docs/security.md")]
pub mod security {}

#[doc = include_str!("../docs/pictures/layers.link")]
#[doc = include_str!("../ARCHITECTURE.md")]
pub mod architecture {}
