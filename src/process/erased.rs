use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Signal, getpid, getppid, kill_process};

use super::error::{ProcessWaitError, SignalError};
use super::family::me;
use super::message::Relative;
use super::registry::Child;
use crate::sys::{Source, pidfd};
use crate::wait::{
    AnyWaiter, Deadline, Park, ParkUntil, Readiness, Ready, Waitable, Waiter, blocking, never,
};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};

/// A process of the family: a child of whatever return type, the parent, or this process itself.
///
/// Given by [`active_children`](crate::active_children), [`parent_process`](crate::parent_process) and
/// [`current_process`](crate::current_process). A clone names the same process. The signals and the waits of a process that has
/// ended do nothing: its number, used again, never means somebody else here.
#[derive(Clone)]
pub struct Process(Kind);

#[derive(Clone)]
enum Kind {
    Current,
    Child(Arc<Child>),
    Stranger(Arc<Stranger>),
}

/// A process whose status is another's to take.
pub(super) struct Stranger {
    pid: u32,
    name: String,
    /// `None` of one that had ended before we looked.
    pidfd: Option<Source>,
}

impl Stranger {
    /// The parent: that number means it for as long as we are its child.
    pub(super) fn parent(who: &Relative) -> Self {
        let pidfd = pidfd::open(who.pid).ok();
        // Asked after the pidfd was opened: so the number had not been given away when it was.
        let is_ours = getppid().is_some_and(|pid| pid.as_raw_nonzero().get().cast_unsigned() == who.pid);
        Self { pid: who.pid, name: who.name.clone(), pidfd: pidfd.filter(|_| is_ours).map(Source::new) }
    }

    fn look(&self) -> Option<()> {
        self.pidfd.as_ref().is_none_or(pidfd::has_ended).then_some(())
    }

    async fn ended<W: Waiter>(&self, waiter: &mut W) -> Result<(), W::GaveUp> {
        match &self.pidfd {
            None => Ok(()),
            Some(pidfd) => waiter.on_fd(pidfd, Ready::Read, || self.look()).await,
        }
    }
}

impl Process {
    pub(super) fn current() -> Self {
        Self(Kind::Current)
    }

    pub(super) fn of_child(child: Arc<Child>) -> Self {
        Self(Kind::Child(child))
    }

    pub(super) fn of_stranger(stranger: Arc<Stranger>) -> Self {
        Self(Kind::Stranger(stranger))
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        match &self.0 {
            Kind::Current => std::process::id(),
            Kind::Child(child) => child.pid(),
            Kind::Stranger(stranger) => stranger.pid,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.0 {
            Kind::Current => &me().name,
            Kind::Child(child) => child.name(),
            Kind::Stranger(stranger) => &stranger.name,
        }
    }

    /// Whether it runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match &self.0 {
            Kind::Current => true,
            Kind::Child(child) => child.look().is_none(),
            Kind::Stranger(stranger) => stranger.look().is_none(),
        }
    }

    /// How it ended: its code, or the signal as a negative number. `None` while it runs, and where the status is not ours
    /// to know, as the parent's.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        match &self.0 {
            Kind::Child(child) => child.exit_code(),
            Kind::Current | Kind::Stranger(_) => None,
        }
    }

    /// Asks it to end, by SIGTERM.
    ///
    /// # Errors
    ///
    /// If this process may not send signals to it.
    pub fn terminate(&self) -> Result<(), SignalError> {
        self.signal(Signal::TERM)
    }

    /// Ends it, by SIGKILL.
    ///
    /// # Errors
    ///
    /// If this process may not send signals to it.
    pub fn kill(&self) -> Result<(), SignalError> {
        self.signal(Signal::KILL)
    }

    fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        let sent = match &self.0 {
            Kind::Child(child) => return child.signal(signal),
            Kind::Current => kill_process(getpid(), signal).map_err(Into::into),
            Kind::Stranger(stranger) => match &stranger.pidfd {
                Some(pidfd) => pidfd::send_signal(pidfd, signal),
                None => Ok(()),
            },
        };
        sent.map_err(|source| SignalError { name: self.name().to_owned(), pid: self.pid(), source })
    }

    /// Waits for its end and gives its [`exit_code`](Self::exit_code). Its twins: [`try_wait`](Self::try_wait) looks once,
    /// [`wait_timeout`](Self::wait_timeout) waits for some time, [`coro_wait`](Self::coro_wait) suspends the task.
    ///
    /// # Blocking
    ///
    /// Blocks the thread until the process ends, and for ever if it never does.
    ///
    /// # Errors
    ///
    /// [`ProcessWaitError::Itself`] in this very process.
    pub fn wait(&self) -> Result<Option<i32>, ProcessWaitError> {
        never(blocking(self.ended(&mut Park::new()))).ok_or(ProcessWaitError::Itself)?;
        Ok(self.exit_code())
    }

    /// Gives its [`exit_code`](Self::exit_code) if it has ended.
    ///
    /// # Errors
    ///
    /// [`ProcessWaitError::Timeout`] while it runs; otherwise as [`wait`](Self::wait).
    pub fn try_wait(&self) -> Result<Option<i32>, ProcessWaitError> {
        match self.0 {
            Kind::Current => Err(ProcessWaitError::Itself),
            _ if self.is_alive() => Err(ProcessWaitError::Timeout),
            _ => Ok(self.exit_code()),
        }
    }

    /// As [`wait`](Self::wait), for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`ProcessWaitError::Timeout`] if it still runs then; otherwise as [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<Option<i32>, ProcessWaitError> {
        let ended = blocking(self.ended(&mut ParkUntil::new(Deadline::after(timeout))));
        ended.map_err(|_| ProcessWaitError::Timeout)?.ok_or(ProcessWaitError::Itself)?;
        Ok(self.exit_code())
    }

    /// As [`wait`](Self::wait), and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: any number of tasks may wait, and stop waiting.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    #[cfg(feature = "tokio")]
    pub async fn coro_wait(&self) -> Result<Option<i32>, ProcessWaitError> {
        never(suspended(self.ended(&mut Suspend::new())).await).ok_or(ProcessWaitError::Itself)?;
        Ok(self.exit_code())
    }

    /// `None`: it is this process.
    async fn ended<W: Waiter>(&self, waiter: &mut W) -> Result<Option<()>, W::GaveUp> {
        match &self.0 {
            Kind::Current => return Ok(None),
            Kind::Child(child) => drop(child.ended(waiter).await?),
            Kind::Stranger(stranger) => stranger.ended(waiter).await?,
        }
        Ok(Some(()))
    }
}

/// Ready when it has ended. This very process is ready, too: nobody can wait for itself.
impl Waitable for Process {
    fn until_ready<'a>(&'a self, mut waiter: AnyWaiter<'a>) -> Readiness<'a> {
        Box::pin(async move {
            never(self.ended(&mut waiter).await);
            Ok(())
        })
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("name", &self.name())
            .field("pid", &self.pid())
            .field("is_alive", &self.is_alive())
            .finish_non_exhaustive()
    }
}
