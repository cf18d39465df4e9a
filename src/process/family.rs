//! Who this process is, and who its relatives are.

use std::num::NonZero;
use std::sync::{Arc, OnceLock};

use super::erased::{Process, Stranger};
use super::message::{Relative, Role};
use super::registry;

/// What this process knows of itself.
#[derive(Debug)]
pub(super) struct Me {
    pub(super) name: String,
    /// The how manieth child of its parent it is, behind the same of the parent; empty in the first of the family.
    pub(super) line: Vec<u32>,
    pub(super) parent: Option<Relative>,
}

static ME: OnceLock<Me> = OnceLock::new();

pub(super) fn me() -> &'static Me {
    ME.get_or_init(|| Me { name: "MainProcess".to_owned(), line: Vec::new(), parent: None })
}

/// Called before anything in a child could have asked.
#[inline]
pub(super) fn become_child(role: Role) {
    let _ = ME.set(Me { name: role.name, line: role.line, parent: Some(role.parent) });
}

/// The children of this process that run, those without a handle included, in the order of their start.
///
/// Takes the status of those that have ended. Python: `multiprocessing.active_children`.
pub fn active_children() -> Vec<Process> {
    registry::running().into_iter().map(Process::of_child).collect()
}

/// This process.
///
/// Its name is `MainProcess`, or in a child what the builder or the default gave it. Python: `multiprocessing.current_process`.
#[must_use]
pub fn current_process() -> Process {
    Process::current()
}

/// The process that spawned this one, alive or not; `None` in the first of the family.
///
/// To end with it, a child waits for it: [`Process::wait`], or [`Process::coro_wait`] in a `select!`. Python:
/// `multiprocessing.parent_process`.
#[must_use]
pub fn parent_process() -> Option<Process> {
    static PARENT: OnceLock<Option<Arc<Stranger>>> = OnceLock::new();
    let parent = PARENT.get_or_init(|| me().parent.as_ref().map(|parent| Arc::new(Stranger::parent(parent))));
    parent.clone().map(Process::of_stranger)
}

/// How many CPUs this process may use, at least one. Python: `os.process_cpu_count`.
#[must_use]
pub fn cpu_count() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}
