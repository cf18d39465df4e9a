//! Data is fetched by async tasks and worked on in processes: a queue carries it, a pool works, a pipe reports.

use aioprocessing::{AioPipe, AioPool, AioProcess, AioQueue, AioSender};

async fn fetch(n: u64) -> Vec<u64> {
    tokio::task::yield_now().await;
    (0..n).collect()
}

fn consume(queue: AioQueue<Vec<u64>>, report: AioSender<u64>) {
    for item in queue.iter() {
        report.send(&item.unwrap().into_iter().sum()).unwrap();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    aioprocessing::init();
    let queue = AioQueue::bounded(2)?;
    let (reports, report) = AioPipe::<u64>::simplex()?;
    let consumer = AioProcess::spawn(consume, (queue.clone(), report))?;
    for n in 1..=5 {
        queue.coro_put(fetch(n * 10).await).await?;
    }
    queue.close();
    let mut sums = Vec::new();
    while let Ok(sum) = reports.coro_recv().await {
        sums.push(sum);
    }
    consumer.coro_join().await?;
    println!("sums: {sums:?}");
    let pool = AioPool::new(2)?;
    println!("in a pool: {:?}", pool.coro_map(|n: u64| (0..n * 10).sum::<u64>(), 1..=5).await?);
    Ok(())
}
