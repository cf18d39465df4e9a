//! An item in a borrower's hands.

use std::fmt;
use std::ops::Deref;

use crate::raw::queue::{Lent, Queue};

/// An item that is lent. Dropped without [`ack`](Self::ack), it is delivered again.
#[must_use = "a lease that is dropped gives its item back"]
pub struct Lease<T> {
    pub(super) item: T,
    pub(super) loan: Loan,
}

/// Gives the item back unless it is done with.
pub(super) struct Loan {
    pub(super) queue: Queue,
    pub(super) lent: Option<Lent>,
    pub(super) attempts: u16,
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(lent) = &self.lent
            && self.queue.region().is_ours()
        {
            self.queue.return_lent(lent);
        }
    }
}

impl<T> Lease<T> {
    /// Done with it: it will not be delivered again. Never blocks. False if it was given to another meanwhile, which
    /// happens only to a process that was taken for dead.
    pub fn ack(mut self) -> bool {
        let Some(lent) = self.loan.lent.take() else { return false };
        self.loan.queue.region().is_ours() && self.loan.queue.finish_lent(&lent)
    }

    /// [`ack`](Self::ack), and the item.
    pub fn into_inner(self) -> T {
        let Self { item, mut loan } = self;
        if let Some(lent) = loan.lent.take()
            && loan.queue.region().is_ours()
        {
            loan.queue.finish_lent(&lent);
        }
        item
    }

    /// Gives it back, for others or for this process again. The same as dropping it.
    pub fn give_back(self) {
        drop(self);
    }

    /// How often it was delivered: 1 the first time. May be one too many after a process died while it got it.
    pub fn attempts(&self) -> u16 {
        self.loan.attempts
    }
}

impl<T> Deref for Lease<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.item
    }
}

impl<T: fmt::Debug> fmt::Debug for Lease<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("item", &self.item).field("attempts", &self.attempts()).finish()
    }
}
