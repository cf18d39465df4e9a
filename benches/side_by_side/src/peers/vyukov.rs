//! Dmitry Vyukov's bounded queue of many producers and consumers, in shared memory. Both sides spin; only where two share a CPU does
//! one that has spun in vain give it up.

use std::sync::atomic::{AtomicU64, Ordering};

use super::shared::Shared;
use super::{Measure, Peer, fork_off, fork_off_three, here};
use crate::board::{self, Board};
use crate::measure::{Setting, consume, message, number, produce};
use crate::place::Mode;

const NAME: &str = "Vyukov MPMC, spinning";

pub const VYUKOV: Peer = Peer {
    name: NAME,
    check: here,
    measures: &[("throughput", throughput as Measure), ("two_to_two", two_to_two as Measure)],
    except: &[Mode::Same],
    child: Some(other_side),
};

const ROOM: usize = 8 << 20;
/// The positions, behind the board.
const PUT: usize = board::LENGTH;
const GOT: usize = PUT + 128;
const SLOTS: usize = PUT + 4096;
const LENGTH: usize = SLOTS + ROOM;

struct Queue {
    put: &'static AtomicU64,
    got: &'static AtomicU64,
    slots: *mut u8,
    stride: usize,
    length: usize,
    mask: u64,
    is_shared: bool,
}

impl Queue {
    fn new(shared: &Shared, setting: &Setting) -> Self {
        let stride = (setting.payload + 8).next_multiple_of(64);
        let count = 1_u64 << (ROOM / stride).ilog2();
        Self {
            put: shared.object(PUT),
            got: shared.object(GOT),
            slots: shared.base().wrapping_add(SLOTS),
            stride,
            length: setting.payload,
            mask: count - 1,
            is_shared: setting.case == "two_to_two",
        }
    }

    fn slot(&self, place: u64) -> (&'static AtomicU64, *mut u8) {
        let at = self.slots.wrapping_add((place & self.mask) as usize * self.stride);
        // SAFETY: within the mapping, which stays; aligned to a cache line, and used as an atomic by all.
        (unsafe { &*at.cast::<AtomicU64>() }, at.wrapping_add(8))
    }

    /// So that zeroed memory is a queue, a slot's number counts from its own place.
    fn turn(&self, place: u64) -> u64 {
        (place & !self.mask) << 1
    }

    /// Has a place for itself, once the slot there is at the number that `ready` gives.
    fn place(&self, counter: &AtomicU64, ready: impl Fn(u64) -> u64) -> u64 {
        let (mut place, mut tries) = (counter.load(Ordering::Relaxed), 0_u32);
        loop {
            if self.slot(place).0.load(Ordering::Acquire) == ready(place) {
                let next =
                    counter.compare_exchange_weak(place, place + 1, Ordering::Relaxed, Ordering::Relaxed);
                match next {
                    Ok(_) => return place,
                    Err(other) => place = other,
                }
                continue;
            }
            tries += 1;
            if self.is_shared && tries.is_multiple_of(100) {
                std::thread::yield_now();
            } else {
                std::hint::spin_loop();
            }
            place = counter.load(Ordering::Relaxed);
        }
    }

    fn put(&self, message: &[u8]) {
        assert_eq!(message.len(), self.length);
        let place = self.place(self.put, |place| self.turn(place));
        let (state, bytes) = self.slot(place);
        // SAFETY: the slot is this producer's until its number says that it is full.
        unsafe { bytes.copy_from_nonoverlapping(message.as_ptr(), self.length) };
        state.store(self.turn(place) + 1, Ordering::Release);
    }

    fn get(&self) -> Vec<u8> {
        let place = self.place(self.got, |place| self.turn(place) + 1);
        let (state, bytes) = self.slot(place);
        let mut message = Vec::with_capacity(self.length);
        // SAFETY: the slot is this consumer's until its number says that it is empty, and so many bytes were reserved.
        unsafe { bytes.copy_to_nonoverlapping(message.as_mut_ptr(), self.length) };
        // SAFETY: written just now.
        unsafe { message.set_len(self.length) };
        state.store(self.turn(place + self.mask + 1), Ordering::Release);
        message
    }
}

fn other_side(setting: &Setting) {
    let shared = Shared::of_parent(LENGTH);
    let (queue, board) = (Queue::new(&shared, setting), Board::on(&shared));
    let get = || number(&queue.get(), setting.payload);
    if setting.case == "throughput" {
        produce(setting, |message| {
            queue.put(&message);
            true
        });
    } else if setting.role == board::CONSUMER {
        board::consume(board, setting.role, setting.time, get);
    } else {
        board.numbers(setting.role).for_each(|number| queue.put(&message(number, setting.payload)));
    }
}

fn throughput(setting: &Setting) -> f64 {
    assert_eq!(setting.mode, Mode::Cross, "two that spin on one CPU");
    let shared = Shared::create(LENGTH);
    let queue = Queue::new(&shared, setting);
    let _other = fork_off(NAME, setting, shared.fd());
    consume(setting, || queue.get())
}

fn two_to_two(setting: &Setting) -> f64 {
    let shared = Shared::create(LENGTH);
    let queue = Queue::new(&shared, setting);
    let _others = fork_off_three(NAME, setting, shared.fd());
    let get = || number(&queue.get(), setting.payload);
    board::consume(Board::on(&shared), 0, setting.time, get)
}
