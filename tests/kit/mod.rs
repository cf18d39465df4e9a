//! What the tests share.
#![allow(dead_code, unused_macros, reason = "each test program uses a part of it")]

pub(crate) mod either;
pub(crate) mod pools;
pub(crate) mod queues;
pub(crate) mod sides;

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aioprocessing::{AioProcess, JoinError};
use serde::de::DeserializeOwned;

/// Longer than anything here takes on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Aborts the test program, and says which step hung, unless it is dropped in time.
pub(crate) struct Watchdog {
    step: Arc<Mutex<String>>,
    _alive: Sender<()>,
}

impl Watchdog {
    pub(crate) fn new(test: &str) -> Self {
        let step = Arc::new(Mutex::new("its beginning".to_owned()));
        let (alive, dropped) = channel::<()>();
        let (seen, test) = (step.clone(), test.to_owned());
        std::thread::spawn(move || {
            if dropped.recv_timeout(3 * LONG) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                eprintln!("{test} hangs at: {}", seen.lock().unwrap());
                std::process::abort();
            }
        });
        Self { step, _alive: alive }
    }

    pub(crate) fn step(&self, name: impl Into<String>) {
        *self.step.lock().unwrap() = name.into();
    }
}

/// The forms of waiting for a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    Blocking,
    Bounded,
    #[cfg(feature = "tokio")]
    Coro,
}

impl Face {
    pub(crate) const ALL: &[Self] = &[
        Self::Blocking,
        Self::Bounded,
        #[cfg(feature = "tokio")]
        Self::Coro,
    ];

    pub(crate) fn join<T: DeserializeOwned>(self, child: &AioProcess<T>) -> Result<T, JoinError> {
        match self {
            Self::Blocking => child.join(),
            Self::Bounded => child.join_timeout(LONG),
            #[cfg(feature = "tokio")]
            Self::Coro => runtime().block_on(child.coro_join()),
        }
    }
}

/// Runs the body once for each form, under a watchdog.
pub(crate) fn each_face(test: &str, mut body: impl FnMut(Face)) {
    for &face in Face::ALL {
        let watchdog = Watchdog::new(test);
        watchdog.step(format!("{face:?}"));
        body(face);
    }
}

#[cfg(feature = "tokio")]
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Waits until `done`, which something other than time brings about.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !done() {
        assert!(begun.elapsed() < LONG, "{what} has not happened");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The process of that number is gone or a zombie.
pub(crate) fn is_dead(pid: u32) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Err(_) => true,
        Ok(text) => text.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X'])),
    }
}

/// Blocks for as long as the process lives.
pub(crate) fn sleep_for_ever() {
    loop {
        std::thread::park();
    }
}

/// The end of a process, in one of the ways in which it can end by itself; anything else waits to be killed.
pub(crate) fn end_by(way: &str) {
    match way {
        "return" => {}
        "panic" => panic!("as asked for"),
        "exit" => std::process::exit(3),
        "abort" => std::process::abort(),
        _ => sleep_for_ever(),
    }
}

/// What a line of `/proc/self/status` says.
pub(crate) fn status(field: &str) -> String {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_start_matches(':').trim().to_owned()
}

/// The numbers of this process's open descriptors.
pub(crate) fn descriptors() -> Vec<i32> {
    let listed = std::fs::read_dir("/proc/self/fd").unwrap();
    let mut all: Vec<i32> =
        listed.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok()).collect();
    // One of them was the directory's own.
    all.retain(|number| std::fs::read_link(format!("/proc/self/fd/{number}")).is_ok());
    all.sort_unstable();
    all
}

/// What a line of the calling thread's `status` says.
pub(crate) fn thread_status(field: &str) -> String {
    let text = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_start_matches(':').trim().to_owned()
}

/// SIGKILL to any process.
pub(crate) fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// Blocks SIGTERM, SIGUSR1 and SIGCHLD in the calling thread.
#[allow(unsafe_code, reason = "std has no signal masks")]
pub(crate) fn block_signals() {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: initialises the set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    for signal in [libc::SIGTERM, libc::SIGUSR1, libc::SIGCHLD] {
        // SAFETY: the set is initialised.
        unsafe { libc::sigaddset(set.as_mut_ptr(), signal) };
    }
    // SAFETY: the set is initialised, and the old one is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) };
}

static SIGUSR1_SEEN: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

extern "C" fn count_signal(_: i32) {
    SIGUSR1_SEEN.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
}

/// Counts SIGUSR1, which then interrupts system calls (no `SA_RESTART`).
#[allow(unsafe_code, reason = "std has no signal handlers")]
pub(crate) fn handle_sigusr1() {
    // SAFETY: an all-zero sigaction is a valid one.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = count_signal as extern "C" fn(i32) as usize;
    // SAFETY: the handler only adds to an atomic.
    let done = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
    assert_eq!(done, 0);
}

pub(crate) fn sigusr1_seen() -> u32 {
    SIGUSR1_SEEN.load(std::sync::atomic::Ordering::Relaxed)
}

#[allow(unsafe_code, reason = "std does not give it")]
pub(crate) fn this_thread() -> u64 {
    // SAFETY: always succeeds.
    unsafe { libc::pthread_self() }
}

/// Sends SIGUSR1 to a thread that is known to live.
#[allow(unsafe_code, reason = "std can't")]
pub(crate) fn interrupt_thread(thread: u64) {
    // SAFETY: the caller's scope keeps the thread alive.
    unsafe { libc::pthread_kill(thread, libc::SIGUSR1) };
}

/// Closes a standard stream.
#[allow(unsafe_code, reason = "nobody owns a standard stream")]
pub(crate) fn close(number: i32) {
    // SAFETY: only for the standard streams of a test's own child, which std reaches by number alone.
    unsafe { libc::close(number) };
}

/// Any signal to any process.
pub(crate) fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// The system then reaps children by itself.
#[allow(unsafe_code, reason = "std has no signal dispositions")]
pub(crate) fn ignore_sigchld() {
    // SAFETY: ignoring a signal runs no code.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
}

/// As in a program that was not started by `nohup`.
#[allow(unsafe_code, reason = "std has no signal dispositions")]
pub(crate) fn hear_hangups() {
    // SAFETY: the default action runs no code of ours.
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_DFL) };
}
