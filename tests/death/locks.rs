//! The lock: acquired free, contended and from a dead owner; released with nobody and with peers asleep.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use aioprocessing::{AcquireError, AcquireTimeoutError, AioLock, AioLockGuard, AioProcess, TryAcquireError};

use crate::crowd::{Crowd, FACES, Face, Fault, Kind, Mode, hear, run, tell};
use crate::suite::{Play, Scenario, wrong};
use crate::trace::{Reached, Stimulus, Victim, begin, end, warm};

/// A lock taken, and whether its taker was told of a dead owner.
type Got = (AioLockGuard, bool);

fn got(result: Result<AioLockGuard, AcquireError>) -> Got {
    match result {
        Ok(guard) => (guard, false),
        Err(error) => (error.into_guard().unwrap(), true),
    }
}

/// `None`: the time was over.
pub(crate) fn take(lock: &AioLock, face: Face, limit: Option<Duration>) -> Option<Got> {
    match (face, limit) {
        (Face::Blocking, None) => Some(got(lock.acquire())),
        (Face::Blocking, Some(limit)) => match lock.acquire_timeout(limit) {
            Ok(guard) => Some((guard, false)),
            Err(AcquireTimeoutError::OwnerDied(guard)) => Some((guard, true)),
            Err(_) => None,
        },
        (Face::Async, limit) => run(limit, lock.coro_acquire()).map(got),
    }
}

/// What the survivors of one kill found.
#[derive(Default)]
struct Board {
    inside: AtomicBool,
    told: AtomicU32,
    taken: AtomicU32,
    timed_out: AtomicU32,
}

impl Board {
    fn note(&self, outcome: Option<Got>) -> Result<(), Fault> {
        let Some((guard, told)) = outcome else {
            self.timed_out.fetch_add(1, Ordering::SeqCst);
            return Ok(());
        };
        let shared = self.inside.swap(true, Ordering::SeqCst);
        std::thread::yield_now();
        self.told.fetch_add(u32::from(told), Ordering::SeqCst);
        self.taken.fetch_add(1, Ordering::SeqCst);
        self.inside.store(false, Ordering::SeqCst);
        drop(guard);
        if shared { wrong(Kind::Torn, "two were inside at once") } else { Ok(()) }
    }
}

/// In a survivor process: 0 for a clean lock, 1 for a dead owner's, 2 when the time was over.
pub(crate) fn peer(lock: AioLock, limit: Option<Duration>) -> u8 {
    take(&lock, Face::Blocking, limit).map_or(2, |(_, told)| u8::from(told))
}

fn telling_peer(lock: AioLock, limit: Option<Duration>) {
    tell(peer(lock, limit));
}

struct Locks {
    lock: AioLock,
    board: Arc<Board>,
    /// Of this process, until the victim sleeps for the n-th time.
    ours: Option<AioLockGuard>,
    naps: usize,
    victim_holds: bool,
    /// A dead owner who comes before the victim: somebody is told of it in any case.
    told_before: bool,
    /// Those who come later find what the sleepers were not told of, and wake them when they leave.
    nobody_comes_later: bool,
}

impl Play for Locks {
    fn stimulus(&mut self, sleep: usize) -> Stimulus {
        if sleep < self.naps {
            Stimulus::Nap
        } else if self.ours.take().is_some() {
            Stimulus::Done
        } else {
            Stimulus::Nothing
        }
    }

    fn look(&mut self, victim: &Victim, _: Reached) {
        self.victim_holds = self.lock.owner().is_some_and(|holder| holder.pid == victim.pid());
    }

    fn after(&mut self, crowd: &mut Crowd) {
        self.ours = None;
        let limit = crowd.mode.limit();
        let late: &[Face] = if self.nobody_comes_later { &[] } else { &FACES };
        for &face in late {
            let (lock, board) = (self.lock.clone(), self.board.clone());
            crowd.late(format!("{face:?}, late"), move || board.note(take(&lock, face, limit)));
        }
        crowd.settle();
        let tried = match self.lock.try_acquire() {
            Ok(guard) => Some((guard, false)),
            Err(TryAcquireError::OwnerDied(guard)) => Some((guard, true)),
            Err(_) => None,
        };
        let is_refused = tried.is_none();
        if let Err(fault) = self.board.note(tried) {
            crowd.faults.push(fault);
        }
        let taken = self.board.taken.load(Ordering::SeqCst);
        let told = self.board.told.load(Ordering::SeqCst);
        match crowd.mode {
            Mode::Kill => {
                if is_refused {
                    crowd.fault(Kind::Hung, "a lock that nobody holds was refused");
                }
                let expected = u32::from(self.victim_holds || self.told_before);
                if told != expected {
                    let what = format!("{told} were told of a dead owner, {expected} should have been");
                    crowd.fault(if told < expected { Kind::Lost } else { Kind::Duplicated }, what);
                }
            }
            Mode::Stop if self.victim_holds && taken > 0 => {
                crowd.fault(Kind::Torn, "a stopped owner was robbed");
            }
            Mode::Stop => {}
        }
    }
}

fn with_peers(crowd: &mut Crowd, lock: &AioLock, faces: &[Face], process: bool) -> Arc<Board> {
    let board = Arc::new(Board::default());
    let limit = crowd.mode.limit();
    for &face in faces {
        let (lock, board) = (lock.clone(), board.clone());
        crowd.asleep(format!("{face:?}, asleep"), move |ready| {
            ready.now();
            board.note(take(&lock, face, limit))
        });
    }
    if process {
        let (lock, board) = (lock.clone(), board.clone());
        crowd.asleep("a process, asleep", move |ready| {
            match hear(telling_peer, (lock, limit), ready)? {
                2 => drop(board.timed_out.fetch_add(1, Ordering::SeqCst)),
                told => {
                    board.told.fetch_add(u32::from(told), Ordering::SeqCst);
                    board.taken.fetch_add(1, Ordering::SeqCst);
                }
            }
            Ok(())
        });
    }
    board
}

fn play(lock: AioLock, board: Arc<Board>) -> Locks {
    Locks {
        lock,
        board,
        ours: None,
        naps: 0,
        victim_holds: false,
        told_before: false,
        nobody_comes_later: false,
    }
}

/// Naps grow past the point from which a waiter hears of deaths.
fn let_naps_grow() {
    std::thread::sleep(Duration::from_millis(12));
}

fn acquires(lock: AioLock) {
    warm();
    begin();
    let taken = got(lock.acquire());
    end();
    drop(taken);
}

fn tries(lock: AioLock) {
    warm();
    begin();
    let taken = lock.try_acquire();
    end();
    drop(taken);
}

fn acquires_in_a_task(lock: AioLock) {
    warm();
    let taken = run(None, async {
        // The runtime has its descriptors by now.
        tokio::task::yield_now().await;
        begin();
        let taken = got(lock.coro_acquire().await);
        end();
        taken
    });
    drop(taken);
}

fn releases(lock: AioLock) {
    warm();
    let (guard, _) = got(lock.acquire());
    begin();
    drop(guard);
    end();
}

fn acquires_and_releases(lock: AioLock) {
    warm();
    begin();
    drop(got(lock.acquire()));
    end();
}

fn dies_with_it(lock: AioLock) {
    lock.acquire().unwrap().leak();
    // SAFETY: ends this process.
    unsafe { libc::raise(libc::SIGKILL) };
}

fn spawn(lock: &AioLock, victim: fn() -> Kindred) -> Victim {
    Victim::at_begin(victim().start(lock.clone()))
}

/// The functions a victim can run: each is a type of its own to `spawn`.
enum Kindred {
    Acquires,
    Tries,
    Async,
    Releases,
    Both,
}

impl Kindred {
    fn start(self, lock: AioLock) -> AioProcess<()> {
        let started = match self {
            Self::Acquires => AioProcess::spawn(acquires, (lock,)),
            Self::Tries => AioProcess::spawn(tries, (lock,)),
            Self::Async => AioProcess::spawn(acquires_in_a_task, (lock,)),
            Self::Releases => AioProcess::spawn(releases, (lock,)),
            Self::Both => AioProcess::spawn(acquires_and_releases, (lock,)),
        };
        started.unwrap()
    }
}

fn free(crowd: &mut Crowd, victim: fn() -> Kindred) -> (Victim, Box<dyn Play>) {
    let lock = AioLock::new().unwrap();
    let victim = spawn(&lock, victim);
    let board = with_peers(crowd, &lock, &[], false);
    (victim, Box::new(play(lock, board)))
}

fn contended(crowd: &mut Crowd, victim: fn() -> Kindred, naps: usize) -> (Victim, Box<dyn Play>) {
    let lock = AioLock::new().unwrap();
    let ours = lock.acquire().unwrap();
    let victim = spawn(&lock, victim);
    // Survivors of a stop would be out of time before the victim has slept for long.
    let peers: &[Face] = if crowd.mode == Mode::Kill { &FACES } else { &[] };
    let board = with_peers(crowd, &lock, peers, false);
    (victim, Box::new(Locks { ours: Some(ours), naps, ..play(lock, board) }))
}

fn taken_over(crowd: &mut Crowd, victim: fn() -> Kindred) -> (Victim, Box<dyn Play>) {
    let lock = AioLock::new().unwrap();
    let first = AioProcess::spawn(dies_with_it, (lock.clone(),)).unwrap();
    let _ = first.join();
    let victim = spawn(&lock, victim);
    let board = with_peers(crowd, &lock, &[], false);
    (victim, Box::new(Locks { told_before: true, ..play(lock, board) }))
}

fn released(crowd: &mut Crowd, faces: &[Face], process: bool, long: bool) -> (Victim, Box<dyn Play>) {
    let lock = AioLock::new().unwrap();
    let victim = spawn(&lock, || Kindred::Releases);
    let board = with_peers(crowd, &lock, faces, process);
    if long && crowd.mode == Mode::Kill {
        let_naps_grow();
    }
    (victim, Box::new(Locks { nobody_comes_later: long, ..play(lock, board) }))
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "lock, acquire, free", stage: |crowd| free(crowd, || Kindred::Acquires) },
    Scenario { name: "lock, try_acquire, free", stage: |crowd| free(crowd, || Kindred::Tries) },
    Scenario { name: "lock, coro_acquire, free", stage: |crowd| free(crowd, || Kindred::Async) },
    Scenario { name: "lock, acquire and release, free", stage: |crowd| free(crowd, || Kindred::Both) },
    Scenario { name: "lock, acquire, contended", stage: |crowd| contended(crowd, || Kindred::Acquires, 0) },
    Scenario {
        name: "lock, acquire, contended for long",
        stage: |crowd| contended(crowd, || Kindred::Acquires, 2),
    },
    Scenario { name: "lock, coro_acquire, contended", stage: |crowd| contended(crowd, || Kindred::Async, 0) },
    Scenario {
        name: "lock, acquire and release, contended",
        stage: |crowd| contended(crowd, || Kindred::Both, 0),
    },
    Scenario { name: "lock, acquire, taken over", stage: |crowd| taken_over(crowd, || Kindred::Acquires) },
    Scenario { name: "lock, try_acquire, taken over", stage: |crowd| taken_over(crowd, || Kindred::Tries) },
    Scenario { name: "lock, coro_acquire, taken over", stage: |crowd| taken_over(crowd, || Kindred::Async) },
    Scenario { name: "lock, release, free", stage: |crowd| released(crowd, &[], false, false) },
    Scenario {
        name: "lock, release, a thread just asleep",
        stage: |crowd| released(crowd, &[Face::Blocking], false, false),
    },
    Scenario {
        name: "lock, release, a task just asleep",
        stage: |crowd| released(crowd, &[Face::Async], false, false),
    },
    Scenario {
        name: "lock, release, thread, task and process asleep for long",
        stage: |crowd| released(crowd, &FACES, true, true),
    },
];
