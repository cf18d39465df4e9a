//! Case 111: waiting for several things of different kinds at once, in both faces.
// Both faces in one body.
#![cfg(feature = "tokio")]

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use aioprocessing::{AioEvent, AioPipe, AioProcess, AioQueue, AioSender, Waitable, coro_wait_any, wait_any};
use serde::{Deserialize, Serialize};

aioprocessing::test_support!();

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Face {
    Blocking,
    Async,
}

const FACES: [Face; 2] = [Face::Blocking, Face::Async];

impl Face {
    fn wait(self, things: &[&dyn Waitable]) -> Vec<usize> {
        match self {
            Self::Blocking => wait_any(things, None).unwrap(),
            Self::Async => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(coro_wait_any(things)).unwrap()
            }
        }
    }
}

fn none(things: &[&dyn Waitable]) -> bool {
    wait_any(things, Some(Duration::ZERO)).unwrap().is_empty()
}

#[test]
fn case_111_each_kind_wakes_the_wait() {
    for face in FACES {
        let (pipe, sender) = AioPipe::<u8>::simplex().unwrap();
        let event = AioEvent::new().unwrap();
        let queue = AioQueue::<u8>::unbounded().unwrap();
        let (socket, mut peer) = UnixStream::pair().unwrap();
        let stop = AioEvent::new().unwrap();
        let child = AioProcess::spawn(|stop: AioEvent| stop.wait().unwrap(), (stop.clone(),)).unwrap();
        let sentinel = child.sentinel();
        let things: [&dyn Waitable; 6] = [&pipe, &event, &queue, &socket, &child, &sentinel];
        assert!(none(&things));
        let woken = |change: &mut (dyn FnMut() + Send)| {
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| face.wait(&things));
                // Time to fall asleep; it is right without, too.
                std::thread::sleep(Duration::from_millis(5));
                change();
                waiting.join().unwrap()
            })
        };
        assert_eq!(woken(&mut || sender.send(&1).unwrap()), [0]);
        assert_eq!(pipe.recv().unwrap(), 1, "nothing was taken");
        assert_eq!(woken(&mut || event.set()), [1]);
        event.clear();
        assert_eq!(woken(&mut || queue.put(1).unwrap()), [2]);
        assert_eq!(queue.try_get().unwrap(), 1, "nothing was taken");
        assert_eq!(woken(&mut || peer.write_all(b"x").unwrap()), [3]);
        std::io::Read::read_exact(&mut &socket, &mut [0]).unwrap();
        assert!(none(&things));
        let ended = woken(&mut || stop.set());
        assert!(ended == [4, 5] || ended == [4] || ended == [5], "{ended:?}");
        assert_eq!(face.wait(&things), [4, 5]);
    }
}

#[test]
fn case_111_all_that_are_ready() {
    for face in FACES {
        let (pipe, sender) = AioPipe::<u8>::simplex().unwrap();
        let (quiet, _other) = AioPipe::<u8, u8>::duplex().unwrap();
        let event = AioEvent::new().unwrap();
        let queue = AioQueue::<u8>::unbounded().unwrap();
        let child = AioProcess::spawn(|| (), ()).unwrap();
        child.join().unwrap();
        event.set();
        queue.close();
        drop(sender);
        let things: [&dyn Waitable; 6] = [&pipe, &quiet, &event, &queue, &child, &event];
        for _ in 0..3 {
            assert_eq!(face.wait(&things), [0, 2, 3, 4, 5]);
        }
        assert_eq!(face.wait(&[]), []);
    }
}

#[test]
fn case_111_timeout() {
    let (pipe, _sender) = AioPipe::<u8>::simplex().unwrap();
    let event = AioEvent::new().unwrap();
    let (asked, time) = (Instant::now(), Duration::from_millis(60));
    assert_eq!(wait_any(&[&pipe, &event], Some(time)).unwrap(), []);
    assert!(asked.elapsed() >= time);
    assert_eq!(wait_any(&[], None).unwrap(), []);
}

/// An event that is set and cleared at once wakes those who waited.
#[test]
fn case_111_set_and_cleared() {
    let (event, before) = (AioEvent::new().unwrap(), AioEvent::new().unwrap());
    let (rx, tx) = AioPipe::<u8>::simplex().unwrap();
    let child = AioProcess::spawn(
        |event: AioEvent, before: AioEvent, tx: AioSender<u8>| {
            before.set();
            let woken = wait_any(&[&event], None).unwrap();
            tx.send(&u8::try_from(woken.len()).unwrap()).unwrap();
        },
        (event.clone(), before.clone(), tx),
    )
    .unwrap();
    before.wait().unwrap();
    // Again and again: the first may come before the child waits.
    while !rx.poll(Duration::from_millis(1)).unwrap() {
        event.set();
        event.clear();
    }
    assert_eq!(rx.recv().unwrap(), 1);
    child.join().unwrap();
}

/// Python's demo: four children send on pipes of their own until each closes its.
#[test]
fn case_111_until_the_end_of_all() {
    fn work(tx: AioSender<u32>, from: u32) {
        (from..from + 10).for_each(|n| tx.send(&n).unwrap());
    }
    for face in FACES {
        let mut pipes = Vec::new();
        let mut children = Vec::new();
        for from in [0, 10, 20, 30] {
            let (rx, tx) = AioPipe::<u32>::simplex().unwrap();
            children.push(AioProcess::spawn(work, (tx, from)).unwrap());
            pipes.push(rx);
        }
        let mut got = Vec::new();
        while !pipes.is_empty() {
            let things: Vec<&dyn Waitable> = pipes.iter().map(|pipe| pipe as &dyn Waitable).collect();
            for place in face.wait(&things).into_iter().rev() {
                match pipes[place].try_recv() {
                    Ok(n) => got.push(n),
                    Err(error) if error.is_closed() => drop(pipes.remove(place)),
                    Err(error) => panic!("{error}"),
                }
            }
        }
        got.sort_unstable();
        assert_eq!(got, (0..40).collect::<Vec<_>>());
    }
}

/// Who waits for a queue among other things and takes nothing must not keep a wake-up from who does.
#[test]
fn case_111_a_wake_up_is_passed_on() {
    let queue = AioQueue::<u32>::unbounded().unwrap();
    let stop = AioEvent::new().unwrap();
    let onlookers: Vec<_> = FACES
        .map(|face| {
            let (queue, stop) = (queue.clone(), stop.clone());
            std::thread::spawn(move || while face.wait(&[&queue, &stop]).first() == Some(&0) {})
        })
        .into();
    let getter = std::thread::spawn({
        let queue = queue.clone();
        move || (0..300).for_each(|n| assert_eq!(queue.get().unwrap(), n))
    });
    for n in 0..300 {
        queue.put(n).unwrap();
        while !queue.is_empty() {
            std::thread::yield_now();
        }
    }
    getter.join().unwrap();
    stop.set();
    onlookers.into_iter().for_each(|onlooker| onlooker.join().unwrap());
}

#[test]
fn case_111_many_tasks_on_two_threads() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let event = AioEvent::new().unwrap();
        let (rx, tx) = AioPipe::<u8>::simplex().unwrap();
        let (rx, past) = (Arc::new(rx), Arc::new(AtomicU32::new(0)));
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let (event, rx, past) = (event.clone(), rx.clone(), past.clone());
                tokio::spawn(async move {
                    assert_eq!(coro_wait_any(&[&event, &*rx]).await.unwrap(), [1]);
                    past.fetch_add(1, Ordering::Relaxed);
                    coro_wait_any(&[&event]).await.unwrap()
                })
            })
            .collect();
        tokio::task::yield_now().await;
        tx.coro_send(&1).await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(5), coro_wait_any(&[&event])).await.is_err());
        while past.load(Ordering::Relaxed) < 50 {
            tokio::task::yield_now().await;
        }
        event.set();
        for task in tasks {
            assert_eq!(task.await.unwrap(), [0]);
        }
    });
}
