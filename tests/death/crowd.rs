//! The survivors of one kill: threads that do one thing each, and say how it went.

use std::cell::Cell;
use std::io::Read as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use aioprocessing::{AioProcess, Stdio};

use crate::trace::{set_affinity, state_of};

/// By then every survivor has gone on, or hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);
/// How long a survivor of a stopped victim is ready to wait.
pub(crate) const LIMIT: Duration = Duration::from_millis(10);
/// A prompt notice takes a fraction of this, and who has only begun to wait sleeps for 5 ms; the second bounded sleep is longer.
pub(crate) const PROMPT: Duration = Duration::from_millis(12);

/// What is done to the victim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mode {
    Kill,
    Stop,
}

impl Mode {
    /// The timeout with which survivors ask.
    pub(crate) fn limit(self) -> Option<Duration> {
        (self == Self::Stop).then_some(LIMIT)
    }
}

/// What is wrong after a kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Hung,
    Torn,
    Lost,
    Duplicated,
}

pub(crate) type Fault = (Kind, String);

/// How a survivor asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    Blocking,
    Async,
}

pub(crate) const FACES: [Face; 2] = [Face::Blocking, Face::Async];

struct Member {
    name: String,
    began: Option<Instant>,
    answer: Receiver<(Result<(), Fault>, Instant)>,
}

/// The survivors of one point.
pub(crate) struct Crowd {
    pub(crate) mode: Mode,
    members: Vec<Member>,
    ended: Option<Instant>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) waits: Vec<(String, Duration)>,
}

thread_local! {
    /// When a survivor process went on, which its thread here hears of later.
    static WENT: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// A moment that other processes understand: `CLOCK_MONOTONIC`, in nanoseconds.
fn moment() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time is valid for writes.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// In a survivor process: how it went, and that it did so now.
pub(crate) fn tell(outcome: u8) {
    let mut line = [outcome; 9];
    line[1..].copy_from_slice(&moment().to_ne_bytes());
    // SAFETY: the line is valid for reads. Not by way of std, which may keep it.
    unsafe { libc::write(1, line.as_ptr().cast(), line.len()) };
}

/// Starts a survivor process, and once it sleeps says so; gives what it [tells](tell). Its end, which may take the kernel long
/// if it has an inotify instance, does not count.
pub(crate) fn hear<A>(
    peer: impl aioprocessing::ProcessFn<A, Output = ()>,
    args: A,
    ready: Ready,
) -> Result<u8, Fault>
where
    A: serde::Serialize + serde::de::DeserializeOwned + 'static,
{
    let child = AioProcess::builder().stdout(Stdio::piped()).spawn(peer, args).unwrap();
    let mut told = child.take_stdout().unwrap();
    let stat = format!("/proc/{}/stat", child.pid());
    // First its start, then its sleep.
    std::thread::sleep(Duration::from_millis(4));
    while !matches!(state_of(&stat), b'S' | b'Z' | b'X') {
        std::thread::sleep(Duration::from_micros(200));
    }
    ready.now();
    let mut line = [0; 9];
    if let Err(error) = told.read_exact(&mut line) {
        return Err((Kind::Torn, format!("a survivor process ended: {error}")));
    }
    let ago =
        Duration::from_nanos(moment().saturating_sub(u64::from_ne_bytes(line[1..].try_into().unwrap())));
    WENT.set(Instant::now().checked_sub(ago));
    Ok(line[0])
}

/// In a survivor: says that it is about to wait.
pub(crate) struct Ready(Sender<i32>);

impl Ready {
    pub(crate) fn now(self) {
        // SAFETY: takes no arguments and can't fail.
        let _ = self.0.send(unsafe { libc::gettid() });
    }
}

impl Crowd {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode, members: Vec::new(), ended: None, faults: Vec::new(), waits: Vec::new() }
    }

    fn enter(
        &mut self,
        name: impl Into<String>,
        began: Option<Instant>,
        work: impl FnOnce(Ready) -> Result<(), Fault> + Send + 'static,
    ) -> Receiver<i32> {
        let (tell, answer) = channel();
        let (ready, heard) = channel();
        std::thread::spawn(move || {
            set_affinity(None);
            let result = work(Ready(ready));
            let when = WENT.take().unwrap_or_else(Instant::now);
            let _ = tell.send((result, when));
        });
        self.members.push(Member { name: name.into(), began, answer });
        heard
    }

    /// A survivor that is asleep when this returns, if `work` says [`Ready::now`] right before it waits.
    pub(crate) fn asleep(
        &mut self,
        name: impl Into<String>,
        work: impl FnOnce(Ready) -> Result<(), Fault> + Send + 'static,
    ) {
        let heard = self.enter(name, None, work);
        let Ok(tid) = heard.recv_timeout(PATIENCE) else { return };
        let (stat, asked) = (format!("/proc/self/task/{tid}/stat"), Instant::now());
        while state_of(&stat) != b'S' && asked.elapsed() < Duration::from_millis(50) {
            std::thread::yield_now();
        }
    }

    /// A survivor that comes after the victim's end.
    pub(crate) fn late(
        &mut self,
        name: impl Into<String>,
        work: impl FnOnce() -> Result<(), Fault> + Send + 'static,
    ) {
        let _ = self.enter(name, Some(Instant::now()), move |_| work());
    }

    /// A survivor whose wait is not worth a measure: its part is only to be right, and to end.
    pub(crate) fn untimed(
        &mut self,
        name: impl Into<String>,
        work: impl FnOnce() -> Result<(), Fault> + Send + 'static,
    ) {
        let far = Instant::now() + Duration::from_secs(3600);
        let _ = self.enter(name, Some(far), move |_| work());
    }

    /// The victim's end, from which waits are measured.
    pub(crate) fn ends_now(&mut self) {
        self.ended = Some(Instant::now());
    }

    pub(crate) fn fault(&mut self, kind: Kind, what: impl Into<String>) {
        self.faults.push((kind, what.into()));
    }

    pub(crate) fn slowest(&self) -> Duration {
        self.waits.iter().map(|(_, wait)| *wait).max().unwrap_or_default()
    }

    /// Waits for everybody who has entered so far.
    pub(crate) fn settle(&mut self) {
        let ended = self.ended.unwrap_or_else(Instant::now);
        let patience = Instant::now() + PATIENCE;
        for member in std::mem::take(&mut self.members) {
            let left = patience.saturating_duration_since(Instant::now());
            match member.answer.recv_timeout(left) {
                Ok((result, when)) => {
                    let since = member.began.unwrap_or(ended);
                    if self.mode == Mode::Kill {
                        self.waits.push((member.name.clone(), when.saturating_duration_since(since)));
                    }
                    if let Err((kind, what)) = result {
                        self.fault(kind, format!("{}: {what}", member.name));
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.fault(
                        Kind::Hung,
                        format!("{} waits still after {PATIENCE:?}{}", member.name, children()),
                    );
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.fault(Kind::Torn, format!("{} panicked", member.name));
                }
            }
        }
    }
}

/// Runs a future on a runtime of its own, for `limit` at the longest: `None` is a timeout.
pub(crate) fn run<F: Future>(limit: Option<Duration>, future: F) -> Option<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match limit {
            Some(limit) => tokio::time::timeout(limit, future).await.ok(),
            None => Some(future.await),
        }
    })
}

/// What each child of this process is at: state, and the call to the kernel that it is in.
fn children() -> String {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let children =
        tasks.map(|task| std::fs::read_to_string(task.path().join("children")).unwrap_or_default());
    let children: Vec<_> = children.collect();
    let tell = |pid: &str| {
        let read = |what| std::fs::read_to_string(format!("/proc/{pid}/{what}")).unwrap_or_default();
        let state = char::from(state_of(&format!("/proc/{pid}/stat")));
        let call = read("syscall");
        format!(
            "; child {pid}: {state}, in call {}",
            call.split(' ').take(5).collect::<Vec<_>>().join(" ").trim()
        )
    };
    children.iter().flat_map(|line| line.split_whitespace()).map(tell).collect()
}
