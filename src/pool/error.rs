use std::fmt;
use std::io;

use crate::process::{JoinError, SpawnError};
use crate::sync::CreateError;
use crate::wire::EncodeError;

/// A pool could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is no memory or no descriptor for it.
    #[error("cannot make a pool: {0}")]
    Create(#[from] CreateError),
    /// Its first worker could not be started.
    #[error("cannot start a worker: {0}")]
    Start(#[from] SpawnError),
    /// A setting makes no sense; the text says which.
    #[error("{0}")]
    Invalid(&'static str),
}

/// A task was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The pool was closed or terminated.
    #[error("the pool is closed and takes no more tasks: submit before `close`, or make another pool")]
    Closed,
    /// The workers could not do their work, and the pool has given up; the text says why.
    #[error("the pool is broken: {message}")]
    #[non_exhaustive]
    Broken {
        /// What became of the workers.
        message: String,
    },
    /// The arguments can't be sent.
    #[error("the arguments cannot be sent to a worker: {0}")]
    Encode(#[from] EncodeError),
    /// The arguments are longer than half of the pool's shared memory.
    #[error(
        "the arguments are too large for the pool's shared memory: pass them in parts, or in shared memory of their own"
    )]
    TooLarge,
    /// The function is not part of the program or library that holds this crate.
    #[error(
        "{function} lies in another library than aioprocessing and cannot be called in a worker: link both into one"
    )]
    #[non_exhaustive]
    Function {
        /// Its name.
        function: &'static str,
    },
    /// This process was forked, without exec, from the one that made the pool.
    #[error("this process is a fork of the one that made the pool; start processes with `AioProcess::spawn`")]
    Forked,
}

impl SubmitError {
    /// Whether the pool was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

/// How a worker ended that should not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerStatus {
    /// By `std::process::exit`, with this code.
    Exited(i32),
    /// By a signal of this number.
    Signaled(i32),
    /// Its status was taken by another `waitpid` of this process.
    Unknown,
}

impl WorkerStatus {
    /// The signal, if it was one.
    #[must_use]
    pub fn signal(self) -> Option<i32> {
        if let Self::Signaled(signal) = self { Some(signal) } else { None }
    }

    /// The exit code, if it exited.
    #[must_use]
    pub fn code(self) -> Option<i32> {
        if let Self::Exited(code) = self { Some(code) } else { None }
    }

    pub(super) fn of(error: &JoinError) -> Self {
        match error {
            JoinError::Exited { code, .. } => Self::Exited(*code),
            JoinError::Signaled { signal, .. } => Self::Signaled(*signal),
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for WorkerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exited with code {code}"),
            Self::Signaled(libc::SIGKILL) => write!(f, "was ended by SIGKILL (signal 9)"),
            Self::Signaled(libc::SIGSEGV) => write!(f, "was ended by SIGSEGV (signal 11)"),
            Self::Signaled(libc::SIGABRT) => write!(f, "was ended by SIGABRT (signal 6)"),
            Self::Signaled(signal) => write!(f, "was ended by signal {signal}"),
            Self::Unknown => write!(f, "ended, and its status was taken by another waitpid"),
        }
    }
}

/// A task gave no value, or none yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[doc(alias = "BrokenProcessPool")]
pub enum TaskError {
    /// The function panicked.
    #[error("the task panicked at {}: {message}", known(location))]
    #[non_exhaustive]
    Panicked {
        /// What the panic said.
        message: String,
        /// Where, as `file:line:column`; empty if the program replaced the panic hook.
        location: String,
    },
    /// The worker that ran it died.
    #[error("the worker (pid {pid}) that ran the task {status}{}", oom(*out_of_memory))]
    #[non_exhaustive]
    WorkerDied {
        /// The worker's number.
        pid: u32,
        /// How it ended.
        status: WorkerStatus,
        /// The system's out-of-memory killer has killed something at that time: this worker, most likely.
        out_of_memory: bool,
    },
    /// It took longer than it may, and its worker was killed.
    #[error("the task took longer than its limit, and its worker (pid {pid}) was killed")]
    #[non_exhaustive]
    Overran {
        /// The worker's number.
        pid: u32,
    },
    /// It was cancelled.
    #[error("the task was cancelled")]
    Cancelled,
    /// The pool was terminated or dropped before it was done.
    #[error("the pool was terminated before the task was done")]
    Terminated,
    /// The workers could not do their work, and the pool has given up; the text says why.
    #[error("the pool is broken: {message}")]
    #[non_exhaustive]
    Broken {
        /// What became of the workers.
        message: String,
    },
    /// It was not accepted.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// Its arguments can't be read in the worker.
    #[error("the arguments cannot be read in the worker: {message}")]
    #[non_exhaustive]
    Arguments {
        /// What the codec, or a handle, said.
        message: String,
    },
    /// The function returned, and its value can't be sent.
    #[error("the function returned, but its value cannot be sent: {message}")]
    #[non_exhaustive]
    Output {
        /// What the codec, or a handle, said.
        message: String,
    },
    /// The function returned, and its value can't be read here.
    #[error("the function returned, but its value cannot be read: {message}")]
    #[non_exhaustive]
    Decode {
        /// What the codec, or a handle, said.
        message: String,
    },
    /// It is not done yet.
    #[error("the task was not done within the time; ask again later")]
    Timeout,
}

impl TaskError {
    /// Whether it is not done yet.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout)
    }

    /// Whether the function panicked.
    #[must_use]
    pub fn is_panicked(&self) -> bool {
        matches!(self, Self::Panicked { .. })
    }

    /// Whether the worker that ran it died.
    #[must_use]
    pub fn is_worker_died(&self) -> bool {
        matches!(self, Self::WorkerDied { .. })
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }

    /// Whether the pool was closed before it was submitted.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Submit(SubmitError::Closed))
    }

    /// Whether it took longer than it may.
    #[must_use]
    pub fn is_overran(&self) -> bool {
        matches!(self, Self::Overran { .. })
    }
}

pub(super) fn os(error: &io::Error) -> TaskError {
    TaskError::Submit(SubmitError::Broken { message: format!("the system refused shared memory: {error}") })
}

pub(super) fn luggage(error: &io::Error) -> TaskError {
    let message = format!(
        "the system refused to send its descriptors ({error}): raise the limit of open files (ulimit -n)"
    );
    SubmitError::Encode(EncodeError::Handle { message }).into()
}

fn known(location: &str) -> &str {
    if location.is_empty() { "a place that is not known" } else { location }
}

fn oom(was: bool) -> &'static str {
    if was {
        "; the system's out-of-memory killer was at work, so give the pool fewer workers or each a `memory_limit`"
    } else {
        ""
    }
}
