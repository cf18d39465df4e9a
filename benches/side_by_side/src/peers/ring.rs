//! A ring in shared memory for one producer and one consumer, both of which spin: nothing can be faster between two CPUs. It has no
//! sleeping, no deaths, no types. On one CPU each side would spin away the other's time, so there it is not measured.

use std::sync::atomic::{AtomicU64, Ordering};

use super::shared::Shared;
use super::{Measure, Peer, fork_off, here};
use crate::measure::{Meter, Setting, Trips, message, number, stamp};
use crate::place::Mode;

const NAME: &str = "spinning ring (the limit)";

pub const RING: Peer = Peer {
    name: NAME,
    check: here,
    measures: &[("throughput", throughput as Measure), ("round_trip", round_trip as Measure)],
    except: &[Mode::Same],
    child: Some(other_side),
};

const ROOM: usize = 8 << 20;
const LENGTH: usize = 2 * (ROOM + 4096);

struct Ring {
    head: &'static AtomicU64,
    tail: &'static AtomicU64,
    slots: *mut u8,
    length: usize,
    count: u64,
    mine: u64,
    seen: u64,
}

impl Ring {
    fn new(shared: &Shared, which: usize, length: usize) -> Self {
        let at = which * (ROOM + 4096);
        let slots = shared.base().wrapping_add(at + 4096);
        let count = (ROOM / length.next_multiple_of(64)) as u64;
        Self {
            head: shared.object(at),
            tail: shared.object(at + 128),
            slots,
            length,
            count,
            mine: 0,
            seen: 0,
        }
    }

    fn slot(&self, number: u64) -> *mut u8 {
        self.slots.wrapping_add((number % self.count) as usize * self.length.next_multiple_of(64))
    }

    fn put(&mut self, message: &[u8]) {
        while self.mine - self.seen >= self.count {
            self.seen = self.head.load(Ordering::Acquire);
            std::hint::spin_loop();
        }
        // SAFETY: the slot is the producer's until the tail has passed it.
        unsafe { self.slot(self.mine).copy_from_nonoverlapping(message.as_ptr(), self.length) };
        self.mine += 1;
        self.tail.store(self.mine, Ordering::Release);
    }

    fn get(&mut self) -> Vec<u8> {
        while self.seen == self.mine {
            self.seen = self.tail.load(Ordering::Acquire);
            std::hint::spin_loop();
        }
        let mut message = Vec::with_capacity(self.length);
        // SAFETY: the slot is the consumer's until the head has passed it, and so many bytes were reserved.
        unsafe { self.slot(self.mine).copy_to_nonoverlapping(message.as_mut_ptr(), self.length) };
        // SAFETY: written just now.
        unsafe { message.set_len(self.length) };
        self.mine += 1;
        self.head.store(self.mine, Ordering::Release);
        message
    }
}

fn other_side(setting: &Setting) {
    let shared = Shared::of_parent(LENGTH);
    let (mut there, mut back) =
        (Ring::new(&shared, 0, setting.payload), Ring::new(&shared, 1, setting.payload));
    if setting.case == "round_trip" {
        loop {
            back.put(&there.get());
        }
    }
    let mut bytes = message(0, setting.payload);
    for sequence in 0.. {
        stamp(&mut bytes, sequence);
        there.put(&bytes);
    }
}

fn throughput(setting: &Setting) -> f64 {
    assert_eq!(setting.mode, Mode::Cross, "two that spin on one CPU");
    let shared = Shared::create(LENGTH);
    let mut ring = Ring::new(&shared, 0, setting.payload);
    let _other = fork_off(NAME, setting, shared.fd());
    let mut meter = Meter::new(setting.time, setting.payload);
    loop {
        if let Some(rate) = meter.take(number(&ring.get(), setting.payload)) {
            return rate;
        }
    }
}

fn round_trip(setting: &Setting) -> f64 {
    assert_eq!(setting.mode, Mode::Cross, "two that spin on one CPU");
    let shared = Shared::create(LENGTH);
    let (mut there, mut back) =
        (Ring::new(&shared, 0, setting.payload), Ring::new(&shared, 1, setting.payload));
    let _other = fork_off(NAME, setting, shared.fd());
    let mut trips = Trips::new(setting.time);
    for sequence in 0.. {
        there.put(&message(sequence, setting.payload));
        assert_eq!(number(&back.get(), setting.payload), sequence);
        if let Some(median) = trips.end() {
            return median;
        }
    }
    unreachable!()
}
