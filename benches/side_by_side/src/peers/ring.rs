//! A ring in shared memory for one producer and one consumer, both of which spin: nothing can be faster between two CPUs. It has no
//! sleeping, no deaths, no types. On one CPU each side would spin away the other's time, so there it is not measured.

use std::sync::atomic::{AtomicU64, Ordering};

use super::shared::Shared;
use super::{Measure, Peer, fork_off, here};
use crate::cases::batches::BATCH;
use crate::measure::{Setting, bounce, consume, produce};
use crate::place::Mode;

const NAME: &str = "spinning ring (the limit)";
const NAME_BATCHES: &str = "spinning ring, batches of 32";

pub const RING: Peer = Peer {
    name: NAME,
    check: here,
    measures: &[("throughput", throughput as Measure), ("round_trip", round_trip as Measure)],
    except: &[Mode::Same],
    child: Some(other_side),
};

pub const BATCHES: Peer = Peer {
    name: NAME_BATCHES,
    check: here,
    measures: &[("throughput", batches as Measure), ("batches", batches as Measure)],
    except: &[Mode::Same],
    child: Some(other_side_in_batches),
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

    /// Into the ring, and not seen by the other side before it is published.
    fn write(&mut self, message: &[u8]) {
        while self.mine - self.seen >= self.count {
            self.seen = self.head.load(Ordering::Acquire);
            std::hint::spin_loop();
        }
        // SAFETY: the slot is the producer's until the tail has passed it.
        unsafe { self.slot(self.mine).copy_from_nonoverlapping(message.as_ptr(), self.length) };
        self.mine += 1;
    }

    fn put(&mut self, message: &[u8]) {
        self.write(message);
        self.tail.store(self.mine, Ordering::Release);
    }

    /// Out of the ring, and its slot not given back yet.
    fn read(&mut self) -> Vec<u8> {
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
        message
    }

    fn get(&mut self) -> Vec<u8> {
        let message = self.read();
        self.head.store(self.mine, Ordering::Release);
        message
    }
}

/// A batch of long messages must leave room for the next.
fn batch(ring: &Ring) -> u64 {
    (BATCH as u64).min(ring.count / 2)
}

fn other_side_in_batches(setting: &Setting) {
    let shared = Shared::of_parent(LENGTH);
    let mut ring = Ring::new(&shared, 0, setting.payload);
    let (batch, mut sequence) = (batch(&ring), 0_u64);
    produce(setting, |message| {
        ring.write(&message);
        sequence += 1;
        if sequence.is_multiple_of(batch) {
            ring.tail.store(ring.mine, Ordering::Release);
        }
        true
    });
}

fn batches(setting: &Setting) -> f64 {
    assert_eq!(setting.mode, Mode::Cross, "two that spin on one CPU");
    let shared = Shared::create(LENGTH);
    let mut ring = Ring::new(&shared, 0, setting.payload);
    let _other = fork_off(NAME_BATCHES, setting, shared.fd());
    let batch = batch(&ring);
    consume(setting, || {
        let message = ring.read();
        if ring.mine.is_multiple_of(batch) {
            ring.head.store(ring.mine, Ordering::Release);
        }
        message
    })
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
    produce(setting, |message| {
        there.put(&message);
        true
    });
}

fn throughput(setting: &Setting) -> f64 {
    assert_eq!(setting.mode, Mode::Cross, "two that spin on one CPU");
    let shared = Shared::create(LENGTH);
    let mut ring = Ring::new(&shared, 0, setting.payload);
    let _other = fork_off(NAME, setting, shared.fd());
    consume(setting, || ring.get())
}

fn round_trip(setting: &Setting) -> f64 {
    assert_eq!(setting.mode, Mode::Cross, "two that spin on one CPU");
    let shared = Shared::create(LENGTH);
    let (mut there, mut back) =
        (Ring::new(&shared, 0, setting.payload), Ring::new(&shared, 1, setting.payload));
    let _other = fork_off(NAME, setting, shared.fd());
    bounce(setting, |ball| {
        there.put(&ball);
        back.get()
    })
}
