//! A queue whose items hold queues and locks: each request brings the queue for its own reply. Python's queues can't be sent like this.

use aioprocessing::{AioLock, AioProcess, AioQueue};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Request {
    number: u64,
    reply: AioQueue<String>,
    lock: AioLock,
}

fn worker(requests: AioQueue<Request>) -> u64 {
    let mut served = 0;
    while let Ok(Request { number, reply, lock }) = requests.get() {
        let _guard = lock.acquire().unwrap();
        reply.put(format!("{number} squared is {}", number * number)).unwrap();
        served += 1;
    }
    served
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    aioprocessing::init();
    let requests = AioQueue::bounded(10).unwrap();
    let children: Vec<_> = (0..2).map(|_| AioProcess::spawn(worker, (requests.clone(),)).unwrap()).collect();
    let lock = AioLock::new().unwrap();
    for number in 1..=4 {
        let reply = AioQueue::bounded(1).unwrap();
        requests.coro_put(Request { number, reply: reply.clone(), lock: lock.clone() }).await.unwrap();
        println!("{}", reply.coro_get().await.unwrap());
    }
    requests.close();
    let served: u64 = children.iter().map(|child| child.join().unwrap()).sum();
    println!("{served} requests served");
}
