use std::io;
use std::time::Duration;

use super::event::ProgramOutput;

/// A program gave no status of its own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// It could not be started.
    #[error(
        "cannot start {name}: {source}; give its path, or a name that is found in PATH, and a directory that exists"
    )]
    #[non_exhaustive]
    Start {
        /// Its place among the programs that were given, from 0.
        index: usize,
        /// What it is called.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ran for longer than its time and has been killed, with what it had started.
    #[error("{} did not end within {after:?} and was killed; give it more by `Program::timeout`", output.name)]
    #[non_exhaustive]
    Timeout {
        /// Its time.
        after: Duration,
        /// What it had written by then.
        output: Box<ProgramOutput>,
    },
    /// It has ended, and something else in this process took its status: a `waitpid` for any child, or SIGCHLD is ignored.
    #[error("{name} has ended, and its status was taken by another waitpid")]
    #[non_exhaustive]
    StatusLost {
        /// Its place among the programs that were given, from 0.
        index: usize,
        /// What it is called.
        name: String,
    },
    /// The system refused a descriptor to wait on. No program was started for it, and there are no more results.
    #[error(
        "the system refused what running programs needs ({0}); close descriptors, or raise the limit (`ulimit -n`)"
    )]
    Io(#[source] io::Error),
}

impl ProgramError {
    /// Whether its time was over.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }

    /// Its place among the programs that were given, from 0.
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        match self {
            Self::Start { index, .. } | Self::StatusLost { index, .. } => Some(*index),
            Self::Timeout { output, .. } => Some(output.index),
            Self::Io(_) => None,
        }
    }

    /// What a program had written whose time was over.
    #[must_use]
    pub fn into_output(self) -> Option<ProgramOutput> {
        if let Self::Timeout { output, .. } = self { Some(*output) } else { None }
    }
}
