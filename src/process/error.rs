use std::io;
use std::path::PathBuf;

use crate::EncodeError;

/// A child could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// This process has not passed [`init`](crate::init): it may be a child that has not found that out yet.
    #[error(
        "this process has not called aioprocessing::init(): call it in the first line of main, or put \
         aioprocessing::test_support!(); into the test program"
    )]
    NotInitialised,
    /// The arguments can't be sent.
    #[error("the arguments cannot be sent to a process: {0}")]
    Arguments(#[from] EncodeError),
    /// The function is not part of the program or library that holds this crate, and can't be named in a child.
    #[error(
        "{function} lies in another library than aioprocessing and cannot be called in a child: link both into one"
    )]
    Function {
        /// Its name.
        function: &'static str,
    },
    /// The program can't be run.
    #[error("cannot run {}: {source}", path.display())]
    Executable {
        /// This program, by way of `/proc`, or what [`set_executable`](crate::set_executable) was told.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The directory of the builder can't be entered.
    #[error("cannot start in the directory {}: {source}", path.display())]
    CurrentDir {
        /// What the builder was told.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused something else.
    #[error("cannot start a process ({doing}): {source}")]
    Os {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl SpawnError {
    /// Whether [`init`](crate::init) is missing in this process.
    #[must_use]
    pub fn is_not_initialised(&self) -> bool {
        matches!(self, Self::NotInitialised)
    }

    pub(super) fn os(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Os { doing, source }
    }
}

/// A child gave no value, or has not ended yet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The function panicked.
    #[error("process {name} (pid {pid}) panicked at {}: {message}", known(location))]
    #[non_exhaustive]
    Panicked {
        /// What the panic said.
        message: String,
        /// Where, as `file:line:column`; empty if the program replaced the panic hook.
        location: String,
        /// The name of the child.
        name: String,
        /// Its number.
        pid: u32,
    },
    /// A signal ended the child before its function returned.
    #[error("process {name} (pid {pid}) was ended by {}{}", signal_name(*signal), core(*core_dumped))]
    #[non_exhaustive]
    Signaled {
        /// The signal's number.
        signal: i32,
        /// Whether the system wrote a core file.
        core_dumped: bool,
        /// The name of the child.
        name: String,
        /// Its number.
        pid: u32,
    },
    /// The child ended itself, by `std::process::exit`, before its function returned.
    #[error("process {name} (pid {pid}) exited with code {code} before its function returned")]
    #[non_exhaustive]
    Exited {
        /// The exit code.
        code: i32,
        /// The name of the child.
        name: String,
        /// Its number.
        pid: u32,
    },
    /// The child has ended, and something else in this process took its status: a `waitpid` for any child, or SIGCHLD
    /// is ignored. It gave no value.
    #[error(
        "process {name} (pid {pid}) has ended without a value, and its status was taken by another waitpid"
    )]
    #[non_exhaustive]
    StatusLost {
        /// The name of the child.
        name: String,
        /// Its number.
        pid: u32,
    },
    /// The child still runs.
    #[error("the process has not ended within the time")]
    Timeout,
    /// The child ended without having called [`init`](crate::init).
    #[error(
        "the process ended before it called aioprocessing::init(): call it in the first line of main, or put \
         aioprocessing::test_support!(); into the test program"
    )]
    NotInitialised,
    /// The child could not begin, or its value did not arrive.
    #[error("the process could not do its work: {0}")]
    Bootstrap(#[source] BootstrapError),
}

impl JoinError {
    /// Whether the child still runs.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout)
    }

    /// Whether the function panicked.
    #[must_use]
    pub fn is_panicked(&self) -> bool {
        matches!(self, Self::Panicked { .. })
    }

    /// Whether a signal ended the child.
    #[must_use]
    pub fn is_signaled(&self) -> bool {
        matches!(self, Self::Signaled { .. })
    }

    /// Whether the child exited by itself.
    #[must_use]
    pub fn is_exited(&self) -> bool {
        matches!(self, Self::Exited { .. })
    }

    /// Whether [`init`](crate::init) is missing in the child.
    #[must_use]
    pub fn is_not_initialised(&self) -> bool {
        matches!(self, Self::NotInitialised)
    }
}

/// Why a child could not run its function, or its value did not arrive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// The child runs another build of the program.
    #[error(
        "the child is another build of the program than its parent: set_executable must name a copy of the running one"
    )]
    OtherBuild,
    /// The function is not where the parent says.
    #[error("the function is not where the parent says it is in the program")]
    NoFunction,
    /// A setting of the builder was refused in the child.
    #[error("the child may not set its {setting}: {source}")]
    #[non_exhaustive]
    Setting {
        /// The setting, by the name of its method in the builder.
        setting: String,
        /// What the system said.
        source: io::Error,
    },
    /// The arguments can't be read in the child.
    #[error("the arguments cannot be read in the child: {message}")]
    #[non_exhaustive]
    Arguments {
        /// What the codec, or a handle, said.
        message: String,
    },
    /// The function returned, and its value can't be sent or read.
    #[error("the function returned, but its value did not arrive: {message}")]
    #[non_exhaustive]
    Output {
        /// What the codec, or a handle, said.
        message: String,
    },
    /// A message between the two is missing or damaged.
    #[error("a message between parent and child is missing or damaged: {message}")]
    #[non_exhaustive]
    Message {
        /// What is wrong with it.
        message: String,
    },
}

/// A process could not be sent a signal.
#[derive(Debug, thiserror::Error)]
#[error("cannot send a signal to process {name} (pid {pid}): {source}")]
#[non_exhaustive]
pub struct SignalError {
    /// The name of the process.
    pub name: String,
    /// Its number.
    pub pid: u32,
    /// What the system said.
    pub source: io::Error,
}

/// A process has not ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessWaitError {
    /// It still runs.
    #[error("the process has not ended within the time")]
    Timeout,
    /// It is this one, which would wait for ever.
    #[error("a process cannot wait for its own end")]
    Itself,
}

impl ProcessWaitError {
    /// Whether the process still runs.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout)
    }
}

fn known(location: &str) -> &str {
    if location.is_empty() { "a place that is not known" } else { location }
}

fn core(dumped: bool) -> &'static str {
    if dumped { " and left a core file" } else { "" }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGSYS => "SIGSYS",
        _ => return format!("signal {signal}"),
    };
    format!("{name} (signal {signal})")
}
