//! A program, from its start to its end.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::description::Program;
use super::error::ProgramError;
use super::event::{OutputStream, ProgramEvent, ProgramOutput};
use super::input::{Feed, Input};
use super::output::Output;
use crate::planted::planted;
use crate::sys::gather::Gather;
use crate::sys::pidfd::{self, Ending};
use crate::sys::{clock, descend, socket};

/// What a look has brought.
pub(super) type Told = Result<ProgramEvent, ProgramError>;

#[derive(Debug)]
pub(super) struct Running {
    pub(super) index: usize,
    name: String,
    pub(super) pid: u32,
    pidfd: OwnedFd,
    begun: u64,
    timeout: Option<Duration>,
    linger: u64,
    feed: Option<Feed>,
    outputs: [Output; 2],
    is_too_late: bool,
    /// How and when it ended.
    ending: Option<(Ending, u64)>,
}

/// Killed, and not dead within a moment: their status is taken at the next start.
static ORPHANS: Mutex<Vec<OwnedFd>> = Mutex::new(Vec::new());

/// Killing a process takes the system so long, unless it hangs in a device.
const DEATH: i64 = 2;

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Running {
    pub(super) fn start(program: Program, index: usize, gather: &Gather) -> Result<Self, ProgramError> {
        ORPHANS.lock().retain(|orphan| matches!(pidfd::reap(orphan), Ok(None)));
        let name = program.called();
        Self::spawn(program, index, name.clone(), gather).map_err(|source| ProgramError::Start {
            index,
            name,
            source,
        })
    }

    fn spawn(program: Program, index: usize, name: String, gather: &Gather) -> io::Result<Self> {
        let Program { mut command, stdin, timeout, linger, is_in_lines, .. } = program;
        let (given, bytes) = match stdin.0 {
            Input::Nothing => (Stdio::null(), None),
            Input::Bytes(bytes) => (Stdio::piped(), Some(bytes)),
            Input::Given(stdio) => (stdio.into_std(), None),
        };
        command.stdin(given).stdout(Stdio::piped()).stderr(Stdio::piped());
        let begun = clock::now();
        let (pid, pipes) = begin(command)?;
        let pidfd = match pidfd::open(pid) {
            Ok(pidfd) => pidfd,
            // Gone, status and all: a descriptor that is ready to read, as that of a process that has ended is.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => socket::pair()?.0,
            Err(error) => {
                pidfd::abandon(pid);
                return Err(error);
            }
        };
        let [stdin, stdout, stderr] = pipes;
        let output = |pipe, stream| Output::new(pipe, stream, is_in_lines);
        let started = Self {
            index,
            name,
            pid,
            begun,
            timeout,
            linger: nanos(linger),
            feed: stdin.zip(bytes).map(|(pipe, bytes)| Feed { pipe, bytes, written: 0 }),
            outputs: [output(stdout, OutputStream::Stdout), output(stderr, OutputStream::Stderr)],
            is_too_late: false,
            // Someone who waits for any child may have been faster.
            ending: if pidfd::is_child(&pidfd) { None } else { Some((Ending::Elsewhere, begun)) },
            pidfd,
        };
        // What can't be watched is killed by its drop.
        started.watch(gather)?;
        Ok(started)
    }

    fn watch(&self, gather: &Gather) -> io::Result<()> {
        gather.add(&self.pidfd)?;
        for pipe in self.outputs.iter().filter_map(Output::pipe) {
            fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
            gather.add(pipe)?;
        }
        if let Some(Feed { pipe, .. }) = &self.feed {
            fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
            gather.add_to_write(pipe)?;
        }
        Ok(())
    }

    /// Reads, writes, and notices its end. True: look again soon, there may be more to read.
    pub(super) fn look(&mut self, now: u64, told: &mut VecDeque<Told>) -> bool {
        // Before the pipes are looked at: what it wrote lies there then.
        if self.ending.is_none()
            && let Some(ending) = pidfd::reap(&self.pidfd).unwrap_or(Some(Ending::Elsewhere))
        {
            self.ending = Some((ending, now));
        }
        if self.ending.is_none() && !self.is_too_late && self.limit().is_some_and(|limit| limit <= now) {
            self.is_too_late = true;
            planted!("an-overdue-program-dies-alone", descend::kill_all(self.pid, &self.pidfd), {
                let _ = pidfd::send_signal(&self.pidfd, rustix::process::Signal::KILL);
            });
        }
        if self.feed.as_mut().is_some_and(Feed::look) {
            self.feed = None;
        }
        let index = self.index;
        let mut is_more = false;
        for output in &mut self.outputs {
            is_more |= output.look();
            let stream = output.stream;
            output.lines(|line| told.push_back(Ok(ProgramEvent::Line { index, stream, line })));
        }
        is_more
    }

    fn limit(&self) -> Option<u64> {
        self.timeout.map(|timeout| self.begun.saturating_add(nanos(timeout)))
    }

    /// When to look at it again unasked.
    pub(super) fn due(&self) -> Option<u64> {
        match self.ending {
            Some((_, ended)) => Some(ended.saturating_add(self.linger)),
            None => self.limit().filter(|_| !self.is_too_late),
        }
    }

    /// Whether there is nothing more to come of it.
    pub(super) fn is_over(&self, now: u64) -> bool {
        let Some((_, ended)) = self.ending else { return false };
        let is_read = self.outputs.iter().all(Output::is_over);
        let lingers =
            planted!("who-holds-the-output-is-waited-for", now < ended.saturating_add(self.linger), true);
        is_read || self.is_too_late || !lingers
    }

    /// What became of it. To be called when it is over.
    pub(super) fn finish(mut self, told: &mut VecDeque<Told>) {
        let index = self.index;
        for output in &mut self.outputs {
            output.close();
            let stream = output.stream;
            output.lines(|line| told.push_back(Ok(ProgramEvent::Line { index, stream, line })));
        }
        let (ending, ended) = self.ending.unwrap_or((Ending::Elsewhere, self.begun));
        let name = std::mem::take(&mut self.name);
        let Some(status) = status(ending) else {
            told.push_back(Err(ProgramError::StatusLost { index, name }));
            return;
        };
        let [stdout, stderr] = &mut self.outputs;
        let output = ProgramOutput {
            index,
            name,
            pid: self.pid,
            status,
            stdout: stdout.take(),
            stderr: stderr.take(),
            time: Duration::from_nanos(ended.saturating_sub(self.begun)),
        };
        told.push_back(match self.timeout {
            Some(after) if self.is_too_late => Err(ProgramError::Timeout { after, output: Box::new(output) }),
            _ => Ok(ProgramEvent::Ended(output)),
        });
    }

    /// Kills it, and what it has started and not let go.
    pub(super) fn kill(&self) {
        if self.ending.is_none() {
            planted!("a-drop-leaves-programs", descend::kill_all(self.pid, &self.pidfd), ());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        if self.ending.is_some() {
            return;
        }
        let time =
            rustix::time::Timespec { tv_sec: planted!("a-drop-leaves-programs", DEATH, 0), tv_nsec: 0 };
        let mut ended = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let _ = rustix::io::retry_on_intr(|| poll(&mut ended, Some(&time)));
        if matches!(pidfd::reap(&self.pidfd), Ok(None))
            && let Ok(orphan) = self.pidfd.try_clone()
        {
            ORPHANS.lock().push(orphan);
        }
    }
}

/// Its number, and this process's ends of its pipes.
fn begin(mut command: Command) -> io::Result<(u32, [Option<OwnedFd>; 3])> {
    let mut child = command.spawn()?;
    let pipes = [
        child.stdin.take().map(OwnedFd::from),
        child.stdout.take().map(OwnedFd::from),
        child.stderr.take().map(OwnedFd::from),
    ];
    Ok((child.id(), pipes))
}

/// As `wait(2)` writes it; `None` where nobody knows.
fn status(ending: Ending) -> Option<ExitStatus> {
    match ending {
        Ending::Exited(code) => Some(ExitStatus::from_raw((code & 0xff) << 8)),
        Ending::Signaled { signal, core_dumped } => {
            Some(ExitStatus::from_raw(signal | if core_dumped { 0x80 } else { 0 }))
        }
        Ending::Elsewhere => None,
    }
}
