//! Nobody who waits is passed over for ever: threads and tasks of several processes, that get and that put.

mod kit;

use aioprocessing::{AioProcess, AioQueue};
use kit::Watchdog;

aioprocessing::test_support!();

/// In each of two processes as many threads and as many tasks.
const EACH: usize = 2;
const ALL: usize = 2 * 2 * EACH;
/// About so many turns for each, if all were alike: for long enough that every wait has outlasted its first sleep many times.
const TURNS: usize = 1_000 * ALL;

/// How often each thread and each task of this process had its turn until the queue was closed.
fn take_turns(queue: AioQueue<u64>, gets: bool) -> Vec<u64> {
    let thread = |queue: AioQueue<u64>| {
        std::thread::spawn(move || {
            let turn = || if gets { queue.get().is_ok() } else { queue.put(1).is_ok() };
            std::iter::repeat_with(turn).take_while(|&had| had).count() as u64
        })
    };
    let threads: Vec<_> = (0..EACH).map(|_| thread(queue.clone())).collect();
    let mut turns = kit::runtime().block_on(async {
        let task = |queue: AioQueue<u64>| {
            tokio::spawn(async move {
                let mut turns = 0;
                while if gets { queue.coro_get().await.is_ok() } else { queue.coro_put(1).await.is_ok() } {
                    turns += 1;
                }
                turns
            })
        };
        let tasks: Vec<_> = (0..EACH).map(|_| task(queue.clone())).collect();
        let mut turns = Vec::new();
        for task in tasks {
            turns.push(task.await.unwrap());
        }
        turns
    });
    turns.extend(threads.into_iter().map(|thread| thread.join().unwrap()));
    turns
}

fn everybody_has_turns(gets: bool) {
    let watchdog = Watchdog::new(if gets { "getters" } else { "putters" });
    let queue = AioQueue::bounded(1).unwrap();
    let part = || AioProcess::builder().daemon(true).spawn(take_turns, (queue.clone(), gets)).unwrap();
    let parts = [part(), part()];
    let all_wait = format!("{}: {ALL}", if gets { "waiting_getters" } else { "waiting_putters" });
    for turn in 0..TURNS {
        watchdog.step(format!("turn {turn}"));
        // So that each turn is given to one of those who wait, and not to who comes at the right moment.
        while !format!("{queue:?}").contains(&all_wait) {
            std::thread::yield_now();
        }
        if gets { queue.put(1).unwrap() } else { assert_eq!(queue.get().unwrap(), 1) }
    }
    queue.close_now();
    let turns: Vec<u64> = parts.into_iter().flat_map(|part| part.join().unwrap()).collect();
    println!("{turns:?}");
    // Who is given a turn is for the scheduler to say; nobody waits for ever.
    let fewest = (TURNS / ALL / 100) as u64;
    assert!(turns.len() == ALL && turns.iter().all(|&turns| turns > fewest), "somebody starved: {turns:?}");
}

#[test]
fn every_getter_gets() {
    everybody_has_turns(true);
}

#[test]
fn every_putter_puts() {
    everybody_has_turns(false);
}
