//! The commit of a put and of a get in models: the queue's own words, locks, records and steps, in a ring of two records.

use std::sync::Arc;

use loom::thread;

use super::cursor::{Cursor, UNIT};
use super::record::{Descriptor, Facts, Flags};
use super::words::QueueWords;
use crate::raw::models::killed::{Scene, VICTIM, at_each_access};
use crate::raw::{LockWords, Party};
use crate::shm::atomic::Ordering;
use crate::wait::model::{Kernel, Thread};
use crate::wait::{Look, Spot, Step, WaitWords, blocking, never, until};

const RECORDS: u64 = 2;

#[derive(Default)]
struct Ring {
    words: QueueWords,
    records: [Descriptor; RECORDS as usize],
    kernel: Kernel,
}

impl Scene for Ring {
    fn kernel(&self) -> &Kernel {
        &self.kernel
    }
}

struct Held<'a>(&'a LockWords, Party<'a, Kernel>);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.release(self.1, false);
    }
}

impl Ring {
    fn spot<'a>(&'a self, words: &'a WaitWords, who: u16) -> Spot<'a> {
        Spot::new(words, self.party(who).bell)
    }

    fn record(&self, cursor: Cursor) -> &Descriptor {
        &self.records[(cursor.position() / UNIT % RECORDS) as usize]
    }

    fn after(cursor: Cursor) -> Cursor {
        cursor.after_one(cursor.position() + UNIT)
    }

    fn hold<'a>(&'a self, lock: &'a LockWords, look: Look, who: u16) -> Result<Held<'a>, Spot<'a>> {
        match lock.attempt(look, self.party(who)) {
            Step::Done(_) => Ok(Held(lock, self.party(who))),
            Step::Wait(spot) => Err(spot),
        }
    }

    fn put(&self, who: u16, payload: u64) {
        self.put_all(who, &[payload]);
    }

    /// All together, once there is room for them.
    fn put_all(&self, who: u16, payloads: &[u64]) {
        let side = &self.words.put;
        never(blocking(until(&mut Thread, |look| {
            {
                let _held = match self.hold(&side.lock, look, who) {
                    Ok(held) => held,
                    Err(spot) => return Step::Wait(spot),
                };
                let tail = Cursor(side.tail.load(Ordering::Relaxed));
                if self.words.head().distance_to(tail) + payloads.len() as u64 > RECORDS {
                    return Step::Wait(self.spot(&self.words.get.space, who));
                }
                let mut end = tail;
                for &payload in payloads {
                    let record = self.record(end);
                    record.write_small(&payload.to_ne_bytes());
                    let facts = Facts {
                        number: end.number(),
                        offset: 0,
                        length: size_of::<u64>() as u64,
                        flags: Flags::RAW,
                        nonce: payload,
                    };
                    record.write(&facts);
                    end = Self::after(end);
                }
                side.commit(tail, end).unwrap();
            }
            for _ in payloads {
                self.spot(&side.items, who).notify_one_behind_a_change();
            }
            Step::Done(())
        })));
    }

    /// One attempt: none where there is nothing.
    fn take(&self, look: Look, who: u16) -> Result<Option<u64>, Spot<'_>> {
        let side = &self.words.get;
        let held = self.hold(&side.lock, look, who)?;
        let head = Cursor(side.head.load(Ordering::Relaxed));
        if head.number() == self.words.tail().number() {
            return Ok(None);
        }
        let facts = self.record(head).read();
        assert_eq!(facts.number, head.number(), "a record of another time");
        let mut bytes = Vec::new();
        self.record(head).append_small_to(facts.length as usize, &mut bytes);
        assert_eq!(bytes, facts.nonce.to_ne_bytes(), "half of one payload and half of another");
        side.commit(Self::after(head));
        drop(held);
        self.spot(&side.space, who).notify_one_behind_a_change();
        Ok(Some(facts.nonce))
    }

    /// One attempt at all that is there, in one step.
    fn take_all(&self, look: Look, who: u16) -> Result<Vec<u64>, Spot<'_>> {
        let side = &self.words.get;
        let held = self.hold(&side.lock, look, who)?;
        let head = Cursor(side.head.load(Ordering::Relaxed));
        let tail = self.words.tail();
        let (mut next, mut all) = (head, Vec::new());
        while next.number() != tail.number() {
            let facts = self.record(next).read();
            assert_eq!(facts.number, next.number(), "a record of another time");
            all.push(facts.nonce);
            next = Self::after(next);
        }
        side.commit(next);
        drop(held);
        for _ in &all {
            self.spot(&side.space, who).notify_one_behind_a_change();
        }
        Ok(all)
    }

    fn get(&self, who: u16) -> u64 {
        never(blocking(until(&mut Thread, |look| match self.take(look, who) {
            Ok(Some(payload)) => Step::Done(payload),
            Ok(None) => Step::Wait(self.spot(&self.words.put.items, who)),
            Err(spot) => Step::Wait(spot),
        })))
    }
}

fn get_up_to_three(ring: Arc<Ring>) -> thread::JoinHandle<Vec<u64>> {
    thread::spawn(move || {
        let mut got = vec![ring.get(0)];
        while got.last() != Some(&3) {
            got.push(ring.get(0));
        }
        got
    })
}

/// Its items are there whole or not at all, before those of others that came later; nobody waits for it.
#[test]
fn commit_of_a_killed_putter() {
    at_each_access(
        2,
        |_: &Ring| (),
        |ring| {
            ring.put(VICTIM, 1);
            ring.put(VICTIM, 2);
        },
        |ring| (ring.clone(), get_up_to_three(ring.clone())),
        |_, (ring, getter): (Arc<Ring>, thread::JoinHandle<Vec<u64>>), died| {
            ring.put(1, 3);
            let got = getter.join().unwrap();
            let all = [1, 2, 3];
            let whole = got == all || died && (got == all[2..] || got == [1, 3]);
            assert!(whole, "{got:?}");
        },
    );
}

/// A batch is there as a whole or not at all.
#[test]
fn commit_of_a_killed_putter_of_a_batch() {
    at_each_access(
        2,
        |_: &Ring| (),
        |ring| ring.put_all(VICTIM, &[1, 2]),
        |ring| (ring.clone(), get_up_to_three(ring.clone())),
        |_, (ring, getter): (Arc<Ring>, thread::JoinHandle<Vec<u64>>), died| {
            ring.put(1, 3);
            let got = getter.join().unwrap();
            assert!(got == [1, 2, 3] || died && got == [3], "{got:?}");
        },
    );
}

/// A batch goes with who took it, or it is all there.
#[test]
fn commit_of_a_killed_getter_of_a_batch() {
    at_each_access(
        2,
        |ring: &Ring| ring.put_all(0, &[1, 2]),
        |ring| {
            never(blocking(until(&mut Thread, |look| match ring.take_all(look, VICTIM) {
                Ok(all) => Step::Done(assert_eq!(all, [1, 2])),
                Err(spot) => Step::Wait(spot),
            })));
        },
        |ring| {
            let ring = ring.clone();
            thread::spawn(move || ring.put(1, 3))
        },
        |ring, putter: thread::JoinHandle<()>, died| {
            if died && ring.words.head().number() == 0 {
                assert_eq!([ring.get(0), ring.get(0)], [1, 2]);
            }
            putter.join().unwrap();
            assert_eq!(ring.get(0), 3);
        },
    );
}

/// It takes what it had committed to with it, and nothing else.
#[test]
fn commit_of_a_killed_getter() {
    at_each_access(
        2,
        |ring: &Ring| {
            ring.put(0, 1);
            ring.put(0, 2);
        },
        |ring| {
            ring.get(VICTIM);
        },
        |ring| {
            let putter = {
                let ring = ring.clone();
                thread::spawn(move || ring.put(1, 3))
            };
            let got = ring.get(0);
            (got, putter)
        },
        |ring, (first, putter): (u64, thread::JoinHandle<()>), died| {
            putter.join().unwrap();
            let mut got = vec![first];
            while let Ok(Some(payload)) = ring.take(Look::Thorough, 0) {
                got.push(payload);
            }
            assert!(got.is_sorted(), "{got:?}");
            assert!(got.len() == 2 || died && got.len() == 3, "{got:?}");
        },
    );
}
