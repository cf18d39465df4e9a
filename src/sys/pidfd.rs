//! `pidfd_open(2)`, `pidfd_send_signal(2)` and `waitid(2)` with `P_PIDFD`: a process by descriptor, so that a number
//! used again never means somebody else.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use rustix::time::Timespec;

use crate::planted::planted;

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Exited(i32),
    Signaled {
        signal: i32,
        core_dumped: bool,
    },
    /// Somebody else took its status: a foreign `waitpid`, or a parent that ignores SIGCHLD.
    Elsewhere,
}

fn raw(pid: u32) -> io::Result<Pid> {
    Ok(i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?)
}

/// The process of that number, as long as it lives.
pub(crate) fn open(pid: u32) -> io::Result<OwnedFd> {
    Ok(rustix::process::pidfd_open(raw(pid)?, PidfdFlags::empty())?)
}

/// Whether the process, a child or not, has ended. A zombie has; a stopped one has not.
pub(crate) fn has_ended(pidfd: impl AsFd) -> bool {
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(1)
}

/// Sends a signal. `Ok` for a process that has ended: there is nothing left to do.
pub(crate) fn send_signal(pidfd: impl AsFd, signal: Signal) -> io::Result<()> {
    match rustix::process::pidfd_send_signal(pidfd, signal) {
        Err(Errno::SRCH) => Ok(()),
        other => Ok(other?),
    }
}

/// Takes the status of a child that has ended; `None` as long as it runs. Never waits.
pub(crate) fn reap(pidfd: impl AsFd) -> io::Result<Option<Ending>> {
    // Of a child that this process traces, waitid(2) would take the stops as well, whatever it is asked for.
    if !planted!("a-look-takes-stops", has_ended(&pidfd), true) {
        return Ok(None);
    }
    status(pidfd, WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
}

/// Whether this is a child of ours whose status is still to be taken, ended or not.
pub(crate) fn is_child(pidfd: impl AsFd) -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(status(pidfd, look), Ok(Some(Ending::Elsewhere)) | Err(_))
}

fn status(pidfd: impl AsFd, options: WaitIdOptions) -> io::Result<Option<Ending>> {
    match rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), options) {
        Ok(None) => Ok(None),
        Ok(Some(status)) => Ok(Some(match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Ending::Exited(code),
            (_, Some(signal)) => Ending::Signaled { signal, core_dumped: status.dumped() },
            _ => return Ok(None),
        })),
        Err(Errno::CHILD) => {
            Ok(planted!("a-status-taken-elsewhere-is-no-end", Some(Ending::Elsewhere), None))
        }
        Err(error) => Err(error.into()),
    }
}

/// Kills and reaps a child that could not get a pidfd, if its number means it still: if nobody has taken its status.
pub(crate) fn abandon(pid: u32) {
    let Ok(pid) = raw(pid) else { return };
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if rustix::process::waitid(WaitId::Pid(pid), look).is_err() {
        return;
    }
    let _ = rustix::process::kill_process(pid, Signal::KILL);
    let _ = rustix::io::retry_on_intr(|| {
        rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED).map(drop)
    });
}
