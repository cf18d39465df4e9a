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

mod broken;
mod part;
mod place;
mod words;

use place::Place;
pub(crate) use words::{BarrierSlot, BarrierWords, MOST_PARTIES};
use words::{Exit, Phase, RECENT, State};

use super::Party;
use crate::planted::planted;
use crate::shm::Alive;
use crate::shm::atomic::Ordering;
use crate::wait::{Look, Spot, Step, Waiter, until};

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

    /// How many wait for others to come.
    pub(crate) fn waiting(self) -> u64 {
        let now = self.state();
        if matches!(now.phase(), Phase::Filling | Phase::Full) { now.arrived() } else { 0 }
    }
}
