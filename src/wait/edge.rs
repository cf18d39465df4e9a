//! The one delicate step of a suspended wait.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::planted::planted;

/// Why a suspended wait goes on.
pub(super) enum Edge<T> {
    /// The bell was rung, for whomever.
    Came(T),
    /// The word has changed.
    Turned,
}

/// Polls for an edge of the bell, and says so too if the word has changed.
///
/// Being polled lists the task with its runtime, and only then is the word read: another task of this process may have
/// taken the edge that was meant for both. Reading it before would leave this one asleep for ever.
pub(super) fn poll_edge<F: Future>(
    rung: Pin<&mut F>,
    turned: impl Fn() -> bool,
    cx: &mut Context<'_>,
) -> Poll<Edge<F::Output>> {
    match rung.poll(cx) {
        Poll::Ready(edge) => Poll::Ready(Edge::Came(edge)),
        Poll::Pending if planted!("no-look-after-listing-with-the-runtime", turned(), false) => {
            Poll::Ready(Edge::Turned)
        }
        Poll::Pending => Poll::Pending,
    }
}
