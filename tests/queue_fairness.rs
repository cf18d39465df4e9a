//! Nobody who waits is passed over for ever: threads and tasks of several processes, that get and that put.

mod kit;

use std::future::{Future as _, poll_fn};
use std::path::Path;
use std::pin::pin;

use aioprocessing::{AioProcess, AioQueue};
use kit::Watchdog;

aioprocessing::test_support!();

/// In each of two processes as many threads and as many tasks.
const EACH: usize = 2;
const ALL: usize = 2 * 2 * EACH;
/// About so many turns for each, if all were alike: for long enough that every wait has outlasted its first sleep many times.
const TURNS: usize = 1_000 * ALL;

/// How many turns a thread has until the queue is closed.
fn turns_of_a_thread(queue: &AioQueue<u64>, gets: bool) -> u64 {
    let turn = || if gets { queue.get().is_ok() } else { queue.put(1).is_ok() };
    std::iter::repeat_with(turn).take_while(|&had| had).count() as u64
}

/// How many turns a task has until the queue is closed.
async fn turns_of_a_task(queue: AioQueue<u64>, gets: bool) -> u64 {
    let mut turns = 0;
    while if gets { queue.coro_get().await.is_ok() } else { queue.coro_put(1).await.is_ok() } {
        turns += 1;
    }
    turns
}

/// How often each thread and each task of this process had its turn until the queue was closed.
fn take_turns(queue: AioQueue<u64>, gets: bool) -> Vec<u64> {
    let thread = |queue: AioQueue<u64>| std::thread::spawn(move || turns_of_a_thread(&queue, gets));
    let threads: Vec<_> = (0..EACH).map(|_| thread(queue.clone())).collect();
    let mut turns = kit::runtime().block_on(async {
        let tasks: Vec<_> = (0..EACH).map(|_| tokio::spawn(turns_of_a_task(queue.clone(), gets))).collect();
        let mut turns = Vec::new();
        for task in tasks {
            turns.push(task.await.unwrap());
        }
        turns
    });
    turns.extend(threads.into_iter().map(|thread| thread.join().unwrap()));
    turns
}

/// Whether so many wait for their turn.
fn all_wait(queue: &AioQueue<u64>, gets: bool, count: usize) -> bool {
    format!("{queue:?}")
        .contains(&format!("{}: {count}", if gets { "waiting_getters" } else { "waiting_putters" }))
}

/// Lets one of those who wait go on.
fn give_a_turn(queue: &AioQueue<u64>, gets: bool) {
    if gets { queue.put(1).unwrap() } else { assert_eq!(queue.get().unwrap(), 1) }
}

fn everybody_has_turns(gets: bool) {
    let watchdog = Watchdog::new(if gets { "getters" } else { "putters" });
    let queue = AioQueue::bounded(1).unwrap();
    let part = || AioProcess::builder().daemon(true).spawn(take_turns, (queue.clone(), gets)).unwrap();
    let parts = [part(), part()];
    for turn in 0..TURNS {
        watchdog.step(format!("turn {turn}"));
        // So that each turn is given to one of those who wait, and not to who comes at the right moment.
        while !all_wait(&queue, gets, ALL) {
            std::thread::yield_now();
        }
        give_a_turn(&queue, gets);
    }
    queue.close_now();
    let turns: Vec<u64> = parts.into_iter().flat_map(|part| part.join().unwrap()).collect();
    println!("{turns:?}");
    // Who is given a turn is for the scheduler to say; nobody waits for ever.
    let fewest = (TURNS / ALL / 100) as u64;
    assert!(turns.len() == ALL && turns.iter().all(|&turns| turns > fewest), "somebody starved: {turns:?}");
}

/// A thread and a task of this process wait, each on a thread that is asleep whenever a turn is given: no wake-up finds the one or the
/// other under way. Which of them is first is for the scheduler to say, but both are woken.
fn a_task_is_woken_beside_a_thread(gets: bool) {
    const TURNS: u64 = 1_000;
    let watchdog = Watchdog::new(if gets { "a getter beside a thread" } else { "a putter beside a thread" });
    let queue = AioQueue::bounded(1).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let beside = |run: fn(AioQueue<u64>, bool) -> u64| {
        let (queue, tell) = (queue.clone(), tell.clone());
        std::thread::spawn(move || {
            // "PID/task/TID": what is told of this thread.
            tell.send(std::fs::read_link("/proc/thread-self").unwrap()).unwrap();
            run(queue, gets)
        })
    };
    let thread = beside(|queue, gets| turns_of_a_thread(&queue, gets));
    let polls_of_the_task = beside(|queue, gets| {
        let mut turns = pin!(turns_of_a_task(queue, gets));
        let mut polls = 0;
        kit::runtime().block_on(poll_fn(|cx| {
            polls += 1;
            turns.as_mut().poll(cx)
        }));
        polls
    });
    let told: Vec<_> =
        told.iter().take(2).map(|thread| Path::new("/proc").join(thread).join("stat")).collect();
    let all_sleep = || {
        let is_asleep = |text: String| text.rsplit_once(')').unwrap().1.starts_with(" S");
        told.iter().all(|thread| is_asleep(std::fs::read_to_string(thread).unwrap()))
    };
    for turn in 0..TURNS {
        watchdog.step(format!("turn {turn}"));
        while !(all_wait(&queue, gets, 2) && all_sleep()) {
            std::thread::yield_now();
        }
        give_a_turn(&queue, gets);
    }
    queue.close_now();
    let (turns, polls) = (thread.join().unwrap(), polls_of_the_task.join().unwrap());
    println!("the thread had {turns} turns, the task was polled {polls} times");
    // A nap that ends, or a turn of the thread that had just begun to listen itself, may poll it, too: rarely.
    assert!(
        turns > 0 && polls > TURNS / 2,
        "of {TURNS} turns the thread had {turns}, the task woke for {polls}"
    );
}

#[test]
fn a_getting_task_is_woken_beside_a_thread() {
    a_task_is_woken_beside_a_thread(true);
}

#[test]
fn a_putting_task_is_woken_beside_a_thread() {
    a_task_is_woken_beside_a_thread(false);
}

#[test]
fn every_getter_gets() {
    everybody_has_turns(true);
}

#[test]
fn every_putter_puts() {
    everybody_has_turns(false);
}
