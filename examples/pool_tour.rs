//! The tour of Python's pool: map, imap_unordered, results with a time limit, pids, and use after the end.

use std::collections::HashSet;
use std::time::Duration;

use aioprocessing::AioPool;

fn square(x: u64) -> u64 {
    x * x
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let pool = AioPool::new(4)?;
    println!("{:?}", pool.map(square, 0..10)?);
    let mut squares: Vec<u64> = pool.imap_unordered(square, 0..10).collect::<Result<_, _>>()?;
    squares.sort_unstable();
    println!("{squares:?}");

    let task = pool.submit(square, (20,))?;
    println!("{}", task.result_timeout(Duration::from_secs(60))?);

    let tasks: Vec<_> = (0..4).map(|_| pool.submit(std::process::id, ())).collect::<Result<_, _>>()?;
    let pids: HashSet<u32> = tasks.iter().map(|task| task.result()).collect::<Result<_, _>>()?;
    println!("workers answered: {}", pids.iter().all(|pid| pool.worker_pids().contains(pid)));

    let slow = pool.submit(|| std::thread::sleep(Duration::from_secs(60)), ())?;
    println!("{}", slow.result_timeout(Duration::from_millis(100)).unwrap_err());

    pool.terminate();
    println!("{}", pool.apply(square, (1,)).unwrap_err());
    Ok(())
}
