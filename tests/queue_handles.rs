//! Handles and descriptors inside of items: cases 55 and 56, and a process without descriptors.

mod kit;

use aioprocessing::{AioEvent, AioLock, AioProcess, AioQueue};
use kit::Watchdog;
use kit::sides::{each, start};
use serde::{Deserialize, Serialize};

aioprocessing::test_support!();

#[derive(Serialize, Deserialize)]
struct Job {
    number: u64,
    lock: AioLock,
    done: AioEvent,
    reply: AioQueue<u64>,
}

fn work(jobs: AioQueue<Job>) {
    for job in &jobs {
        let job = job.unwrap();
        let guard = job.lock.acquire().unwrap();
        job.reply.put(job.number * 2).unwrap();
        drop(guard);
        job.done.set();
    }
}

#[test]
fn case_55_queues_locks_and_events_inside_of_items() {
    each("case_55", |side, place, _| {
        let jobs = AioQueue::unbounded().unwrap();
        let worker = start!(place, work, (jobs));
        for number in 0..100 {
            let job = Job {
                number,
                lock: AioLock::new().unwrap(),
                done: AioEvent::new().unwrap(),
                reply: AioQueue::bounded(1).unwrap(),
            };
            let (done, reply) = (job.done.clone(), job.reply.clone());
            side.put(&jobs, job).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(side.get(&reply).unwrap(), number * 2);
            done.wait().unwrap();
        }
        jobs.close();
        worker.join();
    });
}

fn pass_on(jobs: AioQueue<AioQueue<u64>>, depth: u64) {
    let reply = jobs.get().unwrap();
    reply.put(depth).unwrap();
    if depth > 0 {
        AioProcess::spawn(pass_on, (jobs, depth - 1)).unwrap().join().unwrap();
    }
}

#[test]
fn case_56_a_queue_goes_down_to_grandchildren() {
    let _watchdog = Watchdog::new("case_56");
    let (jobs, reply) = (AioQueue::unbounded().unwrap(), AioQueue::unbounded().unwrap());
    for _ in 0..4 {
        jobs.put(reply.clone()).unwrap();
    }
    AioProcess::spawn(pass_on, (jobs, 3)).unwrap().join().unwrap();
    assert_eq!(reply.get_many(9).unwrap(), [3, 2, 1, 0]);
}

fn fill_and_drain() {
    let events = AioQueue::unbounded().unwrap();
    let event = AioEvent::new().unwrap();
    let mut count = 0;
    while events.try_put((count, event.clone())).is_ok() {
        count += 1;
        assert!(count < 100_000);
    }
    assert!(count >= 100, "{count} such items may wait");
    let before = kit::descriptors().len();
    let drain = |events: AioQueue<(u64, AioEvent)>| {
        for expected in 0..100 {
            let (number, event) = events.get().unwrap();
            assert_eq!(number, expected);
            event.set();
        }
    };
    AioProcess::spawn(drain, (events.clone(),)).unwrap().join().unwrap();
    assert!(event.is_set());
    for expected in 100..count {
        assert_eq!(events.get().unwrap().0, expected);
    }
    events.put((0, event)).unwrap();
    assert_eq!(events.len(), 1);
    assert!(kit::descriptors().len() <= before + 1, "none is left over");
}

/// In a process of its own, whose descriptors nobody else opens and closes.
#[test]
fn items_with_handles_fill_a_queue_and_drain() {
    let _watchdog = Watchdog::new("fill");
    AioProcess::builder().daemon(true).spawn(fill_and_drain, ()).unwrap().join().unwrap();
}

fn get_without_descriptors(queue: AioQueue<AioQueue<u64>>) -> bool {
    let mut hoard = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        hoard.push(file);
    }
    let refused = matches!(queue.get(), Err(aioprocessing::GetError::NoDescriptors));
    let is_still_there = queue.len() == 2;
    hoard.truncate(hoard.len() - 20);
    queue.get().unwrap().put(7).unwrap();
    refused && is_still_there
}

#[test]
fn a_process_at_its_descriptor_limit_is_told_and_takes_nothing() {
    let _watchdog = Watchdog::new("no_descriptors");
    let (queue, inner) = (AioQueue::unbounded().unwrap(), AioQueue::unbounded().unwrap());
    queue.put(inner.clone()).unwrap();
    queue.put(inner.clone()).unwrap();
    assert!(AioProcess::spawn(get_without_descriptors, (queue.clone(),)).unwrap().join().unwrap());
    assert_eq!(inner.get().unwrap(), 7);
    queue.get().unwrap().put(8).unwrap();
    assert_eq!(inner.get().unwrap(), 8);
}

fn put_handles_for_ever(queue: AioQueue<(u64, AioEvent)>, event: AioEvent) {
    for number in 0.. {
        queue.put((number, event.clone())).unwrap();
    }
}

fn get_handles_for_ever(queue: AioQueue<(u64, AioEvent)>) {
    loop {
        drop(queue.get().unwrap());
    }
}

#[test]
fn putters_and_getters_of_handles_killed_at_any_moment() {
    let watchdog = Watchdog::new("handles_killed");
    let queue = AioQueue::unbounded().unwrap();
    let event = AioEvent::new().unwrap();
    for round in 0..40_u64 {
        watchdog.step(format!("round {round}"));
        let putter = AioProcess::spawn(put_handles_for_ever, (queue.clone(), event.clone())).unwrap();
        let getter = AioProcess::spawn(get_handles_for_ever, (queue.clone(),)).unwrap();
        let mut last = None;
        for _ in 0..round {
            let (number, _) = queue.get().unwrap();
            assert!(last < Some(number));
            last = Some(number);
        }
        let (first, second) = if round % 2 == 0 { (putter, getter) } else { (getter, putter) };
        kit::kill(first.pid());
        first.join().unwrap_err();
        kit::kill(second.pid());
        second.join().unwrap_err();
        while let Ok((_, event)) = queue.try_get() {
            event.set();
        }
        queue.put((round, event.clone())).unwrap();
        assert_eq!(queue.get().unwrap().0, round);
    }
}
