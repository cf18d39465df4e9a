//! Waiting as a suspended task on tokio.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::Interest;
use tokio::time::sleep;

use super::Spot;
use super::edge::{Edge, poll_edge};
use super::listing::Reach;
use super::nap::Nap;
use super::waiter::{Ready, Waiter, Woken};
use crate::planted::planted;
use crate::shm::atomic::Ordering;
use crate::shm::notice;
use crate::sys::{Registration, Source};

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

    fn spins(&self, _: Spot<'_>) -> u32 {
        0
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
                        None => std::future::pending().await,
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
        loop {
            if let Some(out) = attempt() {
                return Ok(out);
            }
            let known = registration(source);
            let interest = match ready {
                Ready::Read => Interest::READABLE,
                Ready::Write => Interest::WRITABLE,
                Ready::Either => Interest::READABLE | Interest::WRITABLE,
            };
            loop {
                let mut edge = match known.ready(interest).await {
                    Ok(edge) => edge,
                    Err(_) => {
                        source.forget(&known);
                        break;
                    }
                };
                if let Some(out) = attempt() {
                    return Ok(out);
                }
                edge.clear_ready();
            }
        }
    }
}

/// The registration of `source` with the runtime of the caller.
///
/// # Panics
///
/// With tokio's own message outside of a runtime, or where the runtime's I/O is disabled; and where the kernel refuses another
/// watch (`fs.epoll.max_user_watches`).
fn registration(source: &Source) -> Arc<Registration> {
    let made: io::Result<_> = source.registration();
    made.unwrap_or_else(|error| panic!("tokio could not register a descriptor: {error}"))
}
