//! A worker is killed every 50 ms while 10,000 tasks run; with retries every result is right.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aioprocessing::{AioPool, active_children};

fn work(x: u64) -> u64 {
    std::thread::sleep(Duration::from_micros(100));
    x * x
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let pool = AioPool::builder().workers(4).retries(20).build()?;
    let done = AtomicBool::new(false);
    let squares = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(50));
                active_children().first().map(|worker| worker.kill());
            }
        });
        let squares = pool.map(work, 0..10_000);
        done.store(true, Ordering::Relaxed);
        squares
    })?;
    let right = squares.iter().zip(0..).filter(|&(&square, x)| square == x * x).count();
    println!("{right} of {} results are right", squares.len());
    Ok(())
}
