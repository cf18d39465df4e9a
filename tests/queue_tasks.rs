//! A queue in tasks: cases 48 to 54 and 60, D1, D8.
#![cfg(feature = "tokio")]

mod kit;

use std::future::Future;
use std::time::Duration;

use aioprocessing::{AioProcess, AioQueue};
use kit::Watchdog;
use kit::sides::{Place, start};
use tokio::runtime::{Builder, Runtime};

aioprocessing::test_support!();

fn runtimes() -> [Runtime; 2] {
    [kit::runtime(), Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()]
}

/// Polls a future so often, lets the others run in between, and drops it.
async fn poll_times<F: Future>(times: u64, future: F) -> Option<F::Output> {
    let others = async {
        for _ in 1..times {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        done = future => Some(done),
        () = others => None,
    }
}

async fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    poll_times(1, future).await
}

#[test]
fn the_futures_are_send() {
    fn send<T: Send>(value: T) -> T {
        value
    }
    // An item that is not `Sync` may be put.
    let queue = AioQueue::<std::cell::Cell<u8>>::unbounded().unwrap();
    drop(send(queue.coro_put(std::cell::Cell::new(1))));
    drop(send(queue.coro_get()));
    drop(send(queue.coro_put_many(vec![std::cell::Cell::new(1)])));
    drop(send(queue.coro_get_many(3)));
}

#[test]
fn case_48_d1_a_cancelled_get_takes_nothing() {
    for runtime in runtimes() {
        let _watchdog = Watchdog::new("case_48");
        runtime.block_on(async {
            let queue = AioQueue::unbounded().unwrap();
            assert!(poll_once(queue.coro_get()).await.is_none());
            let waiting = tokio::time::timeout(Duration::from_millis(20), queue.coro_get());
            assert!(waiting.await.is_err());
            queue.coro_put(1_u64).await.unwrap();
            assert_eq!(queue.coro_get().await.unwrap(), 1);
            assert!(format!("{queue:?}").contains("waiting_getters: 0"));
        });
    }
}

const CANCELLED: u64 = 10_000;
/// A future is dropped after at most so many polls, wherever it is by then.
const MOST_POLLS: u64 = 4;
/// So many items move in a turn: more than there is room for, so the other side waits, too. It begins when it is told to, so
/// that the first future of a turn has nothing to come and is cancelled for certain.
const A_TURN: usize = 3;

/// Puts the numbers from 0 on, one each time that it is told to, and says how many.
fn feed(queue: AioQueue<u64>, go: AioQueue<()>) -> u64 {
    (0..).take_while(|&item| go.get().is_ok() && queue.put(item).is_ok()).count() as u64
}

/// Gets an item each time that it is told to, and the rest at the end.
fn get_all(queue: AioQueue<u64>, go: AioQueue<()>) -> Vec<u64> {
    std::iter::from_fn(|| {
        let _ = go.get();
        queue.get().ok()
    })
    .collect()
}

fn nobody_waits(queue: &AioQueue<u64>) {
    let state = format!("{queue:?}");
    assert!(state.contains("waiting_getters: 0") && state.contains("waiting_putters: 0"), "{state}");
}

/// Counts futures that were cancelled, and says after how many polls the next one is.
#[derive(Default)]
struct Cancelled(u64);

impl Cancelled {
    fn is_enough(&self) -> bool {
        self.0 >= CANCELLED
    }

    fn polls(&self) -> u64 {
        1 + self.0 % MOST_POLLS
    }

    async fn one_more(&mut self) {
        self.0 += 1;
        tokio::task::yield_now().await;
    }
}

#[test]
fn case_49_gets_cancelled_ten_thousand_times_lose_and_double_nothing() {
    for place in Place::ALL {
        for runtime in runtimes() {
            let watchdog = Watchdog::new("case_49");
            let (queue, go) = (AioQueue::bounded(2).unwrap(), AioQueue::unbounded().unwrap());
            let feeder = start!(place, feed, (queue, go));
            let got = runtime.block_on(async {
                let (mut got, mut cancelled) = (Vec::new(), Cancelled::default());
                while !cancelled.is_enough() {
                    assert!(
                        poll_times(cancelled.polls(), queue.coro_get()).await.is_none(),
                        "there is none to come"
                    );
                    cancelled.one_more().await;
                    watchdog.step(format!("{place:?}, {} got, {queue:?}", got.len()));
                    go.put_many(vec![(); A_TURN]).unwrap();
                    let turn_ends = got.len() + A_TURN;
                    while got.len() < turn_ends {
                        match poll_times(cancelled.polls(), queue.coro_get()).await {
                            Some(item) => got.push(item.unwrap()),
                            None => cancelled.one_more().await,
                        }
                    }
                }
                got
            });
            go.close();
            let put = feeder.join();
            assert!(got.into_iter().eq(0..put), "in order, none lost, none twice");
            nobody_waits(&queue);
        }
    }
}

#[test]
fn case_50_puts_cancelled_ten_thousand_times_leave_nothing() {
    for place in Place::ALL {
        for runtime in runtimes() {
            let watchdog = Watchdog::new("case_50");
            let (queue, go) = (AioQueue::bounded(2).unwrap(), AioQueue::unbounded().unwrap());
            let getter = start!(place, get_all, (queue, go));
            let put = runtime.block_on(async {
                let (mut put, mut cancelled, mut next) = (vec![], Cancelled::default(), 0..);
                while queue.len() < 2 {
                    put.extend(next.next().filter(|&item| queue.try_put(item).is_ok()));
                }
                while !cancelled.is_enough() {
                    let item = next.next().unwrap();
                    assert!(
                        poll_times(cancelled.polls(), queue.coro_put(item)).await.is_none(),
                        "it is full"
                    );
                    cancelled.one_more().await;
                    watchdog.step(format!("{place:?}, {} put, {queue:?}", put.len()));
                    go.put_many(vec![(); A_TURN]).unwrap();
                    let turn_ends = put.len() + A_TURN;
                    while put.len() < turn_ends {
                        let item = next.next().unwrap();
                        match poll_times(cancelled.polls(), queue.coro_put(item)).await {
                            Some(done) => {
                                done.unwrap();
                                put.push(item);
                            }
                            None => cancelled.one_more().await,
                        }
                    }
                }
                put
            });
            go.close();
            queue.close();
            assert!(getter.join() == put, "those that were put and no others");
            nobody_waits(&queue);
        }
    }
}

#[test]
fn case_50_a_cancelled_put_of_a_long_item_gives_its_memory_back() {
    let _watchdog = Watchdog::new("case_50_long");
    kit::runtime().block_on(async {
        let queue = AioQueue::builder().memory_limit(4 << 20).max_items(1).build::<Vec<u8>>().unwrap();
        queue.coro_put(vec![1; 10]).await.unwrap();
        for _ in 0..100 {
            assert!(poll_once(queue.coro_put(vec![2; 1 << 20])).await.is_none());
        }
        queue.coro_get().await.unwrap();
        queue.coro_put(vec![3; 4 << 20]).await.unwrap();
        assert_eq!(queue.coro_get().await.unwrap().len(), 4 << 20);
    });
}

#[test]
fn case_51_d8_many_pending_gets_do_not_starve_a_put() {
    for runtime in runtimes() {
        let _watchdog = Watchdog::new("case_51");
        runtime.block_on(async {
            let queue = AioQueue::unbounded().unwrap();
            let gets: Vec<_> = (0..500)
                .map(|_| {
                    let queue = queue.clone();
                    tokio::spawn(async move { queue.coro_get().await.unwrap() })
                })
                .collect();
            tokio::task::yield_now().await;
            for item in 0..500_u64 {
                queue.coro_put(item).await.unwrap();
            }
            let mut total = 0;
            for get in gets {
                total += get.await.unwrap();
            }
            assert_eq!(total, 499 * 500 / 2);
        });
    }
}

fn feed_slowly(queue: AioQueue<u64>, count: u64) {
    for item in 0..count {
        queue.put(item).unwrap();
        if item % 16 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    queue.close();
}

#[test]
fn case_53_the_losing_branch_of_a_select_loses_nothing() {
    for runtime in runtimes() {
        let _watchdog = Watchdog::new("case_53");
        let queue = AioQueue::unbounded().unwrap();
        let feeder = AioProcess::spawn(feed_slowly, (queue.clone(), 1000)).unwrap();
        let got = runtime.block_on(async {
            let mut got = Vec::new();
            let mut timer = tokio::time::interval(Duration::from_micros(300));
            loop {
                tokio::select! {
                    item = queue.coro_get() => match item {
                        Ok(item) => got.push(item),
                        Err(error) => {
                            assert!(error.is_closed());
                            return got;
                        }
                    },
                    _ = timer.tick() => {}
                }
            }
        });
        feeder.join().unwrap();
        assert!(got.into_iter().eq(0..1000));
    }
}

#[test]
fn case_54_a_put_in_a_task_respects_the_bound() {
    let _watchdog = Watchdog::new("case_54");
    kit::runtime().block_on(async {
        let queue = AioQueue::bounded(3).unwrap();
        let put_many = async {
            for item in 0..100_u64 {
                queue.coro_put(item).await.unwrap();
                assert!(queue.len() <= 3);
            }
        };
        let get_many = async {
            for item in 0..100 {
                tokio::task::yield_now().await;
                assert_eq!(queue.coro_get().await.unwrap(), item);
            }
        };
        tokio::join!(put_many, get_many);
    });
}

#[test]
fn case_60_a_runtime_dropped_with_pending_gets_holds_nobody_up() {
    fn leave_gets_behind(queue: AioQueue<u64>) -> u64 {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        for _ in 0..10 {
            let queue = queue.clone();
            runtime.spawn(async move { queue.coro_get().await });
        }
        kit::until("they wait", || format!("{queue:?}").contains("waiting_getters: 10"));
        drop(runtime);
        kit::until("none waits", || format!("{queue:?}").contains("waiting_getters: 0"));
        queue.put(5).unwrap();
        queue.get().unwrap()
    }
    let _watchdog = Watchdog::new("case_60");
    let queue = AioQueue::unbounded().unwrap();
    let child = AioProcess::spawn(leave_gets_behind, (queue.clone(),)).unwrap();
    assert_eq!(child.join().unwrap(), 5);
    assert_eq!(leave_gets_behind(queue), 5);
}

#[test]
fn one_handle_in_two_runtimes_at_once() {
    let _watchdog = Watchdog::new("two_runtimes");
    let (asks, replies) = (AioQueue::unbounded().unwrap(), AioQueue::unbounded().unwrap());
    let (theirs, back) = (asks.clone(), replies.clone());
    let other = std::thread::spawn(move || {
        kit::runtime().block_on(async {
            while let Ok(item) = theirs.coro_get().await {
                back.coro_put(item + 1).await.unwrap();
            }
        });
    });
    for runtime in runtimes() {
        runtime.block_on(async {
            for item in 0..300_u64 {
                asks.coro_put(item).await.unwrap();
                assert_eq!(replies.coro_get().await.unwrap(), item + 1);
            }
        });
    }
    asks.close();
    other.join().unwrap();
}
