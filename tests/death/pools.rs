//! A pool's worker: publishing a result and taking the next task, in chunks and one by one, short and long, with handles, and
//! after a sleep.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use aioprocessing::{AioPool, AioQueue, Imap, TaskError};
use serde::{Deserialize, Serialize};

use crate::crowd::{Crowd, Face, Fault, Kind, LIMIT, Mode, PATIENCE, run};
use crate::suite::{Play, Scenario, wrong};
use crate::trace::{Reached, Stimulus, Victim, begin, end};

/// What an item of the victim's is there for.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Cue {
    Begin,
    End,
    Plain,
}

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    id: u8,
    cue: Cue,
    victim: u32,
    /// Whoever runs an item writes its number into this file.
    ledger: PathBuf,
    padding: String,
    queue: Option<AioQueue<u8>>,
    answer: usize,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    id: u8,
    padding: String,
    queue: Option<AioQueue<u8>>,
}

fn append(path: &Path, id: u8) {
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the path ends with a zero.
    let file = unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_APPEND | libc::O_CLOEXEC) };
    // SAFETY: one byte is valid for reads.
    unsafe { libc::write(file, (&raw const id).cast(), 1) };
    // SAFETY: opened above.
    unsafe { libc::close(file) };
}

fn text(id: u8, length: usize) -> String {
    char::from(b'a' + id).to_string().repeat(length)
}

fn serve(order: Order) -> Answer {
    append(&order.ledger, order.id);
    if order.victim == std::process::id() {
        match order.cue {
            Cue::Begin => begin(),
            Cue::End => end(),
            Cue::Plain => {}
        }
    }
    Answer { id: order.id, padding: text(order.id, order.answer), queue: order.queue }
}

/// What goes on around a worker.
#[derive(Clone, Copy)]
struct Setting {
    chunk: usize,
    /// Bytes of arguments and of results.
    lengths: (usize, usize),
    has_handles: bool,
    /// The worker finds nothing to do after its first task, and sleeps.
    sleeps: bool,
    retries: u32,
    /// In bytes.
    memory: u64,
}

impl Setting {
    fn is_short_of_memory(self) -> bool {
        self.memory < 1 << 20
    }
}

const SETTING: Setting =
    Setting { chunk: 1, lengths: (8, 8), has_handles: false, sleeps: false, retries: 0, memory: 1 << 24 };

const CUES: [Cue; 4] = [Cue::Begin, Cue::Plain, Cue::End, Cue::Plain];

type Results = (Imap<'static, Answer>, Vec<u8>);

struct Pools {
    setting: Setting,
    pool: AioPool,
    orders: Vec<Order>,
    ledger: PathBuf,
    /// With the numbers of the items, which come in their order.
    results: Vec<Results>,
    is_closed: bool,
}

impl Pools {
    fn begin(&mut self, orders: std::ops::Range<usize>) {
        let orders = self.orders[orders].to_vec();
        let ids = orders.iter().map(|order| order.id).collect();
        self.results.push((self.pool.imap(serve, orders), ids));
    }
}

impl Play for Pools {
    fn stimulus(&mut self, _: usize) -> Stimulus {
        if self.setting.sleeps && self.results.len() == 1 {
            self.begin(1..self.orders.len());
            return Stimulus::Done;
        }
        if self.setting.is_short_of_memory() && !self.is_closed {
            // A worker without memory waits for its owner, who does its part in any call: here in one that does not look for
            // the dead, as that would take the news of the victim's steps from the tracer.
            self.is_closed = true;
            self.pool.close();
            return Stimulus::Done;
        }
        Stimulus::Nothing
    }

    fn look(&mut self, _: &Victim, reached: Reached) {
        let was_short = self.is_closed || reached != Reached::End;
        assert!(was_short || !self.setting.is_short_of_memory(), "there was memory for everything");
    }

    fn after(&mut self, crowd: &mut Crowd) {
        if self.setting.sleeps && self.results.len() == 1 {
            self.begin(1..self.orders.len());
        }
        let mode = crowd.mode;
        if mode == Mode::Stop {
            stopped(self, crowd);
        } else {
            killed(self, crowd);
        }
        let _ = std::fs::remove_file(&self.ledger);
    }
}

/// What is not done yet times out, and can be given up.
fn stopped(play: &mut Pools, crowd: &mut Crowd) {
    for (mut results, ids) in std::mem::take(&mut play.results) {
        crowd.untimed("a bounded wait for a stopped worker", move || {
            for id in ids {
                match results.next_timeout(LIMIT).unwrap_or(Err(TaskError::Timeout)) {
                    Err(TaskError::Timeout) => break,
                    Ok(answer) => judge(answer, id)?,
                    Err(error) => return wrong(Kind::Torn, error.to_string()),
                }
            }
            Ok(())
        });
    }
    let pool = play.pool.clone();
    crowd.untimed("a bounded join", move || {
        let joined = run(Some(LIMIT), pool.coro_join());
        if joined.is_none_or(|joined| joined.is_ok()) { Ok(()) } else { wrong(Kind::Torn, "a join failed") }
    });
    crowd.settle();
    play.pool.terminate();
    let pool = play.pool.clone();
    crowd.untimed("the end of a pool with a stopped worker", move || {
        if pool.join().is_ok() { Ok(()) } else { wrong(Kind::Torn, "a join failed") }
    });
    crowd.settle();
    once_each(play, crowd);
}

/// One item may have failed, and only that.
fn killed(play: &mut Pools, crowd: &mut Crowd) {
    let errors = std::sync::Arc::new(AtomicU64::new(0));
    for (results, face) in std::mem::take(&mut play.results).into_iter().zip([Face::Async, Face::Blocking]) {
        let errors = errors.clone();
        crowd.untimed(format!("results, {face:?}"), move || collect(results, face, &errors));
    }
    let (pool, is_closed) = (play.pool.clone(), play.is_closed);
    crowd.untimed("another task", move || match pool.apply_timeout(|x: u64| x * x, (12,), PATIENCE) {
        Ok(144) => Ok(()),
        Err(error) if is_closed && error.is_closed() => Ok(()),
        other => wrong(Kind::Lost, format!("{other:?}")),
    });
    crowd.settle();
    let errors = errors.load(Ordering::Relaxed);
    if errors > u64::from(play.setting.retries == 0) {
        crowd.fault(Kind::Lost, format!("{errors} items failed"));
    }
    if play.setting.retries == 0 {
        once_each(play, crowd);
    }
}

fn collect((mut results, ids): Results, face: Face, errors: &AtomicU64) -> Result<(), Fault> {
    for id in ids {
        let next = match face {
            Face::Blocking => results.next(),
            Face::Async => run(None, results.coro_next()).flatten(),
        };
        match next {
            None => return wrong(Kind::Lost, format!("the result of item {id}")),
            Some(Ok(answer)) => judge(answer, id)?,
            Some(Err(error)) if error.is_worker_died() => {
                errors.fetch_add(1, Ordering::Relaxed);
            }
            Some(Err(error)) => return wrong(Kind::Torn, error.to_string()),
        }
    }
    Ok(())
}

fn judge(answer: Answer, id: u8) -> Result<(), Fault> {
    if answer.id != id {
        return wrong(Kind::Torn, format!("the result of item {} came as that of item {id}", answer.id));
    }
    if answer.padding != text(answer.id, answer.padding.len()) {
        return wrong(Kind::Torn, format!("the result of item {}", answer.id));
    }
    match answer.queue.map(|queue| queue.try_put(answer.id)) {
        None | Some(Ok(())) => Ok(()),
        Some(Err(error)) => {
            wrong(Kind::Torn, format!("the handle in the result of item {}: {error}", answer.id))
        }
    }
}

fn once_each(play: &Pools, crowd: &mut Crowd) {
    let mut ran = std::fs::read(&play.ledger).unwrap_or_default();
    ran.sort_unstable();
    if ran.windows(2).any(|pair| pair[0] == pair[1]) {
        crowd.fault(Kind::Duplicated, format!("these ran: {ran:?}"));
    }
}

fn stage(setting: Setting) -> (Victim, Box<dyn Play>) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let ledger = std::env::temp_dir().join(format!("aioprocessing-death-{}-{number}", std::process::id()));
    std::fs::write(&ledger, []).unwrap();
    let pool = AioPool::builder().workers(1).retries(setting.retries).chunk_size(setting.chunk);
    let pool = pool.shared_memory(setting.memory).build().unwrap();
    let victim = pool.worker_pids()[0];
    let queue = setting.has_handles.then(|| AioQueue::unbounded().unwrap());
    let order = |(id, cue)| Order {
        id,
        cue,
        victim,
        ledger: ledger.clone(),
        padding: " ".repeat(setting.lengths.0),
        queue: queue.clone(),
        answer: setting.lengths.1,
    };
    let orders = (0..).zip(CUES).map(order).collect();
    let mut play = Pools { setting, pool, orders, ledger, results: Vec::new(), is_closed: false };
    if setting.is_short_of_memory() {
        // Nobody takes these results before the victim is out of memory: with the arguments they fill all of it.
        let order = |id| Order { id, cue: Cue::Plain, answer: 50_000, ..play.orders[0].clone() };
        play.results.push((play.pool.imap(serve, [order(10), order(11)]), vec![10, 11]));
    }
    play.begin(0..if setting.sleeps { 1 } else { CUES.len() });
    (Victim::in_pool(victim), Box::new(play))
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "pool, one task after the other", stage: |_| stage(SETTING) },
    Scenario {
        name: "pool, one task after the other, long ones",
        stage: |_| stage(Setting { lengths: (300, 66_000), ..SETTING }),
    },
    Scenario { name: "pool, items of a chunk", stage: |_| stage(Setting { chunk: 4, ..SETTING }) },
    Scenario {
        name: "pool, long items of a chunk",
        stage: |_| stage(Setting { chunk: 4, lengths: (300, 66_000), ..SETTING }),
    },
    Scenario {
        name: "pool, items of a chunk, more than fit",
        stage: |_| stage(Setting { chunk: 4, lengths: (60, 100), memory: 1, ..SETTING }),
    },
    Scenario { name: "pool, tasks with handles", stage: |_| stage(Setting { has_handles: true, ..SETTING }) },
    Scenario {
        name: "pool, a task that was waited for",
        stage: |_| stage(Setting { sleeps: true, ..SETTING }),
    },
    Scenario {
        name: "pool, tasks that are tried again",
        stage: |_| stage(Setting { retries: 1, ..SETTING }),
    },
];
