//! Starting a child.
//!
//! Everything that the child is to know lies ready in its socket before it exists. From then on nothing can keep it from
//! its work, the death of its parent included, and this process never waits for it.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::RwLock;
use rustix::pipe::{PipeFlags, pipe_with};

use super::builder::ProcessBuilder;
use super::error::SpawnError;
use super::function::Call;
use super::message::{Relative, Role, START, Setup};
use super::registry::{self, Child};
use super::stdio::Stream;
use super::{family, init};
use crate::EncodeError;
use crate::planted::planted;
use crate::sys::inherit::{clear_of_stdio, closed_stdio, mark};
use crate::sys::spawn::{self, SpawnPlan, Strings};
use crate::sys::{pidfd, socket};
use crate::wire::frame::{self, FrameError};

/// Names the child's socket: its number, its inode, and the pid of the parent.
const VARIABLE: &str = "AIOPROCESSING_BOOTSTRAP";

const HAS_ZERO: &str = "a path or a variable contains a zero byte";

/// This very program, even if its file has been replaced or removed.
const SELF: &str = "/proc/self/exe";

static EXECUTABLE: RwLock<Option<PathBuf>> = RwLock::new(None);

/// Sets the program that children run, for hosts whose own program does not call [`init`](crate::init).
///
/// It must come to run the same build: a copy of this program, or a wrapper that ends in `exec`. Otherwise a join gives
/// [`BootstrapError::OtherBuild`](crate::BootstrapError::OtherBuild) or [`JoinError::NotInitialised`](crate::JoinError::NotInitialised).
/// Python: `multiprocessing.set_executable`.
pub fn set_executable(path: impl AsRef<Path>) {
    let path = path.as_ref();
    *EXECUTABLE.write() = Some(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
}

/// This process's ends of a child that has been started.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) child: Arc<Child>,
    pub(super) kill_on_drop: bool,
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: Option<ChildStdout>,
    pub(super) stderr: Option<ChildStderr>,
}

/// The mark that a parent left in the environment. Takes it out if it can.
#[inline]
pub(super) fn inherited() -> Option<(RawFd, u64, u32)> {
    let text = std::env::var(VARIABLE).ok()?;
    crate::sys::inherit::remove_variable(VARIABLE);
    let mut parts = text.split(':');
    let mark = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some(mark)
}

/// Starts a child that makes the call.
pub(super) fn launch(
    builder: ProcessBuilder,
    call: impl FnOnce() -> Result<Call, EncodeError>,
) -> Result<Launched, SpawnError> {
    if !init::may_have_children() {
        return Err(SpawnError::NotInitialised);
    }
    planted!("a-spawn-reaps-nothing", registry::reap_orphans(), ());
    start(builder, call()?)
}

fn start(builder: ProcessBuilder, Call { entry, args }: Call) -> Result<Launched, SpawnError> {
    static STARTED: AtomicU32 = AtomicU32::new(0);
    static UNLISTED: AtomicU32 = AtomicU32::new(0);
    let place = entry.place().ok_or(SpawnError::Function { function: entry.name() })?;
    let count = if builder.is_unlisted { &UNLISTED } else { &STARTED };
    let number = count.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    let serial = u64::from(number) + if builder.is_unlisted { registry::FIRST_UNLISTED } else { 0 };
    let me = family::me();
    let mut line = me.line.clone();
    line.push(number);
    let name = builder.name.unwrap_or_else(|| default_name(&line));

    let (ours, theirs) = sockets().map_err(SpawnError::os("making its socket"))?;
    let leash =
        if builder.is_daemon { Some(pipe().map_err(SpawnError::os("making its pipe"))?) } else { None };
    let (leash_end, leash) = leash.unzip();
    let role = Role {
        name: name.clone(),
        line,
        parent: Relative { pid: std::process::id(), name: me.name.clone() },
        is_daemon: builder.is_daemon,
        settings: builder.settings,
    };
    let mut luggage = args.descriptors;
    luggage.extend(leash_end);
    send(&ours, [&Setup::encoded(&place, &role)?, &args.bytes], &luggage)?;
    drop(luggage);

    let opened = |number, stdio| Stream::open(number, stdio).map_err(SpawnError::os("opening its streams"));
    let streams = [opened(0, builder.stdin)?, opened(1, builder.stdout)?, opened(2, builder.stderr)?];
    let marked = mark(&theirs).map_err(SpawnError::os("making its socket"))?;
    let closed = closed_stdio();
    let null: Vec<_> = streams.iter().filter_map(|stream| stream.null(&closed)).collect();
    let mut descriptors: Vec<(BorrowedFd<'_>, RawFd)> = vec![(theirs.as_fd(), marked.0)];
    descriptors.extend(streams.iter().filter_map(Stream::given));
    let env = environment(builder.env_clear, builder.env, marked)?;
    let current_dir = builder.current_dir;
    let pid = run(&null, &descriptors, &env, current_dir, builder.process_group)?;

    drop(theirs);
    let pidfd = match pidfd::open(pid).and_then(clear_of_stdio) {
        Ok(pidfd) => pidfd,
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {
            // Gone already, and its status taken by somebody else: what stands in for its pidfd has to be ready, too.
            gone().map_err(SpawnError::os("opening its pidfd"))?
        }
        Err(error) => {
            pidfd::abandon(pid);
            return Err(SpawnError::os("opening its pidfd")(error));
        }
    };
    let [stdin, stdout, stderr] = streams;
    Ok(Launched {
        child: Child::enter(serial, pid, name, pidfd, ours, leash),
        kill_on_drop: builder.kill_on_drop,
        stdin: stdin.into_ours(),
        stdout: stdout.into_ours(),
        stderr: stderr.into_ours(),
    })
}

fn default_name(line: &[u32]) -> String {
    let numbers: Vec<_> = line.iter().map(u32::to_string).collect();
    format!("Process-{}", numbers.join(":"))
}

fn sockets() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = socket::pair()?;
    Ok((clear_of_stdio(ours)?, clear_of_stdio(theirs)?))
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    Ok((clear_of_stdio(read)?, clear_of_stdio(write)?))
}

/// A descriptor that is ready to read, as that of a process that has ended is.
fn gone() -> io::Result<OwnedFd> {
    Ok(socket::pair()?.0)
}

fn send(socket: &OwnedFd, parts: [&[u8]; 2], descriptors: &[OwnedFd]) -> Result<(), SpawnError> {
    frame::send_parts(socket, START, parts, descriptors).map_err(|error| match error {
        FrameError::Os(source) => SpawnError::Os { doing: "sending its arguments", source },
        other => SpawnError::Os { doing: "sending its arguments", source: io::Error::other(other) },
    })
}

fn run(
    null: &[RawFd],
    descriptors: &[(BorrowedFd<'_>, RawFd)],
    env: &Strings,
    current_dir: Option<PathBuf>,
    process_group: Option<i32>,
) -> Result<u32, SpawnError> {
    let path = EXECUTABLE.read().clone().unwrap_or_else(|| SELF.into());
    let program = c_string(path.as_os_str().as_bytes())?;
    // Its own arguments again: whatever stands before `init` in `main` finds what it expects.
    let mut args = Strings::default();
    for arg in std::env::args_os() {
        args.push(&[arg.as_bytes()]);
    }
    if args.is_empty() {
        args.push(&[program.as_bytes()]);
    }
    let dir = current_dir.as_ref().map(|dir| c_string(dir.as_os_str().as_bytes())).transpose()?;
    let plan = SpawnPlan {
        program: &program,
        args: &args,
        env,
        current_dir: dir.as_deref(),
        process_group,
        descriptors,
        null,
    };
    spawn::spawn(&plan).map_err(|source| match (source.raw_os_error(), current_dir) {
        (Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE), _) => {
            SpawnError::Os { doing: "posix_spawn", source }
        }
        // One number for both: only a look tells which of the two was meant.
        (_, Some(dir)) if std::fs::read_dir(&dir).is_err() => SpawnError::CurrentDir { path: dir, source },
        _ => SpawnError::Executable { path, source },
    })
}

fn environment(
    clear: bool,
    changes: Vec<(OsString, OsString)>,
    (number, inode): (RawFd, u64),
) -> Result<Strings, SpawnError> {
    // The last change of a variable counts.
    let mut changes: BTreeMap<OsString, OsString> = changes.into_iter().collect();
    if changes.keys().any(|key| key.is_empty() || key.as_bytes().contains(&b'=')) {
        return Err(invalid("the name of an environment variable is empty or contains '='"));
    }
    // What this process has inherited itself can't hold a zero byte, nor can its arguments.
    if changes.iter().any(|(key, value)| key.as_bytes().contains(&0) || value.as_bytes().contains(&0)) {
        return Err(invalid(HAS_ZERO));
    }
    changes.insert(VARIABLE.into(), format!("{number}:{inode}:{}", std::process::id()).into());
    let inherited = (!clear).then(std::env::vars_os);
    let mut env = Strings::with_room(changes.len() + inherited.as_ref().map_or(0, |vars| vars.size_hint().0));
    let mut push = |key: &OsStr, value: &OsStr| env.push(&[key.as_bytes(), b"=", value.as_bytes()]);
    for (key, value) in inherited.into_iter().flatten().filter(|(key, _)| !changes.contains_key(key)) {
        push(&key, &value);
    }
    changes.iter().for_each(|(key, value)| push(key, value));
    Ok(env)
}

fn c_string(text: impl Into<Vec<u8>>) -> Result<CString, SpawnError> {
    CString::new(text).map_err(|_| invalid(HAS_ZERO))
}

fn invalid(why: &'static str) -> SpawnError {
    SpawnError::Os {
        doing: "checking its settings",
        source: io::Error::new(io::ErrorKind::InvalidInput, why),
    }
}
