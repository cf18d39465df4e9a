//! The parent joins a child before it gets the child's large item: a deadlock in Python, which its docs warn of.

use aioprocessing::{AioProcess, AioQueue};

fn child(queue: AioQueue<String>) {
    queue.put("X".repeat(1_000_000)).unwrap();
}

fn main() {
    aioprocessing::init();
    let queue = AioQueue::unbounded().unwrap();
    let child = AioProcess::spawn(child, (queue.clone(),)).unwrap();
    child.join().unwrap();
    println!("the child has left");
    println!("its item has {} bytes", queue.get().unwrap().len());
}
