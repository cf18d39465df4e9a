//! Many readers or one writer.
//!
//! A writer takes the gate, which is a lock, and then waits until the readers that are inside have left. A reader counts itself
//! in, in its process's own slot, and then looks at the gate: if it is shut, it counts itself out again and waits. So a
//! writer at the gate keeps new readers out, and is not starved by them; a reader that found the gate shut a second time queues at
//! the gate as a writer does, counts itself in under it and opens it at once, and is not starved by writers.
//!
//! ```text
//! reader                         writer
//!   readers of my slot += 1        gate = shut
//!   fence SeqCst       (A)         fence SeqCst       (B)
//!   look at the gate               look at the readers of every slot
//! ```
//!
//! **Never both.** Of the two fences one comes first in the order of all SeqCst operations. If (A) is first, the writer's look
//! after (B) sees the reader counted in. If (B) is first, the reader's look after (A) sees the gate shut.
//!
//! **At a death** a writer's gate is taken over as any lock is, by a writer or by a reader, who is told. What a dead reader had
//! counted in is struck out by the writer that waits for it: its generation says that it is the dead one's.

use super::{Acquired, LockWords, Party};
use crate::planted::planted;
use crate::shm::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use crate::shm::{Alive, Object, Owner, shared};
use crate::wait::{Look, Spot, Step, WaitWords, Waiter, until};

shared! {
    /// A readers-writer lock in shared memory, but for its gate and its slots.
    pub(crate) struct RwWords[64] {
        /// Readers who wait for the gate to open.
        readers: WaitWords,
        /// The writer that waits for readers to leave.
        drain: WaitWords,
        /// One more than the highest slot that ever read.
        used: AtomicU32,
        reserved: AtomicU32,
        reserved_too: [AtomicU64; 3],
    }

    /// The readers of one process.
    pub(crate) struct RwSlot[8] {
        /// See [`Inside`].
        inside: AtomicU64,
    }
}

impl Object for RwWords {
    const KIND: u32 = 37;
}

impl Object for RwSlot {
    const KIND: u32 = 38;
}

/// How many of one process read.
///
/// | bits | meaning |
/// | --- | --- |
/// | 0–31 | how many |
/// | 32–63 | the slot's generation when they came: of another process they are none |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inside(u64);

impl Inside {
    fn of(generation: u32, count: u32) -> Self {
        Self(u64::from(generation) << 32 | u64::from(count))
    }

    fn count(self) -> u32 {
        self.0 as u32
    }

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn count_of(self, owner: Owner) -> u32 {
        if self.generation() == owner.generation() { self.count() } else { 0 }
    }
}

impl RwSlot {
    fn inside(&self) -> Inside {
        Inside(self.inside.load(Ordering::Acquire))
    }

    fn change(&self, change: impl Fn(Inside) -> Inside) {
        let mut now = Inside(self.inside.load(Ordering::Relaxed));
        while let Err(other) =
            self.inside.compare_exchange_weak(now.0, change(now).0, Ordering::AcqRel, Ordering::Relaxed)
        {
            now = Inside(other);
        }
    }

    /// Strikes out what a dead process had counted in.
    fn strike(&self, dead: Inside) {
        let _ = self.inside.compare_exchange(dead.0, 0, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// A readers-writer lock: its gate, its words and a slot for each process.
#[derive(Clone, Copy)]
pub(crate) struct RwLock<'a> {
    pub(crate) gate: &'a LockWords,
    pub(crate) words: &'a RwWords,
    pub(crate) slots: &'a [RwSlot],
}

impl<'a> RwLock<'a> {
    fn own<A: Alive>(self, party: Party<'_, A>) -> &'a RwSlot {
        &self.slots[usize::from(party.me.slot()) % self.slots.len()]
    }

    fn readers<A: Alive>(self, party: Party<'a, A>) -> Spot<'a> {
        Spot::of_held(&self.words.readers, party.bell)
    }

    fn drain<A: Alive>(self, party: Party<'a, A>) -> Spot<'a> {
        Spot::of_held(&self.words.drain, party.bell)
    }

    fn count_in<A: Alive>(self, party: Party<'a, A>) {
        let end = u32::from(party.me.slot()) + 1;
        if self.words.used.load(Ordering::Relaxed) < end {
            self.words.used.fetch_max(end, Ordering::AcqRel);
        }
        self.own(party)
            .change(|inside| Inside::of(party.me.generation(), inside.count_of(party.me).saturating_add(1)));
    }

    /// A reader leaves; never waits.
    pub(crate) fn count_out<A: Alive>(self, party: Party<'a, A>) {
        self.own(party)
            .change(|inside| Inside::of(party.me.generation(), inside.count_of(party.me).saturating_sub(1)));
        self.drain(party).notify_one();
    }

    /// Opens the gate after the caller's writing, or its attempt to; never waits.
    pub(crate) fn open<A: Alive>(self, party: Party<'a, A>, died: bool) {
        self.gate.release(party, died);
        self.admit(party);
    }

    /// After the gate was opened: wakes those who wait to read.
    pub(crate) fn admit<A: Alive>(self, party: Party<'a, A>) {
        let readers = self.readers(party);
        readers.sign();
        readers.notify_all();
    }

    /// In by the gate, as a writer comes: for one who is to be told of a death, or has waited for long.
    fn attempt_by_the_gate<A: Alive>(self, look: Look, party: Party<'a, A>) -> Step<'a, Acquired> {
        match self.gate.attempt(look, party) {
            Step::Done(taken) => {
                self.count_in(party);
                self.open(party, false);
                Step::Done(taken)
            }
            Step::Wait(spot) => Step::Wait(spot),
        }
    }

    fn attempt_read<A: Alive>(self, look: Look, party: Party<'a, A>) -> Step<'a, Acquired> {
        let gate = self.gate.word();
        if gate.is_clean() {
            self.count_in(party);
            // (A) in the module's argument.
            planted!("no-fence-when-reading", fence(Ordering::SeqCst), ());
            if self.gate.word().is_clean() {
                return Step::Done(Acquired::Clean);
            }
            self.count_out(party);
        }
        let gate = self.gate.word();
        let is_abandoned = match gate.owner() {
            Some(owner) => look.is_thorough() && !party.alive.is_alive(owner),
            None => !gate.is_clean(),
        };
        if is_abandoned && let Step::Done(taken) = self.attempt_by_the_gate(look, party) {
            return Step::Done(taken);
        }
        Step::Wait(self.readers(party))
    }

    /// Lets the caller in to read, however long that takes.
    ///
    /// Dropped before it is done, the future has not let it in.
    pub(crate) async fn read<W: Waiter, A: Alive>(
        self,
        waiter: &mut W,
        party: Party<'a, A>,
    ) -> Result<Acquired, W::GaveUp> {
        let mut waits_at_the_gate = false;
        until(waiter, |look| {
            // Woken, and shut out once more? From then on at the gate, and in by it alone: the wake-up of that queue is for one
            // who opens the gate again.
            if waits_at_the_gate {
                return self.attempt_by_the_gate(look, party);
            }
            let step = self.attempt_read(look, party);
            if look == Look::Again && matches!(step, Step::Wait(_)) {
                waits_at_the_gate = true;
                return self.attempt_by_the_gate(Look::Glance, party);
            }
            step
        })
        .await
    }

    /// Now or never.
    pub(crate) fn try_read<A: Alive>(self, party: Party<'a, A>) -> Option<Acquired> {
        match self.attempt_read(Look::Thorough, party) {
            Step::Done(taken) => Some(taken),
            Step::Wait(_) => None,
        }
    }

    /// Somebody who reads, if anybody does. `thorough`: strikes the dead out.
    pub(crate) fn reader<A: Alive>(self, party: Party<'_, A>, thorough: bool) -> Option<Owner> {
        let used = self.words.used.load(Ordering::Acquire) as usize;
        (0..).zip(self.slots).take(used).find_map(|(index, slot)| {
            let inside = slot.inside();
            let owner = Owner::new(index, inside.generation());
            let reads = inside.count() > 0
                && (owner == party.me
                    || !thorough
                    || planted!("no-look-for-dead-readers", party.alive.is_alive(owner), true));
            if inside.count() > 0 && !reads {
                slot.strike(inside);
                party.alive.tell_of_a_takeover(owner, "read lock");
            }
            reads.then_some(owner)
        })
    }

    /// Lets the caller in to write, however long that takes; [`open`](Self::open) ends it.
    ///
    /// Dropped before it is done, the future has opened the gate again.
    pub(crate) async fn write<W: Waiter, A: Alive>(
        self,
        waiter: &mut W,
        party: Party<'a, A>,
    ) -> Result<Acquired, W::GaveUp> {
        let taken = self.gate.acquire(waiter, party).await?;
        let shut = Shut { lock: self, party, died: taken != Acquired::Clean };
        // (B) in the module's argument.
        planted!("no-fence-when-writing", fence(Ordering::SeqCst), ());
        until(waiter, |look| match self.reader(party, look.is_thorough()) {
            None => Step::Done(()),
            Some(_) => Step::Wait(self.drain(party)),
        })
        .await?;
        std::mem::forget(shut);
        Ok(taken)
    }

    /// Now or never.
    pub(crate) fn try_write<A: Alive>(self, party: Party<'a, A>) -> Option<Acquired> {
        let taken = self.gate.try_acquire(party)?;
        let shut = Shut { lock: self, party, died: taken != Acquired::Clean };
        fence(Ordering::SeqCst);
        if self.reader(party, true).is_some() {
            return None;
        }
        std::mem::forget(shut);
        Some(taken)
    }

    /// How many wait to read: a hint.
    pub(crate) fn waiting_readers(self) -> u64 {
        self.words.readers.waiters()
    }
}

/// A gate that is opened again when this is dropped.
struct Shut<'a, A: Alive> {
    lock: RwLock<'a>,
    party: Party<'a, A>,
    /// The next is to be told what this one was told in vain.
    died: bool,
}

impl<A: Alive> Drop for Shut<'_, A> {
    fn drop(&mut self) {
        self.lock.open(self.party, self.died);
    }
}
