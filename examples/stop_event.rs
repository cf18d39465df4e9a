//! Workers that look for work until a shared event tells them to stop, and an async parent that does the same.

use std::time::Duration;

use aioprocessing::{AioEvent, AioProcess, AioQueue};

const LOOK: Duration = Duration::from_millis(20);

fn worker(jobs: AioQueue<u32>, results: AioQueue<u32>, stop: AioEvent) -> String {
    while !stop.is_set() {
        match jobs.get_timeout(LOOK) {
            Ok(job) => results.put(job * job).unwrap(),
            Err(error) => assert!(error.is_timeout(), "{error}"),
        }
    }
    "stopped".into()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    aioprocessing::init();
    let (jobs, results) = (AioQueue::unbounded().unwrap(), AioQueue::unbounded().unwrap());
    let stop = AioEvent::new().unwrap();
    let spawn = || AioProcess::spawn(worker, (jobs.clone(), results.clone(), stop.clone())).unwrap();
    let children: Vec<_> = (0..3).map(|_| spawn()).collect();
    for job in 1..=10 {
        jobs.coro_put(job).await.unwrap();
    }
    let mut squares = vec![];
    while !stop.is_set() {
        squares.extend(tokio::time::timeout(LOOK, results.coro_get()).await.map(Result::unwrap));
        if squares.len() == 10 {
            stop.set();
        }
    }
    println!("the squares of 1 to 10 add up to {}", squares.iter().sum::<u32>());
    for child in children {
        println!("a worker {}", child.coro_join().await.unwrap());
    }
}
