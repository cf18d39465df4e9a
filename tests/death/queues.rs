//! The queue: put and get, of one and of a batch, empty, filled and full, short items and long ones, alone and with sleeping
//! peers, and after somebody who died in the middle.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use aioprocessing::{AioProcess, AioQueue};

use crate::crowd::{Crowd, FACES, Face, Fault, Kind, LIMIT, Mode, PATIENCE, run};
use crate::suite::{Play, Scenario, wrong};
use crate::trace::{Point, Reached, Stimulus, Victim, begin, end};

type Item = Vec<u8>;
type Queue = AioQueue<Item>;

/// What the victim puts.
const VICTIMS: u64 = 1_000;
/// What a victim before the victim puts.
const FIRST_VICTIMS: u64 = 1_001;
/// Batches have so many, and begin with a number of their own.
const BATCH: u64 = 3;
const VICTIMS_BATCH: u64 = 1_010;
const SHORT: usize = 24;
const LONG: usize = 150_000;

fn item(id: u64, length: usize) -> Item {
    let mut item = vec![id as u8 ^ length as u8; length];
    item[..8].copy_from_slice(&id.to_ne_bytes());
    item
}

/// The number of an item, if it is whole.
fn id_of(item: &[u8]) -> Option<u64> {
    let id = u64::from_ne_bytes(item.first_chunk().copied()?);
    let is_whole = matches!(item.len(), SHORT | LONG)
        && item[8..].iter().all(|&byte| byte == id as u8 ^ item.len() as u8);
    is_whole.then_some(id)
}

/// `Ok(None)`: the time was over.
fn get(queue: &Queue, face: Face, limit: Option<Duration>) -> Result<Option<Item>, String> {
    match (face, limit) {
        (Face::Blocking, None) => queue.get().map(Some).map_err(|error| error.to_string()),
        (Face::Blocking, Some(limit)) => match queue.get_timeout(limit) {
            Ok(item) => Ok(Some(item)),
            Err(error) if error.is_timeout() => Ok(None),
            Err(error) => Err(error.to_string()),
        },
        (Face::Async, limit) => run(limit, queue.coro_get()).transpose().map_err(|error| error.to_string()),
    }
}

/// `Ok(false)`: the time was over.
fn put(queue: &Queue, item: Item, face: Face, limit: Option<Duration>) -> Result<bool, String> {
    match (face, limit) {
        (Face::Blocking, None) => queue.put(item).map(|()| true).map_err(|error| error.to_string()),
        (Face::Blocking, Some(limit)) => match queue.put_timeout(item, limit) {
            Ok(()) => Ok(true),
            Err(error) if error.is_timeout() => Ok(false),
            Err(error) => Err(error.to_string()),
        },
        (Face::Async, limit) => {
            let put = run(limit, queue.coro_put(item));
            put.map_or(Ok(false), |put| put.map(|()| true).map_err(|error| error.to_string()))
        }
    }
}

/// What was certainly put, and what was got, how often.
#[derive(Default)]
struct Ledger {
    put: Mutex<Vec<u64>>,
    got: Mutex<BTreeMap<u64, u32>>,
}

impl Ledger {
    fn note_put(&self, id: u64, outcome: Result<bool, String>) -> Result<(), Fault> {
        match outcome {
            Ok(true) => self.put.lock().unwrap().push(id),
            Ok(false) => {}
            Err(error) => return wrong(Kind::Torn, format!("a put failed: {error}")),
        }
        Ok(())
    }

    fn note_got(&self, outcome: Result<Option<Item>, String>) -> Result<bool, Fault> {
        match outcome {
            Ok(Some(item)) => match id_of(&item) {
                Some(id) => *self.got.lock().unwrap().entry(id).or_default() += 1,
                None => return wrong(Kind::Torn, format!("an item of {} bytes is not whole", item.len())),
            },
            Ok(None) => return Ok(false),
            Err(error) => return wrong(Kind::Torn, format!("a get failed: {error}")),
        }
        Ok(true)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Puts,
    Gets,
    PutsAsync,
    GetsAsync,
    PutsMany,
    GetsMany,
    PutsManyAsync,
    GetsManyAsync,
}

impl Does {
    fn puts(self) -> bool {
        matches!(self, Self::Puts | Self::PutsAsync | Self::PutsMany | Self::PutsManyAsync)
    }

    /// How many items, at the most.
    fn count(self) -> u64 {
        match self {
            Self::PutsMany | Self::GetsMany | Self::PutsManyAsync | Self::GetsManyAsync => BATCH,
            _ => 1,
        }
    }

    /// The numbers of what it puts.
    fn items(self) -> std::ops::Range<u64> {
        let first = if self.count() == 1 { VICTIMS } else { VICTIMS_BATCH };
        first..first + if self.puts() { self.count() } else { 0 }
    }
}

/// A state of the queue and an operation in it.
#[derive(Clone, Copy)]
struct Setting {
    does: Does,
    length: usize,
    bound: Option<usize>,
    filled: u64,
    /// Peers of the victim's opposite kind, who sleep: getters for a putter.
    opposite: bool,
    /// Peers of the victim's own kind, who sleep as it will.
    alike: bool,
    /// In how many hundredths of a put, and of a get, others died before.
    died_before: Option<(usize, usize)>,
}

const SETTING: Setting = Setting {
    does: Does::Puts,
    length: SHORT,
    bound: None,
    filled: 0,
    opposite: false,
    alike: false,
    died_before: None,
};

struct Queues {
    queue: Queue,
    ledger: Arc<Ledger>,
    setting: Setting,
    getters: u64,
    putters: u64,
    is_done: bool,
    was_stimulated: bool,
    /// How many items the stimulus has taken.
    room_made: u64,
    /// How many items victims that got may have taken with them.
    takers: usize,
}

impl Play for Queues {
    fn stimulus(&mut self, _: usize) -> Stimulus {
        if self.was_stimulated {
            return Stimulus::Nothing;
        }
        self.was_stimulated = true;
        // As many as wait, so that the victim's turn comes whoever is woken first.
        if self.setting.does.puts() {
            // The last of these items has yet to be put; by nobody, if the victim has come to its point, in the middle of its put.
            for _ in 0..=self.putters {
                let got = self.ledger.note_got(get(&self.queue, Face::Blocking, Some(LIMIT)));
                self.room_made += u64::from(got.unwrap_or(false));
            }
        } else {
            for id in 0..=self.getters {
                let id = 3_000 + id;
                let _ = self.ledger.note_put(
                    id,
                    put(&self.queue, item(id, self.setting.length), Face::Blocking, Some(LIMIT)),
                );
            }
        }
        Stimulus::Done
    }

    fn look(&mut self, _: &Victim, reached: Reached) {
        self.is_done = reached == Reached::End;
    }

    fn after(&mut self, crowd: &mut Crowd) {
        let mode = crowd.mode;
        if self.is_done && self.setting.does.puts() {
            self.ledger.put.lock().unwrap().extend(self.setting.does.items());
        }
        // Enough for everybody who sleeps, whatever the victim has done.
        let late = mode.limit().or(Some(PATIENCE));
        for id in 0..self.getters {
            let (queue, ledger, id, length) =
                (self.queue.clone(), self.ledger.clone(), 2_000 + id, self.setting.length);
            crowd.late(format!("late put of {id}"), move || {
                let outcome = put(&queue, item(id, length), FACES[id as usize % 2], late);
                if mode == Mode::Kill && outcome == Ok(false) {
                    return wrong(Kind::Hung, "there is room, and a put waits");
                }
                ledger.note_put(id, outcome)
            });
        }
        // Room has been made already where the victim slept as they do: for it as well, which may have used it.
        let room = match self.was_stimulated {
            false => self.putters,
            true if self.setting.does.puts() && self.putters > 0 => self.putters + 1 - self.room_made,
            true => 0,
        };
        for id in 0..room {
            let (queue, ledger) = (self.queue.clone(), self.ledger.clone());
            crowd.late(format!("late get {id}"), move || {
                // The victim's own item may make it one less that is left to get: never fewer than there are putters.
                let outcome = get(&queue, FACES[id as usize % 2], late);
                if mode == Mode::Kill && outcome == Ok(None) {
                    return wrong(Kind::Hung, "there are items, and a get waits");
                }
                ledger.note_got(outcome).map(drop)
            });
        }
        crowd.settle();
        let limit = if mode == Mode::Stop { LIMIT } else { PATIENCE };
        let mark = 4_000;
        if self.setting.bound.is_some_and(|bound| self.queue.len() >= bound) {
            let got = self.ledger.note_got(get(&self.queue, Face::Blocking, Some(limit)));
            if let Err(fault) = got {
                crowd.faults.push(fault);
            }
        }
        let marked = put(&self.queue, item(mark, SHORT), Face::Blocking, Some(limit));
        if mode == Mode::Kill && marked != Ok(true) {
            crowd.fault(Kind::Hung, format!("a queue with room refuses a put: {marked:?}"));
        }
        let _ = self.ledger.note_put(mark, marked);
        loop {
            let quick = Some(Duration::from_millis(if mode == Mode::Kill { 200 } else { 1 }));
            let last = self.ledger.got.lock().unwrap().contains_key(&mark);
            if last {
                break;
            }
            match self.ledger.note_got(get(&self.queue, Face::Blocking, quick)) {
                Ok(true) => {}
                Ok(false) => break,
                Err(fault) => {
                    crowd.faults.push(fault);
                    break;
                }
            }
        }
        self.judge(crowd);
    }
}

impl Queues {
    fn judge(&self, crowd: &mut Crowd) {
        let (put, got) = (self.ledger.put.lock().unwrap().clone(), self.ledger.got.lock().unwrap().clone());
        let victims = self.setting.does.items();
        let of_victim = victims.clone().filter(|id| got.contains_key(id)).count() as u64;
        // What there is room for at once is put at once.
        if crowd.mode == Mode::Kill
            && self.setting.bound.is_none()
            && ![0, self.setting.does.count()].contains(&of_victim)
        {
            crowd.fault(Kind::Torn, format!("of a batch of {BATCH}, {of_victim} are there"));
        }
        for (id, count) in &got {
            if *count > 1 {
                crowd.fault(Kind::Duplicated, format!("item {id} was got {count} times"));
            }
            let is_known = put.contains(id) || victims.contains(id) || *id == FIRST_VICTIMS;
            if !is_known && crowd.mode == Mode::Kill {
                crowd.fault(Kind::Torn, format!("item {id} was never put"));
            }
        }
        let missing: Vec<_> = put.iter().filter(|id| !got.contains_key(id)).collect();
        if crowd.mode == Mode::Kill && missing.len() > self.takers {
            crowd.fault(Kind::Lost, format!("{missing:?} are gone, {} were taken by the dead", self.takers));
        }
    }
}

fn puts(queue: Queue, id: u64, length: usize) {
    let item = item(id, length);
    begin();
    let outcome = queue.put(item);
    end();
    outcome.unwrap();
}

fn puts_in_a_task(queue: Queue, id: u64, length: usize) {
    let item = item(id, length);
    run(None, async {
        tokio::task::yield_now().await;
        begin();
        let outcome = queue.coro_put(item).await;
        end();
        outcome.unwrap();
    });
}

fn gets(queue: Queue) {
    begin();
    let outcome = queue.get();
    end();
    outcome.unwrap();
}

fn gets_in_a_task(queue: Queue) {
    run(None, async {
        tokio::task::yield_now().await;
        begin();
        let outcome = queue.coro_get().await;
        end();
        outcome.unwrap();
    });
}

fn batch(length: usize) -> Vec<Item> {
    (VICTIMS_BATCH..VICTIMS_BATCH + BATCH).map(|id| item(id, length)).collect()
}

fn puts_many(queue: Queue, length: usize) {
    let items = batch(length);
    begin();
    let outcome = queue.put_many(items);
    end();
    outcome.unwrap();
}

fn puts_many_in_a_task(queue: Queue, length: usize) {
    let items = batch(length);
    run(None, async {
        tokio::task::yield_now().await;
        begin();
        let outcome = queue.coro_put_many(items).await;
        end();
        outcome.unwrap();
    });
}

fn gets_many(queue: Queue) {
    begin();
    let outcome = queue.get_many(BATCH as usize);
    end();
    outcome.unwrap();
}

fn gets_many_in_a_task(queue: Queue) {
    run(None, async {
        tokio::task::yield_now().await;
        begin();
        let outcome = queue.coro_get_many(BATCH as usize).await;
        end();
        outcome.unwrap();
    });
}

fn start(queue: &Queue, does: Does, id: u64, length: usize) -> Victim {
    let queue = queue.clone();
    let child = match does {
        Does::PutsMany => AioProcess::spawn(puts_many, (queue, length)),
        Does::PutsManyAsync => AioProcess::spawn(puts_many_in_a_task, (queue, length)),
        Does::GetsMany => AioProcess::spawn(gets_many, (queue,)),
        Does::GetsManyAsync => AioProcess::spawn(gets_many_in_a_task, (queue,)),
        Does::Puts => AioProcess::spawn(puts, (queue, id, length)),
        Does::PutsAsync => AioProcess::spawn(puts_in_a_task, (queue, id, length)),
        Does::Gets => AioProcess::spawn(gets, (queue,)),
        Does::GetsAsync => AioProcess::spawn(gets_in_a_task, (queue,)),
    };
    Victim::at_begin(child.unwrap())
}

/// An undisturbed put, or get, of a short item: where to die in the middle of it.
fn path(does: Does) -> &'static [Point] {
    static PUT: OnceLock<Vec<Point>> = OnceLock::new();
    static GET: OnceLock<Vec<Point>> = OnceLock::new();
    let known = if does.puts() { &PUT } else { &GET };
    known.get_or_init(|| {
        let queue = Queue::unbounded().unwrap();
        (0..3).for_each(|id| queue.put(item(id, SHORT)).unwrap());
        start(&queue, does, FIRST_VICTIMS, SHORT).record(&mut |_| Stimulus::Nothing).0
    })
}

/// One who dies at that many hundredths of the way.
fn die_before(queue: &Queue, does: Does, share: usize) {
    let path = path(does);
    let mut victim = start(queue, does, FIRST_VICTIMS, SHORT);
    let _ = victim.run_to(path[(path.len() - 1) * share / 100], &mut |_| Stimulus::Nothing);
    victim.kill();
}

fn stage(crowd: &mut Crowd, setting: Setting) -> (Victim, Box<dyn Play>) {
    let queue = match setting.bound {
        Some(bound) => Queue::bounded(bound).unwrap(),
        None => Queue::unbounded().unwrap(),
    };
    let ledger = Arc::new(Ledger::default());
    for id in 0..setting.filled {
        ledger.note_put(id, put(&queue, item(id, setting.length), Face::Blocking, None)).unwrap();
    }
    let mut takers = if setting.does.puts() { 0 } else { setting.does.count() as usize };
    if let Some((putter, getter)) = setting.died_before {
        if putter > 0 {
            die_before(&queue, Does::Puts, putter);
        }
        if getter > 0 {
            die_before(&queue, Does::Gets, getter);
            takers += 1;
        }
    }
    let victim = start(&queue, setting.does, VICTIMS, setting.length);
    let limit = crowd.mode.limit();
    // Survivors of a stop would be out of time before the victim is where it should be.
    let alike = setting.alike && crowd.mode == Mode::Kill;
    let (putters, getters) =
        if setting.does.puts() { (alike, setting.opposite) } else { (setting.opposite, alike) };
    for face in FACES {
        if getters {
            let (queue, ledger) = (queue.clone(), ledger.clone());
            crowd.asleep(format!("{face:?} get, asleep"), move |ready| {
                ready.now();
                ledger.note_got(get(&queue, face, limit)).map(drop)
            });
        }
        if putters {
            let (queue, ledger, id) = (queue.clone(), ledger.clone(), 1_100 + face as u64);
            let item = item(id, setting.length);
            crowd.asleep(format!("{face:?} put, asleep"), move |ready| {
                ready.now();
                ledger.note_put(id, put(&queue, item, face, limit))
            });
        }
    }
    let count = |are: bool| if are { 2 } else { 0 };
    let play = Queues {
        queue,
        ledger,
        setting,
        getters: count(getters),
        putters: count(putters),
        is_done: false,
        was_stimulated: false,
        room_made: 0,
        takers,
    };
    (victim, Box::new(play))
}

macro_rules! scenarios {
    ($($name:literal: $setting:expr;)*) => {
        pub(crate) const SCENARIOS: &[Scenario] =
            &[$(Scenario { name: $name, stage: |crowd| stage(crowd, $setting) }),*];
    };
}

const GET: Setting = Setting { does: Does::Gets, filled: 3, ..SETTING };
const GET_EMPTY: Setting = Setting { filled: 0, ..GET };
const PUT_FULL: Setting = Setting { bound: Some(2), filled: 2, ..SETTING };
const GET_FULL: Setting = Setting { bound: Some(2), filled: 2, opposite: true, ..GET };

scenarios! {
    "queue, put, empty": SETTING;
    "queue, put, empty, getters asleep": Setting { opposite: true, ..SETTING };
    "queue, put, filled": Setting { filled: 3, ..SETTING };
    "queue, put, full": PUT_FULL;
    "queue, put, full, putters asleep": Setting { alike: true, ..PUT_FULL };
    "queue, coro_put, empty, getters asleep": Setting { does: Does::PutsAsync, opposite: true, ..SETTING };
    "queue, coro_put, full": Setting { does: Does::PutsAsync, ..PUT_FULL };
    "queue, put, long item, empty, getters asleep": Setting { length: LONG, opposite: true, ..SETTING };
    "queue, put, long item, filled": Setting { length: LONG, filled: 3, ..SETTING };
    "queue, put, long item, full": Setting { length: LONG, ..PUT_FULL };
    "queue, get, empty": GET_EMPTY;
    "queue, get, empty, getters asleep": Setting { alike: true, ..GET_EMPTY };
    "queue, get, filled": GET;
    "queue, get, full, putters asleep": GET_FULL;
    "queue, coro_get, empty": Setting { does: Does::GetsAsync, filled: 0, ..GET };
    "queue, coro_get, full, putters asleep": Setting { does: Does::GetsAsync, ..GET_FULL };
    "queue, get, long item, filled": Setting { length: LONG, ..GET };
    "queue, get, long item, full, putters asleep": Setting { length: LONG, ..GET_FULL };
    "queue, put_many, empty": Setting { does: Does::PutsMany, ..SETTING };
    "queue, put_many, empty, getters asleep": Setting { does: Does::PutsMany, opposite: true, ..SETTING };
    "queue, put_many, filled": Setting { does: Does::PutsMany, filled: 3, ..SETTING };
    "queue, put_many, room for two": Setting { does: Does::PutsMany, bound: Some(4), filled: 2, ..SETTING };
    "queue, put_many, long items, filled": Setting { does: Does::PutsMany, bound: Some(9), length: LONG, filled: 3, ..SETTING };
    "queue, coro_put_many, empty, getters asleep": Setting { does: Does::PutsManyAsync, opposite: true, ..SETTING };
    "queue, get_many, empty": Setting { does: Does::GetsMany, ..GET_EMPTY };
    "queue, get_many, filled": Setting { does: Does::GetsMany, ..GET };
    "queue, get_many, full, putters asleep": Setting { does: Does::GetsMany, ..GET_FULL };
    "queue, get_many, long items, filled": Setting { does: Does::GetsMany, length: LONG, ..GET };
    "queue, coro_get_many, full, putters asleep": Setting { does: Does::GetsManyAsync, ..GET_FULL };
    "queue, put, after a putter that died early": Setting { died_before: Some((40, 0)), ..SETTING };
    "queue, put, after a putter that died late": Setting { died_before: Some((75, 0)), ..SETTING };
    "queue, get, after a getter that died early": Setting { died_before: Some((0, 40)), ..GET };
    "queue, get, after a getter that died late": Setting { died_before: Some((0, 75)), ..GET };
    "queue, put of a long item, after a putter and a getter that died":
        Setting { length: LONG, filled: 3, died_before: Some((60, 60)), ..SETTING };
    "queue, get, after a putter and a getter that died": Setting { died_before: Some((60, 60)), ..GET };
}
