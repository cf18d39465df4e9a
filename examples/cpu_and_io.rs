//! A sum over a million numbers in a worker process while the event loop waits for something else: neither holds up the other.

use std::time::{Duration, Instant};

fn cpu_bound(n: u64) -> u64 {
    (0..n).fold(0, |sum, i| sum + i * i)
}

async fn io_bound() -> &'static str {
    tokio::time::sleep(Duration::from_secs(1)).await;
    "io done"
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let begun = Instant::now();
    let sum = async {
        let sum = aioprocessing::run_in_process(cpu_bound, (1_000_000,)).await?;
        println!("cpu: {sum}, before the second is over: {}", begun.elapsed() < Duration::from_secs(1));
        Ok::<_, aioprocessing::TaskError>(())
    };
    let (sum, io) = tokio::join!(sum, io_bound());
    sum?;
    println!("io: {io}");
    Ok(())
}
