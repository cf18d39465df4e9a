use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::SpawnError;
#[cfg(feature = "tokio")]
use super::function::AsyncProcessFn;
use super::function::{Call, ProcessFn};
use super::handle::AioProcess;
use super::launch::launch;
use super::message::Settings;
use super::stdio::Stdio;
use crate::planted::planted;

/// How a child process is to be started. Made by [`AioProcess::builder`](crate::AioProcess::builder).
///
/// Each setting takes effect in the child, or the start fails: what the system refuses when the process is made is the
/// [`SpawnError`](crate::SpawnError) of `spawn`, what it refuses to the child itself
/// [`JoinError::Bootstrap`](crate::JoinError::Bootstrap), before the function has run.
///
/// Whatever the settings, a child starts with no signal blocked, and with SIGTERM, SIGINT at their default action.
///
/// # Examples
///
/// ```
/// use aioprocessing::AioProcess;
///
/// fn main() {
///     aioprocessing::init();
///     let child = AioProcess::builder()
///         .name("counter")
///         .daemon(true)
///         .env("LEVEL", "3")
///         .spawn(|| std::env::var("LEVEL").unwrap(), ())
///         .unwrap();
///     assert_eq!(child.name(), "counter");
///     assert_eq!(child.join().unwrap(), "3");
/// }
/// ```
#[derive(Debug, Default)]
#[must_use = "a builder starts nothing until `spawn`"]
pub struct ProcessBuilder {
    pub(super) name: Option<String>,
    pub(super) is_daemon: bool,
    pub(super) kill_on_drop: bool,
    pub(super) env_clear: bool,
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) current_dir: Option<PathBuf>,
    pub(super) stdin: Stdio,
    pub(super) stdout: Stdio,
    pub(super) stderr: Stdio,
    pub(super) process_group: Option<i32>,
    pub(super) is_unlisted: bool,
    pub(super) settings: Settings,
}

impl ProcessBuilder {
    /// What the process is called in errors, in `current_process()` and, in its first 15 bytes, by `ps` and `top`.
    ///
    /// The default is Python's: `Process-1`, `Process-2`, and `Process-1:1` for the first child of the first.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether the child dies with this process, by SIGKILL, in whichever way this process ends.
    ///
    /// Otherwise, and by default, a child outlives its parent, as with `std::process`. It holds from the child's `init`
    /// on, and for an end before that, for the moment of its `init`. Unlike Python's, a daemon may have children.
    pub fn daemon(mut self, is_daemon: bool) -> Self {
        self.is_daemon = is_daemon;
        self
    }

    /// Whether the child is killed when its handle is dropped. The drop does not wait for it.
    pub fn kill_on_drop(mut self, kill: bool) -> Self {
        self.kill_on_drop = kill;
        self
    }

    /// Sets an environment variable of the child; the others are this process's.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((key.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Gives the child no environment but what [`env`](Self::env) sets from here on.
    pub fn env_clear(mut self) -> Self {
        self.env_clear = true;
        self.env.clear();
        self
    }

    /// The directory in which the child starts.
    pub fn current_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.current_dir = Some(path.into());
        self
    }

    /// What the child reads as standard input. Inherited by default.
    pub fn stdin(mut self, stdio: impl Into<Stdio>) -> Self {
        self.stdin = stdio.into();
        self
    }

    /// Where the child's standard output goes. Inherited by default.
    pub fn stdout(mut self, stdio: impl Into<Stdio>) -> Self {
        self.stdout = stdio.into();
        self
    }

    /// Where the child's standard error goes. Inherited by default.
    pub fn stderr(mut self, stdio: impl Into<Stdio>) -> Self {
        self.stderr = stdio.into();
        self
    }

    /// The most memory that the child may have for its data, in bytes (`RLIMIT_DATA`: heap and private mappings).
    ///
    /// An allocation beyond it aborts the child, which `join` reports as SIGABRT.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.settings.memory_limit = Some(bytes);
        self
    }

    /// The child's nice value, from -20 (first served) to 19 (last).
    pub fn nice(mut self, nice: i32) -> Self {
        self.settings.nice = Some(nice);
        self
    }

    /// The user that the child runs as. A parent that is root gives up its supplementary groups with it.
    ///
    /// Such a child uses the handles that it is given. It can't send them on, since a region belongs to the user that made
    /// it, and learns of the deaths of others within about a second and not at once.
    pub fn uid(mut self, uid: u32) -> Self {
        self.settings.uid = Some(uid);
        self
    }

    /// The group that the child runs as.
    pub fn gid(mut self, gid: u32) -> Self {
        self.settings.gid = Some(gid);
        self
    }

    /// The process group of the child; 0 makes a new one, which Ctrl-C in a terminal does not reach.
    pub fn process_group(mut self, group: i32) -> Self {
        self.process_group = Some(group);
        self
    }

    /// The CPUs on which the child may run, counted from 0.
    pub fn cpu_affinity(mut self, cpus: impl IntoIterator<Item = usize>) -> Self {
        self.settings.cpu_affinity = Some(cpus.into_iter().collect());
        self
    }

    /// A process that serves the crate itself: it is none of the user's children, and takes none of their numbers.
    pub(crate) fn unlisted(mut self) -> Self {
        self.is_unlisted = planted!("the-tracker-is-the-users-child", true, false);
        self
    }

    /// Starts a process with these settings that runs `f(args…)`. As [`AioProcess::spawn`].
    ///
    /// # Errors
    ///
    /// As for [`AioProcess::spawn`].
    pub fn spawn<F, A, T>(self, f: F, args: A) -> Result<AioProcess<T>, SpawnError>
    where
        F: ProcessFn<A, Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize + DeserializeOwned,
    {
        launch(self, || Call::new(f, &args)).map(AioProcess::new)
    }

    /// Starts a process with these settings that runs `f(args…).await`. As [`AioProcess::spawn_async`].
    ///
    /// # Errors
    ///
    /// As for [`AioProcess::spawn`].
    #[cfg(feature = "tokio")]
    pub fn spawn_async<F, A, T>(self, f: F, args: A) -> Result<AioProcess<T>, SpawnError>
    where
        F: AsyncProcessFn<A, Output = T>,
        A: Serialize + DeserializeOwned + 'static,
        T: Serialize + DeserializeOwned,
    {
        launch(self, || Call::new_async(f, &args)).map(AioProcess::new)
    }
}
