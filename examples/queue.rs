//! A child puts, the parent gets: the queue example of Python's multiprocessing docs.

use aioprocessing::{AioProcess, AioQueue};

type Mixed = (u32, Option<bool>, String);

fn child(queue: AioQueue<Mixed>) {
    queue.put((42, None, "hello".to_owned())).unwrap();
}

fn main() {
    aioprocessing::init();
    let queue = AioQueue::unbounded().unwrap();
    let child = AioProcess::spawn(child, (queue.clone(),)).unwrap();
    println!("{:?}", queue.get().unwrap());
    child.join().unwrap();
}
