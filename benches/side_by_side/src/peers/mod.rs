//! Who is measured: one file for each peer, or for peers that are one crate's.

mod command;
mod crossmist;
mod eventfd;
mod futex;
mod ipc_channel;
mod manager;
mod ours;
mod pthread;
mod python;
mod rayon;
mod ring;
mod seqpacket;
mod shared;
mod unix;

use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};

use crate::measure::Setting;
use crate::place::Mode;

/// Takes one figure, in a process of its own, pinned as the mode says.
pub type Measure = fn(&Setting) -> f64;

/// A system.
pub struct Peer {
    pub name: &'static str,
    /// Whether it is there; otherwise why not.
    pub check: fn() -> Result<(), String>,
    pub measures: &'static [(&'static str, Measure)],
    /// In which it makes no sense.
    pub except: &'static [Mode],
    /// What its children do that were started by [`fork_off`].
    pub child: Option<fn(&Setting)>,
}

impl Peer {
    pub fn measure(&self, case: &str) -> Option<Measure> {
        self.measures.iter().find(|(name, _)| *name == case).map(|(_, measure)| *measure)
    }
}

pub fn here() -> Result<(), String> {
    Ok(())
}

pub const ALL: &[&Peer] = &[
    &ours::BLOCKING,
    &ours::ASYNC,
    &ours::ASYNC_THREADS,
    &manager::MANY,
    &manager::HANDED_OVER,
    &ring::RING,
    &futex::FUTEX,
    &eventfd::EVENTFD,
    &unix::STREAM,
    &unix::PIPE,
    &unix::TOKIO,
    &seqpacket::BLOCKING,
    &seqpacket::TOKIO,
    &ipc_channel::CHANNEL,
    &pthread::PLAIN,
    &pthread::ROBUST,
    &command::COMMAND,
    &rayon::RAYON,
    &python::MULTIPROCESSING,
    &python::POOL_EXECUTOR,
    &crossmist::CROSSMIST,
];

/// Starts this program again as the other side of a case, with a descriptor as its standard input.
pub fn fork_off(system: &str, setting: &Setting, stdin: impl AsFd) -> Other {
    let stdin: OwnedFd = stdin.as_fd().try_clone_to_owned().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--child", system, setting.case, &setting.payload.to_string(), setting.mode.name()]);
    Other(command.stdin(Stdio::from(stdin)).spawn().unwrap())
}

/// A child that goes with its handle.
pub struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The child of [`fork_off`].
pub fn child(args: &[String]) {
    let [system, case, payload, mode] = args else { panic!("--child SYSTEM CASE PAYLOAD MODE") };
    let peer = ALL.iter().find(|peer| peer.name == *system).expect("a system");
    let case = crate::cases::ALL.iter().find(|known| known.name == *case).expect("a case");
    let setting = Setting {
        case: case.name,
        payload: payload.parse().expect("a payload"),
        mode: Mode::of(mode),
        time: std::time::Duration::MAX,
    };
    setting.mode.take_place(false);
    peer.child.expect("a child")(&setting);
}
