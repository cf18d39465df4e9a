//! A queue and the death of those who use it: cases 43 to 45, P2, P2b; kills at any moment.

mod kit;

use std::time::Duration;

use aioprocessing::{AioEvent, AioProcess, AioQueue};
use kit::sides::{Side, Started, each, start};
use kit::{Watchdog, kill};

aioprocessing::test_support!();

fn get_for_ever(queue: AioQueue<u64>, side: Side) {
    while side.get(&queue).is_ok() {}
}

#[test]
fn case_43_p2_a_getter_killed_while_it_waits_takes_nothing_with_it() {
    each("case_43", |side, place, _| {
        let queue = AioQueue::<u64>::unbounded().unwrap();
        let victim = AioProcess::spawn(get_for_ever, (queue.clone(), side)).unwrap();
        kit::until("it waits", || format!("{queue:?}").contains("waiting_getters: 1"));
        kill(victim.pid());
        victim.join().unwrap_err();
        let get_one = |queue: AioQueue<u64>, side: Side| side.get(&queue).unwrap();
        let getter = start!(place, get_one, (queue, side));
        side.put(&queue, 7).unwrap();
        assert_eq!(getter.join(), 7);
        side.put(&queue, 8).unwrap();
        assert_eq!(queue.try_get().unwrap(), 8);
    });
}

fn put_for_ever(queue: AioQueue<Vec<u64>>, length: usize) {
    for number in 0.. {
        let mut item = vec![number; length];
        item.push(number * length as u64);
        if queue.put(item).is_err() {
            return;
        }
    }
}

/// An item as the one above makes them.
fn check(item: &[u64]) -> u64 {
    let (last, all) = item.split_last().unwrap();
    assert_eq!(all.iter().sum::<u64>(), *last, "an item of {} numbers is torn", item.len());
    all[0]
}

#[test]
fn case_44_45_p2b_a_putter_killed_at_any_moment_leaves_whole_items_and_room() {
    let watchdog = Watchdog::new("case_44");
    for (length, rounds) in [(1, 60), (500, 60), (20_000, 40), (200_000, 10)] {
        for bound in [None, Some(3)] {
            let queue = match bound {
                Some(bound) => AioQueue::bounded(bound).unwrap(),
                None => AioQueue::builder().memory_limit(32 << 20).build().unwrap(),
            };
            for round in 0..rounds {
                watchdog.step(format!("{length} numbers, bound {bound:?}, round {round}"));
                let victim = AioProcess::spawn(put_for_ever, (queue.clone(), length)).unwrap();
                // Some way into its work, which differs from round to round.
                for expected in 0..round % 7 {
                    assert_eq!(
                        check(&queue.get().unwrap()),
                        expected,
                        "the items of one putter come in order"
                    );
                }
                kill(victim.pid());
                victim.join().unwrap_err();
                let mut left = queue.len();
                while left > 0 {
                    check(&queue.get_timeout(kit::LONG).unwrap());
                    left -= 1;
                }
                assert!(queue.try_get().unwrap_err().is_empty());
                queue.put_timeout(vec![round, round], kit::LONG).unwrap();
                assert_eq!(check(&queue.get().unwrap()), round);
            }
        }
    }
}

fn count_until_closed(queue: AioQueue<Vec<u64>>) -> u64 {
    let mut count = 0;
    while let Ok(item) = queue.get() {
        check(&item);
        count += 1;
    }
    count
}

#[test]
fn getters_killed_at_any_moment_hold_nobody_up() {
    let watchdog = Watchdog::new("getters_killed");
    for length in [1, 3000, 30_000] {
        let queue = AioQueue::builder().memory_limit(16 << 20).build().unwrap();
        let survivor = AioProcess::spawn(count_until_closed, (queue.clone(),)).unwrap();
        let mut put = 0_u64;
        for round in 0..40 {
            watchdog.step(format!("{length} numbers, round {round}"));
            let victim = AioProcess::spawn(count_until_closed, (queue.clone(),)).unwrap();
            for number in 0..50 + round {
                let mut item = vec![number; length];
                item.push(number * length as u64);
                queue.put_timeout(item, kit::LONG).unwrap();
                put += 1;
            }
            kill(victim.pid());
            victim.join().unwrap_err();
        }
        queue.close();
        assert!(survivor.join().unwrap() <= put);
        assert!(queue.is_empty());
    }
}

#[test]
fn the_memory_of_the_dead_is_found_again() {
    let watchdog = Watchdog::new("memory_of_the_dead");
    // Room for little more than one item: what a killed putter or getter leaves must be swept for the next to go on.
    let queue = AioQueue::builder().memory_limit(2 << 20).build::<Vec<u64>>().unwrap();
    for round in 0..40 {
        watchdog.step(format!("round {round}"));
        let putter = AioProcess::spawn(put_for_ever, (queue.clone(), 120_000)).unwrap();
        let getter = AioProcess::spawn(count_until_closed, (queue.clone(),)).unwrap();
        for _ in 0..round % 5 {
            check(&queue.get_timeout(kit::LONG).unwrap());
        }
        kill(getter.pid());
        kill(putter.pid());
        getter.join().unwrap_err();
        putter.join().unwrap_err();
        while let Ok(item) = queue.try_get() {
            check(&item);
        }
        // Only if all of it is free.
        queue.put_timeout(vec![1; 230_000], kit::LONG).unwrap();
        assert_eq!(queue.get().unwrap().len(), 230_000);
    }
}

#[test]
fn a_stopped_getter_makes_a_timeout_no_longer() {
    let watchdog = Watchdog::new("stopped");
    let queue = AioQueue::<u64>::unbounded().unwrap();
    for round in 0..20 {
        watchdog.step(format!("round {round}"));
        let victim = AioProcess::spawn(get_for_ever, (queue.clone(), Side::Blocking)).unwrap();
        (0..100).for_each(|item| queue.put(item).unwrap());
        kit::signal(victim.pid(), rustix::process::Signal::STOP);
        // Whether it was stopped with the lock or without, these come back.
        let _ = queue.try_get();
        let _ = queue.get_timeout(Duration::from_millis(5));
        let _ = queue.try_put(1);
        kill(victim.pid());
        victim.join().unwrap_err();
        while queue.get_timeout(Duration::from_millis(50)).is_ok() {}
    }
}

#[test]
fn chaos_of_putters_and_getters_loses_nothing_that_it_should_not() {
    let watchdog = Watchdog::new("chaos");
    let queue = AioQueue::bounded(50).unwrap();
    let survivors: Vec<Started<u64>> = (0..2)
        .map(|_| Started::Process(AioProcess::spawn(count_until_closed, (queue.clone(),)).unwrap()))
        .collect();
    for round in 0..60 {
        watchdog.step(format!("round {round}"));
        let victims: Vec<_> =
            [3, 5000].map(|length| AioProcess::spawn(put_for_ever, (queue.clone(), length)).unwrap()).into();
        std::thread::sleep(Duration::from_micros(round * 37 % 3000));
        victims.iter().for_each(|victim| kill(victim.pid()));
        victims.iter().for_each(|victim| drop(victim.join().unwrap_err()));
    }
    queue.close();
    for survivor in survivors {
        survivor.join();
    }
    assert!(queue.is_empty());
}

fn put_one(queue: AioQueue<Vec<u8>>, about_to: AioEvent) {
    about_to.set();
    queue.put(vec![1; 1 << 20]).unwrap();
}

#[test]
fn putters_killed_while_they_wait_with_a_long_item_leave_no_memory_taken() {
    let watchdog = Watchdog::new("waiting_putters");
    let queue = AioQueue::builder().max_items(1).memory_limit(4 << 20).build::<Vec<u8>>().unwrap();
    for round in 0..6 {
        queue.put(vec![0]).unwrap();
        for victim in 0..3 {
            watchdog.step(format!("round {round}, victim {victim}"));
            let waits = queue.stats().put_waits;
            let about_to = AioEvent::new().unwrap();
            let victim = AioProcess::spawn(put_one, (queue.clone(), about_to.clone())).unwrap();
            about_to.wait().unwrap();
            // For room: by then it has its memory.
            kit::until("it waits", || queue.stats().put_waits > waits);
            kill(victim.pid());
            victim.join().unwrap_err();
        }
        queue.get().unwrap();
        // Only if all of it is free.
        queue.put_timeout(vec![2; 4 << 20], kit::LONG).unwrap();
        assert_eq!(queue.get().unwrap().len(), 4 << 20);
    }
}
