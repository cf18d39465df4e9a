//! How long a message takes to workers, by queue and by pipe: the latency meter of aioprocessing's issue 27. The figures go to
//! stderr, as they differ from run to run.

use std::time::{SystemTime, UNIX_EPOCH};

use aioprocessing::{AioPipe, AioProcess, AioQueue, AioReceiver};

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

/// The delays of all messages, the middle one first.
fn worker(queue: AioQueue<u128>, pipe: AioReceiver<u128>) -> [Vec<u128>; 2] {
    let by_queue = queue.iter().map(|sent| now() - sent.unwrap()).collect();
    let by_pipe = std::iter::from_fn(|| pipe.recv().ok()).map(|sent| now() - sent).collect();
    [by_queue, by_pipe]
}

fn main() {
    aioprocessing::init();
    for number in 1..=3 {
        let queue = AioQueue::unbounded().unwrap();
        let (receiver, sender) = AioPipe::<u128>::simplex().unwrap();
        let child = AioProcess::spawn(worker, (queue.clone(), receiver)).unwrap();
        for _ in 0..20 {
            queue.put(now()).unwrap();
        }
        queue.close();
        (0..20).for_each(|_| sender.send(&now()).unwrap());
        drop(sender);
        for (way, mut delays) in ["queue", "pipe"].into_iter().zip(child.join().unwrap()) {
            delays.sort_unstable();
            eprintln!("worker {number}, {way}: {} ns in the middle", delays[delays.len() / 2]);
            println!("worker {number} got {} messages by {way}", delays.len());
        }
    }
}
