//! A worker process and two tasks of its parent share a queue, an event and a lock: the example of aioprocessing's README.

use aioprocessing::{AioEvent, AioLock, AioProcess, AioQueue};

type Results = AioQueue<Option<u64>>;

/// Runs in a process of its own, with blocking calls.
fn worker(results: Results, event: AioEvent, lock: AioLock, items: Vec<u64>) {
    let _guard = lock.acquire().unwrap();
    event.set();
    for item in items {
        results.put(Some(item + 5)).unwrap();
    }
}

/// Prints what comes until the stop mark, then joins the worker.
async fn example(results: Results, event: AioEvent, lock: AioLock) {
    let child = AioProcess::spawn(worker, (results.clone(), event, lock, vec![1, 2, 3, 4, 5])).unwrap();
    while let Some(result) = results.coro_get().await.unwrap() {
        println!("Got result {result}");
    }
    child.coro_join().await.unwrap();
    println!("worker left with code {}", child.exit_code().unwrap());
}

/// Waits for the worker twice: for its event, and for the lock that it holds until it is done.
async fn example2(results: Results, event: AioEvent, lock: AioLock) {
    event.coro_wait().await.unwrap();
    let _guard = lock.coro_acquire().await.unwrap();
    results.coro_put(Some(78)).await.unwrap();
    results.coro_put(None).await.unwrap();
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    aioprocessing::init();
    let (results, event, lock) =
        (AioQueue::unbounded().unwrap(), AioEvent::new().unwrap(), AioLock::new().unwrap());
    tokio::join!(example(results.clone(), event.clone(), lock.clone()), example2(results, event, lock));
}
