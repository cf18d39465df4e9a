//! What values, arrays and mutexes promise: cases 120 and 121, and what a death leaves of them.
#![cfg_attr(not(feature = "tokio"), allow(dead_code, unused_imports))]

mod kit;

use std::time::{Duration, Instant};

use aioprocessing::{
    AcquireError, AioArray, AioEvent, AioMutex, AioPipe, AioProcess, AioReceiver, AioValue, SetError,
    SetTimeoutError,
};
use kit::either::either;
use kit::sides::{Place, Side, each, start};
use kit::{Watchdog, sleep_for_ever};

aioprocessing::test_support!();

const SHORT: Duration = Duration::from_millis(30);

#[test]
fn case_120_an_array_made_by_size_is_zeroed() {
    for length in [0, 1, 7, 100, 100_000] {
        let array = AioArray::<i32>::zeroed(length).unwrap();
        assert_eq!(array.len(), length);
        assert_eq!(array.is_empty(), length == 0);
        assert!(array.lock().unwrap().iter().all(|&number| number == 0));
        assert_eq!(array.get(length), None);
    }
}

/// As in Python's documentation: sets the number and turns the signs round.
fn change(number: AioValue<f64>, array: AioArray<i32>) {
    number.set(2.5);
    array.lock().unwrap().iter_mut().for_each(|one| *one = -*one);
}

#[test]
fn case_120_a_value_and_an_array_are_shared() {
    for place in Place::ALL {
        let number = AioValue::new(0.0).unwrap();
        let array = AioArray::from_slice(&[0, 1, 2, 3, 4]).unwrap();
        start!(place, change, (number, array)).join();
        assert!((number.get() - 2.5).abs() < f64::EPSILON);
        assert_eq!(*array.lock().unwrap(), [0, -1, -2, -3, -4]);
        assert_eq!(array.get(3), Some(-3));
    }
}

#[test]
fn case_120_every_kind_of_number_is_shared() {
    macro_rules! each_number {
        ($($number:expr),*) => { $(
            let value = AioValue::new($number).unwrap();
            assert_eq!(value.get(), $number);
            let seen: AioProcess<_> =
                AioProcess::spawn(|value: AioValue<_>| { let before = value.get(); value.set(before + before); before }, (value.clone(),)).unwrap();
            assert_eq!(seen.join().unwrap(), $number);
            assert_eq!(value.get(), $number + $number);
            let array = AioArray::from_slice(&[$number; 3]).unwrap();
            assert_eq!(*array.lock().unwrap(), [$number; 3]);
            assert_eq!(array.get(2), Some($number));
        )* };
    }
    each_number!(
        1_u8, -2_i8, 3_u16, -4_i16, 5_u32, -6_i32, 7_u64, -8_i64, 9_u128, -10_i128, 1.5_f32, -2.5_f64
    );
}

#[test]
fn elements_are_set_one_by_one() {
    each("elements_are_set_one_by_one", |side, _, _| {
        let array = AioArray::<u16>::zeroed(3).unwrap();
        either!(side, array.set(2, 5), array.coro_set(2, 5)).unwrap();
        assert_eq!(*array.lock().unwrap(), [0, 0, 5]);
        let error = either!(side, array.set(3, 5), array.coro_set(3, 5)).unwrap_err();
        assert!(matches!(error, SetError::OutOfRange { index: 3, length: 3 }), "{error}");
        assert!(array.try_set(9, 1).unwrap_err().is_out_of_range());
        let guard = array.lock().unwrap();
        assert!(array.try_set(0, 1).unwrap_err().is_would_block());
        let begun = Instant::now();
        let error = array.set_timeout(0, 1, SHORT).unwrap_err();
        assert!(matches!(error, SetTimeoutError::Timeout { holder: Some(_) }), "{error}");
        assert!(begun.elapsed() >= SHORT);
        assert_eq!(array.get(0), Some(0), "reading asks for no lock");
        drop(guard);
        array.try_set(0, 1).unwrap();
        array.set_timeout(1, 2, SHORT).unwrap();
        assert_eq!(*array.lock().unwrap(), [1, 2, 5]);
    });
}

/// Adds one so many times, in each of the ways there are.
fn count(value: AioValue<u64>, large: AioValue<[u64; 9]>, mutex: AioMutex<u64>, side: Side) {
    for round in 0..side_rounds(side) {
        match round % 3 {
            0 => drop(value.fetch_add(1)),
            _ => {
                either!(
                    side,
                    value.with_lock(|value| *value += 1),
                    value.coro_with_lock(|value| *value += 1)
                )
                .unwrap();
            }
        }
        let add = |all: &mut [u64; 9]| all.iter_mut().for_each(|one| *one += 1);
        either!(side, large.with_lock(add), large.coro_with_lock(add)).unwrap();
        *either!(side, mutex.lock(), mutex.coro_lock()).unwrap() += 1;
    }
}

fn side_rounds(side: Side) -> u64 {
    if side == Side::Blocking { 10_000 } else { 500 }
}

#[test]
fn case_121_additions_under_the_lock_and_without_it_are_exact() {
    each("case_121", |side, place, _| {
        let value = AioValue::new(0_u64).unwrap();
        let large = AioValue::new([0_u64; 9]).unwrap();
        let mutex = AioMutex::new(0_u64).unwrap();
        let parts: Vec<_> = (0..4).map(|_| start!(place, count, (value, large, mutex, side))).collect();
        parts.into_iter().for_each(kit::sides::Started::join);
        let expected = 4 * side_rounds(side);
        assert_eq!(value.get(), expected);
        assert_eq!(large.get(), [expected; 9]);
        assert_eq!(*mutex.lock().unwrap(), expected);
    });
}

/// Sets all words of the value to the same number, until stopped.
fn set_all(value: AioValue<[u64; 40]>, stop: AioEvent) -> u64 {
    let mut number = 0;
    while !stop.is_set() {
        number += 1;
        value.set([number; 40]);
    }
    number
}

#[test]
fn a_large_value_is_never_read_in_parts() {
    let _watchdog = Watchdog::new("a_large_value_is_never_read_in_parts");
    for place in Place::ALL {
        let (value, stop) = (AioValue::new([0; 40]).unwrap(), AioEvent::new().unwrap());
        let setters: Vec<_> = (0..3).map(|_| start!(place, set_all, (value, stop))).collect();
        for _ in 0..50_000 {
            let all = value.get();
            assert!(all.iter().all(|&one| one == all[0]), "parts of several values: {all:?}");
        }
        stop.set();
        for setter in setters {
            assert!(setter.join() > 0);
        }
    }
}

#[test]
fn setters_that_are_killed_leave_a_whole_value_and_no_box_behind() {
    let watchdog = Watchdog::new("setters_that_are_killed");
    let value = AioValue::new([0; 40]).unwrap();
    let never = AioEvent::new().unwrap();
    for round in 0..60 {
        watchdog.step(format!("round {round}"));
        let before = value.get()[0];
        let child: AioProcess<u64> = AioProcess::spawn(set_all, (value.clone(), never.clone())).unwrap();
        kit::until("it has begun", || value.get()[0] != before);
        child.kill().unwrap();
        child.join().unwrap_err();
        let all = value.get();
        assert!(all.iter().all(|&one| one == all[0]), "parts of several values: {all:?}");
        value.set([0; 40]);
        assert_eq!(value.get(), [0; 40]);
    }
}

#[test]
fn values_wrap_and_give_what_was_before() {
    let small = AioValue::new(250_u8).unwrap();
    assert_eq!(small.fetch_add(10), 250);
    assert_eq!(small.get(), 4);
    let float = AioValue::new(1.5).unwrap();
    assert!((float.fetch_add(0.25) - 1.5_f64).abs() < f64::EPSILON);
    assert!((float.get() - 1.75).abs() < f64::EPSILON);
}

#[test]
fn with_lock_waits_its_turn_and_a_panic_changes_nothing() {
    each("with_lock_waits_its_turn", |side, _, _| {
        let value = AioValue::new(7).unwrap();
        let theirs = value.clone();
        let panicked = std::thread::spawn(move || {
            theirs.with_lock(|value: &mut i32| {
                *value = 100;
                panic!("on purpose");
            })
        });
        panicked.join().unwrap_err();
        assert_eq!(value.get(), 7);
        let inner = value.clone();
        let refused = value.with_lock(|value| {
            *value += 1;
            let begun = Instant::now();
            assert!(inner.try_with_lock(|_| ()).unwrap_err().is_would_block());
            assert!(inner.with_lock_timeout(SHORT, |_| ()).unwrap_err().is_timeout());
            begun.elapsed() >= SHORT
        });
        assert!(refused.unwrap());
        let out = either!(
            side,
            value.with_lock(|value| {
                *value *= 2;
                *value
            }),
            value.coro_with_lock(|value| {
                *value *= 2;
                *value
            })
        );
        assert_eq!(out.unwrap(), 16);
        assert_eq!(value.try_with_lock(|value| *value).unwrap(), 16);
        assert_eq!(value.with_lock_timeout(SHORT, |value| *value).unwrap(), 16);
    });
}

fn hold_value(value: AioValue<u32>, held: AioEvent) {
    value
        .with_lock(|value| {
            *value = 99;
            held.set();
            sleep_for_ever();
        })
        .unwrap();
}

#[test]
fn a_value_whose_changer_is_killed_is_as_before() {
    each("a_value_whose_changer_is_killed", |side, _, _| {
        let (value, held) = (AioValue::new(5).unwrap(), AioEvent::new().unwrap());
        let child: AioProcess<()> = AioProcess::spawn(hold_value, (value.clone(), held.clone())).unwrap();
        held.wait().unwrap();
        assert_eq!(value.fetch_add(1), 5, "adding asks for no lock");
        child.kill().unwrap();
        either!(side, value.with_lock(|value| *value += 1), value.coro_with_lock(|value| *value += 1))
            .unwrap();
        assert_eq!(value.get(), 7);
        child.join().unwrap_err();
    });
}

fn half_write(mutex: AioMutex<[u32; 2]>, array: AioArray<u32>, held: AioEvent) {
    let mut pair = mutex.lock().unwrap();
    let mut all = array.lock().unwrap();
    pair[0] = 1;
    all[0] = 1;
    held.set();
    sleep_for_ever();
}

#[test]
fn who_follows_a_killed_holder_of_a_mutex_or_an_array_is_told() {
    each("who_follows_a_killed_holder", |side, _, _| {
        let mutex = AioMutex::new([0; 2]).unwrap();
        let array = AioArray::zeroed(2).unwrap();
        let held = AioEvent::new().unwrap();
        let child: AioProcess<()> =
            AioProcess::spawn(half_write, (mutex.clone(), array.clone(), held.clone())).unwrap();
        held.wait().unwrap();
        assert!(mutex.is_locked() && array.is_locked());
        assert_eq!(mutex.owner().map(|owner| owner.pid), Some(child.pid()));
        assert!(mutex.try_lock().unwrap_err().is_would_block());
        assert!(array.lock_timeout(SHORT).unwrap_err().is_timeout());
        child.kill().unwrap();
        let error = either!(side, mutex.lock(), mutex.coro_lock()).unwrap_err();
        assert!(error.to_string().contains(&child.pid().to_string()), "{error}");
        let AcquireError::OwnerDied(mut pair) = error else { panic!("{error}") };
        assert_eq!(*pair, [1, 0], "half-written");
        assert_eq!(pair.dead_holder().map(|holder| holder.pid), Some(child.pid()));
        pair[1] = 1;
        drop(pair);
        assert_eq!(*either!(side, mutex.lock(), mutex.coro_lock()).unwrap(), [1, 1]);
        // Setting one element would hide it from who reads the others.
        let error = either!(side, array.set(1, 9), array.coro_set(1, 9)).unwrap_err();
        assert_eq!(*error.into_guard().unwrap(), [1, 0]);
        array.set(1, 9).unwrap();
        child.join().unwrap_err();
    });
}

/// Sent as one type and received as another.
struct Mistaken(Option<AioValue<u64>>, Option<AioArray<u64>>);

impl serde::Serialize for Mistaken {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.0, &self.1).serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Mistaken {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <(Option<AioValue<u32>>, Option<AioArray<u16>>)>::deserialize(deserializer).map(|_| Self(None, None))
    }
}

#[test]
fn handles_of_another_size_are_refused() {
    let value = AioValue::new(1_u64).unwrap();
    let array = AioArray::<u64>::zeroed(4).unwrap();
    for mistaken in [Mistaken(Some(value), None), Mistaken(None, Some(array))] {
        let child: AioProcess<()> = AioProcess::spawn(|_: Mistaken| (), (mistaken,)).unwrap();
        let error = child.join().unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
    }
}

#[test]
fn handles_travel_in_messages() {
    let (receiver, sender) = AioPipe::<(AioValue<u64>, AioMutex<u8>)>::simplex().unwrap();
    let sent = (AioValue::new(1).unwrap(), AioMutex::new(2).unwrap());
    let child: AioProcess<()> = AioProcess::spawn(
        |receiver: AioReceiver<(AioValue<u64>, AioMutex<u8>)>| {
            let (value, mutex) = receiver.recv().unwrap();
            value.fetch_add(10);
            *mutex.lock().unwrap() += 10;
        },
        (receiver,),
    )
    .unwrap();
    sender.send(&sent).unwrap();
    child.join().unwrap();
    assert_eq!((sent.0.get(), *sent.1.lock().unwrap()), (11, 12));
}
