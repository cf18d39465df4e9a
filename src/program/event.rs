use std::process::ExitStatus;
use std::time::Duration;

/// How a program ended, and what it wrote. A status other than 0 is no error here. Python: `subprocess.CompletedProcess`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProgramOutput {
    /// Its place among the programs that were given, from 0.
    pub index: usize,
    /// What it is called: its file, unless [`Program::name`](crate::Program::name) says otherwise.
    pub name: String,
    /// The number that it had.
    pub pid: u32,
    /// Its exit code, or the signal that ended it.
    pub status: ExitStatus,
    /// All that it wrote there; nothing if its [`lines`](crate::Program::lines) were asked for.
    pub stdout: Vec<u8>,
    /// The same of its standard error.
    pub stderr: Vec<u8>,
    /// From its start to its end.
    pub time: Duration,
}

/// One of the two streams that a program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What happens to programs, as [`Programs::events`](crate::Programs::events) tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProgramEvent {
    /// A program runs.
    #[non_exhaustive]
    Started {
        /// Its place among the programs that were given, from 0.
        index: usize,
        /// Its number.
        pid: u32,
    },
    /// A program whose [`lines`](crate::Program::lines) were asked for has written one.
    #[non_exhaustive]
    Line {
        /// Its place among the programs that were given, from 0.
        index: usize,
        /// Where it wrote it.
        stream: OutputStream,
        /// The line without its line feed; the last one may have had none. Not always UTF-8: see `String::from_utf8_lossy`.
        line: Vec<u8>,
    },
    /// A program has ended.
    Ended(ProgramOutput),
}
