//! Waiting: one attempt, one loop, four waiters.
//!
//! * [`until`] is the loop: try, enlist, try again, wait.
//! * [`Waiter`] is how time passes meanwhile: [`Park`] blocks the thread, [`ParkUntil`] does until a deadline,
//!   `Suspend` and `SuspendUntil` suspend the task. [`blocking`] and `suspended` turn a future of theirs into a face.
//! * [`wait_any`] is several waits at once.
//! * [`WaitWords`] stand in shared memory, [`Spot`] joins them to a [`Bell`]. The proof that no wake-up is lost stands
//!   in `listing.rs`.

#[cfg(not(aioprocessing_loom))]
mod any;
#[cfg(not(aioprocessing_loom))]
mod bell;
mod deadline;
#[cfg(any(feature = "tokio", aioprocessing_loom))]
mod edge;
#[cfg(not(aioprocessing_loom))]
mod gathering;
mod leave;
mod listing;
#[cfg(aioprocessing_loom)]
pub(crate) mod model;
mod nap;
#[cfg(not(aioprocessing_loom))]
mod park;
mod queue;
#[cfg(all(feature = "tokio", not(aioprocessing_loom)))]
mod room;
#[cfg(all(feature = "tokio", not(aioprocessing_loom)))]
mod suspend;
#[cfg(all(feature = "tokio", not(aioprocessing_loom)))]
mod suspend_until;
mod waiter;

#[cfg(all(feature = "tokio", not(aioprocessing_loom)))]
pub use any::coro_wait_any;
#[cfg(not(aioprocessing_loom))]
pub use any::{WaitAnyError, Waitable, wait_any};
// Public, because the sealed trait `Waitable` names them, and not to be reached from outside.
#[cfg(not(aioprocessing_loom))]
#[allow(unreachable_pub)]
pub use any::{AnyWaiter, Readiness};
#[cfg(not(aioprocessing_loom))]
pub(crate) use bell::Bell;
pub(crate) use deadline::Deadline;
pub(crate) use listing::WaitWords;
#[cfg(aioprocessing_loom)]
pub(crate) use model::Bell;
#[cfg(not(aioprocessing_loom))]
pub(crate) use park::{Park, ParkUntil};
pub(crate) use queue::{Look, Spot, Step, until};
#[cfg(all(feature = "tokio", not(aioprocessing_loom)))]
pub(crate) use suspend::{Cost, Suspend, at_once, at_once_or, suspended};
#[cfg(all(feature = "tokio", not(aioprocessing_loom)))]
pub(crate) use suspend_until::SuspendUntil;
#[cfg(not(aioprocessing_loom))]
pub(crate) use waiter::TIMES_TO_GIVE_WAY;
pub(crate) use waiter::{LAST_LONGER_TURN, Ready, TimedOut, Waiter, blocking, never};
