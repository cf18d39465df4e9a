//! What a queue promises: cases 29 to 42, P10, P11 and P28.
#![cfg_attr(not(feature = "tokio"), allow(dead_code, unused_imports))]

mod kit;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aioprocessing::{AioEvent, AioProcess, AioQueue, Codec as _};
use kit::sides::{Side, Started, each, start};
use serde::{Deserialize, Serialize};

aioprocessing::test_support!();

const SHORT: Duration = Duration::from_millis(30);

fn get_some(queue: AioQueue<u64>, count: u64, side: Side) -> Vec<u64> {
    (0..count).map(|_| side.get(&queue).unwrap()).collect()
}

#[test]
fn case_29_full_at_its_size_and_not_before() {
    each("case_29", |side, place, _| {
        let queue = AioQueue::bounded(6).unwrap();
        for item in 0..6_u64 {
            assert!(!queue.is_full());
            side.put(&queue, item).unwrap();
        }
        assert!(queue.is_full() && queue.len() == 6 && queue.max_items() == Some(6));
        let full = queue.try_put(6).unwrap_err();
        assert!(full.is_full() && !full.is_closed());
        assert_eq!(full.into_inner(), 6);
        let begun = Instant::now();
        assert!(!side.put_for(&queue, 7, SHORT));
        assert!(begun.elapsed() >= SHORT);
        assert!(!side.put_for(&queue, 8, Duration::ZERO));
        let getter = start!(place, get_some, (queue, 7_u64, side));
        side.put(&queue, 6).unwrap();
        assert_eq!(getter.join(), [0, 1, 2, 3, 4, 5, 6]);
        assert!(queue.is_empty());
    });
}

#[test]
fn case_30_empty_after_the_right_time() {
    each("case_30", |side, place, _| {
        let queue = AioQueue::<u64>::unbounded().unwrap();
        assert!(queue.try_get().unwrap_err().is_empty());
        let begun = Instant::now();
        assert_eq!(side.get_for(&queue, SHORT), None);
        assert!(begun.elapsed() >= SHORT);
        assert_eq!(side.get_for(&queue, Duration::ZERO), None);
        let put_it = |queue: AioQueue<u64>, item: u64| queue.put(item).unwrap();
        let putter = start!(place, put_it, (queue, 5_u64));
        assert_eq!(side.get(&queue).unwrap(), 5);
        putter.join();
        side.put(&queue, 6).unwrap();
        assert_eq!(side.get_for(&queue, Duration::ZERO), Some(6));
        side.put(&queue, 7).unwrap();
        assert_eq!(queue.try_get().unwrap(), 7);
    });
}

fn put_numbered(queue: AioQueue<(u64, u64)>, producer: u64, count: u64, side: Side) {
    side.fill(&queue, (0..count).map(|number| (producer, number)));
}

fn drain(queue: AioQueue<(u64, u64)>, side: Side) -> Vec<(u64, u64)> {
    side.drain(&queue)
}

#[test]
fn case_31_32_in_order_for_each_producer_and_each_item_once() {
    const PRODUCERS: u64 = 3;
    const EACH: u64 = 3000;
    each("case_31_32", |side, place, watchdog| {
        for bound in [None, Some(1), Some(7)] {
            watchdog.step(format!("{side:?}, {place:?}, bound {bound:?}"));
            let queue = match bound {
                Some(bound) => AioQueue::bounded(bound).unwrap(),
                None => AioQueue::unbounded().unwrap(),
            };
            let producers: Vec<_> = (0..PRODUCERS)
                .map(|producer| start!(place, put_numbered, (queue, producer, EACH, side)))
                .collect();
            let consumers: Vec<_> = (0..2).map(|_| start!(place, drain, (queue, side))).collect();
            producers.into_iter().for_each(Started::join);
            queue.close();
            let mut all = BTreeMap::new();
            for got in consumers.into_iter().map(Started::join) {
                let mut last = BTreeMap::new();
                for (producer, number) in got {
                    assert!(last.insert(producer, number) < Some(number), "in order for each producer");
                    *all.entry((producer, number)).or_insert(0) += 1;
                }
            }
            assert_eq!(all.len() as u64, PRODUCERS * EACH, "none is lost");
            assert!(all.values().all(|&times| times == 1), "none comes twice");
        }
    });
}

#[test]
fn case_33_p10_what_was_put_is_there_at_once() {
    fn look(queue: AioQueue<u64>, go: AioQueue<()>, told: AioQueue<bool>) {
        while go.get().is_ok() {
            told.put(queue.try_get().is_ok()).unwrap();
        }
    }
    each("case_33", |side, place, _| {
        let queue = AioQueue::unbounded().unwrap();
        let (go, told) = (AioQueue::unbounded().unwrap(), AioQueue::unbounded().unwrap());
        let looker = start!(place, look, (queue, go, told));
        for item in 0..200_u64 {
            side.put(&queue, item).unwrap();
            assert_eq!(queue.len(), 1);
            side.put(&go, ()).unwrap();
            assert!(side.get(&told).unwrap(), "item {item} was not there");
            assert_eq!(queue.len(), 0);
        }
        go.close();
        looker.join();
    });
}

#[test]
fn case_34_the_length_is_exact() {
    let queue = AioQueue::bounded(1000).unwrap();
    for length in 0..1000_usize {
        assert_eq!((queue.len(), queue.is_empty(), queue.is_full()), (length, length == 0, false));
        queue.put(vec![0_u8; length * 7]).unwrap();
    }
    assert!(queue.is_full());
    for length in (0..1000_usize).rev() {
        queue.get().unwrap();
        assert_eq!(queue.len(), length);
    }
}

#[test]
fn case_35_36_p28_closed_for_puts_drained_by_gets() {
    each("case_35", |side, place, _| {
        let queue = AioQueue::unbounded().unwrap();
        let getter = start!(place, drain, (queue, side));
        kit::until("the getter waits", || format!("{queue:?}").contains("waiting_getters: 1"));
        queue.close();
        assert!(getter.join().is_empty());
        let queue = AioQueue::unbounded().unwrap();
        for number in 0..3 {
            side.put(&queue, (0_u64, number)).unwrap();
        }
        queue.close();
        queue.close();
        assert!(queue.is_closed() && queue.len() == 3);
        let refused = side.put(&queue, (9, 9)).unwrap_err();
        assert!(refused.is_closed());
        assert_eq!(refused.into_inner(), (9, 9));
        assert!(queue.try_put((9, 9)).unwrap_err().is_closed());
        assert!(queue.put_timeout((9, 9), SHORT).unwrap_err().is_closed());
        assert_eq!(start!(place, drain, (queue, side)).join(), [(0, 0), (0, 1), (0, 2)]);
        assert!(side.get(&queue).unwrap_err().is_closed());
        assert!(queue.try_get().unwrap_err().is_closed());
        assert!(queue.get_timeout(SHORT).unwrap_err().is_closed());
    });
}

/// Puts until the queue is closed, and says how many items that were.
fn put_until_closed(queue: AioQueue<u64>, side: Side) -> u64 {
    let mut count = 0;
    while side.put(&queue, count).is_ok() {
        count += 1;
    }
    count
}

fn count_all(queue: AioQueue<u64>, side: Side) -> u64 {
    side.drain(&queue).len() as u64
}

#[test]
fn case_35_a_put_that_races_with_the_close_is_got_or_fails() {
    each("case_35_race", |side, place, _| {
        for _ in 0..20 {
            let queue = AioQueue::unbounded().unwrap();
            let putters: Vec<_> = (0..2).map(|_| start!(place, put_until_closed, (queue, side))).collect();
            let getter = start!(place, count_all, (queue, side));
            kit::until("some were put", || !queue.is_empty() || getter_is_behind(&queue));
            queue.close();
            let put: u64 = putters.into_iter().map(Started::join).sum();
            assert_eq!(getter.join(), put);
            assert!(queue.is_empty());
        }
    });
}

fn getter_is_behind(queue: &AioQueue<u64>) -> bool {
    format!("{queue:?}").contains("waiting_getters: 1")
}

#[test]
fn case_47_close_wakes_blocked_putters_and_getters() {
    each("case_47", |side, place, _| {
        for now in [false, true] {
            let queue = AioQueue::bounded(1).unwrap();
            queue.put(0_u64).unwrap();
            let putter = start!(place, put_until_closed, (queue, side));
            kit::until("the putter waits", || format!("{queue:?}").contains("waiting_putters: 1"));
            if now {
                queue.close_now()
            } else {
                queue.close()
            }
            assert_eq!(putter.join(), 0);
            let left = count_all(queue.clone(), side);
            assert_eq!(left, u64::from(!now), "after `close_now` nothing is delivered");
        }
    });
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Unwritable(u8);

impl Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 == 0 { Err(serde::ser::Error::custom("zero")) } else { serializer.serialize_u8(self.0) }
    }
}

#[test]
fn case_39_p11_what_cannot_be_encoded_is_an_error_of_put() {
    each("case_39", |side, _, _| {
        let queue = AioQueue::bounded(1).unwrap();
        let error = side.put(&queue, Unwritable(0)).unwrap_err();
        assert_eq!(error.into_inner(), Unwritable(0));
        assert!(queue.is_empty(), "nothing was put");
        side.put(&queue, Unwritable(1)).unwrap();
        assert_eq!(side.get(&queue).unwrap(), Unwritable(1));
    });
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Unreadable(u8);

impl<'de> Deserialize<'de> for Unreadable {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            7 => Err(serde::de::Error::custom("seven")),
            other => Ok(Self(other)),
        }
    }
}

#[test]
fn case_40_what_cannot_be_decoded_is_an_error_for_that_item() {
    each("case_40", |side, _, _| {
        let queue = AioQueue::unbounded().unwrap();
        for item in [6, 7, 8] {
            side.put(&queue, Unreadable(item)).unwrap();
        }
        assert_eq!(side.get(&queue).unwrap(), Unreadable(6));
        match side.get(&queue).unwrap_err() {
            aioprocessing::GetError::Decode { bytes, .. } => assert_eq!(bytes, [7]),
            other => panic!("{other}"),
        }
        assert_eq!(side.get(&queue).unwrap(), Unreadable(8));
    });
}

#[test]
fn case_42_an_item_of_no_bytes_is_an_item() {
    each("case_42", |side, place, _| {
        let queue = AioQueue::unbounded().unwrap();
        for _ in 0..3 {
            side.put(&queue, Vec::<u8>::new()).unwrap();
        }
        assert_eq!(queue.len(), 3);
        let get_lengths =
            |queue: AioQueue<Vec<u8>>| (0..3).map(|_| queue.get().unwrap().len()).sum::<usize>();
        assert_eq!(start!(place, get_lengths, (queue)).join(), 0);
        let nothing = AioQueue::unbounded().unwrap();
        side.put(&nothing, ()).unwrap();
        side.get(&nothing).unwrap();
        assert!(queue.is_empty() && nothing.is_empty());
    });
}

#[test]
fn case_52_both_faces_wake_each_other() {
    fn echo(asks: AioQueue<u64>, replies: AioQueue<u64>, side: Side) {
        side.fill(&replies, std::iter::from_fn(|| asks.get().ok()));
    }
    each("case_52", |side, place, _| {
        let (asks, replies) = (AioQueue::bounded(1).unwrap(), AioQueue::bounded(1).unwrap());
        // The other side gets by blocking and puts in its own way; here it is the other way round.
        let other = start!(place, echo, (asks, replies, side));
        for number in 0..300 {
            asks.put(number).unwrap();
            assert_eq!(side.get(&replies).unwrap(), number);
        }
        asks.close();
        other.join();
    });
}

#[test]
fn a_handle_outside_of_a_message_is_an_error_that_says_so() {
    let queue = AioQueue::<u64>::unbounded().unwrap();
    assert!(aioprocessing::Postcard::encode(&queue, &mut Vec::new()).is_err());
}

#[test]
fn case_37_p5_a_producer_ends_although_nobody_has_got_its_items() {
    let _watchdog = kit::Watchdog::new("case_37");
    let queue = AioQueue::unbounded().unwrap();
    let put_much = |queue: AioQueue<Vec<u8>>, event: AioEvent| {
        queue.put(vec![7; 1 << 20]).unwrap();
        for _ in 0..100_000 {
            queue.put(vec![1]).unwrap();
        }
        event.set();
    };
    let event = AioEvent::new().unwrap();
    let child = AioProcess::spawn(put_much, (queue.clone(), event.clone())).unwrap();
    child.join().unwrap();
    assert!(event.is_set());
    assert_eq!(queue.len(), 100_001, "case 38: small ones too");
    assert_eq!(queue.get().unwrap(), vec![7; 1 << 20]);
    assert_eq!((0..100_000).map(|_| queue.get().unwrap().len()).sum::<usize>(), 100_000);
}
