//! Who is measured: one file for each peer, or for peers that are one crate's.

mod bare;
mod command;
mod crossmist;
mod eventfd;
mod futex;
mod iceoryx;
mod interprocess;
mod ipc_channel;
mod manager;
mod ours;
mod parking;
mod procspawn;
mod pthread;
mod python;
mod rayon;
mod ring;
mod seqpacket;
pub mod shared;
mod tokio_unix;
mod unix;
mod vyukov;

use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};

use crate::board;
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
    &ours::RESERVE,
    &manager::MANY,
    &manager::HANDED_OVER,
    &bare::BLOCKING,
    &bare::TOKIO,
    &ring::RING,
    &ring::BATCHES,
    &vyukov::VYUKOV,
    &futex::FUTEX,
    &eventfd::EVENTFD,
    &eventfd::BLOCKING,
    &unix::STREAM,
    &unix::PIPE,
    &seqpacket::SEQPACKET,
    &tokio_unix::TOKIO,
    &interprocess::BLOCKING,
    &interprocess::TOKIO,
    &ipc_channel::CHANNEL,
    &ipc_channel::BYTES,
    &ipc_channel::ASYNC,
    &iceoryx::ICEORYX,
    &parking::PARKING_LOT,
    &pthread::PLAIN,
    &pthread::ROBUST,
    &command::COMMAND,
    &procspawn::PROCSPAWN,
    &rayon::RAYON,
    &python::MULTIPROCESSING,
    &python::PIPE,
    &python::POOL_EXECUTOR,
    &python::AIOPROCESSING,
    &python::FASTER_FIFO,
    &crossmist::CROSSMIST,
];

/// Starts this program again as the other side of a case, with a descriptor as its standard input.
pub fn fork_off(system: &str, setting: &Setting, stdin: impl AsFd) -> Other {
    fork_off_as(system, setting, stdin, board::PRODUCERS[0])
}

/// As [`fork_off`], for cases with several others.
pub fn fork_off_as(system: &str, setting: &Setting, stdin: impl AsFd, role: usize) -> Other {
    let stdin: OwnedFd = stdin.as_fd().try_clone_to_owned().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--child", system, setting.case, &setting.payload.to_string(), setting.mode.name()]);
    Other(command.arg(role.to_string()).stdin(Stdio::from(stdin)).spawn().unwrap())
}

/// The three others of a case with two on each side.
pub fn fork_off_three(system: &str, setting: &Setting, stdin: impl AsFd) -> [Other; 3] {
    let [first, second] = board::PRODUCERS;
    [board::CONSUMER, first, second].map(|role| fork_off_as(system, setting, &stdin, role))
}

/// The descriptor that a child was given as its standard input.
pub fn given() -> OwnedFd {
    std::io::stdin().as_fd().try_clone_to_owned().unwrap()
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
    let [system, case, payload, mode, role] = args else { panic!("--child SYSTEM CASE PAYLOAD MODE ROLE") };
    let peer = ALL.iter().find(|peer| peer.name == *system).expect("a system");
    let case = crate::cases::find(case).expect("a case");
    let setting = Setting {
        case: case.name,
        payload: payload.parse().expect("a payload"),
        mode: Mode::of(mode),
        time: std::time::Duration::MAX,
        role: role.parse().expect("a role"),
    };
    setting.mode.take_place(setting.role <= board::CONSUMER);
    peer.child.expect("a child")(&setting);
}
