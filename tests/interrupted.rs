//! Signals that a handler of the program takes, in the middle of waits and of large transfers: case 119.

mod kit;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aioprocessing::{AioEvent, AioLock, AioPipe, AioProcess, AioQueue, AioReceiver, AioSender};
use kit::Watchdog;
use kit::sides::Side;

aioprocessing::test_support!();

/// Runs the body on this thread while another interrupts it, and sets `often` once it has done so some times.
fn under_signals<R>(often: &AioEvent, body: impl FnOnce() -> R) -> R {
    /// Ends the other thread, by a panic too.
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    kit::handle_sigusr1();
    let (me, stop) = (kit::this_thread(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let stop = Stop(&stop);
        let ended = stop.0;
        scope.spawn(move || {
            for count in 0.. {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                if count == 20 {
                    often.set();
                }
                kit::interrupt_thread(me);
                std::thread::sleep(Duration::from_micros(500));
            }
        });
        let out = body();
        assert!(kit::sigusr1_seen() > 0);
        drop(stop);
        out
    })
}

/// In a process of its own, so that the signals come to nobody else.
fn child() -> aioprocessing::ProcessBuilder {
    AioProcess::builder().daemon(true)
}

#[test]
fn case_119_waits_go_on() {
    for &side in Side::ALL {
        let watchdog = Watchdog::new("case_119_waits");
        let fresh = || AioEvent::new().unwrap();

        watchdog.step(format!("{side:?}, get"));
        let (often, queue) = (fresh(), AioQueue::<u64>::bounded(1).unwrap());
        let get = |queue: AioQueue<u64>, often: AioEvent, side: Side| {
            under_signals(&often, || side.get(&queue).unwrap())
        };
        let waits = child().spawn(get, (queue.clone(), often.clone(), side)).unwrap();
        often.wait().unwrap();
        queue.put(5).unwrap();
        assert_eq!(waits.join().unwrap(), 5);

        watchdog.step(format!("{side:?}, put"));
        let often = fresh();
        queue.put(6).unwrap();
        let put = |queue: AioQueue<u64>, often: AioEvent, side: Side| {
            under_signals(&often, || side.put(&queue, 7).unwrap());
        };
        let waits = child().spawn(put, (queue.clone(), often.clone(), side)).unwrap();
        often.wait().unwrap();
        assert_eq!(queue.len(), 1);
        assert_eq!((queue.get().unwrap(), queue.get().unwrap()), (6, 7));
        waits.join().unwrap();

        watchdog.step(format!("{side:?}, lock and event"));
        let (often, set, lock) = (fresh(), fresh(), AioLock::new().unwrap());
        let guard = lock.acquire().unwrap();
        let acquire = |lock: AioLock, set: AioEvent, often: AioEvent, side: Side| {
            under_signals(&often, || {
                drop(side.acquire(&lock).unwrap());
                side.wait(&set);
            });
        };
        let waits = child().spawn(acquire, (lock.clone(), set.clone(), often.clone(), side)).unwrap();
        often.wait().unwrap();
        assert!(waits.is_alive());
        drop(guard);
        set.set();
        waits.join().unwrap();

        watchdog.step(format!("{side:?}, recv"));
        let (often, (receiver, sender)) = (fresh(), AioPipe::<u64>::simplex().unwrap());
        let waits = child().spawn(recv, (receiver, often.clone(), side)).unwrap();
        often.wait().unwrap();
        sender.send(&8).unwrap();
        assert_eq!(waits.join().unwrap(), 8);
    }
}

fn recv(receiver: AioReceiver<u64>, often: AioEvent, side: Side) -> u64 {
    under_signals(&often, || match side {
        Side::Blocking => receiver.recv().unwrap(),
        #[cfg(feature = "tokio")]
        Side::Coro => kit::runtime().block_on(receiver.coro_recv()).unwrap(),
        #[cfg(not(feature = "tokio"))]
        Side::Coro => unreachable!("not in ALL"),
    })
}

#[test]
fn case_119_timeouts_get_no_shorter_and_end() {
    for &side in Side::ALL {
        let _watchdog = Watchdog::new("case_119_timeouts");
        let times_out = |side: Side| {
            let (queue, full) = (AioQueue::<u64>::unbounded().unwrap(), AioQueue::bounded(1).unwrap());
            full.put(1_u64).unwrap();
            let (lock, event) = (AioLock::new().unwrap(), AioEvent::new().unwrap());
            let _held = lock.acquire().unwrap();
            let time = Duration::from_millis(40);
            let lasts = |wait: &dyn Fn() -> bool| {
                let begun = Instant::now();
                assert!(!wait());
                assert!(begun.elapsed() >= time, "it ended after {:?}", begun.elapsed());
            };
            under_signals(&AioEvent::new().unwrap(), || {
                lasts(&|| side.get_for(&queue, time).is_some());
                lasts(&|| side.put_for(&full, 2, time));
                lasts(&|| side.wait_for(&event, time));
                lasts(&|| side.acquire_for(&lock, time).is_some());
            });
        };
        child().spawn(times_out, (side,)).unwrap().join().unwrap();
    }
}

const LARGE: usize = 32 << 20;

fn sends(side: Side, sender: AioSender<()>, queue: AioQueue<Vec<u8>>) {
    under_signals(&AioEvent::new().unwrap(), || {
        let item: Vec<u8> = (0..LARGE).map(|at| (at >> 12) as u8).collect();
        match side {
            Side::Blocking => sender.send_bytes(&item).unwrap(),
            #[cfg(feature = "tokio")]
            Side::Coro => kit::runtime().block_on(sender.coro_send_bytes(&item)).unwrap(),
            #[cfg(not(feature = "tokio"))]
            Side::Coro => unreachable!("not in ALL"),
        }
        side.put(&queue, item).unwrap();
    });
}

fn receives(side: Side, receiver: AioReceiver<()>, queue: AioQueue<Vec<u8>>) -> usize {
    under_signals(&AioEvent::new().unwrap(), || {
        let message = match side {
            Side::Blocking => receiver.recv_bytes().unwrap(),
            #[cfg(feature = "tokio")]
            Side::Coro => kit::runtime().block_on(receiver.coro_recv_bytes()).unwrap(),
            #[cfg(not(feature = "tokio"))]
            Side::Coro => unreachable!("not in ALL"),
        };
        let item = side.get(&queue).unwrap();
        assert!(message == item);
        item.into_iter().enumerate().filter(|(at, byte)| *byte == (at >> 12) as u8).count()
    })
}

#[test]
fn case_119_large_transfers_arrive_whole() {
    for &side in Side::ALL {
        let _watchdog = Watchdog::new("case_119_large");
        let (receiver, sender) = AioPipe::<()>::simplex().unwrap();
        let queue = AioQueue::unbounded().unwrap();
        let to = child().spawn(receives, (side, receiver, queue.clone())).unwrap();
        let from = child().spawn(sends, (side, sender, queue)).unwrap();
        from.join().unwrap();
        assert_eq!(to.join().unwrap(), LARGE);
    }
}
