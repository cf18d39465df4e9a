//! Which process a number meant: numbers are used again, identities are not.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{fstat, fstatfs, stat};
use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open};
use rustix::time::Timespec;

/// `PIDFS_MAGIC`: since Linux 6.9 a pidfd has an inode that is its process's for ever.
const PIDFS_MAGIC: i64 = 0x5049_4446;

/// A process as others can recognise it. Zero stands for "could not be found out".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    /// Inode of its pidfd (Linux 6.9).
    pub(crate) inode: u64,
    /// Field 22 of `/proc/PID/stat`, in clock ticks since boot.
    pub(crate) started: u64,
    /// Inode of its pid namespace: a pid means nothing in another one.
    pub(crate) namespace: u64,
}

/// What can be said of a process from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Running,
    Ended,
    /// It lives in another pid namespace, or the kernel refuses to tell.
    Unknown,
}

/// The calling process. Asked of the kernel once, and again after a fork.
pub(crate) fn own() -> Identity {
    static OWN: OnceLock<Identity> = OnceLock::new();
    let pid = getpid().as_raw_nonzero().get().cast_unsigned();
    let known = OWN.get_or_init(|| find_out(pid));
    if known.pid == pid { *known } else { find_out(pid) }
}

fn find_out(pid: u32) -> Identity {
    Identity {
        pid,
        inode: open(pid).ok().and_then(|fd| inode(&fd)).unwrap_or(0),
        started: start_time(pid).unwrap_or(0),
        namespace: own_namespace(),
    }
}

/// Whether the process that `who` names has ended. A zombie has; a stopped one has not.
pub(crate) fn life(who: &Identity) -> Life {
    if who.namespace == 0 || who.namespace != own_namespace() {
        return Life::Unknown;
    }
    let pidfd = match open(who.pid) {
        Ok(pidfd) => pidfd,
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Life::Ended,
        Err(_) => return Life::Unknown,
    };
    let is_the_same = match inode(&pidfd) {
        Some(now) if who.inode != 0 => now == who.inode,
        _ => match start_time(who.pid) {
            Some(now) if who.started != 0 => now == who.started,
            _ => return Life::Unknown,
        },
    };
    if !is_the_same || has_ended(&pidfd) { Life::Ended } else { Life::Running }
}

fn open(pid: u32) -> io::Result<OwnedFd> {
    // The number may come from shared memory.
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(rustix::io::Errno::SRCH)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

fn inode(pidfd: &OwnedFd) -> Option<u64> {
    let is_pidfs = fstatfs(pidfd).is_ok_and(|stat| stat.f_type == PIDFS_MAGIC);
    if is_pidfs { fstat(pidfd).ok().map(|stat| stat.st_ino) } else { None }
}

fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(1)
}

fn own_namespace() -> u64 {
    static OWN: OnceLock<u64> = OnceLock::new();
    *OWN.get_or_init(|| stat("/proc/self/ns/pid").map_or(0, |stat| stat.st_ino))
}

fn start_time(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in parentheses that may hold anything, parentheses and spaces included.
    text.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}
