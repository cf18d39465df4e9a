//! The lock: its handle, its guard, who holds it, and what can go wrong. The other locks here are made of it.

mod core;
mod error;
mod guard;
mod handle;
mod spare;

pub(super) use self::core::Core;
pub use self::core::Holder;
pub use error::{AcquireError, AcquireTimeoutError, ReleaseError, TryAcquireError};
pub(super) use error::{FORKED, held, owner_died};
pub use guard::AioLockGuard;
pub(super) use guard::Guard;
pub use handle::AioLock;
