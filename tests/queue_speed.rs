//! How fast a queue is: `cargo test --release --test queue_speed -- --ignored --nocapture`. Figures, no verdicts.
#![cfg_attr(not(feature = "tokio"), allow(dead_code, unused_imports))]

mod kit;

use std::time::Instant;

use aioprocessing::{AioProcess, AioQueue};

aioprocessing::test_support!();

type Item = Vec<u8>;

fn rate(name: &str, size: usize, count: u64, begun: Instant) {
    let seconds = begun.elapsed().as_secs_f64();
    println!("{name:28} {size:>8} B {:>12.0}/s", count as f64 / seconds);
}

fn produce(queue: AioQueue<Item>, size: usize, count: u64) {
    for _ in 0..count {
        queue.put(vec![1; size]).unwrap();
    }
}

#[cfg(feature = "tokio")]
fn coro_produce(queue: AioQueue<Item>, size: usize, count: u64) {
    kit::runtime().block_on(async {
        for _ in 0..count {
            queue.coro_put(vec![1; size]).await.unwrap();
        }
    });
}

fn echo(asks: AioQueue<Item>, replies: AioQueue<Item>) {
    while let Ok(item) = asks.get() {
        replies.put(item).unwrap();
    }
}

#[cfg(feature = "tokio")]
fn coro_echo(asks: AioQueue<Item>, replies: AioQueue<Item>) {
    kit::runtime().block_on(async {
        while let Ok(item) = asks.coro_get().await {
            replies.coro_put(item).await.unwrap();
        }
    });
}

fn builder(on: &[usize]) -> aioprocessing::ProcessBuilder {
    AioProcess::builder().cpu_affinity(on.to_vec())
}

#[test]
#[ignore = "measures"]
fn throughput() {
    for (size, count) in
        [(8, 3_000_000_u64), (64, 3_000_000), (1024, 2_000_000), (65_536, 100_000), (1 << 20, 10_000)]
    {
        for bound in [1000, 0] {
            let queue = || if bound == 0 { AioQueue::unbounded() } else { AioQueue::bounded(bound) }.unwrap();
            let consume = |queue: AioQueue<Item>, count: u64| {
                let begun = Instant::now();
                let mut bytes = 0;
                for _ in 0..count {
                    bytes += queue.get().unwrap().len();
                }
                assert!(bytes > 0);
                begun.elapsed().as_secs_f64()
            };
            let q = queue();
            let begun = Instant::now();
            let consumer = builder(&[0]).spawn(consume, (q.clone(), count)).unwrap();
            let producer = builder(&[1]).spawn(produce, (q.clone(), size, count)).unwrap();
            consumer.join().unwrap();
            producer.join().unwrap();
            rate(&format!("blocking, bound {bound}"), size, count, begun);
            #[cfg(feature = "tokio")]
            {
                let q = queue();
                let coro_consume = |queue: AioQueue<Item>, count: u64| {
                    kit::runtime().block_on(async {
                        for _ in 0..count {
                            queue.coro_get().await.unwrap();
                        }
                    });
                };
                let begun = Instant::now();
                let consumer = builder(&[0]).spawn(coro_consume, (q.clone(), count)).unwrap();
                let producer = builder(&[1]).spawn(coro_produce, (q.clone(), size, count)).unwrap();
                consumer.join().unwrap();
                producer.join().unwrap();
                rate(&format!("async, bound {bound}"), size, count, begun);
            }
        }
    }
}

#[test]
#[ignore = "measures"]
fn one_after_the_other() {
    let count = 5_000_000_u64;
    let queue = AioQueue::unbounded().unwrap();
    let begun = Instant::now();
    for item in 0..count {
        queue.put(item).unwrap();
        assert_eq!(queue.get().unwrap(), item);
    }
    rate("u64, put and get, one process", 8, count, begun);
    let queue = AioQueue::unbounded().unwrap();
    let begun = Instant::now();
    for item in 0..count {
        queue.put(vec![item as u8; 64]).unwrap();
        assert_eq!(queue.get().unwrap().len(), 64);
    }
    rate("bytes, put and get", 64, count, begun);
}

#[test]
#[ignore = "measures"]
fn round_trips() {
    for (name, cpus, count) in [("cross", [0, 1], 100_000_u64), ("same", [0, 0], 200_000)] {
        let (asks, replies) = (AioQueue::unbounded().unwrap(), AioQueue::unbounded().unwrap());
        let ask = |asks: AioQueue<Item>, replies: AioQueue<Item>, count: u64| {
            for _ in 0..count {
                asks.put(vec![1; 64]).unwrap();
                replies.get().unwrap();
            }
            asks.close();
        };
        let begun = Instant::now();
        let other = builder(&[cpus[0]]).spawn(echo, (asks.clone(), replies.clone())).unwrap();
        builder(&[cpus[1]]).spawn(ask, (asks, replies, count)).unwrap().join().unwrap();
        other.join().unwrap();
        println!(
            "round trip, blocking, {name}: {:.2} µs",
            begun.elapsed().as_secs_f64() * 1e6 / count as f64
        );
        #[cfg(feature = "tokio")]
        {
            let (asks, replies) = (AioQueue::unbounded().unwrap(), AioQueue::unbounded().unwrap());
            let ask = |asks: AioQueue<Item>, replies: AioQueue<Item>, count: u64| {
                kit::runtime().block_on(async {
                    for _ in 0..count {
                        asks.coro_put(vec![1; 64]).await.unwrap();
                        replies.coro_get().await.unwrap();
                    }
                });
                asks.close();
            };
            let begun = Instant::now();
            let other = builder(&[cpus[0]]).spawn(coro_echo, (asks.clone(), replies.clone())).unwrap();
            builder(&[cpus[1]]).spawn(ask, (asks, replies, count)).unwrap().join().unwrap();
            other.join().unwrap();
            println!(
                "round trip, async, {name}: {:.2} µs",
                begun.elapsed().as_secs_f64() * 1e6 / count as f64
            );
        }
    }
}
