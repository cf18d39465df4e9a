//! A worker, from its start to its end.

use std::os::fd::OwnedFd;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::frames;
use super::function::{Job, Refusal};
use super::luggage::Ends;
use super::outcome::record;
use crate::planted::planted;
use crate::process::{Panic, ProcessFn, caught};
use crate::raw::pool::{Board, PoolWords, TakenTask, Unwritten};
use crate::shm::Ref;
use crate::sys::entry::{Entry, Place, function};
use crate::sys::timer::KillTimer;
use crate::sys::{clock, signal};
use crate::wait::{Park, blocking, never};
use crate::wire::handle;

/// What a worker is started with.
#[derive(Serialize, Deserialize)]
pub(super) struct Kit {
    #[serde(with = "handle")]
    pub(super) words: Ref<PoolWords>,
    pub(super) ends: Ends,
    pub(super) serial: u32,
    /// How many items it serves; zero: any number.
    pub(super) serves: u64,
}

/// What a worker runs that begins with a function of the user's.
pub(super) fn attend_after<F, A>(kit: Kit, args: A)
where
    F: ProcessFn<A>,
    A: DeserializeOwned + 'static,
{
    signal::ignore_interrupt();
    function::<F>().call(args);
    attend(kit);
}

/// What a worker runs.
pub(super) fn attend(kit: Kit) {
    signal::ignore_interrupt();
    let board = match Board::attach(kit.words.clone()) {
        Ok(board) => board,
        Err(error) => panic!("a worker cannot attach to its pool: {error}"),
    };
    let mut worker = Worker { board, ends: kit.ends, serves: kit.serves, functions: Vec::new(), timer: None };
    loop {
        let mut luggage = None;
        let fetch = |cell, turn| luggage = Some(worker.ends.fetch(cell, turn));
        let taken = never(blocking(worker.board.take(&mut Park::new(), kit.serial, fetch)));
        let Ok(taken) = taken else { panic!("the shared memory of the pool is damaged") };
        let Some(task) = taken else { return };
        let is_last = worker.serve(task, luggage);
        if is_last {
            return;
        }
    }
}

/// A worker that can't even say that a result is too large ends with this code (`EX_OSERR`).
const NO_MEMORY: i32 = 71;

struct Worker {
    board: Board,
    ends: Ends,
    serves: u64,
    /// By their place; few, so that they are looked through.
    functions: Vec<((u64, u64), &'static dyn Job)>,
    /// Made when it is first wanted.
    timer: Option<KillTimer>,
}

impl Worker {
    /// Runs a task, or as much of it as this worker may. True: it has served its number.
    ///
    /// `luggage`: its descriptors, if any belong to it; `None` in it: there was no room for them here.
    fn serve(&mut self, mut task: TakenTask, mut luggage: Option<Option<Vec<OwnedFd>>>) -> bool {
        let job = self.function(task.function, task.kind);
        let args = std::mem::take(&mut task.args);
        let (mut is_last, mut is_news) = (false, false);
        let mut bytes = Vec::new();
        for (item, args) in (0..task.items).zip(frames::bodies(&args)).skip(task.from as usize) {
            bytes.clear();
            let at = frames::begin(&mut bytes);
            let refused = |why: &str| Ok(Err(Refusal::Arguments(why.to_owned())));
            let ran = match (job, luggage.take()) {
                (None, _) => refused("the function is not where the pool says it is"),
                (_, Some(None)) => refused(
                    "no room for the descriptors of the task: raise the limit of open files (ulimit -n)",
                ),
                (Some(job), luggage) => {
                    let luggage = luggage.flatten().unwrap_or_default();
                    self.limited(&task, || job.run(args, luggage, &mut bytes))
                }
            };
            is_news |= !matches!(ran, Ok(Ok(_)));
            let mut luggage = record(ran, &mut bytes, at);
            if self.reserve(&mut task, item, &mut bytes) {
                // What is too large stays, and what belongs to it.
                luggage.clear();
            }
            if !luggage.is_empty() {
                self.board.note_luggage(&task);
                let tag = (task.cell, task.turn, item - task.from);
                if let Err(error) = self.ends.send(tag, &luggage) {
                    record(Ok(Err(Refusal::Output(error.to_string()))), &mut bytes, at);
                    self.reserve(&mut task, item, &mut bytes);
                }
            }
            if self.board.write(&mut task, item, &bytes).is_err() {
                // The results behind it would be taken for others'.
                std::process::exit(NO_MEMORY);
            }
            if self.serves > 0 {
                self.serves -= 1;
                is_last = self.serves == 0;
                if is_last {
                    break;
                }
            }
        }
        if !self.board.finish(&task, is_news || is_last) {
            // Withdrawn: its owner is about to kill this process.
            std::process::exit(0);
        }
        is_last
    }

    fn function(&mut self, offset: u64, kind: u64) -> Option<&'static dyn Job> {
        if let Some(known) = self.functions.iter().find(|(place, _)| *place == (offset, kind)) {
            return Some(known.1);
        }
        let entry = Entry::<&'static dyn Job>::at(&Place::here(offset, kind)?).ok()?;
        let job = entry.run(&[], Vec::new());
        self.functions.push(((offset, kind), job));
        Some(job)
    }

    /// Runs an item, under the limit if there is one.
    fn limited<R>(&mut self, task: &TakenTask, run: impl FnOnce() -> R) -> Result<R, Panic> {
        let is_limited = task.limit > 0 && self.arm(task);
        let ran = caught(run);
        if is_limited {
            self.disarm(task);
        }
        ran
    }

    fn arm(&mut self, task: &TakenTask) -> bool {
        if self.timer.is_none() {
            self.timer = KillTimer::new().ok();
        }
        let Some(timer) = &self.timer else { return false };
        // Before the timer is set: the owner is to know what the kill was for.
        self.board.note_deadline(task, clock::now().saturating_add(task.limit));
        planted!("a-limit-is-not-armed", timer.set(task.limit), Ok::<_, std::io::Error>(())).is_ok()
    }

    fn disarm(&self, task: &TakenTask) {
        if let Some(timer) = &self.timer {
            let _ = timer.set(0);
        }
        self.board.note_deadline(task, 0);
    }

    /// Gets memory for a result, or puts in its place that there is none. True: it did that.
    fn reserve(&self, task: &mut TakenTask, item: u32, bytes: &mut Vec<u8>) -> bool {
        if task.has_room(bytes.len()) {
            return false;
        }
        let mut reserve = |length| never(blocking(self.board.reserve(&mut Park::new(), task, item, length)));
        let message = match reserve(bytes.len()) {
            Ok(()) => return false,
            Err(Unwritten::Withdrawn) => std::process::exit(0),
            Err(Unwritten::TooLarge) => "it is too large for the pool's shared memory".to_owned(),
            Err(Unwritten::Io(error)) => format!("the system refused shared memory: {error}"),
            Err(Unwritten::Nonsense) => "the shared memory of the pool is damaged".to_owned(),
        };
        record(Ok(Err(Refusal::Output(message))), bytes, 0);
        match reserve(bytes.len()) {
            Ok(()) => true,
            Err(Unwritten::Withdrawn) => std::process::exit(0),
            Err(_) => std::process::exit(NO_MEMORY),
        }
    }
}
