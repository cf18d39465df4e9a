use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::input::ProgramInput;

/// An external program that [`Programs`](crate::Programs) is to run: what it is, and how.
///
/// Its name is looked for in PATH. It inherits the environment and the directory of this process, finds nothing to read, and what
/// it writes is collected. As `std::process::Command`, which can be turned into one; of that, streams that were set are
/// replaced. Python: `asyncio.create_subprocess_exec`, `subprocess.run`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use aioprocessing::{Program, Programs};
///
/// let sort = Program::new("sort").arg("-n").env("LC_ALL", "C").stdin("10\n9\n").timeout(Duration::from_secs(60));
/// let done = Programs::new(1).run([sort]).next().unwrap()?;
/// assert!(done.status.success());
/// assert_eq!(done.stdout, b"9\n10\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a program does not run by itself: give it to `Programs::run`"]
pub struct Program {
    pub(super) command: Command,
    pub(super) name: Option<String>,
    pub(super) stdin: ProgramInput,
    pub(super) timeout: Option<Duration>,
    pub(super) linger: Duration,
    pub(super) is_in_lines: bool,
}

impl Program {
    /// A program by its path, or by a name that is looked for in PATH.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Command::new(program).into()
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item: AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets an environment variable; the others are this process's.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Sets several.
    pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(mut self, vars: impl IntoIterator<Item = (K, V)>) -> Self {
        self.command.envs(vars);
        self
    }

    /// Takes one away.
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(key);
        self
    }

    /// Gives it no environment but what is set from here on.
    pub fn env_clear(mut self) -> Self {
        self.command.env_clear();
        self
    }

    /// The directory in which it starts.
    pub fn current_dir(mut self, path: impl AsRef<Path>) -> Self {
        self.command.current_dir(path);
        self
    }

    /// What it reads: bytes of any number, or a descriptor. Nothing, unless this says otherwise.
    ///
    /// A program that ends without having read all is no error.
    pub fn stdin(mut self, input: impl Into<ProgramInput>) -> Self {
        self.stdin = input.into();
        self
    }

    /// What it is called in results and errors, in place of its file.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// So long it may run. Then it is killed, with all that it has started and not let go, and the result is
    /// [`ProgramError::Timeout`](crate::ProgramError::Timeout). No limit, unless this says otherwise.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How long to go on reading after its end, if somebody else still holds its output open: what it wrote itself is
    /// there in any case. 100 ms, unless this says otherwise.
    ///
    /// A program that leaves a daemon behind would never come to the end of its output.
    pub fn linger(mut self, time: Duration) -> Self {
        self.linger = time;
        self
    }

    /// Whether what it writes is told line by line, as it comes, by [`Programs::events`](crate::Programs::events), and not collected.
    pub fn lines(mut self, lines: bool) -> Self {
        self.is_in_lines = lines;
        self
    }

    pub(super) fn called(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.command.get_program().to_string_lossy().into_owned())
    }
}

impl From<Command> for Program {
    fn from(command: Command) -> Self {
        let linger = Duration::from_millis(100);
        Self {
            command,
            name: None,
            stdin: ProgramInput::default(),
            timeout: None,
            linger,
            is_in_lines: false,
        }
    }
}
