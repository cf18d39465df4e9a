//! Waiting: one attempt, one loop, three waiters.
//!
//! * [`until`] is the loop: try, enlist, try again, wait.
//! * [`Waiter`] is how time passes meanwhile: [`Park`] blocks the thread, [`ParkUntil`] does until a deadline,
//!   `Suspend` suspends the task. [`blocking`] and `suspended` turn a future of theirs into a face.
//! * [`WaitWords`] stand in shared memory, [`Spot`] joins them to a [`Bell`]. The proof that no wake-up is lost stands
//!   in `listing.rs`.

mod bell;
mod deadline;
mod listing;
mod nap;
mod park;
mod queue;
#[cfg(feature = "tokio")]
mod suspend;
mod waiter;

pub(crate) use bell::Bell;
pub(crate) use deadline::Deadline;
pub(crate) use listing::WaitWords;
pub(crate) use park::{Park, ParkUntil};
pub(crate) use queue::{Look, Spot, Step, until};
#[cfg(feature = "tokio")]
pub(crate) use suspend::{Suspend, suspended};
pub(crate) use waiter::{Ready, TimedOut, Waiter, blocking, never};
