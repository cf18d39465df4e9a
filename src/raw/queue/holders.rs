//! What each process is to a queue: whether it puts or gets, and how much it has taken and not finished.
//!
//! A process's word is its own to write; others read it, and believe it while the process lives. So a death takes its word
//! away without anybody writing.

use super::words::Options;
use super::{GETTERS, Queue};
use crate::planted::planted;
use crate::shm::atomic::{AtomicU64, Ordering};
use crate::shm::{Alive as _, Object, Owner, shared};
use crate::wait::{Bell, Spot, Step, WaitWords, Waiter, until};

const PER_ROW: usize = 32;

shared! {
    pub(super) struct Row[256] {
        words: [AtomicU64; PER_ROW],
    }

    /// A word for each slot of the region, and what joining needs.
    pub(super) struct Holders[8256] {
        rows: [Row; 32],
        /// How many items were finished, wrapping with the cursors.
        finished: AtomicU64,
        /// Who waits until all are.
        joiners: WaitWords,
        /// [`SENDER`] and [`RECEIVER`], if any process ever was one: its word may be another's by now.
        seen: AtomicU64,
        reserved: [AtomicU64; 4],
    }
}

impl Object for Holders {
    const KIND: u32 = 17;
}

/// One process's word.
///
/// | bits | meaning |
/// | --- | --- |
/// | 0–31 | items taken and not finished |
/// | 32 | has put |
/// | 33 | has got, or tried to |
/// | 34–53 | the slot's generation that this is about |
#[derive(Clone, Copy)]
struct Holder(u64);

const SENDER: u64 = 1 << 32;
const RECEIVER: u64 = 1 << 33;
const GENERATION_SHIFT: u32 = 34;
const COUNT: u64 = 0xFFFF_FFFF;

impl Holder {
    fn of(owner: Owner) -> Self {
        Self(u64::from(owner.generation()) << GENERATION_SHIFT)
    }

    fn generation(self) -> u32 {
        (self.0 >> GENERATION_SHIFT) as u32 & 0xF_FFFF
    }

    fn count(self) -> u64 {
        self.0 & COUNT
    }
}

/// Items of dead processes that nobody will finish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WorkerLost(pub(crate) u64);

impl Holders {
    fn word(&self, slot: u16) -> Option<&AtomicU64> {
        self.rows.get(usize::from(slot) / PER_ROW)?.words.get(usize::from(slot) % PER_ROW)
    }

    /// Changes this process's word; what an earlier holder of the slot left counts for nothing.
    fn update(&self, me: Owner, change: impl Fn(Holder) -> Option<Holder>) -> bool {
        let Some(word) = self.word(me.slot()) else { return false };
        let change = |now: u64| {
            let now = Holder(now);
            let own = if now.generation() == me.generation() { now } else { Holder::of(me) };
            change(own).map(|next| next.0)
        };
        word.fetch_update(Ordering::AcqRel, Ordering::Acquire, change).is_ok()
    }

    fn mark(&self, me: Owner, role: u64) {
        let now = self.word(me.slot()).map_or(0, |word| word.load(Ordering::Relaxed));
        if Holder(now).generation() != me.generation() || now & role == 0 {
            self.seen.fetch_or(role, Ordering::AcqRel);
            self.update(me, |own| Some(Holder(own.0 | role)));
        }
    }
}

impl Queue {
    /// The caller is about to put.
    #[inline]
    pub(super) fn mark_sender(&self) {
        if self.options.has(Options::CLOSES_BY_ITSELF) {
            self.holders.mark(self.region().me(), SENDER);
        }
    }

    /// The caller is about to get.
    #[inline]
    pub(super) fn mark_receiver(&self) {
        if self.options.has(Options::CLOSES_BY_ITSELF) {
            self.holders.mark(self.region().me(), RECEIVER);
        }
    }

    /// Whether somebody was there who had this role, or might have taken it, and nobody is any more.
    ///
    /// A process that holds the queue might, unless it is known for the other role alone, and so might whoever gets a handle
    /// that is under way. A handle arrives by a slot being taken, before it is no longer under way; so if none was taken
    /// from before the look at the slots until after the one at what is under way, nobody slipped through between the two.
    fn are_gone(&self, role: u64) -> bool {
        let region = self.region();
        let claims = region.claims();
        let mut were_there = self.holders.seen.load(Ordering::Acquire) & role != 0;
        for owner in region.last_tenants() {
            let word = self.holders.word(owner.slot()).map_or(0, |word| word.load(Ordering::Acquire));
            let is_about = Holder(word).generation() == owner.generation();
            let roles = if is_about { word & (SENDER | RECEIVER) } else { 0 };
            let might = roles & role != 0 || planted!("who-has-done-nothing-is-nobody", roles == 0, false);
            if might && region.is_alive(owner) {
                return false;
            }
            were_there |= might;
        }
        let is_under_way = planted!("who-is-under-way-is-nobody", region.is_under_way(), false);
        were_there && !is_under_way && region.claims() == claims
    }

    fn all_holders(&self) -> impl Iterator<Item = (Owner, Holder)> {
        (0..crate::shm::SLOTS).filter_map(|slot| {
            let holder = Holder(self.holders.word(slot)?.load(Ordering::Acquire));
            (holder.0 != 0).then(|| (Owner::new(slot, holder.generation()), holder))
        })
    }

    /// Closes the queue if the builder asked for it and the last sender is gone.
    pub(super) fn close_after_senders(&self) -> bool {
        let closes = self.options.has(Options::CLOSES_WITH_SENDERS) && self.are_gone(SENDER);
        if closes {
            self.close(false);
        }
        closes
    }

    /// The same for the last receiver.
    pub(super) fn close_after_receivers(&self) -> bool {
        let closes = self.options.has(Options::CLOSES_WITH_RECEIVERS) && self.are_gone(RECEIVER);
        if closes {
            self.close(false);
        }
        closes
    }

    /// Whether no item will ever come: the queue is closed, and nothing is left. `looks_around`: it is closed now if the builder asked
    /// for it and the last sender is gone.
    pub(super) fn is_over(&self, looks_around: bool) -> bool {
        let is_empty = || self.len() == 0;
        let is_closed = self.words.tail().is_closed()
            || looks_around && is_empty() && {
                planted!("what-was-put-last-is-not-looked-for", {
                    // For as long as another process needs to put an item and to end.
                    std::thread::sleep(std::time::Duration::from_millis(500));
                });
                self.close_after_senders()
            };
        // Behind a closed tail nothing comes, but until then something may have come.
        is_closed && planted!("what-was-put-last-is-not-looked-for", is_empty(), true)
    }

    /// Before the commit of a get: if we die in between, a dead process has taken so many more, which nobody asks for.
    #[inline]
    pub(super) fn note_taken(&self, count: usize) {
        if self.options.has(Options::JOINABLE) {
            let count_them = |own: Holder| Some(Holder(own.0 + (count as u64).min(COUNT - own.count())));
            self.holders.update(self.region().me(), count_them);
        }
    }

    /// This process has finished one of the items that it took; false if it has none.
    pub(crate) fn finish_one(&self) -> bool {
        let me = self.region().me();
        let own = self.holders.word(me.slot()).map_or(Holder(0), |word| Holder(word.load(Ordering::Acquire)));
        if own.generation() != me.generation() || own.count() == 0 {
            return false;
        }
        // First this and then the own count: in between too few seem lost, never too many.
        self.holders.finished.fetch_add(1, Ordering::AcqRel);
        self.holders.update(me, |own| (own.count() > 0).then(|| Holder(own.0 - 1)));
        if self.unfinished() == 0 {
            self.joiners().notify_all();
        }
        true
    }

    /// How many items were put and not finished.
    pub(crate) fn unfinished(&self) -> u64 {
        let finished = self.holders.finished.load(Ordering::Acquire);
        self.words.tail().number().wrapping_sub(finished) & super::cursor::NUMBER
    }

    pub(super) fn joiners(&self) -> Spot<'_> {
        Spot::new(&self.holders.joiners, Bell::new(self.region(), GETTERS))
    }

    /// How many taken items nobody alive will finish. Reads so that what happens meanwhile makes it fewer.
    fn lost(&self) -> u64 {
        let head = self.words.head().number();
        let held: u64 = self
            .all_holders()
            .filter(|(owner, holder)| holder.count() > 0 && self.region().is_alive(*owner))
            .map(|(_, holder)| holder.count())
            .sum();
        let finished = self.holders.finished.load(Ordering::Acquire);
        let taken = head.wrapping_sub(finished) & super::cursor::NUMBER;
        // A difference of more than half the numbers is one below zero.
        if taken > super::cursor::NUMBER / 2 { 0 } else { taken.saturating_sub(held) }
    }

    /// Waits until all that was put is finished.
    pub(crate) async fn join<W: Waiter>(&self, waiter: &mut W) -> Result<Result<(), WorkerLost>, W::GaveUp> {
        until(waiter, |look| {
            if self.unfinished() == 0 {
                return Step::Done(Ok(()));
            }
            if look.is_thorough() {
                let lost = self.lost();
                if lost > 0 {
                    return Step::Done(Err(WorkerLost(lost)));
                }
            }
            Step::Wait(self.joiners())
        })
        .await
    }
}
