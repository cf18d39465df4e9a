//! `/proc/PID/task/TID/children`: ends a process together with all that it has started and that still has its parent.

use std::fs;
use std::os::fd::OwnedFd;

use rustix::process::Signal;

use super::pidfd;

/// How often to look again for what was forked by a thread that had not been stopped yet.
const LOOKS: usize = 3;

/// Kills a child and its descendants. `Ok` for one that has ended already.
///
/// Each is stopped before its children are listed: it forks no more then, and its children's numbers mean them for as long as
/// it does not reap. Who has lost its parent, as a daemon does on purpose, is not found; nor is anybody where the kernel has no
/// such list (`CONFIG_PROC_CHILDREN`), and then the child dies alone.
pub(crate) fn kill_all(pid: u32, child: &OwnedFd) {
    let mut family: Vec<(u32, Option<OwnedFd>)> = vec![(pid, None)];
    let _ = pidfd::send_signal(child, Signal::STOP);
    for _ in 0..LOOKS {
        let known = family.len();
        let mut place = 0;
        while let Some(&(parent, _)) = family.get(place) {
            for found in children(parent) {
                if !family.iter().any(|&(member, _)| member == found)
                    && let Some(found_fd) = stopped(found, parent)
                {
                    family.push((found, Some(found_fd)));
                }
            }
            place += 1;
        }
        if family.len() == known {
            break;
        }
    }
    for (_, member) in &family {
        let _ = pidfd::send_signal(member.as_ref().unwrap_or(child), Signal::KILL);
    }
}

/// Stops a child of `parent`; `None` if that number is not one any more.
fn stopped(pid: u32, parent: u32) -> Option<OwnedFd> {
    let found = pidfd::open(pid).ok()?;
    // Asked after the descriptor was opened: so it is of that child.
    let is_its_child = parent_of(pid)? == parent;
    let stopped = is_its_child && pidfd::send_signal(&found, Signal::STOP).is_ok();
    stopped.then_some(found)
}

fn parent_of(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may hold anything.
    text.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}
