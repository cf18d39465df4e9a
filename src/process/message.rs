//! What parent and child say to each other: two messages there, two or fewer back.

use serde::{Deserialize, Serialize};

use crate::sys::entry::Place;

/// To the child: [`Setup`], with the pipe of a daemon.
pub(super) const SETUP: u8 = 1;
/// To the child: the arguments.
pub(super) const ARGUMENTS: u8 = 2;
/// From the child: `init` has been called.
pub(super) const HELLO: u8 = 3;
/// From the child: the return value.
pub(super) const RETURNED: u8 = 4;
/// From the child: [`Panic`].
pub(super) const PANICKED: u8 = 5;
/// From the child: [`Failure`].
pub(super) const FAILED: u8 = 6;

/// What a child is to be. The function stands apart: a child of another build can read nothing else.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    pub(super) place: Place,
    /// [`Role`], encoded.
    pub(super) role: Vec<u8>,
}

/// Who a child is and how it lives.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Role {
    pub(super) name: String,
    /// The how manieth child of its parent it is, behind the same of the parent.
    pub(super) line: Vec<u32>,
    pub(super) parent: Relative,
    pub(super) is_daemon: bool,
    pub(super) settings: Settings,
}

/// Another process of the family.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Relative {
    pub(super) pid: u32,
    pub(super) name: String,
}

/// What `posix_spawn` can't set, and the child sets itself.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) memory_limit: Option<u64>,
    pub(super) nice: Option<i32>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) cpu_affinity: Option<Vec<usize>>,
}

/// A panic that ended the function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Panic {
    pub(crate) message: String,
    /// `file:line:column`, or empty if it is not known.
    pub(crate) location: String,
}

/// Why the function did not run, or its value did not arrive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Failure {
    /// The messages did not come, or are damaged.
    Message(String),
    /// The child is another build of the program.
    OtherBuild,
    /// The function is not where the parent says.
    NoFunction,
    /// A setting of the builder, and the error of the system.
    Setting(String, i32),
    Arguments(String),
    Output(String),
}
