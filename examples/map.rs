//! A blocking function over a list, in a pool of five processes, from inside of an event loop.

use std::time::Duration;

use aioprocessing::AioPool;

fn work(n: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(n % 3));
    n * 2
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let pool = AioPool::new(5)?;
    let doubled = pool.coro_map(work, 0..20).await?;
    println!("{doubled:?}");
    pool.coro_join().await?;
    Ok(())
}
