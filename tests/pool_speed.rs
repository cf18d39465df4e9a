//! How fast a pool is, beside Python's. Figures are for reading: nothing here fails by them.
#![allow(missing_docs)]

use std::time::{Duration, Instant};

use aioprocessing::AioPool;

aioprocessing::test_support!();

fn nothing(x: u64) -> u64 {
    x
}

fn a_millisecond() {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1) {
        std::hint::spin_loop();
    }
}

fn rate(name: &str, tasks: u64, body: impl FnOnce()) {
    let begun = Instant::now();
    body();
    let took = begun.elapsed();
    println!("{name}: {:.0} a second ({took:.1?})", tasks as f64 / took.as_secs_f64());
}

#[test]
#[ignore = "a measurement"]
fn measure() {
    let pool = AioPool::new(2).unwrap();
    let n = 1_000_000;
    assert_eq!(pool.map(nothing, 0..1000).unwrap().len(), 1000);
    for _ in 0..3 {
        rate("map, chunks chosen", n, || {
            let sum: u64 = pool.map(nothing, 0..n).unwrap().iter().sum();
            assert_eq!(sum, n * (n - 1) / 2);
        });
        let n = 300_000;
        rate("map, one by one", n, || {
            let sum: u64 = pool.with_chunk_size(1).map(nothing, 0..n).unwrap().iter().sum();
            assert_eq!(sum, n * (n - 1) / 2);
        });
        rate("imap_unordered", n, || {
            let sum: u64 = pool.imap_unordered(nothing, 0..n).map(Result::unwrap).sum();
            assert_eq!(sum, n * (n - 1) / 2);
        });
        rate("apply, one after the other", 10_000, || {
            (0..10_000).for_each(|x| assert_eq!(pool.apply(nothing, (x,)).unwrap(), x));
        });
        rate("submit all, then all results", 50_000, || {
            let tasks: Vec<_> = (0..50_000).map(|x| pool.submit(nothing, (x,)).unwrap()).collect();
            let sum: u64 = tasks.iter().map(|task| task.result().unwrap()).sum();
            assert_eq!(sum, 50_000 * 49_999 / 2);
        });
        let begun = Instant::now();
        pool.starmap(a_millisecond, vec![(); 200]).unwrap();
        println!("200 tasks of 1 ms: {:.3} of ideal", 0.1 / begun.elapsed().as_secs_f64());
        #[cfg(feature = "tokio")]
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let begun = Instant::now();
            assert_eq!(pool.coro_map(nothing, 0..10_000).await.unwrap().len(), 10_000);
            println!("coro_map of 10,000: {:.1?}", begun.elapsed());
            let begun = Instant::now();
            let mut set = tokio::task::JoinSet::new();
            for x in 0..10_000 {
                let pool = pool.clone();
                set.spawn(async move { pool.coro_apply(nothing, (x,)).await.unwrap() });
            }
            let sum: u64 = set.join_all().await.iter().sum();
            assert_eq!(sum, 10_000 * 9_999 / 2);
            println!("10,000 coro_apply at once: {:.1?}", begun.elapsed());
        });
    }
}
