//! Meeting of a fixed number of parties, cycle after cycle.
//!
//! One word holds the cycle, how many have arrived in it, and its [phase](Phase); every change of it is one step. A cycle
//! ends when its last party arrives (and the action, if there is one, has run), or broken.
//!
//! **How a cycle ended** must be known to those who waited in it and look late, when others may have met again. A cycle that
//! tripped is simply past. One that broke stays the present one until somebody resets the barrier, and before that its number
//! is written down among the last [`RECENT`] broken ones. A waiter that sleeps through so many broken cycles is told that
//! its own broke.
//!
//! **At a death** the present cycle breaks if the dead process was in it. So each process writes into its own slot in which
//! cycle it is, and how many times, before it counts itself as arrived, and takes that back after it has left: the slot errs high,
//! and then a process died that was in the midst of coming or going.

use super::Party;
use crate::planted::planted;
use crate::shm::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::shm::{Alive, Object, Owner, shared};
use crate::wait::{Look, Spot, Step, WaitWords, Waiter, until};

/// How many ends of cycles are remembered.
const RECENT: usize = 16;

/// The most parties a barrier can have.
pub(crate) const MOST_PARTIES: u32 = COUNT as u32;

shared! {
    /// A barrier in shared memory, but for its slots.
    pub(crate) struct BarrierWords[384] {
        /// See [`State`].
        state: AtomicU64,
        waiters: WaitWords,
        /// One more than the highest slot that ever arrived.
        used: AtomicU32,
        /// Written once.
        parties: AtomicU32,
        /// 1 if there is one. Written once.
        has_action: AtomicU32,
        reserved: AtomicU32,
        /// Nanoseconds; zero: none. Written once.
        timeout: AtomicU64,
        reserved_too: [AtomicU64; 10],
        /// One more than a broken cycle's number, at that number modulo their length; zero: none yet.
        broken: [AtomicU64; RECENT],
        /// See [`Exit`].
        exits: [AtomicU64; RECENT],
    }

    /// One process's part in a barrier.
    pub(crate) struct BarrierSlot[8] {
        /// See [`Part`].
        part: AtomicU64,
    }
}

impl Object for BarrierWords {
    const KIND: u32 = 41;
}

impl Object for BarrierSlot {
    const KIND: u32 = 42;
}

/// What a cycle has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Parties are to come.
    Filling,
    /// All are there; one that has the action is to run it.
    Full,
    /// One runs the action.
    Acting,
    /// Until it is reset.
    Broken,
}

/// The state of a barrier.
///
/// | bits | meaning |
/// | --- | --- |
/// | 0–1 | [`Phase`] |
/// | 2–16 | how many have arrived |
/// | 17–31 | how many of these have the action |
/// | 32–63 | the cycle's number, wrapping |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State(u64);

const COUNT: u64 = (1 << 15) - 1;

impl State {
    fn of(cycle: u32, phase: Phase, arrived: u64, able: u64) -> Self {
        Self(u64::from(cycle) << 32 | able.min(COUNT) << 17 | arrived.min(COUNT) << 2 | phase as u64)
    }

    fn phase(self) -> Phase {
        match self.0 & 3 {
            0 => Phase::Filling,
            1 => Phase::Full,
            2 => Phase::Acting,
            _ => Phase::Broken,
        }
    }

    fn arrived(self) -> u64 {
        self.0 >> 2 & COUNT
    }

    fn able(self) -> u64 {
        self.0 >> 17 & COUNT
    }

    fn cycle(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn with(self, phase: Phase) -> Self {
        Self::of(self.cycle(), phase, self.arrived(), self.able())
    }

    fn one_more(self, able: bool) -> Self {
        Self::of(self.cycle(), self.phase(), self.arrived() + 1, self.able() + u64::from(able))
    }

    fn one_less(self, able: bool) -> Self {
        let left = self.able().saturating_sub(u64::from(able));
        Self::of(self.cycle(), Phase::Filling, self.arrived().saturating_sub(1), left)
    }

    fn next_cycle(self) -> Self {
        Self::of(self.cycle().wrapping_add(1), Phase::Filling, 0, 0)
    }
}

/// In which cycle a process is, and how often.
///
/// | bits | meaning |
/// | --- | --- |
/// | 0–19 | how often |
/// | 20–39 | the slot's generation |
/// | 40–63 | the end of the cycle's number |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part(u64);

const PART_FIELD: u64 = (1 << 20) - 1;
const CYCLE_FIELD: u32 = (1 << 24) - 1;

impl Part {
    fn of(cycle: u32, generation: u32, count: u64) -> Self {
        let generation = u64::from(generation) & PART_FIELD;
        Self(u64::from(cycle & CYCLE_FIELD) << 40 | generation << 20 | count & PART_FIELD)
    }

    fn count(self) -> u64 {
        self.0 & PART_FIELD
    }

    fn generation(self) -> u32 {
        (self.0 >> 20 & PART_FIELD) as u32
    }

    fn is_in(self, cycle: u32) -> bool {
        self.count() > 0 && (self.0 >> 40) as u32 == cycle & CYCLE_FIELD
    }
}

impl BarrierSlot {
    fn part(&self) -> Part {
        Part(self.part.load(Ordering::Acquire))
    }

    fn change(&self, from: Part, to: Part) -> bool {
        self.part.compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// `false`: whoever had the slot before died in this cycle.
    fn enter(&self, cycle: u32, generation: u32) -> bool {
        loop {
            let now = self.part();
            let count = match (now.generation() == generation, now.is_in(cycle)) {
                (true, true) => now.count() + 1,
                (false, true) => return false,
                (_, false) => 1,
            };
            if self.change(now, Part::of(cycle, generation, count)) {
                return true;
            }
        }
    }

    fn leave(&self, cycle: u32, generation: u32) {
        let mut now = self.part();
        while now.generation() == generation
            && now.is_in(cycle)
            && !self.change(now, Part::of(cycle, generation, now.count() - 1))
        {
            now = self.part();
        }
    }
}

/// Who leaves a cycle that tripped: bits 32–63 the cycle, bits 0–31 how many have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Exit(u64);

/// Why there was no meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotMet {
    Broken,
    /// Nobody who arrived has the action.
    NoAction,
    /// The caller would have had to wait.
    WouldWait,
}

/// A barrier: its words and a slot for each process.
#[derive(Clone, Copy)]
pub(crate) struct Barrier<'a> {
    pub(crate) words: &'a BarrierWords,
    pub(crate) slots: &'a [BarrierSlot],
}

/// What arriving comes to.
enum Arrived {
    /// The caller was the last, and the cycle has tripped.
    Last,
    /// The caller was the last, and is to run the action.
    Acts(u32),
    /// Others are to come.
    Waits(u32),
}

/// What waiting comes to.
enum Ended {
    Tripped,
    Broken,
    /// The caller is to run the action.
    Acts,
}

impl<'a> Barrier<'a> {
    /// Once, before anybody else knows it.
    pub(crate) fn begin(self, parties: u32, has_action: bool, timeout: u64) {
        self.words.parties.store(parties, Ordering::Relaxed);
        self.words.timeout.store(timeout, Ordering::Relaxed);
        self.words.has_action.store(u32::from(has_action), Ordering::Release);
    }

    pub(crate) fn parties(self) -> u32 {
        self.words.parties.load(Ordering::Relaxed)
    }

    /// Nanoseconds; zero: none.
    pub(crate) fn timeout(self) -> u64 {
        self.words.timeout.load(Ordering::Relaxed)
    }

    fn state(self) -> State {
        State(self.words.state.load(Ordering::Acquire))
    }

    fn change(self, from: State, to: State) -> bool {
        self.words.state.compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn own<A: Alive>(self, party: Party<'_, A>) -> &'a BarrierSlot {
        &self.slots[usize::from(party.me.slot()) % self.slots.len()]
    }

    fn spot<A: Alive>(self, party: Party<'a, A>) -> Spot<'a> {
        Spot::new(&self.words.waiters, party.bell)
    }

    fn wake<A: Alive>(self, party: Party<'a, A>) {
        let spot = self.spot(party);
        spot.sign();
        spot.notify_all();
    }

    /// Breaks this cycle, unless it is past. Whether it is broken now.
    fn break_cycle<A: Alive>(self, cycle: u32, party: Party<'a, A>) -> bool {
        loop {
            let now = self.state();
            if now.cycle() != cycle {
                return self.broke(cycle);
            }
            if now.phase() == Phase::Broken {
                return true;
            }
            if self.change(now, now.with(Phase::Broken)) {
                self.wake(party);
                return true;
            }
        }
    }

    /// Whether a past cycle ended broken.
    fn broke(self, cycle: u32) -> bool {
        let last = self.words.broken[cycle as usize % RECENT].load(Ordering::Acquire);
        // A later one in the same place: this one's end is forgotten.
        last != 0 && (last as u32).wrapping_sub(1).wrapping_sub(cycle).cast_signed() >= 0
    }

    /// Whether one that is in this cycle has died.
    fn has_dead<A: Alive>(self, cycle: u32, party: Party<'_, A>) -> bool {
        let used = self.words.used.load(Ordering::Acquire) as usize;
        (0..).zip(self.slots).take(used).any(|(index, slot)| {
            let part = slot.part();
            let owner = Owner::new(index, part.generation());
            part.is_in(cycle)
                && owner != party.me
                && planted!("the-dead-are-waited-for", !party.alive.is_alive(owner), false)
        })
    }

    /// Breaks the present cycle if one that is in it has died. Never waits.
    pub(crate) fn look_for_the_dead<A: Alive>(self, party: Party<'a, A>) {
        let now = self.state();
        if now.phase() != Phase::Broken && self.has_dead(now.cycle(), party) {
            self.break_cycle(now.cycle(), party);
        }
    }

    fn attempt_to_arrive<A: Alive>(
        self,
        look: Look,
        party: Party<'a, A>,
        able: bool,
        may_wait: bool,
    ) -> Step<'a, Result<Arrived, NotMet>> {
        let end = u32::from(party.me.slot()) + 1;
        if self.words.used.load(Ordering::Relaxed) < end {
            self.words.used.fetch_max(end, Ordering::AcqRel);
        }
        loop {
            let now = self.state();
            match now.phase() {
                Phase::Broken => return Step::Done(Err(NotMet::Broken)),
                Phase::Filling => {}
                Phase::Full | Phase::Acting if look.is_thorough() && self.has_dead(now.cycle(), party) => {
                    self.break_cycle(now.cycle(), party);
                    continue;
                }
                Phase::Full | Phase::Acting if may_wait => return Step::Wait(self.spot(party)),
                Phase::Full | Phase::Acting => return Step::Done(Err(NotMet::WouldWait)),
            }
            let more = now.one_more(able);
            let is_last = more.arrived() >= u64::from(self.parties());
            let has_action = self.words.has_action.load(Ordering::Relaxed) != 0;
            let (next, out) = match (is_last, has_action) {
                (false, _) => (more, Ok(Arrived::Waits(now.cycle()))),
                (true, false) => (now.next_cycle(), Ok(Arrived::Last)),
                (true, true) if able => (more.with(Phase::Acting), Ok(Arrived::Acts(now.cycle()))),
                (true, true) if more.able() > 0 => (more.with(Phase::Full), Ok(Arrived::Waits(now.cycle()))),
                (true, true) => (more.with(Phase::Broken), Err(NotMet::NoAction)),
            };
            if !may_wait && matches!(out, Ok(Arrived::Waits(_))) {
                return Step::Done(Err(NotMet::WouldWait));
            }
            let (slot, generation) = (self.own(party), party.me.generation());
            if !slot.enter(now.cycle(), generation) {
                self.break_cycle(now.cycle(), party);
                continue;
            }
            if !self.change(now, next) {
                slot.leave(now.cycle(), generation);
                continue;
            }
            if matches!(out, Ok(Arrived::Last) | Err(_)) {
                slot.leave(now.cycle(), generation);
            }
            if is_last {
                self.wake(party);
            }
            return Step::Done(out);
        }
    }

    fn attempt_to_end<A: Alive>(
        self,
        look: Look,
        party: Party<'a, A>,
        cycle: u32,
        able: bool,
    ) -> Step<'a, Ended> {
        loop {
            let now = self.state();
            let is_past = now.cycle() != cycle;
            if planted!(
                "who-has-met-is-told-of-what-broke-later",
                is_past,
                is_past && now.phase() != Phase::Broken
            ) {
                return Step::Done(if self.broke(cycle) { Ended::Broken } else { Ended::Tripped });
            }
            if now.phase() == Phase::Broken {
                return Step::Done(Ended::Broken);
            }
            if look.is_thorough() && self.has_dead(cycle, party) {
                self.break_cycle(cycle, party);
                continue;
            }
            if now.phase() == Phase::Full && able {
                if self.change(now, now.with(Phase::Acting)) {
                    return Step::Done(Ended::Acts);
                }
                continue;
            }
            return Step::Wait(self.spot(party));
        }
    }

    /// A number for one who leaves a cycle that tripped, and was not its leader.
    fn index(self, cycle: u32) -> u32 {
        let exits = &self.words.exits[cycle as usize % RECENT];
        let mut now = Exit(exits.load(Ordering::Relaxed));
        loop {
            let of = (now.0 >> 32) as u32;
            let next = if of == cycle { (now.0 as u32).wrapping_add(1) } else { 1 };
            if cycle.wrapping_sub(of).cast_signed() < 0 {
                // So late that its cycle is forgotten.
                return self.parties().saturating_sub(1);
            }
            let to = u64::from(cycle) << 32 | u64::from(next);
            match exits.compare_exchange(now.0, to, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return next,
                Err(other) => now = Exit(other),
            }
        }
    }

    /// Waits for the other parties; which of them the caller is. `action`: the barrier's, if this process has it.
    ///
    /// Dropped before it is done, the future has not arrived, unless the barrier has tripped. If the waiter gives up, the
    /// barrier is broken.
    pub(crate) async fn wait<W: Waiter, A: Alive>(
        self,
        waiter: &mut W,
        party: Party<'a, A>,
        action: Option<&(dyn Fn() + Send + Sync)>,
    ) -> Result<Result<u32, NotMet>, W::GaveUp> {
        let able = action.is_some();
        let arrived = until(waiter, |look| self.attempt_to_arrive(look, party, able, true)).await?;
        let (cycle, mut acts) = match arrived {
            Ok(Arrived::Last) => return Ok(Ok(0)),
            Ok(Arrived::Acts(cycle)) => (cycle, true),
            Ok(Arrived::Waits(cycle)) => (cycle, false),
            Err(not_met) => return Ok(Err(not_met)),
        };
        let place = Place { barrier: self, party, cycle, able };
        if !acts {
            match until(waiter, |look| self.attempt_to_end(look, party, cycle, able)).await {
                Ok(Ended::Tripped) => return Ok(Ok(self.index(cycle))),
                Ok(Ended::Broken) => return Ok(Err(NotMet::Broken)),
                Ok(Ended::Acts) => acts = true,
                Err(gave_up) => {
                    // Too late, if it tripped at this moment.
                    return if self.break_cycle(cycle, party) {
                        Err(gave_up)
                    } else {
                        Ok(Ok(self.index(cycle)))
                    };
                }
            }
        }
        debug_assert!(acts);
        Ok(place.act(action))
    }

    /// Now or never: meets the others if the caller is the last of them.
    pub(crate) fn try_wait<A: Alive>(
        self,
        party: Party<'a, A>,
        action: Option<&(dyn Fn() + Send + Sync)>,
    ) -> Result<u32, NotMet> {
        match self.attempt_to_arrive(Look::Thorough, party, action.is_some(), false) {
            Step::Done(Ok(Arrived::Acts(cycle))) => {
                Place { barrier: self, party, cycle, able: true }.act(action)
            }
            Step::Done(Ok(Arrived::Last)) => Ok(0),
            Step::Done(Ok(Arrived::Waits(_))) | Step::Wait(_) => Err(NotMet::WouldWait),
            Step::Done(Err(not_met)) => Err(not_met),
        }
    }

    /// Breaks the barrier for all; never waits.
    pub(crate) fn abort<A: Alive>(self, party: Party<'a, A>) {
        while !self.break_cycle(self.state().cycle(), party) {}
    }

    /// Begins a new cycle; those who wait in the present one are told that it broke. Never waits.
    pub(crate) fn reset<A: Alive>(self, party: Party<'a, A>) {
        loop {
            let now = self.state();
            if now.phase() == Phase::Broken {
                // Before the cycle is past: those who look later find it here.
                let cycle = now.cycle();
                self.words.broken[cycle as usize % RECENT].store(u64::from(cycle) + 1, Ordering::Release);
                if self.change(now, now.next_cycle()) {
                    self.wake(party);
                    return;
                }
            } else if now.arrived() == 0 {
                return;
            } else {
                self.break_cycle(now.cycle(), party);
            }
        }
    }

    pub(crate) fn is_broken(self) -> bool {
        self.state().phase() == Phase::Broken
    }

    /// How many wait for others to come.
    pub(crate) fn waiting(self) -> u64 {
        let now = self.state();
        if matches!(now.phase(), Phase::Filling | Phase::Full) { now.arrived() } else { 0 }
    }
}

/// A party that has arrived. Dropped, it leaves, and is un-counted unless its cycle has tripped.
struct Place<'a, A: Alive> {
    barrier: Barrier<'a>,
    party: Party<'a, A>,
    cycle: u32,
    able: bool,
}

impl<A: Alive> Place<'_, A> {
    /// Runs the action and trips the cycle. A panic of the action breaks it.
    fn act(self, action: Option<&(dyn Fn() + Send + Sync)>) -> Result<u32, NotMet> {
        let acting = Acting(&self);
        if let Some(action) = action {
            action();
        }
        std::mem::forget(acting);
        loop {
            let now = self.barrier.state();
            if now.cycle() != self.cycle || now.phase() != Phase::Acting {
                return Err(NotMet::Broken);
            }
            if self.barrier.change(now, now.next_cycle()) {
                self.barrier.wake(self.party);
                return Ok(0);
            }
        }
    }
}

/// Dropped in a panic of the action.
struct Acting<'a, 'b, A: Alive>(&'b Place<'a, A>);

impl<A: Alive> Drop for Acting<'_, '_, A> {
    fn drop(&mut self) {
        self.0.barrier.break_cycle(self.0.cycle, self.0.party);
    }
}

impl<A: Alive> Drop for Place<'_, A> {
    fn drop(&mut self) {
        loop {
            let now = self.barrier.state();
            let is_counted = now.cycle() == self.cycle && matches!(now.phase(), Phase::Filling | Phase::Full);
            if !is_counted
                || planted!(
                    "a-cancelled-party-stays-counted",
                    self.barrier.change(now, now.one_less(self.able)),
                    true
                )
            {
                break;
            }
        }
        self.barrier.own(self.party).leave(self.cycle, self.party.me.generation());
    }
}
