//! A value that is replaced as a whole, whatever its size: readers and writers never wait for each other, and a writer that
//! is killed leaves the value as it was.
//!
//! A value of one word is that word. A larger one stands in one of several boxes, and a word says which: a writer claims a
//! box that is not the current one, fills it, and makes it current in one step. Each such step changes the word's
//! version.
//!
//! **A reader never gets parts of two values.** It reads the word, the box, and the word again, and starts over if that has
//! changed. If it read anything of a later writer's filling, that writer had seen another word before (or it would not
//! have been given the box), its fence (B) comes before the reader's fence (A), and the reader sees that other word too.
//!
//! **Nobody fills the current box.** A box becomes current only by the hand that claimed it, before that hand lets go of the
//! claim. So who holds the claim and finds another box current then, may fill this one.
//!
//! **The dead hold no box**: a claim by a process that no longer lives may be taken over. It can't become current any more.

use super::Party;
use crate::planted::planted;
use crate::shm::atomic::{AtomicU64, Ordering, fence, spin_loop};
use crate::shm::{Alive, Owner};

/// A value in words of its own: first the [`Current`] word, or the value itself if it is one word long.
pub(crate) struct Value<'a> {
    words: &'a [AtomicU64],
    size: usize,
    boxes: usize,
}

/// Where the claims begin, one word for each box. The current word has a line of its own.
const CLAIMS: usize = 16;
const MOST_BOXES: usize = 32;
const BOXES_AT: usize = CLAIMS + MOST_BOXES;

/// Which box is current.
///
/// | bits | meaning |
/// | --- | --- |
/// | 0–7 | the number of the box |
/// | 8–63 | the version: one more with each replacement |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Current(u64);

impl Current {
    fn index(self) -> usize {
        (self.0 & 0xFF) as usize
    }

    fn followed_by(self, index: usize) -> Self {
        Self(((self.0 >> 8).wrapping_add(1) << 8) | index as u64)
    }
}

/// How many boxes a value of `size` words has: enough that a few processes may be stopped while they fill one.
const fn boxes(size: usize) -> usize {
    match size {
        0 | 1 => 0,
        2..=256 => MOST_BOXES,
        257..=2048 => 8,
        _ => 4,
    }
}

/// How many words a value of `size` words takes.
pub(crate) const fn words_for(size: usize) -> usize {
    if size <= 1 { 1 } else { BOXES_AT + boxes(size) * size }
}

impl<'a> Value<'a> {
    /// Over [`words_for`]`(size)` words.
    pub(crate) fn new(words: &'a [AtomicU64], size: usize) -> Self {
        Self::with_boxes(words, size, boxes(size))
    }

    pub(super) fn with_boxes(words: &'a [AtomicU64], size: usize, boxes: usize) -> Self {
        Self { words, size, boxes }
    }

    fn is_one_word(&self) -> bool {
        self.size <= 1
    }

    fn current(&self) -> &'a AtomicU64 {
        &self.words[0]
    }

    fn contents(&self, index: usize) -> &'a [AtomicU64] {
        // A peer may have scribbled over the number.
        let start = BOXES_AT + (index % self.boxes) * self.size;
        &self.words[start..start + self.size]
    }

    /// Hands the value's words over, all of one replacement: what was handed over before the last word 0 counts for nothing.
    pub(crate) fn read(&self, mut word: impl FnMut(usize, u64)) -> Current {
        loop {
            // Acquire pairs with the Release of `replace`: who sees the box current sees it filled.
            let now = Current(self.current().load(Ordering::Acquire));
            if self.is_one_word() {
                word(0, now.0);
                return now;
            }
            for (index, part) in self.contents(now.index()).iter().enumerate() {
                word(index, part.load(Ordering::Relaxed));
            }
            // (A) in the module's argument.
            fence(Ordering::Acquire);
            if self.current().load(Ordering::Relaxed) == now.0 {
                return now;
            }
            spin_loop();
        }
    }

    /// Replaces the value whatever it is.
    pub(crate) fn set<A: Alive>(&self, party: Party<'_, A>, word: impl Fn(usize) -> u64) {
        if self.is_one_word() {
            self.current().store(word(0), Ordering::Release);
            return;
        }
        let claim = self.fill(party, word);
        let mut now = Current(self.current().load(Ordering::Relaxed));
        while let Err(other) = self.step(now, now.followed_by(claim.index)) {
            now = other;
        }
    }

    /// Replaces the value if it is still the one that was read as `seen`.
    pub(crate) fn replace<A: Alive>(
        &self,
        party: Party<'_, A>,
        seen: Current,
        word: impl Fn(usize) -> u64,
    ) -> bool {
        if self.is_one_word() {
            return self.step(seen, Current(word(0))).is_ok();
        }
        if self.current().load(Ordering::Relaxed) != seen.0 {
            return false;
        }
        let claim = self.fill(party, word);
        self.step(seen, seen.followed_by(claim.index)).is_ok()
    }

    fn step(&self, from: Current, to: Current) -> Result<(), Current> {
        self.current()
            .compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Relaxed)
            .map(drop)
            .map_err(Current)
    }

    fn fill<A: Alive>(&self, party: Party<'_, A>, word: impl Fn(usize) -> u64) -> Claim<'a> {
        let claim = self.claim(party);
        // (B) in the module's argument.
        planted!("no-fence-before-filling-a-box", fence(Ordering::Release), ());
        let into = planted!(
            "a-value-is-changed-in-place",
            claim.index,
            Current(self.current().load(Ordering::Relaxed)).index()
        );
        for (index, part) in self.contents(into).iter().enumerate() {
            part.store(word(index), Ordering::Relaxed);
        }
        claim
    }

    /// Claims a box that is not current. There are more boxes than processes are likely to be in here at once, and a claim
    /// lasts for as long as copying the value takes: only where all of them are claimed by the living does this go round.
    fn claim<A: Alive>(&self, party: Party<'_, A>) -> Claim<'a> {
        let me = u64::from(party.me.to_bits());
        let mut asks_after_the_dead = false;
        loop {
            for turn in 0..self.boxes {
                let index = (usize::from(party.me.slot()) + turn) % self.boxes;
                let claimed = &self.words[CLAIMS + index];
                let by = claimed.load(Ordering::Relaxed);
                let is_dead = || {
                    let owner = Owner::from_bits(by as u32);
                    owner.is_none_or(|owner| owner != party.me && !party.alive.is_alive(owner))
                };
                if self.is_current(index) || by != 0 && !(asks_after_the_dead && is_dead()) {
                    continue;
                }
                // Acquire pairs with the Release of the claim's drop.
                if claimed.compare_exchange(by, me, Ordering::AcqRel, Ordering::Relaxed).is_err() {
                    continue;
                }
                let claim = Claim { claimed, index };
                // It may have become current before it was let go.
                if !planted!("a-box-may-be-current", self.is_current(index), false) {
                    return claim;
                }
            }
            asks_after_the_dead = true;
            spin_loop();
        }
    }

    fn is_current(&self, index: usize) -> bool {
        Current(self.current().load(Ordering::Acquire)).index() % self.boxes == index
    }
}

/// A box to fill.
struct Claim<'a> {
    claimed: &'a AtomicU64,
    index: usize,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.claimed.store(0, Ordering::Release);
    }
}
