//! Waiting: one attempt, one loop, three waiters.

mod deadline;
mod waiter;

pub(crate) use deadline::Deadline;
pub(crate) use waiter::{Ready, TimedOut, Waiter, Woken, blocking, never};

/// Where a waiter is listed (placeholder until the wait queue stands).
#[derive(Clone, Copy)]
pub(crate) struct Spot<'a>(std::marker::PhantomData<&'a ()>);
