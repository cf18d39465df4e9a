//! The one thing in which the faces differ: how a caller lets time pass.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::listing::Reach;
use super::{Spot, leave};
use crate::shm::atomic::spin_loop;
use crate::sys::Source;

/// Which way a descriptor must be ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    Read,
    /// As [`Read`](Self::Read), by a caller who knows of no reason to look at once: what is there is reported still.
    ReadLater,
    Write,
    Either,
}

/// Why a wait on a word came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The word has changed.
    Turned,
    /// It has not, but the bounded sleep is over or somebody died: look at everything again.
    InDoubt,
}

/// A way to wait: in the kernel until woken, until a deadline, or as a suspended task.
pub(crate) trait Waiter: Send {
    /// [`std::convert::Infallible`], or [`TimedOut`].
    type GaveUp: Send;

    /// Whether an attempt may itself block the thread, for as long as it takes.
    const ATTEMPT_MAY_BLOCK: bool = false;

    /// How many looks to spend before the caller is listed and sleeps.
    fn spins(&self, spot: Spot<'_>) -> Spins;

    /// Between two of those looks; false if there is better use for the time.
    fn pause(&mut self, spins: Spins, turn: u32) -> impl Future<Output = bool> + Send {
        std::future::ready(if spins.gives_way {
            leave::leave_cpu()
        } else {
            back_off(turn);
            true
        })
    }

    /// Leaves the CPU to others once: whoever is awaited may be one of them. False: not now, it would cost too much.
    fn give_way(&mut self) -> impl Future<Output = bool> + Send {
        std::future::ready(leave::is_worth_it() && leave::leave_cpu())
    }

    /// How a notifier reaches this waiter.
    fn reach(&self) -> Reach;

    /// Whether its futures are done at their first poll.
    fn is_done_at_first_poll(&self) -> bool {
        matches!(self.reach(), Reach::Sleeper)
    }

    /// Waits until `spot`'s turn is no longer `seen`, or for a bounded time.
    fn on_word(
        &mut self,
        spot: Spot<'_>,
        seen: u32,
    ) -> impl Future<Output = Result<Woken, Self::GaveUp>> + Send;

    /// Makes `attempt` each time that `source` becomes ready, until it gives something.
    fn on_fd<T: Send>(
        &mut self,
        source: &Source,
        ready: Ready,
        attempt: impl FnMut() -> Option<T> + Send,
    ) -> impl Future<Output = Result<T, Self::GaveUp>> + Send;
}

/// How often the CPU is left to others before a sleep: whoever is awaited runs at the first of these, if it can run at all.
#[cfg(not(aioprocessing_loom))]
pub(crate) const TIMES_TO_GIVE_WAY: u32 = 2;

/// What a wait does before its first sleep: so many looks, and what comes between two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spins {
    pub(crate) looks: u32,
    /// The CPU is left to others in between: whoever is awaited may be one of them.
    pub(crate) gives_way: bool,
}

impl Spins {
    pub(crate) const NONE: Self = Self { looks: 0, gives_way: false };
    /// About one wake-up's worth of looks, or half of one where the first are left out: past that, whoever is awaited is asleep itself.
    #[cfg(not(aioprocessing_loom))]
    pub(super) const ELSEWHERE: Self = Self { looks: 90, gives_way: false };
    #[cfg(not(aioprocessing_loom))]
    pub(super) const HERE: Self = Self { looks: TIMES_TO_GIVE_WAY, gives_way: true };

    /// The first of these looks, where as many pauses are to come before it and one more.
    pub(super) fn first_turn(self, pauses: u32) -> u32 {
        if self.gives_way { 0 } else { pauses.min(LAST_LONGER_TURN) }
    }
}

/// Up to this one there is a pause more before each look than before the last one.
pub(crate) const LAST_LONGER_TURN: u32 = 63;

/// Up to 64 pauses between two looks: a contended line is the faster the less it is looked at.
pub(super) fn back_off(turn: u32) {
    (0..=turn.min(LAST_LONGER_TURN)).for_each(|_| spin_loop());
}

/// The deadline came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimedOut;

/// Drives a future whose waiter blocks the thread: it is done at its first poll.
pub(crate) fn blocking<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(out) => out,
        Poll::Pending => {
            panic!("a blocking wait was given a waiter that suspends: this is a bug in aioprocessing")
        }
    }
}

/// Takes the value out of a result that can't be an error.
pub(crate) fn never<T>(result: Result<T, std::convert::Infallible>) -> T {
    let Ok(out) = result;
    out
}

#[cfg(all(test, not(aioprocessing_loom)))]
mod tests {
    use super::{LAST_LONGER_TURN, Spins};

    #[test]
    fn whatever_a_peer_asks_for_there_are_looks_left() {
        for pauses in [0, 7, LAST_LONGER_TURN, LAST_LONGER_TURN + 1, u32::MAX] {
            let first = Spins::ELSEWHERE.first_turn(pauses);
            assert_eq!(first, pauses.min(LAST_LONGER_TURN));
            assert!(first < Spins::ELSEWHERE.looks);
            assert_eq!(Spins::HERE.first_turn(pauses), 0, "who leaves its CPU makes no pauses");
        }
    }
}
