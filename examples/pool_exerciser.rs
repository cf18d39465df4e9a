//! Python's pool exerciser: every way to hand in work, errors in each, polling, callbacks, and the ends of a pool.

use std::time::{Duration, Instant};

use aioprocessing::AioPool;

fn calculate(name: String, a: i64, b: i64) -> String {
    std::thread::sleep(Duration::from_millis(5));
    format!("{a} {name} {b} = {}", if name == "times" { a * b } else { a + b })
}

fn divide(x: i64) -> i64 {
    1000 / (x - 5)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let pool = AioPool::new(4)?;
    let tasks = (0..20).map(|i| (["times", "plus"][i as usize % 2].to_owned(), i, 7));
    let all = pool.starmap(calculate, tasks)?;
    println!("{} results, from {:?} to {:?}", all.len(), all[0], all[19]);

    let begun = Instant::now();
    println!("cubes: {}", pool.map(|x: u64| x * x * x, 0..100_000)?.len());
    println!("no-ops: {}", pool.with_chunk_size(5000).map(|_: u64| (), 0..1_000_000)?.len());
    eprintln!("both in {:.1?}", begun.elapsed());

    println!("apply: {}", pool.apply(divide, (5,)).is_err());
    println!("map: {}", pool.map(divide, 0..10).is_err());
    println!("imap: {:?}", pool.imap(divide, 3..8).map(Result::ok).collect::<Vec<_>>());

    let slow = pool.submit(calculate, ("plus".to_owned(), 1, 1))?;
    while slow.result_timeout(Duration::from_millis(20)).is_err_and(|error| error.is_timeout()) {}
    slow.on_done(|result| println!("callback: {}", result.unwrap()));
    pool.join()?;
    println!("closed: {}", pool.apply(divide, (1,)).unwrap_err().is_closed());
    Ok(())
}
