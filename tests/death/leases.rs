//! Leases: lent, acknowledged, given back, and delivered again after whoever had them died.

use std::time::Duration;

use aioprocessing::{AioLeaseQueue, AioProcess, AioQueue, Lease};

use crate::crowd::{Crowd, FACES, Face, Fault, Kind, LIMIT, Mode, PATIENCE, run};
use crate::suite::{Play, Scenario, wrong};
use crate::trace::{Reached, Victim, begin, end};

type Item = Vec<u8>;
type Queue = AioLeaseQueue<Item>;

const LONG: usize = 100_000;
/// Two of these leave less room in a block than the next needs.
const FILLER: usize = 30_000;
const BEYOND: usize = 6000;

fn item(id: u8, length: usize) -> Item {
    vec![id; length]
}

fn get(queue: &Queue, face: Face, limit: Duration) -> Result<Option<Lease<Item>>, Fault> {
    let got = match face {
        Face::Blocking => match queue.get_timeout(limit) {
            Err(error) if error.is_timeout() => return Ok(None),
            other => other.map_err(|error| error.to_string()),
        },
        Face::Async => match run(Some(limit), queue.coro_get()) {
            None => return Ok(None),
            Some(other) => other.map_err(|error| error.to_string()),
        },
    };
    match got {
        Ok(lease) if lease.iter().all(|&byte| byte == lease[0]) => Ok(Some(lease)),
        Ok(lease) => wrong(Kind::Torn, format!("an item of {} bytes is not whole", lease.len())),
        Err(error) => wrong(Kind::Torn, format!("a get failed: {error}")),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Gets,
    Acks,
    GivesBack,
}

struct Leases {
    queue: Queue,
    does: Does,
    items: u8,
    is_done: bool,
    is_dead: bool,
}

impl Leases {
    /// Takes and acknowledges whatever comes.
    fn collect(&self, mode: Mode) -> Result<Vec<u8>, Fault> {
        let mut seen = Vec::new();
        // The victim's own may be done with.
        let certain = if self.does == Does::Acks { self.items - 1 } else { self.items };
        for turn in 0..=self.items {
            let limit = match mode {
                Mode::Stop => LIMIT,
                Mode::Kill if turn < certain => PATIENCE,
                // The victim was done with it, as far as can be seen, or has yet to die.
                Mode::Kill if self.queue.is_empty() => Duration::from_millis(15),
                Mode::Kill => Duration::from_millis(500),
            };
            let Some(lease) = get(&self.queue, FACES[usize::from(turn) % 2], limit)? else { break };
            seen.push(lease[0]);
            if self.queue.is_empty() || self.queue.try_join().is_ok() {
                return wrong(Kind::Lost, "an item in hand counts as done with");
            }
            if !lease.ack() {
                return wrong(Kind::Torn, "a lease in hand was taken away");
            }
        }
        Ok(seen)
    }
}

impl Play for Leases {
    fn look(&mut self, _: &Victim, reached: Reached) {
        self.is_done = reached == Reached::End;
    }

    fn after(&mut self, crowd: &mut Crowd) {
        self.is_dead = crowd.mode == Mode::Kill;
        let mut seen = match self.collect(crowd.mode) {
            Ok(seen) => seen,
            Err(fault) => return crowd.faults.push(fault),
        };
        seen.sort_unstable();
        if seen.windows(2).any(|pair| pair[0] == pair[1]) {
            crowd.fault(Kind::Duplicated, format!("{seen:?}"));
        }
        if !self.is_dead {
            return;
        }
        let missing: Vec<_> = (0..self.items).filter(|id| !seen.contains(id)).collect();
        let acked = self.does == Does::Acks && self.is_done;
        match missing.as_slice() {
            [] if acked => crowd.fault(Kind::Duplicated, "an item that was done with came again"),
            [] => {}
            [0] if self.does == Does::Acks => {}
            _ => crowd.fault(Kind::Lost, format!("{missing:?} of {} items", self.items)),
        }
        let queue = self.queue.clone();
        crowd.untimed(
            "join",
            move || if queue.join().is_ok() { Ok(()) } else { wrong(Kind::Lost, "join failed") },
        );
    }
}

/// A full queue of two places: of one the item is held, and the other's is the victim's.
struct BehindAHeldOne {
    queue: Queue,
    held: Option<Lease<Item>>,
}

impl Play for BehindAHeldOne {
    fn look(&mut self, _: &Victim, _: Reached) {}

    fn after(&mut self, crowd: &mut Crowd) {
        let Some(held) = self.held.take() else { return };
        if crowd.mode == Mode::Stop {
            return;
        }
        let has_room = self.queue.put_timeout(item(2, 24), Duration::from_millis(50)).is_ok();
        let came = match get(&self.queue, Face::Blocking, Duration::from_millis(50)) {
            Ok(came) => came,
            Err(fault) => return crowd.faults.push(fault),
        };
        if !has_room && came.is_none() {
            crowd.fault(Kind::Lost, "the place of an item that is done with");
        }
        let _ = came.map(Lease::ack);
        let _ = held.ack();
        let queue = self.queue.clone();
        crowd.untimed("ack what is left, and join", move || {
            queue.close();
            while queue.get().is_ok_and(Lease::ack) {}
            if queue.join().is_ok() { Ok(()) } else { wrong(Kind::Lost, "join failed") }
        });
    }
}

fn stage_behind_a_held_one(_: &mut Crowd) -> (Victim, Box<dyn Play>) {
    let queue: Queue = AioQueue::builder().lease(9).max_items(2).build().unwrap();
    (0..2).for_each(|id| queue.put(item(id, 24)).unwrap());
    let held = Some(queue.get().unwrap());
    let victim = Victim::at_begin(AioProcess::spawn(acks, (queue.clone(),)).unwrap());
    (victim, Box::new(BehindAHeldOne { queue, held }))
}

fn gets(queue: Queue) {
    begin();
    let lease = queue.get();
    end();
    drop(lease);
}

fn acks(queue: Queue) {
    let lease = queue.get().unwrap();
    begin();
    let done = lease.ack();
    end();
    assert!(done);
}

fn gives_back(queue: Queue) {
    let lease = queue.get().unwrap();
    begin();
    drop(lease);
    end();
}

fn dies_with_one(queue: Queue) {
    let _lease = queue.get().unwrap();
    // SAFETY: ends this process.
    unsafe { libc::raise(libc::SIGKILL) };
}

/// The first item lies in the next block, and the head at the end of this one.
fn stage_at_the_end(crowd: &mut Crowd, does: Does) -> (Victim, Box<dyn Play>) {
    let queue: Queue = AioQueue::builder().lease(9).build().unwrap();
    for _ in 0..2 {
        queue.put(item(9, FILLER)).unwrap();
        assert!(queue.get().unwrap().ack());
    }
    stage_with(crowd, queue, does, BEYOND, false)
}

fn stage(crowd: &mut Crowd, does: Does, length: usize, died_before: bool) -> (Victim, Box<dyn Play>) {
    let queue = AioQueue::builder().lease(9).build().unwrap();
    stage_with(crowd, queue, does, length, died_before)
}

fn stage_with(
    crowd: &mut Crowd,
    queue: Queue,
    does: Does,
    length: usize,
    died_before: bool,
) -> (Victim, Box<dyn Play>) {
    let items = 3;
    let _ = crowd;
    (0..items).for_each(|id| queue.put(item(id, length)).unwrap());
    if died_before {
        let _ = AioProcess::spawn(dies_with_one, (queue.clone(),)).unwrap().join();
    }
    let child = match does {
        Does::Gets => AioProcess::spawn(gets, (queue.clone(),)),
        Does::Acks => AioProcess::spawn(acks, (queue.clone(),)),
        Does::GivesBack => AioProcess::spawn(gives_back, (queue.clone(),)),
    };
    let victim = Victim::at_begin(child.unwrap());
    (victim, Box::new(Leases { queue, does, items, is_done: false, is_dead: false }))
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "lease, get", stage: |crowd| stage(crowd, Does::Gets, 24, false) },
    Scenario { name: "lease, get, long item", stage: |crowd| stage(crowd, Does::Gets, LONG, false) },
    Scenario { name: "lease, ack", stage: |crowd| stage(crowd, Does::Acks, 24, false) },
    Scenario { name: "lease, ack, long item", stage: |crowd| stage(crowd, Does::Acks, LONG, false) },
    Scenario { name: "lease, ack, behind a held one", stage: stage_behind_a_held_one },
    Scenario { name: "lease, given back", stage: |crowd| stage(crowd, Does::GivesBack, 24, false) },
    Scenario { name: "lease, get, at a block's end", stage: |crowd| stage_at_the_end(crowd, Does::Gets) },
    Scenario { name: "lease, ack, at a block's end", stage: |crowd| stage_at_the_end(crowd, Does::Acks) },
    Scenario {
        name: "lease, delivered again after a death",
        stage: |crowd| stage(crowd, Does::Gets, 24, true),
    },
    Scenario {
        name: "lease, long item delivered again after a death",
        stage: |crowd| stage(crowd, Does::Gets, LONG, true),
    },
];
