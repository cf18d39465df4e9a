//! Waiting by blocking the thread.
//!
//! A short wait sleeps on the futex word. One that lasts listens to the bell instead, and to the notices of death:
//! a futex can't be waited on together with a descriptor.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::os::fd::AsFd as _;

use rustix::event::{PollFd, PollFlags, poll};

use super::bell::Bell;
use super::listing::{Reach, WaitWords};
use super::nap::Nap;
use super::waiter::{Ready, Spins, TimedOut, Waiter, Woken};
use super::{Deadline, Spot, leave};
use crate::planted::planted;
use crate::shm::atomic::Ordering;
use crate::shm::notice;
use crate::sys::epoll::Epoll;
use crate::sys::{Source, clock, futex};

const BELL: u64 = 0;
const NOTICE: u64 = 1;

/// Blocks the thread for as long as it takes.
pub(crate) struct Park(Nap);

/// Blocks the thread until a deadline at the longest.
pub(crate) struct ParkUntil {
    deadline: Deadline,
    nap: Nap,
}

impl Park {
    pub(crate) fn new() -> Self {
        Self(Nap::new())
    }
}

impl ParkUntil {
    pub(crate) fn new(deadline: Deadline) -> Self {
        Self { deadline, nap: Nap::new() }
    }
}

/// Sleeps until `spot` turns, the nap is over, or the deadline has come.
fn sleep(spot: Spot<'_>, seen: u32, nap: &mut Nap, limit: Option<Deadline>) -> Woken {
    let length = if spot.is_held() { nap.length_for_a_holder() } else { nap.length() };
    let until = Deadline::or_in(limit, spot.bound(length));
    let turn = spot.words().turn();
    if nap.is_long()
        && let Some(woken) = listen(spot, seen, nap, until)
    {
        return woken;
    }
    futex::wait(turn, seen, until);
    if turn.load(Ordering::Acquire) != seen {
        return Woken::Turned;
    }
    if nap.becomes_long() {
        spot.bell().region().tell_of_a_long_wait();
    }
    nap.grow();
    Woken::InDoubt
}

/// The same by way of the bell and the notices. `None`: no descriptor is left for it, sleep on the word.
fn listen(spot: Spot<'_>, seen: u32, nap: &mut Nap, until: u64) -> Option<Woken> {
    let epoll = Epoll::new().ok()?;
    epoll.add(spot.bell().source(), BELL).ok()?;
    let region = spot.bell().region();
    if let Some(notices) = notice::watch(region) {
        epoll.add(notices, NOTICE).ok()?;
    }
    let deaths = region.deaths();
    // The bell is registered: from here on it is the bell that reaches this wait.
    let _listening = Listening::on(spot);
    let turn = spot.words().turn();
    loop {
        if turn.load(Ordering::Acquire) != seen {
            return Some(Woken::Turned);
        }
        if region.deaths() != deaths {
            return Some(Woken::InDoubt);
        }
        let mut is_over = true;
        for tag in epoll.wait(until) {
            is_over = false;
            if tag == NOTICE {
                notice::look();
                nap.suspect();
                return Some(Woken::InDoubt);
            }
        }
        if is_over && clock::now() >= until {
            if nap.is_suspicious() {
                region.look_for_deaths();
            }
            nap.grow();
            return Some(Woken::InDoubt);
        }
    }
}

/// A sleeper's place in the list, moved to the bell for as long as this lives.
struct Listening<'a>(&'a WaitWords);

impl<'a> Listening<'a> {
    fn on(spot: Spot<'a>) -> Self {
        spot.words().shift(Reach::Sleeper, Reach::Listener);
        Self(spot.words())
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.0.shift(Reach::Listener, Reach::Sleeper);
    }
}

/// `poll(2)`, until `source` is ready or the deadline has come. A signal ends it early, which costs one look.
fn poll_until(source: &Source, ready: Ready, limit: Option<Deadline>) {
    let flags = match ready {
        Ready::Read | Ready::ReadLater => PollFlags::IN,
        Ready::Write => PollFlags::OUT,
        Ready::Either => PollFlags::IN | PollFlags::OUT,
    };
    let left = limit.map(|limit| clock::timespec(limit.left()));
    let _ = poll(&mut [PollFd::from_borrowed_fd(source.as_fd(), flags)], left.as_ref());
}

impl Waiter for Park {
    type GaveUp = Infallible;
    const ATTEMPT_MAY_BLOCK: bool = true;

    fn spins(&self, spot: Spot<'_>) -> Spins {
        Bell::spins(spot.words())
    }

    fn reach(&self) -> Reach {
        Reach::Sleeper
    }

    async fn on_word(&mut self, spot: Spot<'_>, seen: u32) -> Result<Woken, Infallible> {
        Ok(sleep(spot, seen, &mut self.0, None))
    }

    async fn on_fd<T: Send>(
        &mut self,
        source: &Source,
        ready: Ready,
        mut attempt: impl FnMut() -> Option<T> + Send,
    ) -> Result<T, Infallible> {
        loop {
            if let Some(out) = attempt() {
                return Ok(out);
            }
            poll_until(source, ready, None);
        }
    }
}

impl Waiter for ParkUntil {
    type GaveUp = TimedOut;

    fn spins(&self, spot: Spot<'_>) -> Spins {
        Bell::spins(spot.words())
    }

    fn give_way(&mut self) -> impl Future<Output = bool> + Send {
        // Whoever only tries has nobody to wait for.
        let may_wait = planted!("who-only-tries-gives-way", !self.deadline.has_passed(), true);
        ready(may_wait && leave::is_worth_it() && leave::leave_cpu())
    }

    fn reach(&self) -> Reach {
        Reach::Sleeper
    }

    async fn on_word(&mut self, spot: Spot<'_>, seen: u32) -> Result<Woken, TimedOut> {
        let woken = sleep(spot, seen, &mut self.nap, Some(self.deadline));
        if woken == Woken::InDoubt && self.deadline.has_passed() { Err(TimedOut) } else { Ok(woken) }
    }

    async fn on_fd<T: Send>(
        &mut self,
        source: &Source,
        ready: Ready,
        mut attempt: impl FnMut() -> Option<T> + Send,
    ) -> Result<T, TimedOut> {
        loop {
            if let Some(out) = attempt() {
                return Ok(out);
            }
            if self.deadline.has_passed() {
                return Err(TimedOut);
            }
            poll_until(source, ready, Some(self.deadline));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::wait::blocking;

    #[test]
    fn who_only_tries_does_not_leave_the_cpu() {
        let gives_way = |time| blocking(ParkUntil::new(Deadline::after(time)).give_way());
        assert!(!gives_way(Duration::ZERO));
        // This thread has not left it before, so it is not in debt; where others compute it may come back late once.
        assert!((0..100_000).any(|_| gives_way(Duration::from_secs(1000))));
    }
}
