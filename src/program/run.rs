//! Programs under way: the three things that give what becomes of them.

use std::fmt;
#[cfg(feature = "tokio")]
use std::pin::Pin;
use std::sync::Arc;
#[cfg(feature = "tokio")]
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;

use super::description::Program;
use super::desk::{Desk, Supply};
use super::error::ProgramError;
use super::event::{ProgramEvent, ProgramOutput};
use super::running::Told;
use crate::sys::gather::Gather;
use crate::wait::{Deadline, Park, ParkUntil, Ready, Waiter, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};

/// What is common to all three.
struct Run<'a> {
    #[cfg(feature = "tokio")]
    waiting: Option<Pin<Box<dyn Future<Output = Option<Told>> + Send + 'a>>>,
    shared: Arc<Shared<'a>>,
}

struct Shared<'a> {
    /// Declared first, so that it goes first.
    desk: Mutex<Desk<'a>>,
    /// `None`: the system had no descriptor for it, and the desk says so.
    gather: Option<Gather>,
}

impl Shared<'_> {
    fn look(&self) -> Option<Option<Told>> {
        match &self.gather {
            Some(gather) => self.desk.lock().next(gather),
            None => Some(self.desk.lock().next_told()),
        }
    }

    async fn next<W: Waiter>(&self, waiter: &mut W) -> Result<Option<Told>, W::GaveUp> {
        match &self.gather {
            Some(gather) => waiter.on_fd(gather.source(), Ready::Read, || self.look()).await,
            None => Ok(self.desk.lock().next_told()),
        }
    }
}

impl<'a> Run<'a> {
    fn new(parallel: usize, source: Supply<'a>, tells_all: bool) -> Self {
        let mut desk = Desk::new(parallel, source, tells_all);
        let gather = Gather::new().map_err(|error| desk.fail(error)).ok();
        Self {
            #[cfg(feature = "tokio")]
            waiting: None,
            shared: Arc::new(Shared { desk: Mutex::new(desk), gather }),
        }
    }

    fn of<I>(parallel: usize, programs: I, tells_all: bool) -> Self
    where
        I: IntoIterator<Item: Into<Program> + 'a, IntoIter: Send + 'a>,
    {
        let programs = programs.into_iter().map(Into::into);
        Self::new(parallel, Supply::Iterator(Box::new(programs)), tells_all)
    }

    #[cfg(feature = "tokio")]
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Told>> {
        let waiting = self.waiting.get_or_insert_with(|| {
            let shared = self.shared.clone();
            Box::pin(async move { never(suspended(shared.next(&mut Suspend::new())).await) })
        });
        let next = std::task::ready!(waiting.as_mut().poll(cx));
        self.waiting = None;
        Poll::Ready(next)
    }

    fn describe(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (started, running) = self.shared.desk.lock().counts();
        f.debug_struct(name).field("started", &started).field("running", &running).finish_non_exhaustive()
    }
}

/// Of a run that does not tell everything.
fn result(told: Told) -> Option<Result<ProgramOutput, ProgramError>> {
    match told {
        Ok(ProgramEvent::Ended(output)) => Some(Ok(output)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    }
}

macro_rules! run {
    ($(#[$doc:meta])* $name:ident gives $item:ty, all: $all:literal, by $from:expr) => {
        $(#[$doc])*
        pub struct $name<'a>(Run<'a>);

        impl<'a> $name<'a> {
            pub(super) fn of<I>(parallel: usize, programs: I) -> Self
            where
                I: IntoIterator<Item: Into<Program> + 'a, IntoIter: Send + 'a>,
            {
                Self(Run::of(parallel, programs, $all))
            }

            /// The next one, waited for for at most `timeout`: `None` if it is not there then, and `Some(None)` at the end.
            pub fn next_timeout(&mut self, timeout: Duration) -> Option<Option<$item>> {
                let mut waiter = ParkUntil::new(Deadline::after(timeout));
                Some(blocking(self.0.shared.next(&mut waiter)).ok()?.and_then($from))
            }

            /// The next one; `None` at the end. As `next`, and suspends the task.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: dropped, it has taken nothing, and the programs run on.
            #[cfg(feature = "tokio")]
            pub async fn coro_next(&mut self) -> Option<$item> {
                never(suspended(self.0.shared.next(&mut Suspend::new())).await).and_then($from)
            }
        }

        impl Iterator for $name<'_> {
            type Item = $item;

            /// Blocks the thread until there is one.
            fn next(&mut self) -> Option<$item> {
                never(blocking(self.0.shared.next(&mut Park::new()))).and_then($from)
            }
        }

        #[cfg(feature = "tokio")]
        impl futures_core::Stream for $name<'_> {
            type Item = $item;

            fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<$item>> {
                self.get_mut().0.poll_next(cx).map(|told| told.and_then($from))
            }
        }

        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.describe(stringify!($name), f)
            }
        }
    };
}

run! {
    /// What becomes of the programs of [`Programs::run`](crate::Programs::run), as each ends: an `Iterator`, and with feature `tokio` a `Stream`.
    ///
    /// An error is of one program, and the next follows. Dropped, it kills what still runs and waits for that.
    ProgramResults gives Result<ProgramOutput, ProgramError>, all: false, by result
}

run! {
    /// What happens to the programs of [`Programs::events`](crate::Programs::events): an `Iterator`, and with feature `tokio` a `Stream`.
    ///
    /// An error is the end of one program, and more follow. Dropped, it kills what still runs and waits for that.
    ProgramEvents gives Result<ProgramEvent, ProgramError>, all: true, by Some
}

/// What becomes of the programs of [`Programs::run_stream`](crate::Programs::run_stream), as each ends: a `Stream`.
///
/// An error is of one program, and the next follows. Dropped, it kills what still runs and waits for that.
#[cfg(feature = "tokio")]
pub struct ProgramStream<'a> {
    run: Run<'a>,
    /// `None`: no more.
    programs: Option<Pin<Box<dyn futures_core::Stream<Item = Program> + Send + 'a>>>,
}

#[cfg(feature = "tokio")]
impl<'a> ProgramStream<'a> {
    pub(super) fn of<S>(parallel: usize, programs: S) -> Self
    where
        S: futures_core::Stream<Item: Into<Program> + 'a> + Send + 'a,
    {
        let programs = Box::pin(Converted(Box::pin(programs)));
        Self { run: Run::new(parallel, Supply::Offered, false), programs: Some(programs) }
    }

    /// The next one; `None` at the end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped, it has taken nothing, and the programs run on.
    pub async fn coro_next(&mut self) -> Option<Result<ProgramOutput, ProgramError>> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<ProgramOutput, ProgramError>>> {
        loop {
            self.start(cx);
            match self.run.poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(told)) => {
                    if let Some(result) = result(told) {
                        return Poll::Ready(Some(result));
                    }
                }
            }
        }
    }

    /// Takes from the stream what there is room for.
    fn start(&mut self, cx: &mut Context<'_>) {
        let Some(gather) = &self.run.shared.gather else { return };
        while let Some(programs) = &mut self.programs
            && self.run.shared.desk.lock().wants_more()
        {
            let Poll::Ready(program) = programs.as_mut().poll_next(cx) else { return };
            // What waits has to look again, at this one too.
            self.run.waiting = None;
            let is_last = program.is_none();
            self.run.shared.desk.lock().offer(program, gather);
            if is_last {
                self.programs = None;
            }
        }
    }
}

#[cfg(feature = "tokio")]
impl futures_core::Stream for ProgramStream<'_> {
    type Item = Result<ProgramOutput, ProgramError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(cx)
    }
}

#[cfg(feature = "tokio")]
impl fmt::Debug for ProgramStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.run.describe("ProgramStream", f)
    }
}

/// A stream of what can be made into programs, as one of programs.
#[cfg(feature = "tokio")]
struct Converted<S>(Pin<Box<S>>);

#[cfg(feature = "tokio")]
impl<S: futures_core::Stream<Item: Into<Program>>> futures_core::Stream for Converted<S> {
    type Item = Program;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Program>> {
        self.get_mut().0.as_mut().poll_next(cx).map(|program| program.map(Into::into))
    }
}
