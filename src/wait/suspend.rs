//! Waiting as a suspended task on tokio.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::io::unix::AsyncFdReadyGuard;
use tokio::time::sleep;

use super::Spot;
use super::bell::Bell;
use super::edge::{Edge, poll_edge};
use super::leave;
use super::listing::Reach;
use super::nap::Nap;
use super::room;
use super::waiter::{Ready, Spins, Waiter, Woken, back_off};
use crate::planted::planted;
use crate::shm::atomic::Ordering;
use crate::shm::notice;
use crate::sys::{Registration, Source, Watched, Way};

/// Between two looks of one that has no descriptor left to wait with.
const FIRST_NAP: Duration = Duration::from_millis(1);
const LONGEST_NAP: Duration = Duration::from_millis(64);

/// Suspends the task.
pub(crate) struct Suspend(Nap);

impl Suspend {
    pub(crate) fn new() -> Self {
        Self(Nap::new())
    }
}

/// Drives a future of [`Suspend`] and spends a unit of tokio's cooperative budget on it, so that a loop which never has
/// to wait does not starve its runtime.
pub(crate) fn suspended<F: Future>(future: F) -> impl Future<Output = F::Output> {
    tokio::task::coop::cooperative(future)
}

/// What a first attempt costs, in parts of a unit of tokio's cooperative budget: what is far cheaper than a unit is meant for, and
/// than asking for one, need not ask each time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost(u8);

thread_local! {
    /// Of the unit that is asked for next.
    static TAKEN: Cell<u8> = const { Cell::new(0) };
    /// When the last one was asked for.
    static ASKED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// About what tokio takes a unit for: what its own primitives do in one.
const UNIT_OF_TIME: Duration = Duration::from_micros(1);

impl Cost {
    pub(crate) const UNIT: Self = Self(128);
    /// Of an item that is nothing but its bytes.
    pub(crate) const ITEM: Self = Self(16);
    /// Of a lock that is free.
    pub(crate) const LOCK: Self = Self(1);

    /// Spends it. False: these parts were the last of a unit, which is due now.
    #[inline]
    #[must_use]
    pub(crate) fn spend(self) -> bool {
        let taken = TAKEN.get() + self.0;
        let is_left = taken < Self::UNIT.0;
        TAKEN.set(if is_left { taken } else { taken - Self::UNIT.0 });
        is_left
    }

    /// Asks tokio for the unit that is due. Steps that are a small part of one are taken for more where the task did other things between
    /// them: as many units as that took microseconds, up to one a step.
    fn pay(self, cx: &mut Context<'_>) -> Poll<()> {
        let steps = u32::from(Self::UNIT.0 / self.0);
        let now = Instant::now();
        let since = ASKED.replace(Some(now)).map_or(UNIT_OF_TIME, |before| now.duration_since(before));
        let passed = since.as_micros() / UNIT_OF_TIME.as_micros();
        let units = planted!("what-a-task-does-between-steps-is-free", passed, 1).clamp(1, steps.into());
        for _ in 0..units {
            ready!(pin!(suspended(std::future::ready(()))).poll(cx));
        }
        Poll::Ready(())
    }
}

/// A first attempt, which takes its part of the budget before it is made: afterwards it would be too late to give way.
#[inline]
pub(crate) async fn at_once<T>(cost: Cost, mut attempt: impl FnMut() -> T) -> T {
    if cost.spend() {
        return attempt();
    }
    suspended(poll_fn(move |_| Poll::Ready(attempt()))).await
}

/// A wait that is mostly over at its first attempt. That attempt is all that is inlined where it is awaited; what follows if it
/// gave nothing is boxed: for waits that take far longer than the box.
pub(crate) struct AtOnceOr<'a, A, R, T> {
    cost: Cost,
    attempt: A,
    rest: R,
    // Of any kind, or how to drop it would be inlined, too.
    under_way: Option<Pin<Box<dyn Future<Output = T> + Send + 'a>>>,
}

/// Makes `attempt`, and goes on with `rest` if that gave nothing. As [`at_once`], for what is so short that each step more is felt.
#[inline]
pub(crate) fn at_once_or<'a, T, F: Future<Output = T> + Send + 'a>(
    cost: Cost,
    attempt: impl FnMut() -> Option<T> + Send + Unpin,
    rest: impl FnMut() -> F + Send + Unpin,
) -> impl Future<Output = T> + Send {
    AtOnceOr { cost, attempt, rest, under_way: None }
}

impl<'a, A, R, F, T> AtOnceOr<'a, A, R, T>
where
    A: FnMut() -> Option<T>,
    R: FnMut() -> F,
    F: Future<Output = T> + Send + 'a,
{
    #[cold]
    #[inline(never)]
    fn poll_slowly(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        if let Some(under_way) = &mut self.under_way {
            return under_way.as_mut().poll(cx);
        }
        // A unit is due, or the wait pays one more.
        ready!(self.cost.pay(cx));
        match (self.attempt)() {
            Some(out) => Poll::Ready(out),
            None => self.under_way.insert(Box::pin((self.rest)())).as_mut().poll(cx),
        }
    }
}

impl<'a, A, R, F, T> Future for AtOnceOr<'a, A, R, T>
where
    A: FnMut() -> Option<T> + Unpin,
    R: FnMut() -> F + Unpin,
    F: Future<Output = T> + Send + 'a,
{
    type Output = T;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        if this.under_way.is_none()
            && this.cost.spend()
            && let Some(out) = (this.attempt)()
        {
            return Poll::Ready(out);
        }
        this.poll_slowly(cx)
    }
}

/// What woke a listening task.
enum Event {
    Turned,
    Rung,
    Notice,
    NapOver,
    /// The registration belongs to a runtime that is gone.
    Gone,
}

impl Waiter for Suspend {
    type GaveUp = Infallible;

    fn spins(&self, spot: Spot<'_>) -> Spins {
        match Bell::spins(spot.words()) {
            // It is a thread that gives way, with all its tasks.
            spins if spins.gives_way => {
                if room::is_nobody_else_alive() {
                    spins
                } else {
                    Spins::NONE
                }
            }
            spins if spins.looks > 0 && room::is_there_any() => spins,
            _ => Spins::NONE,
        }
    }

    async fn pause(&mut self, spins: Spins, turn: u32) -> bool {
        if spins.gives_way {
            return leave::leave_cpu();
        }
        back_off(turn);
        !room::is_yield_due(turn) || room::let_others_run().await
    }

    fn give_way(&mut self) -> impl Future<Output = bool> + Send {
        std::future::ready(leave::is_worth_it() && room::is_nobody_else_alive() && leave::leave_cpu())
    }

    fn reach(&self) -> Reach {
        Reach::Listener
    }

    async fn on_word(&mut self, spot: Spot<'_>, seen: u32) -> Result<Woken, Infallible> {
        let turn = spot.words().turn();
        let region = spot.bell().region();
        let deaths = region.deaths();
        let mut bell = registration(spot.bell().source());
        let watch = notice::watch(region);
        let mut notices = watch.map(registration);
        let mut nap = pin!(sleep(Duration::from_nanos(spot.bound(self.0.length_for_a_task()))));
        loop {
            let event = {
                let mut rung = pin!(bell.readable());
                let mut noticed = pin!(async {
                    match &notices {
                        Some(notices) => notices.readable().await.map(|mut edge| edge.clear_ready()),
                        None => pending().await,
                    }
                });
                poll_fn(|cx| {
                    let turned = || turn.load(Ordering::Acquire) != seen || region.deaths() != deaths;
                    match poll_edge(rung.as_mut(), turned, cx) {
                        Poll::Ready(Edge::Came(Ok(mut edge))) => {
                            edge.clear_ready();
                            return Poll::Ready(Event::Rung);
                        }
                        Poll::Ready(Edge::Came(Err(_))) => return Poll::Ready(Event::Gone),
                        Poll::Ready(Edge::Turned) => return Poll::Ready(Event::Turned),
                        Poll::Pending => {}
                    }
                    match noticed.as_mut().poll(cx) {
                        Poll::Ready(Ok(())) => return Poll::Ready(Event::Notice),
                        Poll::Ready(Err(_)) => return Poll::Ready(Event::Gone),
                        Poll::Pending => {}
                    }
                    nap.as_mut().poll(cx).map(|()| Event::NapOver)
                })
                .await
            };
            match event {
                Event::Rung => {
                    planted!("a-doorbell-that-is-read", {
                        crate::sys::eventfd::silence(spot.bell().source());
                    });
                }
                Event::Turned if turn.load(Ordering::Acquire) != seen => return Ok(Woken::Turned),
                Event::Turned => return Ok(Woken::InDoubt),
                Event::Notice => {
                    notice::look();
                    self.0.suspect();
                    return Ok(Woken::InDoubt);
                }
                Event::NapOver => {
                    if self.0.is_suspicious() {
                        region.look_for_deaths();
                    }
                    if self.0.becomes_long() {
                        region.tell_of_a_long_wait();
                    }
                    self.0.grow();
                    return Ok(Woken::InDoubt);
                }
                Event::Gone => {
                    spot.bell().source().forget(&bell);
                    bell = registration(spot.bell().source());
                    if let (Some(watch), Some(known)) = (watch, &notices) {
                        watch.forget(known);
                        notices = Some(registration(watch));
                    }
                }
            }
        }
    }

    async fn on_fd<T: Send>(
        &mut self,
        source: &Source,
        ready: Ready,
        mut attempt: impl FnMut() -> Option<T> + Send,
    ) -> Result<T, Infallible> {
        if ready != Ready::ReadLater
            && let Some(out) = first(source, ready, &mut attempt).await
        {
            return Ok(out);
        }
        let mut nap = FIRST_NAP;
        loop {
            let reading = (ready != Ready::Write).then(|| registration(source));
            // Without a descriptor for it, whoever waits for room looks again and again.
            let writing =
                matches!(ready, Ready::Write | Ready::Either).then(|| source.registration(Way::Write).ok());
            let is_blind =
                planted!("who-has-no-descriptor-waits-for-ever", matches!(writing, Some(None)), false);
            let writing = writing.flatten();
            let mut read = pin!(edge_of(reading.as_ref(), Interest::READABLE));
            let mut write = pin!(edge_of(writing.as_ref(), Interest::WRITABLE));
            let length = nap;
            let mut nap_over = pin!(async { if is_blind { sleep(length).await } else { pending().await } });
            let edge = poll_fn(|cx| {
                if let Poll::Ready(edge) = read.as_mut().poll(cx) {
                    return Poll::Ready(Some((edge, reading.as_ref())));
                }
                if let Poll::Ready(edge) = write.as_mut().poll(cx) {
                    return Poll::Ready(Some((edge, writing.as_ref())));
                }
                nap_over.as_mut().poll(cx).map(|()| None)
            });
            match edge.await {
                Some((Ok(mut edge), _)) => {
                    if let Some(out) = attempt() {
                        return Ok(out);
                    }
                    edge.clear_ready();
                }
                Some((Err(_), known)) => known.into_iter().for_each(|known| source.forget(known)),
                None => {
                    nap = (nap * 2).min(LONGEST_NAP);
                    if let Some(out) = attempt() {
                        return Ok(out);
                    }
                }
            }
        }
    }
}

/// The first attempt. What the runtime knows from before may be old: then that is cleared, so that the wait which follows is one.
async fn first<T>(source: &Source, ready: Ready, attempt: &mut impl FnMut() -> Option<T>) -> Option<T> {
    let known = if ready == Ready::Read { source.known(Way::Read) } else { None };
    let Some(known) = known else { return attempt() };
    let mut readable = pin!(known.readable());
    let edge = poll_fn(|cx| Poll::Ready(readable.as_mut().poll(cx))).await;
    let got = attempt();
    if let (None, Poll::Ready(Ok(mut edge))) = (&got, edge) {
        edge.clear_ready();
    }
    got
}

/// The next edge of a registration; none ever where there is no registration.
async fn edge_of(
    known: Option<&Arc<Registration>>,
    interest: Interest,
) -> io::Result<AsyncFdReadyGuard<'_, Watched>> {
    match known {
        Some(known) => known.ready(interest).await,
        None => pending().await,
    }
}

/// The registration of `source` with the runtime of the caller.
///
/// # Panics
///
/// With tokio's own message outside of a runtime, or where the runtime's I/O is disabled; and where the kernel refuses another
/// watch (`fs.epoll.max_user_watches`).
fn registration(source: &Source) -> Arc<Registration> {
    let made: io::Result<_> = source.registration(Way::Read);
    made.unwrap_or_else(|error| panic!("tokio could not register a descriptor: {error}"))
}

#[cfg(all(test, not(aioprocessing_loom)))]
mod tests {
    use super::{Cost, TAKEN};

    #[test]
    fn parts_add_up_to_units() {
        TAKEN.set(0);
        let due = |cost: Cost, times: usize| (0..times).filter(|_| !cost.spend()).count();
        assert_eq!(due(Cost::LOCK, 127), 0);
        assert_eq!(due(Cost::ITEM, 1), 1, "one part is left of it");
        assert_eq!(due(Cost::UNIT, 3), 3);
        assert_eq!(due(Cost::ITEM, 8 * 4), 4);
        assert_eq!(due(Cost::LOCK, 128 * 4), 4);
    }
}
