//! Batches, iterators, streams and sinks, and counts.
#![cfg_attr(not(feature = "tokio"), allow(dead_code, unused_imports))]

mod kit;

use std::time::Duration;

use aioprocessing::{
    AioQueue, GetError, GetManyTimeoutError, GetTimeoutError, PutManyTimeoutError, PutTimeoutError,
    TryGetError, TryPutError,
};
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

/// `put_many` for a time, and what came back: how many were put, and the others.
fn put_many_for(
    side: Side,
    queue: &AioQueue<u64>,
    items: std::ops::Range<u64>,
    time: Duration,
) -> (usize, Vec<u64>) {
    match side {
        Side::Blocking => match queue.put_many_timeout(items, time) {
            Ok(put) => (put, Vec::new()),
            Err(error) => {
                assert!(error.is_timeout() && !error.is_closed(), "{error}");
                assert!(matches!(error.reason(), PutTimeoutError::Timeout(())));
                (error.put(), error.into_inner())
            }
        },
        #[cfg(feature = "tokio")]
        Side::Coro => {
            let put = queue.coro_put_many(items.clone());
            let done = kit::runtime().block_on(async { tokio::time::timeout(time, put).await });
            match done {
                Ok(put) => (put.unwrap(), Vec::new()),
                Err(_) => (queue.len(), (items.start + queue.len() as u64..items.end).collect()),
            }
        }
        #[cfg(not(feature = "tokio"))]
        Side::Coro => unreachable!("not in ALL"),
    }
}

/// `None`: the time was over.
fn get_many_for(side: Side, queue: &AioQueue<u64>, most: usize, time: Duration) -> Option<Vec<u64>> {
    match side {
        Side::Blocking => match queue.get_many_timeout(most, time) {
            Ok(items) => Some(items),
            Err(error) => {
                assert!(error.is_timeout() && !error.is_closed(), "{error}");
                assert!(matches!(error.reasons(), [GetTimeoutError::Timeout]));
                None
            }
        },
        #[cfg(feature = "tokio")]
        Side::Coro => {
            let got = queue.coro_get_many(most);
            let done = kit::runtime().block_on(async { tokio::time::timeout(time, got).await });
            done.ok().map(Result::unwrap)
        }
        #[cfg(not(feature = "tokio"))]
        Side::Coro => unreachable!("not in ALL"),
    }
}

const SOON: Duration = Duration::from_millis(5);
const LATE: Duration = Duration::from_secs(60);

#[test]
fn a_batch_gives_up_after_its_time() {
    each("time of batches", |side, _, _| {
        let queue = AioQueue::bounded(100).unwrap();
        assert_eq!(get_many_for(side, &queue, 5, SOON), None);
        let (put, left) = put_many_for(side, &queue, 0..250, SOON);
        assert_eq!(put, 100);
        assert!(left.into_iter().eq(100..250), "all that was not put comes back");
        assert!(get_many_for(side, &queue, 1000, LATE).unwrap().into_iter().eq(0..100));
        assert_eq!(get_many_for(side, &queue, 5, SOON), None);
    });
}

#[test]
fn the_time_of_a_batch_is_for_all_of_it() {
    let queue = AioQueue::unbounded().unwrap();
    let slow = (0..200_u64).inspect(|item| {
        if item % 64 == 0 {
            std::thread::sleep(SOON * 2);
        }
    });
    let error = queue.put_many_timeout(slow, SOON).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(error.put(), queue.len());
    assert!(queue.len() < 200);
    assert!(error.into_inner().into_iter().eq(queue.len() as u64..200));
}

/// Takes all in batches, each of which may take long to come.
fn get_in_time(queue: AioQueue<u64>, side: Side) -> Vec<u64> {
    let mut all = Vec::new();
    while all.len() < 1000 {
        all.extend(get_many_for(side, &queue, 32, LATE).expect("it is late"));
    }
    all
}

#[test]
fn a_batch_waits_for_its_time() {
    each("batches in time", |side, place, _| {
        let queue = AioQueue::bounded(10).unwrap();
        let getter = start!(place, get_in_time, (queue.clone(), side));
        assert_eq!(put_many_for(side, &queue, 0..1000, LATE), (1000, Vec::new()));
        assert!(getter.join().into_iter().eq(0..1000));
    });
}

/// Takes what is there until it was all.
fn get_now(queue: AioQueue<u64>, _: Side) -> Vec<u64> {
    let mut all = Vec::new();
    while all.len() < 1000 {
        match queue.try_get_many(32) {
            Ok(items) => {
                assert!((1..=32).contains(&items.len()));
                all.extend(items);
            }
            Err(error) => {
                assert!(error.is_empty() && !error.is_closed(), "{error}");
                assert!(error.into_inner().is_empty());
                std::thread::yield_now();
            }
        }
    }
    all
}

#[test]
fn a_batch_now_or_never() {
    each("batches at once", |side, place, _| {
        let queue = AioQueue::bounded(10).unwrap();
        assert!(queue.try_get_many(3).unwrap_err().is_empty());
        assert_eq!(queue.try_get_many(0).unwrap(), []);
        let getter = start!(place, get_now, (queue.clone(), side));
        let mut left: Vec<u64> = (0..1000).collect();
        while !left.is_empty() {
            let before = left.len();
            left = match queue.try_put_many(left) {
                Ok(put) => {
                    assert_eq!(put, before);
                    Vec::new()
                }
                Err(error) => {
                    assert!(error.is_full() && !error.is_closed(), "{error}");
                    assert!(matches!(error.reason(), TryPutError::Full(())));
                    let put = error.put();
                    let left = error.into_inner();
                    assert_eq!(put + left.len(), before, "those that were not even looked at come back, too");
                    left
                }
            };
            std::thread::yield_now();
        }
        assert!(getter.join().into_iter().eq(0..1000));
    });
}

#[test]
fn a_closed_queue_says_so_in_every_form() {
    let queue = AioQueue::unbounded().unwrap();
    queue.put(1_u64).unwrap();
    queue.close();
    let error = queue.try_put_many([5, 6]).unwrap_err();
    assert!(error.is_closed() && !error.is_full() && error.put() == 0);
    assert_eq!(error.into_inner(), [5, 6]);
    let error: PutManyTimeoutError<u64> = queue.put_many_timeout([5, 6], LATE).unwrap_err();
    assert!(error.is_closed() && !error.is_timeout() && error.put() == 0);
    assert_eq!(error.into_inner(), [5, 6]);
    assert_eq!(queue.try_get_many(9).unwrap(), [1]);
    let error = queue.try_get_many(9).unwrap_err();
    assert!(error.is_closed() && matches!(error.reasons(), [TryGetError::Closed]));
    let error: GetManyTimeoutError<u64> = queue.get_many_timeout(9, LATE).unwrap_err();
    assert!(error.is_closed() && !error.is_timeout());
    assert!(matches!(queue.get_many(9).unwrap_err().reasons(), [GetError::Closed]));
}

#[cfg(feature = "tokio")]
#[test]
fn a_cancelled_batch_takes_nothing() {
    let _watchdog = kit::Watchdog::new("cancelled batches");
    let queue = AioQueue::bounded(5).unwrap();
    let putter = {
        let queue = queue.clone();
        std::thread::spawn(move || queue.put_many(0..2000_u64).unwrap())
    };
    let got = kit::runtime().block_on(async {
        let mut got = Vec::new();
        while got.len() < 2000 {
            tokio::select! {
                items = queue.coro_get_many(3) => got.extend(items.unwrap()),
                () = tokio::task::yield_now() => {}
            }
        }
        got
    });
    assert_eq!(putter.join().unwrap(), 2000);
    assert!(got.into_iter().eq(0..2000));
}

/// Of every kind: moved, plain, and through the codec.
#[test]
fn batches_of_every_kind_of_item() {
    fn pass<T>(items: Vec<T>)
    where
        T: serde::Serialize
            + serde::de::DeserializeOwned
            + Clone
            + PartialEq
            + std::fmt::Debug
            + Send
            + 'static,
    {
        let queue = AioQueue::unbounded().unwrap();
        for most in [1, 7, 64, 1000] {
            assert_eq!(queue.put_many(items.clone()).unwrap(), items.len());
            let mut all = Vec::new();
            while all.len() < items.len() {
                let some = queue.get_many(most).unwrap();
                assert_eq!(some.len(), most.min(items.len() - all.len()), "they were all there");
                all.extend(some);
            }
            assert_eq!(all, items);
        }
    }
    let texts = (0..300_usize).map(|i| "x".repeat(i * 7 % 90));
    pass(texts.clone().collect::<Vec<String>>());
    pass(texts.clone().map(String::into_bytes).collect());
    pass((0..300_u64).map(|i| [i, i + 1]).collect());
    pass((0..300_u64).map(|i| vec![i; (i % 9) as usize]).collect());
    pass(texts.map(|text| (text.len() as u8, text, Some(1.5))).collect());
    // Across many blocks, and with long ones among them, each of which is put and got alone.
    let lengths = [10, 30_000, 32_640, 32_641, 5, 150_000, 24, 25, 0, 65_536, 65_536, 3];
    pass((0..60_usize).map(|i| vec![i as u8; lengths[i % lengths.len()]]).collect());
    pass((0..60_usize).map(|i| (i, "x".repeat(lengths[i % lengths.len()]))).collect());
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
