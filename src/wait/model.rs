//! What stands in for the kernel and for tokio in models: a futex, a bell, and a runtime's registration of it.
//!
//! Sleeps are not bounded here: a lost wake-up is a deadlock, and loom reports it. Only a death ends them all, once.

use std::cell::Cell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use loom::sync::{Condvar, Mutex};

use super::Spot;
use super::edge::{Edge, poll_edge};
use super::listing::{Reach, WaitWords, Wake};
use super::waiter::{Ready, Spins, TimedOut, Waiter, Woken};
use crate::shm::atomic::{AtomicU32, Ordering};
use crate::shm::mortal;
use crate::sys::Source;

/// The kernel's side of the wait queues of one bell, and one process's registration of that.
#[derive(Default)]
pub(crate) struct Kernel {
    futex: Mutex<Futex>,
    woken: Condvar,
    registration: Mutex<Registration>,
}

#[derive(Default)]
struct Futex {
    next: u32,
    /// Those asleep and on which word, first come first. A wake-up is for one of these and nobody who comes later.
    asleep: VecDeque<(usize, u32)>,
    deaths: u32,
}

#[derive(Default)]
struct Registration {
    is_ready: bool,
    edges: u32,
    tasks: Vec<Waker>,
}

impl Kernel {
    /// The compare and the going to sleep are one step, as they are in the kernel.
    fn futex_wait(&self, word: &AtomicU32, seen: u32) -> Woken {
        if !mortal::lives() {
            return Woken::Turned;
        }
        let mut futex = self.futex.lock().unwrap();
        if word.load_by_kernel() != seen {
            return Woken::Turned;
        }
        if is_news(futex.deaths) {
            return Woken::InDoubt;
        }
        let me = (std::ptr::from_ref(word).addr(), futex.next);
        futex.next += 1;
        futex.asleep.push_back(me);
        while futex.asleep.contains(&me) {
            futex = self.woken.wait(futex).unwrap();
        }
        if is_news(futex.deaths) { Woken::InDoubt } else { Woken::Turned }
    }

    /// A process has died: what it held is free, and whoever waits looks once more, because it is told or because no sleep is
    /// for ever.
    pub(crate) fn died(&self) {
        let mut futex = self.futex.lock().unwrap();
        futex.deaths += 1;
        futex.asleep.clear();
        drop(futex);
        self.woken.notify_all();
        self.ring();
    }

    /// How many have died.
    pub(crate) fn deaths(&self) -> u32 {
        self.futex.lock().unwrap().deaths
    }

    fn futex_wake(&self, word: &AtomicU32, count: usize) -> usize {
        if !mortal::lives() {
            return count;
        }
        let mut futex = self.futex.lock().unwrap();
        let mut woken = 0;
        futex.asleep.retain(|&(on, _)| {
            let is_woken = woken < count && on == std::ptr::from_ref(word).addr();
            woken += usize::from(is_woken);
            !is_woken
        });
        drop(futex);
        self.woken.notify_all();
        woken
    }

    fn ring(&self) {
        if !mortal::lives() {
            return;
        }
        let mut registration = self.registration.lock().unwrap();
        registration.is_ready = true;
        registration.edges += 1;
        let tasks = std::mem::take(&mut registration.tasks);
        drop(registration);
        tasks.into_iter().for_each(Waker::wake);
    }

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<u32> {
        let mut registration = self.registration.lock().unwrap();
        if registration.is_ready {
            return Poll::Ready(registration.edges);
        }
        registration.tasks.push(cx.waker().clone());
        Poll::Pending
    }

    fn clear_ready(&self, edge: u32) {
        let mut registration = self.registration.lock().unwrap();
        // An edge that came since is not cleared.
        if registration.edges == edge {
            registration.is_ready = false;
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Bell<'a>(&'a Kernel);

impl<'a> Bell<'a> {
    pub(crate) fn new(kernel: &'a Kernel) -> Self {
        Self(kernel)
    }

    pub(super) fn deliver(self, words: &WaitWords, wake: Wake) {
        wake.deliver(|count| self.0.futex_wake(words.turn(), count as usize), || self.0.ring());
    }

    pub(super) fn sign(_: &WaitWords) {}
}

loom::thread_local! {
    /// How many deaths this thread knows of, in the wait it is in.
    static KNOWN: Cell<u32> = Cell::new(0);
}

fn is_news(deaths: u32) -> bool {
    KNOWN.with(|known| known.replace(deaths) != deaths)
}

/// A wait begins, with a look at everything still to come.
fn begin(spot: Spot<'_>) -> Spins {
    is_news(spot.bell().0.deaths());
    Spins::NONE
}

/// A blocked thread.
pub(crate) struct Thread;

impl Waiter for Thread {
    type GaveUp = Infallible;

    fn spins(&self, spot: Spot<'_>) -> Spins {
        begin(spot)
    }

    fn reach(&self) -> Reach {
        Reach::Sleeper
    }

    async fn on_word(&mut self, spot: Spot<'_>, seen: u32) -> Result<Woken, Infallible> {
        Ok(spot.bell().0.futex_wait(spot.words().turn(), seen))
    }

    async fn on_fd<T: Send>(
        &mut self,
        _: &Source,
        _: Ready,
        _: impl FnMut() -> Option<T> + Send,
    ) -> Result<T, Infallible> {
        unreachable!("models wait on words only")
    }
}

/// A blocked thread that has run out of time whenever it is woken.
pub(crate) struct Impatient;

impl Waiter for Impatient {
    type GaveUp = TimedOut;

    fn spins(&self, spot: Spot<'_>) -> Spins {
        begin(spot)
    }

    fn reach(&self) -> Reach {
        Reach::Sleeper
    }

    async fn on_word(&mut self, spot: Spot<'_>, seen: u32) -> Result<Woken, TimedOut> {
        let _ = spot.bell().0.futex_wait(spot.words().turn(), seen);
        Err(TimedOut)
    }

    async fn on_fd<T: Send>(
        &mut self,
        _: &Source,
        _: Ready,
        _: impl FnMut() -> Option<T> + Send,
    ) -> Result<T, TimedOut> {
        unreachable!("models wait on words only")
    }
}

/// A suspended task, all of one process.
pub(crate) struct Task;

impl Waiter for Task {
    type GaveUp = Infallible;

    fn spins(&self, spot: Spot<'_>) -> Spins {
        begin(spot)
    }

    fn reach(&self) -> Reach {
        Reach::Listener
    }

    async fn on_word(&mut self, spot: Spot<'_>, seen: u32) -> Result<Woken, Infallible> {
        let kernel = spot.bell().0;
        let turned = || spot.words().turn().load(Ordering::Acquire) != seen;
        loop {
            let mut rung = pin!(poll_fn(|cx| kernel.poll_ready(cx)));
            match poll_fn(|cx| poll_edge(rung.as_mut(), turned, cx)).await {
                // The bell rings at a death, too.
                Edge::Came(_) if is_news(kernel.deaths()) => return Ok(Woken::InDoubt),
                Edge::Came(edge) => kernel.clear_ready(edge),
                Edge::Turned => return Ok(Woken::Turned),
            }
        }
    }

    async fn on_fd<T: Send>(
        &mut self,
        _: &Source,
        _: Ready,
        _: impl FnMut() -> Option<T> + Send,
    ) -> Result<T, Infallible> {
        unreachable!("models wait on words only")
    }
}
