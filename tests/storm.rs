//! Kills at random moments, against a ledger outside of the crate.
//!
//! Producers, consumers, lock holders and waiters work on shared objects, and are killed and replaced all the time. Each
//! writes what it has done into a file of its own, one `write(2)` a line, which survives it. A kill counts only if its victim
//! had finished an operation since its start. Nothing may hang, tear or come twice; lost may be only what a killed
//! consumer had in its hands. Of a queue with leases nothing may be lost, and again may come only what a killed borrower had not
//! acknowledged.
//!
//! ```text
//! cargo test --release --test storm                                      a few seconds
//! AIOPROCESSING_STORM=60 cargo test --release --test storm               so many seconds
//! cargo test --release --test storm -- --ignored --nocapture             100,000 kills, 15 minutes at the most
//! ```
#![allow(unsafe_code, missing_docs)]

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aioprocessing::{AcquireError, AioEvent, AioLeaseQueue, AioLock, AioProcess, AioQueue, AioSemaphore};
use serde::{Deserialize, Serialize};

aioprocessing::test_support!();

const PERMITS: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(3);
const MARK: u64 = u64::MAX;

/// How many may be on their way out at a time: closing an inotify instance takes the kernel 10 ms and more, one after the
/// other for the whole machine.
const DYING: usize = 40;
/// What a line of a ledger says.
const WILL_PUT: u8 = 0;
const HAS_PUT: u8 = 1;
const HAS_GOT: u8 = 2;
const DID: u8 = 3;
const TORN: u8 = 4;
const WILL_LEND: u8 = 5;
const HAS_LENT: u8 = 6;
const HAS_LEASED: u8 = 7;
const HAS_ACKNOWLEDGED: u8 = 8;

#[derive(Clone, Serialize, Deserialize)]
struct Objects {
    queue: AioQueue<Vec<u64>>,
    leases: AioLeaseQueue<Vec<u64>>,
    lock: AioLock,
    event: AioEvent,
    semaphore: AioSemaphore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Role {
    Producer,
    Consumer,
    Lender,
    Borrower,
    Holder,
    Waiter,
}

const ROLES: [Role; 6] =
    [Role::Producer, Role::Consumer, Role::Lender, Role::Borrower, Role::Holder, Role::Waiter];

/// A worker's own file.
struct Book(File);

impl Book {
    fn line(&self, kind: u8, id: u64) {
        let mut line = [kind; 9];
        line[1..].copy_from_slice(&id.to_ne_bytes());
        (&self.0).write_all(&line).unwrap();
    }
}

/// Numbers that are good enough to choose a moment by.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    fn pause(&mut self) {
        std::thread::sleep(Duration::from_micros(self.below(60)));
    }
}

fn item(id: u64) -> Vec<u64> {
    // Every eighth is too long for the ring.
    let length = if id.is_multiple_of(8) { 12_000 } else { 3 };
    let mut item = vec![id; length];
    item.push(id.wrapping_mul(length as u64));
    item
}

fn id_of(item: &[u64]) -> Option<u64> {
    let (last, all) = item.split_last()?;
    let &id = all.first()?;
    (all.iter().all(|&each| each == id) && *last == id.wrapping_mul(all.len() as u64)).then_some(id)
}

fn work(role: Role, serial: u64, objects: Objects, book: PathBuf, board: PathBuf) {
    let book = Book(OpenOptions::new().append(true).open(book).unwrap());
    let mut dice = Dice(serial.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let board = OpenOptions::new().read(true).write(true).open(board).unwrap();
    // Every other worker is asynchronous.
    let runtime = serial
        .is_multiple_of(2)
        .then(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());
    let runtime = runtime.as_ref();
    for turn in 1.. {
        let id = serial << 24 | turn;
        match role {
            Role::Producer => {
                book.line(WILL_PUT, id);
                let put = match runtime {
                    Some(runtime) => runtime.block_on(objects.queue.coro_put(item(id))),
                    None => objects.queue.put(item(id)),
                };
                if put.is_ok() {
                    book.line(HAS_PUT, id);
                }
            }
            Role::Consumer => {
                let got = match runtime {
                    Some(runtime) => runtime.block_on(objects.queue.coro_get()),
                    None => objects.queue.get(),
                };
                match got.ok().as_deref().map(id_of) {
                    Some(Some(id)) => book.line(HAS_GOT, id),
                    _ => book.line(TORN, id),
                }
            }
            Role::Lender => {
                book.line(WILL_LEND, id);
                let put = match runtime {
                    Some(runtime) => runtime.block_on(objects.leases.coro_put(item(id))),
                    None => objects.leases.put(item(id)),
                };
                if put.is_ok() {
                    book.line(HAS_LENT, id);
                }
            }
            Role::Borrower => {
                let got = match runtime {
                    Some(runtime) => runtime.block_on(objects.leases.coro_get()),
                    None => objects.leases.get(),
                };
                match got.ok().map(|lease| (id_of(&lease), lease)) {
                    Some((Some(id), lease)) => {
                        book.line(HAS_LEASED, id);
                        if lease.ack() {
                            book.line(HAS_ACKNOWLEDGED, id);
                        }
                    }
                    _ => book.line(TORN, id),
                }
            }
            Role::Holder => {
                let got = match runtime {
                    Some(runtime) => runtime.block_on(objects.lock.coro_acquire()),
                    None => objects.lock.acquire(),
                };
                let (guard, told) = match got {
                    Ok(guard) => (Some(guard), false),
                    Err(AcquireError::OwnerDied(guard)) => (Some(guard), true),
                    Err(_) => (None, false),
                };
                // Two numbers that are equal whenever nobody is inside, unless somebody died there.
                let mut both = [0; 16];
                board.read_exact_at(&mut both, 0).unwrap();
                if both[..8] != both[8..] && !told {
                    book.line(TORN, id);
                }
                board.write_all_at(&id.to_ne_bytes(), 0).unwrap();
                dice.pause();
                board.write_all_at(&id.to_ne_bytes(), 8).unwrap();
                drop(guard);
                book.line(DID, id);
            }
            Role::Waiter => {
                let permit = match runtime {
                    Some(runtime) => runtime.block_on(objects.semaphore.coro_acquire()),
                    None => objects.semaphore.acquire(),
                };
                dice.pause();
                drop(permit);
                if turn % 4 == 0 {
                    objects.event.set();
                    objects.event.clear();
                } else {
                    let _ = objects.event.wait_timeout(Duration::from_millis(2));
                }
                book.line(DID, id);
            }
        }
        dice.pause();
    }
}

/// What went through one queue. Numbers in no order, looked through at the end.
#[derive(Default)]
struct Traffic {
    will_put: Vec<u64>,
    has_put: Vec<u64>,
    got: Vec<u64>,
    acknowledged: Vec<u64>,
    /// Killed, of those who take.
    takers_killed: usize,
}

/// What is wrong with it.
struct Balance {
    unknown: usize,
    missing: usize,
    again: usize,
    acknowledged_again: usize,
}

fn repeated(sorted: &[u64]) -> usize {
    sorted.windows(2).filter(|pair| pair[0] == pair[1]).count()
}

impl Traffic {
    fn merge(&mut self, other: Self) {
        self.will_put.extend(other.will_put);
        self.has_put.extend(other.has_put);
        self.got.extend(other.got);
        self.acknowledged.extend(other.acknowledged);
        self.takers_killed += other.takers_killed;
    }

    fn balance(&mut self) -> Balance {
        self.will_put.sort_unstable();
        self.got.sort_unstable();
        self.acknowledged.sort_unstable();
        Balance {
            unknown: self.got.iter().filter(|id| self.will_put.binary_search(id).is_err()).count(),
            missing: self.has_put.iter().filter(|id| self.got.binary_search(id).is_err()).count(),
            again: repeated(&self.got),
            acknowledged_again: repeated(&self.acknowledged),
        }
    }
}

/// What all workers have written.
#[derive(Default)]
struct Ledger {
    items: Traffic,
    leases: Traffic,
    torn: usize,
    hung: Vec<String>,
    kills: u64,
}

impl Ledger {
    fn read(&mut self, book: &Path) {
        let bytes = std::fs::read(book).unwrap();
        for line in bytes.chunks_exact(9) {
            let id = u64::from_ne_bytes(line[1..].try_into().unwrap());
            match line[0] {
                WILL_PUT => self.items.will_put.push(id),
                HAS_PUT => self.items.has_put.push(id),
                HAS_GOT => self.items.got.push(id),
                WILL_LEND => self.leases.will_put.push(id),
                HAS_LENT => self.leases.has_put.push(id),
                HAS_LEASED => self.leases.got.push(id),
                HAS_ACKNOWLEDGED => self.leases.acknowledged.push(id),
                TORN => self.torn += 1,
                _ => {}
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.items.merge(other.items);
        self.leases.merge(other.leases);
        self.torn += other.torn;
        self.hung.extend(other.hung);
        self.kills += other.kills;
    }
}

struct Worker {
    role: Role,
    child: AioProcess<()>,
    book: PathBuf,
    since: Instant,
}

static SERIAL: AtomicU64 = AtomicU64::new(1);

impl Worker {
    fn start(role: Role, objects: &Objects, folder: &Path) -> Self {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let book = folder.join(serial.to_string());
        File::create(&book).unwrap();
        let args = (role, serial, objects.clone(), book.clone(), folder.join("board"));
        let child = AioProcess::builder().daemon(true).spawn(work, args).unwrap();
        Self { role, child, book, since: Instant::now() }
    }

    fn has_done_something(&self) -> bool {
        // The first line of a producer only says what it is about to do.
        let least = if matches!(self.role, Role::Producer | Role::Lender) { 18 } else { 9 };
        std::fs::metadata(&self.book).is_ok_and(|data| data.len() >= least)
    }

    /// Kills it, sooner or later after its first operation. Its end may take the kernel a while.
    fn kill(self, ledger: &mut Ledger, dice: &mut Dice) -> Self {
        while !self.has_done_something() && self.since.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_micros(100));
        }
        if self.has_done_something() {
            ledger.kills += 1;
            std::thread::sleep(Duration::from_micros(dice.below(400)));
        } else {
            ledger.hung.push(format!("a {:?} has done nothing for {PATIENCE:?}", self.role));
        }
        self.child.kill().unwrap();
        self
    }

    /// After its end.
    fn read(self, ledger: &mut Ledger) {
        let _ = self.child.join();
        ledger.items.takers_killed += usize::from(self.role == Role::Consumer);
        ledger.leases.takers_killed += usize::from(self.role == Role::Borrower);
        ledger.read(&self.book);
        std::fs::remove_file(&self.book).unwrap();
    }
}

/// Keeps one worker of each role, and kills them in turn of chance until `is_over`.
fn drive(objects: &Objects, folder: &Path, seed: u64, is_over: impl Fn(u64) -> bool) -> Ledger {
    let (mut ledger, mut dice) = (Ledger::default(), Dice(seed));
    let mut workers: Vec<_> = ROLES.into_iter().map(|role| Worker::start(role, objects, folder)).collect();
    let mut dying: Vec<Worker> = Vec::new();
    while !is_over(ledger.kills) {
        let index = dice.below(ROLES.len() as u64) as usize;
        let role = workers[index].role;
        let victim = std::mem::replace(&mut workers[index], Worker::start(role, objects, folder));
        dying.push(victim.kill(&mut ledger, &mut dice));
        if dying.len() >= DYING {
            let (gone, rest): (Vec<_>, Vec<_>) = dying.drain(..).partition(|worker| !worker.child.is_alive());
            dying = rest;
            gone.into_iter().for_each(|worker| worker.read(&mut ledger));
            if dying.len() >= DYING {
                dying.remove(0).read(&mut ledger);
            }
        }
    }
    workers.iter().for_each(|worker| worker.child.kill().unwrap());
    dying.into_iter().chain(workers).for_each(|worker| worker.read(&mut ledger));
    ledger
}

fn storm(longest: Duration, kills: u64) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("board"), [0; 16]).unwrap();
    let objects = Objects {
        queue: AioQueue::bounded(40).unwrap(),
        leases: AioQueue::<()>::builder().max_items(40).lease(u16::MAX).build().unwrap(),
        lock: AioLock::new().unwrap(),
        event: AioEvent::new().unwrap(),
        semaphore: AioSemaphore::new(PERMITS).unwrap(),
    };
    let begun = Instant::now();
    let drivers = 2;
    let is_over = |done: u64| begun.elapsed() >= longest || done * drivers >= kills;
    let mut ledger = Ledger::default();
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..drivers)
            .map(|seed| {
                let (objects, folder) = (&objects, folder.path());
                scope.spawn(move || drive(objects, folder, 77 + seed, is_over))
            })
            .collect();
        running.into_iter().for_each(|driver| ledger.merge(driver.join().unwrap()));
    });
    settle(&objects, &mut ledger);
    verdict(ledger, begun.elapsed());
}

/// After the storm everything must work as if nothing had been.
fn settle(objects: &Objects, ledger: &mut Ledger) {
    loop {
        match objects.queue.get_timeout(Duration::from_millis(300)) {
            Ok(item) => match id_of(&item) {
                Some(id) => ledger.items.got.push(id),
                None => ledger.torn += 1,
            },
            Err(error) if error.is_timeout() => break,
            Err(error) => {
                ledger.hung.push(format!("a get failed: {error}"));
                break;
            }
        }
    }
    loop {
        match objects.leases.get_timeout(Duration::from_millis(300)) {
            Ok(lease) => match id_of(&lease.into_inner()) {
                Some(id) => ledger.leases.got.push(id),
                None => ledger.torn += 1,
            },
            Err(error) if error.is_timeout() => break,
            Err(error) => {
                ledger.hung.push(format!("a get of a lease failed: {error}"));
                break;
            }
        }
    }
    if let Err(error) = objects.leases.join_timeout(PATIENCE) {
        ledger.hung.push(format!("what dead processes had borrowed did not come back: {error}"));
    }
    if objects.leases.given_up() > 0 {
        ledger.hung.push(format!("{} leases were given up", objects.leases.given_up()));
    }
    if objects.queue.put_timeout(item(MARK), PATIENCE).is_err()
        || objects.queue.get_timeout(PATIENCE).ok().as_deref().and_then(id_of) != Some(MARK)
    {
        ledger.hung.push("the queue is of no use any more".to_owned());
    }
    match objects.lock.acquire_timeout(PATIENCE) {
        Err(error) if error.is_timeout() => ledger.hung.push(format!("the lock is gone: {error}")),
        _ => {}
    }
    if objects.semaphore.acquire_many_timeout(PERMITS, PATIENCE).is_err() {
        ledger.hung.push(format!("of {PERMITS} permits {} are left", objects.semaphore.permits()));
    }
}

fn verdict(mut ledger: Ledger, took: Duration) {
    let (items, leases) = (ledger.items.balance(), ledger.leases.balance());
    let (consumers, borrowers) = (ledger.items.takers_killed, ledger.leases.takers_killed);
    // Each taker that was killed may have had one in its hands: it is lost, or comes again.
    let lost = items.missing.saturating_sub(consumers) + leases.missing;
    let duplicated = items.again + leases.again.saturating_sub(borrowers) + leases.acknowledged_again;
    let torn = ledger.torn + items.unknown + leases.unknown;
    println!(
        "storm: {} kills, {} in {:.0?}, {} hung, {torn} torn, {lost} lost ({} in the hands of {consumers} killed consumers; \
         with leases {} of {}), {duplicated} duplicated ({} leases came again after {borrowers} killed borrowers)",
        ledger.kills,
        format_args!("{:.0} a second", ledger.kills as f64 / took.as_secs_f64()),
        took,
        ledger.hung.len(),
        items.missing,
        leases.missing,
        ledger.leases.has_put.len(),
        leases.again,
    );
    assert!(ledger.hung.is_empty(), "{:?}", ledger.hung.first());
    assert_eq!((torn, lost, duplicated), (0, 0, 0), "torn, lost, duplicated");
    assert!(ledger.kills > 0, "nobody was killed");
    assert!(!ledger.leases.has_put.is_empty() && !ledger.leases.acknowledged.is_empty());
}

#[test]
fn case_165_a_storm_of_kills() {
    let seconds = std::env::var("AIOPROCESSING_STORM").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    storm(Duration::from_secs(seconds), u64::MAX);
}

#[test]
#[ignore = "minutes"]
fn case_165_a_hundred_thousand_kills() {
    storm(Duration::from_secs(890), 100_000);
}
