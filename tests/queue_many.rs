//! Batches, iterators, streams and sinks, and counts.
#![cfg_attr(not(feature = "tokio"), allow(dead_code, unused_imports))]

mod kit;

use aioprocessing::AioQueue;
use kit::sides::{Side, each, start};

aioprocessing::test_support!();

fn put_many(side: Side, queue: &AioQueue<u64>, items: std::ops::Range<u64>) -> usize {
    match side {
        Side::Blocking => queue.put_many(items).unwrap(),
        #[cfg(feature = "tokio")]
        Side::Coro => kit::runtime().block_on(queue.coro_put_many(items)).unwrap(),
        #[cfg(not(feature = "tokio"))]
        Side::Coro => unreachable!("not in ALL"),
    }
}

fn get_many(side: Side, queue: &AioQueue<u64>, most: usize) -> Option<Vec<u64>> {
    let got = match side {
        Side::Blocking => queue.get_many(most),
        #[cfg(feature = "tokio")]
        Side::Coro => kit::runtime().block_on(queue.coro_get_many(most)),
        #[cfg(not(feature = "tokio"))]
        Side::Coro => unreachable!("not in ALL"),
    };
    match got {
        Ok(items) => Some(items),
        Err(error) if error.is_closed() => None,
        Err(error) => panic!("{error}"),
    }
}

fn get_in_batches(queue: AioQueue<u64>, side: Side) -> Vec<u64> {
    std::iter::from_fn(|| get_many(side, &queue, 32)).flatten().collect()
}

#[test]
fn batches_arrive_in_order_and_respect_the_bound() {
    each("batches", |side, place, _| {
        for bound in [None, Some(1), Some(100)] {
            let queue = match bound {
                Some(bound) => AioQueue::bounded(bound).unwrap(),
                None => AioQueue::unbounded().unwrap(),
            };
            let getter = start!(place, get_in_batches, (queue, side));
            assert_eq!(put_many(side, &queue, 0..5000), 5000);
            assert!(bound.is_none_or(|bound| queue.len() <= bound));
            queue.close();
            assert!(getter.join().into_iter().eq(0..5000));
        }
    });
}

#[test]
fn a_batch_takes_what_is_there_and_no_more_than_asked_for() {
    let queue = AioQueue::unbounded().unwrap();
    assert_eq!(queue.put_many(0..10_u64).unwrap(), 10);
    assert_eq!(queue.put_many(std::iter::empty()).unwrap(), 0);
    assert_eq!(queue.get_many(3).unwrap(), [0, 1, 2]);
    assert_eq!(queue.get_many(0).unwrap(), []);
    assert_eq!(queue.get_many(100).unwrap(), [3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn what_a_batch_could_not_put_comes_back() {
    let queue = AioQueue::unbounded().unwrap();
    queue.put(1_u64).unwrap();
    queue.close();
    let error = queue.put_many([5, 6, 7]).unwrap_err();
    assert!(error.is_closed() && error.put() == 0);
    assert_eq!(error.into_inner(), [5, 6, 7]);
    let limited = AioQueue::builder().memory_limit(1 << 20).build::<Vec<u8>>().unwrap();
    let error = limited.put_many([vec![1], vec![2; 100_000], vec![3; 2 << 20], vec![4]]).unwrap_err();
    assert_eq!(error.put(), 2);
    assert_eq!(error.into_inner()[0].len(), 2 << 20);
    assert_eq!(limited.get_many(9).unwrap().len(), 2, "long ones come in batches, too");
}

#[test]
fn an_iterator_ends_with_the_queue() {
    let queue = AioQueue::unbounded().unwrap();
    queue.put_many(0..5_u64).unwrap();
    queue.close();
    assert_eq!(queue.iter().map(Result::unwrap).sum::<u64>(), 10);
    assert!((&queue).into_iter().next().is_none());
}

#[cfg(feature = "tokio")]
#[test]
fn a_stream_and_a_sink() {
    use std::pin::pin;

    use futures_core::Stream as _;
    use futures_sink::Sink as _;

    let _watchdog = kit::Watchdog::new("stream");
    kit::runtime().block_on(async {
        let queue = AioQueue::bounded(2).unwrap();
        let (mut sink, mut stream) = (pin!(queue.clone().into_sink()), pin!(queue.clone().into_stream()));
        let send = async {
            for item in 0..100_u64 {
                std::future::poll_fn(|cx| sink.as_mut().poll_ready(cx)).await.unwrap();
                sink.as_mut().start_send(item).unwrap();
            }
            std::future::poll_fn(|cx| sink.as_mut().poll_close(cx)).await.unwrap();
            queue.close();
        };
        let receive = async {
            let mut all = Vec::new();
            while let Some(item) = std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
                all.push(item.unwrap());
            }
            all
        };
        let ((), all) = tokio::join!(send, receive);
        assert!(all.into_iter().eq(0..100));
    });
}

#[test]
fn the_counts_are_right() {
    let queue = AioQueue::bounded(3).unwrap();
    queue.put_many(0..3_u64).unwrap();
    assert!(queue.put_timeout(9, std::time::Duration::from_millis(5)).is_err());
    queue.get_many(3).unwrap();
    assert!(queue.get_timeout(std::time::Duration::from_millis(5)).unwrap_err().is_timeout());
    let stats = queue.stats();
    assert_eq!((stats.puts, stats.gets, stats.put_waits, stats.get_waits, stats.peak_len), (3, 3, 1, 1, 3));
}
