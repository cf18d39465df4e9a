//! Waiting for the first of several things.
//!
//! Each of them is an ordinary wait, a future, and [`AnyWaiter`] is how these let time pass together: as one task, or on
//! one thread that sleeps on all their descriptors at once.

use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::gathering::Gathering;
use super::listing::Reach;
use super::waiter::{Ready, Spins, Waiter, Woken};
use super::{Deadline, Spot};
#[cfg(feature = "tokio")]
use super::{Suspend, suspended};
use crate::planted::planted;
use crate::shm::atomic::Ordering;
use crate::sys::{Source, pidfd};

/// Something that [`wait_any`] waits for, together with others.
///
/// | what | ready when |
/// | --- | --- |
/// | a connection or a receiver | a message is there, or the end of the pipe |
/// | a listener | a client is there that has proved who it is, or it is closed |
/// | a process | it has ended |
/// | an event | it is set |
/// | a queue | an item is there, or it is closed |
/// | anything with a descriptor: sockets, pipes, sentinels | it is ready to read |
///
/// Something that can't be used any more is ready, too: using it says why.
pub trait Waitable: Sync {
    #[doc(hidden)]
    fn until_ready<'a>(&'a self, waiter: AnyWaiter<'a>) -> Readiness<'a>;
}

#[doc(hidden)]
#[allow(unreachable_pub, reason = "a public trait names it")]
pub type Readiness<'a> = Pin<Box<dyn Future<Output = io::Result<()>> + Send + 'a>>;

/// Why [`wait_any`] could not wait.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitAnyError {
    /// The system refused a descriptor, or one can't be waited for.
    #[error(
        "the system refused to wait ({0}); close descriptors, or raise the limit of open files (`ulimit -n`)"
    )]
    Io(#[source] io::Error),
}

/// Waits until one of `things` is ready, and gives the places of all that are, in their order; none if `timeout` is over
/// first, or if there are no things. Python's `multiprocessing.connection.wait`.
///
/// [`coro_wait_any`] suspends the task instead of the thread. Nothing is taken from anything: somebody else may be faster, so
/// use the `try_` forms on what is ready.
///
/// # Blocking
///
/// Blocks the thread; needs no runtime. Without a timeout it waits as long as it takes; zero looks once.
///
/// # If a process dies
///
/// What that makes ready is ready at once: its sentinel, and the pipes that only it held.
///
/// # Errors
///
/// [`WaitAnyError::Io`] if the system has no descriptor left: waiting takes one, and one more for each thing that is a bare descriptor.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use aioprocessing::{AioEvent, AioPipe, wait_any};
///
/// let event = AioEvent::new()?;
/// let (rx, tx) = AioPipe::<u8>::simplex()?;
/// assert_eq!(wait_any(&[&event, &rx], Some(Duration::ZERO))?, []);
/// tx.send(&1)?;
/// assert_eq!(wait_any(&[&event, &rx], None)?, [1]);
/// event.set();
/// assert_eq!(wait_any(&[&event, &rx], None)?, [0, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn wait_any(things: &[&dyn Waitable], timeout: Option<Duration>) -> Result<Vec<usize>, WaitAnyError> {
    let deadline = timeout.map(Deadline::after);
    let ready = ready_now(things)?;
    if !ready.is_empty() || things.is_empty() || timeout.is_some_and(|timeout| timeout.is_zero()) {
        return Ok(ready);
    }
    let gathering = Gathering::new().map_err(WaitAnyError::Io)?;
    let mut waits: Vec<_> =
        things.iter().map(|thing| thing.until_ready(AnyWaiter(How::Gathered(&gathering)))).collect();
    loop {
        if let Some(first) = poll_each(&mut waits, &mut Context::from_waker(Waker::noop()))? {
            drop(waits);
            return with(first, ready_now(things)?);
        }
        gathering.sleep(deadline).map_err(WaitAnyError::Io)?;
        if deadline.is_some_and(Deadline::has_passed) {
            drop(waits);
            return ready_now(things);
        }
    }
}

/// [`wait_any`], suspending the task. Bound it with `tokio::time::timeout`.
///
/// # Cancel safety
///
/// Cancel safe: it takes nothing.
///
/// # Errors
///
/// As [`wait_any`].
///
/// # Panics
///
/// Outside of a tokio runtime, or in one without I/O or time enabled, when it has to wait.
#[cfg(feature = "tokio")]
pub async fn coro_wait_any(things: &[&dyn Waitable]) -> Result<Vec<usize>, WaitAnyError> {
    suspended(async {
        let ready = ready_now(things)?;
        if !ready.is_empty() || things.is_empty() {
            return Ok(ready);
        }
        let mut waits: Vec<_> =
            things.iter().map(|thing| thing.until_ready(AnyWaiter(How::Suspended(Suspend::new())))).collect();
        let first =
            poll_fn(|cx| poll_each(&mut waits, cx).transpose().map_or(Poll::Pending, Poll::Ready)).await?;
        drop(waits);
        with(first, ready_now(things)?)
    })
    .await
}

/// The place of one that is done, if there is one.
fn poll_each(waits: &mut [Readiness<'_>], cx: &mut Context<'_>) -> Result<Option<usize>, WaitAnyError> {
    for (place, wait) in waits.iter_mut().enumerate() {
        if let Poll::Ready(done) = wait.as_mut().poll(cx) {
            return done.map(|()| Some(place)).map_err(WaitAnyError::Io);
        }
    }
    Ok(None)
}

/// The one that ended the wait counts, even if it is ready no longer: an event that was set and cleared at once.
fn with(first: usize, mut ready: Vec<usize>) -> Result<Vec<usize>, WaitAnyError> {
    if let Err(place) = planted!("wait-any-forgets-what-woke-it", ready.binary_search(&first), Ok(0)) {
        ready.insert(place, first);
    }
    Ok(ready)
}

/// The places of those that are ready at one look.
fn ready_now(things: &[&dyn Waitable]) -> Result<Vec<usize>, WaitAnyError> {
    let mut ready = Vec::new();
    for (place, thing) in things.iter().enumerate() {
        let wait = thing.until_ready(AnyWaiter(How::Glance));
        if poll_each(&mut [wait], &mut Context::from_waker(Waker::noop()))?.is_some() {
            ready.push(place);
        }
    }
    Ok(ready)
}

/// How one of several waits lets time pass.
#[doc(hidden)]
#[allow(missing_debug_implementations, reason = "nobody can name it")]
pub struct AnyWaiter<'a>(How<'a>);

enum How<'a> {
    /// Not at all: what isn't ready at one look stays pending.
    Glance,
    Gathered(&'a Gathering),
    #[cfg(feature = "tokio")]
    Suspended(Suspend),
}

impl Waiter for AnyWaiter<'_> {
    type GaveUp = Infallible;

    fn spins(&self, _: Spot<'_>) -> Spins {
        Spins::NONE
    }

    fn reach(&self) -> Reach {
        Reach::Listener
    }

    async fn on_word(&mut self, spot: Spot<'_>, seen: u32) -> Result<Woken, Infallible> {
        let gathering = match &mut self.0 {
            How::Glance => return pending().await,
            How::Gathered(gathering) => gathering,
            #[cfg(feature = "tokio")]
            How::Suspended(suspend) => return suspend.on_word(spot, seen).await,
        };
        let (turn, region) = (spot.words().turn(), spot.bell().region());
        let (deaths, doubts) = (region.deaths(), gathering.doubts());
        gathering.listen(spot.bell());
        let looked = poll_fn(|_| {
            if turn.load(Ordering::Acquire) != seen {
                Poll::Ready(Woken::Turned)
            } else if region.deaths() != deaths || gathering.doubts() != doubts {
                Poll::Ready(Woken::InDoubt)
            } else {
                Poll::Pending
            }
        });
        Ok(looked.await)
    }

    async fn on_fd<T: Send>(
        &mut self,
        source: &Source,
        #[cfg_attr(not(feature = "tokio"), allow(unused_variables))] ready: Ready,
        mut attempt: impl FnMut() -> Option<T> + Send,
    ) -> Result<T, Infallible> {
        let gathering = match &mut self.0 {
            How::Glance => {
                return match attempt() {
                    Some(out) => Ok(out),
                    None => pending().await,
                };
            }
            How::Gathered(gathering) => gathering,
            #[cfg(feature = "tokio")]
            How::Suspended(suspend) => return suspend.on_fd(source, ready, attempt).await,
        };
        // Before the attempt: from here on the descriptor wakes the gathering.
        gathering.watch(source);
        let made = poll_fn(|_| attempt().map_or(Poll::Pending, Poll::Ready));
        Ok(made.await)
    }
}

/// What has a descriptor is waited for on a copy of it, which a runtime can know apart.
impl<T: AsFd + Sync + ?Sized> Waitable for T {
    fn until_ready<'a>(&'a self, mut waiter: AnyWaiter<'a>) -> Readiness<'a> {
        Box::pin(async move {
            let look = || pidfd::has_ended(self).then_some(());
            if look().is_some() {
                return Ok(());
            }
            let source = Source::new(self.as_fd().try_clone_to_owned()?);
            waiter.on_fd(&source, Ready::Read, look).await.map_err(|never| match never {})
        })
    }
}
