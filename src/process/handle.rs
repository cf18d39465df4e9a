use std::fmt;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::Signal;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::builder::ProcessBuilder;
use super::error::{JoinError, SignalError, SpawnError};
#[cfg(feature = "tokio")]
use super::function::AsyncProcessFn;
use super::function::ProcessFn;
use super::launch::Launched;
use super::registry::Child;
use crate::wait::{AnyWaiter, Deadline, Park, ParkUntil, Readiness, Waitable, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};

/// A child process that runs a function of this program and returns a `T`: Python's `multiprocessing.Process`.
///
/// Threads and tasks may share the handle; all of them may wait for the child. Dropped, it leaves the child running, unless
/// [`kill_on_drop`](ProcessBuilder::kill_on_drop) says otherwise.
///
/// # If a process dies
///
/// A child that dies, in whichever way, is seen at once by all who wait for it; what it held is freed. A parent that dies
/// takes its [daemons](ProcessBuilder::daemon) with it and leaves its other children running.
///
/// # Examples
///
/// ```
/// use aioprocessing::AioProcess;
///
/// fn work(name: String, n: u64) -> String {
///     name.repeat(usize::try_from(n).unwrap())
/// }
///
/// fn main() {
///     aioprocessing::init();
///     let child = AioProcess::spawn(work, ("ab".to_owned(), 3)).unwrap();
///     assert_eq!(child.join().unwrap(), "ababab");
/// }
/// ```
pub struct AioProcess<T> {
    launched: Launched,
    streams: Streams,
    value: PhantomData<fn() -> T>,
}

struct Streams {
    stdin: Mutex<Option<ChildStdin>>,
    stdout: Mutex<Option<ChildStdout>>,
    stderr: Mutex<Option<ChildStderr>>,
}

impl AioProcess<()> {
    /// A child to be started with other than the usual settings, of any return type.
    pub fn builder() -> ProcessBuilder {
        ProcessBuilder::default()
    }
}

impl<T> AioProcess<T> {
    pub(super) fn new(mut launched: Launched) -> Self {
        let streams = Streams {
            stdin: Mutex::new(launched.stdin.take()),
            stdout: Mutex::new(launched.stdout.take()),
            stderr: Mutex::new(launched.stderr.take()),
        };
        Self { launched, streams, value: PhantomData }
    }

    fn child(&self) -> &Child {
        &self.launched.child
    }

    /// Its number.
    #[must_use]
    #[doc(alias = "ident")]
    pub fn pid(&self) -> u32 {
        self.child().pid()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.child().name()
    }

    /// Whether it runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.child().look().is_none()
    }

    /// How it ended, as in Python: its code, or the signal as a negative number; 101 after a panic. `None` while it runs,
    /// and if something else in this process took its status.
    #[must_use]
    #[doc(alias = "exitcode")]
    pub fn exit_code(&self) -> Option<i32> {
        self.child().exit_code()
    }

    /// Asks it to end, by SIGTERM. A child that has ended already is fine.
    ///
    /// # Errors
    ///
    /// If this process may not send signals to it: it runs as another user.
    pub fn terminate(&self) -> Result<(), SignalError> {
        self.child().signal(Signal::TERM)
    }

    /// Ends it, by SIGKILL. A child that has ended already is fine.
    ///
    /// # Errors
    ///
    /// If this process may not send signals to it: it runs as another user.
    pub fn kill(&self) -> Result<(), SignalError> {
        self.child().signal(Signal::KILL)
    }

    /// Interrupts it, by SIGINT, as Ctrl-C does. A child that has ended already is fine.
    ///
    /// # Errors
    ///
    /// If this process may not send signals to it: it runs as another user.
    pub fn interrupt(&self) -> Result<(), SignalError> {
        self.child().signal(Signal::INT)
    }

    /// A descriptor (a pidfd) that is ready to read once the child has ended, for `poll` and the like.
    ///
    /// It tells of the child alone, and not of its own children.
    #[must_use]
    pub fn sentinel(&self) -> BorrowedFd<'_> {
        self.child().pidfd().as_fd()
    }

    /// The write end of its standard input, if that was [piped](crate::Stdio::piped). Once.
    pub fn take_stdin(&self) -> Option<ChildStdin> {
        self.streams.stdin.lock().take()
    }

    /// The read end of its standard output, if that was [piped](crate::Stdio::piped). Once.
    pub fn take_stdout(&self) -> Option<ChildStdout> {
        self.streams.stdout.lock().take()
    }

    /// The read end of its standard error, if that was [piped](crate::Stdio::piped). Once.
    pub fn take_stderr(&self) -> Option<ChildStderr> {
        self.streams.stderr.lock().take()
    }
}

impl<T: DeserializeOwned> AioProcess<T> {
    /// Starts a process of this program that runs `f(args…)`.
    ///
    /// `f` is a `fn` or a closure that captures nothing, of 0 to 12 arguments; `args` is the tuple of them. The child is a new run of this
    /// program, up to its [`init`](crate::init): it shares nothing with this process but the handles among its
    /// arguments. [`spawn_async`](Self::spawn_async) is its twin for an `async fn`, [`builder`](AioProcess::builder) has settings.
    ///
    /// # Blocking
    ///
    /// Takes about a millisecond, and does not wait for the child.
    ///
    /// # Errors
    ///
    /// [`SpawnError::NotInitialised`] if [`init`](crate::init) is missing in this process; [`SpawnError::Arguments`] if they can't be
    /// encoded; otherwise what the system said. What goes wrong in the child is told by [`join`](Self::join).
    ///
    /// # Examples
    ///
    /// ```
    /// use aioprocessing::AioProcess;
    ///
    /// fn main() {
    ///     aioprocessing::init();
    ///     let child = AioProcess::spawn(|a: u64, b: u64| a * b, (6, 7)).unwrap();
    ///     assert_eq!(child.join().unwrap(), 42);
    /// }
    /// ```
    #[doc(alias = "start")]
    pub fn spawn<F, A>(f: F, args: A) -> Result<Self, SpawnError>
    where
        F: ProcessFn<A, Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize,
    {
        AioProcess::builder().spawn(f, args)
    }

    /// Starts a process of this program that runs `f(args…).await` on a current-thread tokio runtime. As
    /// [`spawn`](Self::spawn).
    ///
    /// # Errors
    ///
    /// As for [`spawn`](Self::spawn).
    #[cfg(feature = "tokio")]
    pub fn spawn_async<F, A>(f: F, args: A) -> Result<Self, SpawnError>
    where
        F: AsyncProcessFn<A, Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize,
    {
        AioProcess::builder().spawn_async(f, args)
    }

    /// Waits for the child's end and gives what its function returned. May be called again, and by several at once: each gets
    /// the value anew.
    ///
    /// Its twins: [`try_join`](Self::try_join) looks once, [`join_timeout`](Self::join_timeout) waits for some time,
    /// [`coro_join`](Self::coro_join) suspends the task. Standard input that is piped and was not taken is closed first.
    ///
    /// # Blocking
    ///
    /// Blocks the thread until the child ends, and for ever if it never does.
    ///
    /// # If a process dies
    ///
    /// The child's death ends the wait at once.
    ///
    /// # Errors
    ///
    /// [`JoinError`] says in which of its ways the child failed.
    pub fn join(&self) -> Result<T, JoinError> {
        drop(self.take_stdin());
        let ending = never(blocking(self.child().ended(&mut Park::new())));
        self.child().result(ending)
    }

    /// As [`join`](Self::join), for at most `timeout`; zero looks once.
    ///
    /// # Errors
    ///
    /// [`JoinError::Timeout`] if the child still runs then; otherwise as [`join`](Self::join).
    pub fn join_timeout(&self, timeout: Duration) -> Result<T, JoinError> {
        drop(self.take_stdin());
        let ended = blocking(self.child().ended(&mut ParkUntil::new(Deadline::after(timeout))));
        self.child().result(ended.map_err(|_| JoinError::Timeout)?)
    }

    /// As [`join`](Self::join), for a child that has ended.
    ///
    /// # Errors
    ///
    /// [`JoinError::Timeout`] while it runs; otherwise as [`join`](Self::join).
    pub fn try_join(&self) -> Result<T, JoinError> {
        self.child().result(self.child().look().ok_or(JoinError::Timeout)?)
    }

    /// As [`join`](Self::join), and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a join that is dropped has taken nothing, and another gets the value.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join).
    #[cfg(feature = "tokio")]
    pub async fn coro_join(&self) -> Result<T, JoinError> {
        drop(self.take_stdin());
        let ending = never(suspended(self.child().ended(&mut Suspend::new())).await);
        self.child().result(ending)
    }
}

/// Ready when it has ended.
impl<T> Waitable for AioProcess<T> {
    fn until_ready<'a>(&'a self, mut waiter: AnyWaiter<'a>) -> Readiness<'a> {
        Box::pin(async move {
            never(self.child().ended(&mut waiter).await);
            Ok(())
        })
    }
}

impl<T> Drop for AioProcess<T> {
    fn drop(&mut self) {
        if self.launched.kill_on_drop {
            // A child that runs as another user can't be killed, and nobody is left to be told.
            let _ = self.kill();
        }
        self.child().orphan();
    }
}

impl<T> fmt::Debug for AioProcess<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioProcess")
            .field("name", &self.name())
            .field("pid", &self.pid())
            .field("is_alive", &self.is_alive())
            .field("exit_code", &self.exit_code())
            .finish_non_exhaustive()
    }
}
