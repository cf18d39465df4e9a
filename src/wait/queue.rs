//! A wait queue in use: listing, leaving, waking, and the one loop.

use super::Bell;
use super::listing::{Reach, WaitWords};
use super::waiter::{Waiter, Woken};
use crate::planted::planted;

/// A wait queue together with the bell by which its listeners are reached.
#[derive(Clone, Copy)]
pub(crate) struct Spot<'a> {
    words: &'a WaitWords,
    bell: Bell<'a>,
    longest: u64,
    is_held: bool,
    pauses: u32,
}

impl<'a> Spot<'a> {
    #[inline]
    pub(crate) fn new(words: &'a WaitWords, bell: Bell<'a>) -> Self {
        Self { words, bell, longest: u64::MAX, is_held: false, pauses: 0 }
    }

    /// The same, of those who wait for something that others hold: the death of one of these is what they want to hear of soon.
    pub(crate) fn of_held(words: &'a WaitWords, bell: Bell<'a>) -> Self {
        Self { is_held: true, ..Self::new(words, bell) }
    }

    /// The same, where the next look is due after so many nanoseconds at the latest, though nobody notifies then.
    pub(crate) fn for_at_most(self, nanos: Option<u64>) -> Self {
        Self { longest: nanos.unwrap_or(u64::MAX), ..self }
    }

    /// The same, of those who leave the other side alone for so many pauses before they look again, if that is at work on another CPU.
    pub(crate) fn after(self, pauses: u32) -> Self {
        Self { pauses, ..self }
    }

    /// A bounded sleep of this length, here.
    pub(super) fn bound(self, nap: u64) -> u64 {
        nap.min(self.longest)
    }

    /// Whether it is of something that others hold.
    pub(super) fn is_held(self) -> bool {
        self.is_held
    }

    pub(crate) fn words(self) -> &'a WaitWords {
        self.words
    }

    pub(super) fn bell(self) -> Bell<'a> {
        self.bell
    }

    /// Wakes one waiter, if there is one that nobody has woken yet. To be called after the state has changed.
    pub(crate) fn notify_one(self) {
        self.bell.deliver(self.words, self.words.wake_one());
    }

    /// Wakes one waiter, and leaves word where the caller runs. To be called after the state has changed and, behind that, some
    /// word was read and written in one step: the release of a lock, say. Whether anybody waits.
    #[inline]
    pub(crate) fn notify_one_behind_a_change(self) -> bool {
        let waits = self.words.is_anybody_to_wake();
        if waits {
            self.notify_who_waits();
        }
        waits
    }

    #[cold]
    fn notify_who_waits(self) {
        self.sign();
        self.bell.deliver(self.words, self.words.wake_one_behind_a_fence());
    }

    /// Wakes all waiters. To be called after the state has changed.
    pub(crate) fn notify_all(self) {
        self.bell.deliver(self.words, self.words.wake_all());
    }

    /// Leaves word where the caller runs, so that waiters know whether to spin for it.
    pub(crate) fn sign(self) {
        Bell::sign(self.words);
    }

    fn is(self, other: Spot<'_>) -> bool {
        std::ptr::eq(self.words, other.words)
    }
}

/// A place in the list. It is left when the ticket is dropped: by success, timeout, cancel and panic alike.
pub(super) struct Ticket<'a> {
    spot: Spot<'a>,
    reach: Reach,
    seen: u32,
    got: bool,
}

impl<'a> Ticket<'a> {
    pub(super) fn enlist(spot: Spot<'a>, reach: Reach) -> Self {
        let seen = spot.words.join(reach);
        Self { spot, reach, seen, got: false }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let had_token = planted!("a-dropped-wait-stays-listed", self.spot.words.leave(self.reach), false);
        if planted!("a-cancelled-wait-keeps-its-wake-up", had_token && !self.got, false) {
            self.spot.notify_one();
        }
    }
}

/// How an attempt may go about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nobody is listed: leave no trace.
    Glance,
    /// Listed for the first time, or in doubt: say that somebody waits, and ask whether those one waits for still live.
    Thorough,
    /// Listed and woken: say that somebody waits.
    Again,
}

impl Look {
    /// Whether to leave a mark that somebody waits.
    pub(crate) fn is_listed(self) -> bool {
        self != Self::Glance
    }

    /// Whether to ask after the lives of others, which costs system calls.
    pub(crate) fn is_thorough(self) -> bool {
        self == Self::Thorough
    }
}

/// What came of an attempt.
pub(crate) enum Step<'a, T> {
    Done(T),
    /// It can't be done before somebody notifies this wait queue. Nothing has changed.
    Wait(Spot<'a>),
}

/// The loop in which everything here waits: try, enlist, try again, wait.
///
/// `attempt` either takes effect completely or not at all, and names the queue it has to wait in; it may name another one
/// each time. Dropping the future leaves the queue, and passes on a wake-up that was meant for it.
pub(crate) async fn until<'a, W: Waiter, T>(
    waiter: &mut W,
    mut attempt: impl FnMut(Look) -> Step<'a, T> + Send,
) -> Result<T, W::GaveUp> {
    let mut spot = match attempt(Look::Glance) {
        Step::Done(out) => return Ok(out),
        Step::Wait(spot) => spot,
    };
    let spins = waiter.spins(spot);
    for turn in spins.first_turn(spot.pauses)..spins.looks {
        if !waiter.pause(spins, turn).await {
            break;
        }
        match attempt(Look::Glance) {
            Step::Done(out) => return Ok(out),
            Step::Wait(other) => spot = other,
        }
    }
    'queue: loop {
        let mut ticket = Ticket::enlist(spot, waiter.reach());
        let mut look = Look::Thorough;
        loop {
            // Something may have changed before we were listed, or when we were woken.
            let step = planted!("no-second-look-after-listing", attempt(look), {
                if look == Look::Thorough { Step::Wait(spot) } else { attempt(look) }
            });
            match step {
                Step::Done(out) => {
                    ticket.got = true;
                    return Ok(out);
                }
                Step::Wait(other) if !other.is(spot) => {
                    spot = other;
                    continue 'queue;
                }
                Step::Wait(same) => spot = same,
            }
            look = match waiter.on_word(spot, ticket.seen).await? {
                Woken::Turned => Look::Again,
                Woken::InDoubt => Look::Thorough,
            };
            ticket.seen = planted!("a-count-that-drops-before-the-second-look", spot.words.arrive(), {
                spot.words.step_back(ticket.reach);
                spot.words.arrive()
            });
        }
    }
}
