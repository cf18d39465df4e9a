//! A job is lent to a worker that dies with it, and goes to the next: nothing is lost, and it is known how often it was tried.

use aioprocessing::{AioLeaseQueue, AioProcess, AioQueue};

/// Aborts over the second job when it comes for the first time.
fn worker(jobs: AioLeaseQueue<u32>, results: AioQueue<(u32, u16)>) {
    while let Ok(job) = jobs.get() {
        if *job == 2 && job.attempts() == 1 {
            std::process::abort();
        }
        results.put((*job * 10, job.attempts())).unwrap();
        job.ack();
    }
}

fn main() {
    aioprocessing::init();
    let jobs = AioQueue::builder().lease(3).build::<u32>().unwrap();
    let results = AioQueue::unbounded().unwrap();
    (1..=3).for_each(|job| jobs.put(job).unwrap());
    jobs.close();
    let first = AioProcess::spawn(worker, (jobs.clone(), results.clone())).unwrap();
    println!("first worker: {}", if first.join().is_err() { "died" } else { "done" });
    let second = AioProcess::spawn(worker, (jobs.clone(), results.clone())).unwrap();
    second.join().unwrap();
    println!("second worker: done");
    let mut results = results.get_many(10).unwrap();
    results.sort_unstable();
    for (result, attempts) in results {
        println!("{result} at attempt {attempts}");
    }
    println!("jobs left: {}", jobs.len());
}
