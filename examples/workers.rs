//! Four workers take tasks from one queue and answer on another: `mp_workers` of Python's multiprocessing docs. Closing the
//! queue stops them all; no stop marks have to be counted.

use aioprocessing::{AioProcess, AioQueue};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum Task {
    Mul(i64, i64),
    Plus(i64, i64),
}

fn worker(tasks: AioQueue<Task>, done: AioQueue<String>) -> u64 {
    let mut count = 0;
    for task in &tasks {
        let text = match task.unwrap() {
            Task::Mul(a, b) => format!("mul({a}, {b}) = {}", a * b),
            Task::Plus(a, b) => format!("plus({a}, {b}) = {}", a + b),
        };
        done.put(text).unwrap();
        count += 1;
    }
    count
}

fn main() {
    aioprocessing::init();
    let (tasks, done) = (AioQueue::unbounded().unwrap(), AioQueue::unbounded().unwrap());
    tasks.put_many((0..20).map(|i| Task::Mul(i, 7))).unwrap();
    let start = |_| AioProcess::spawn(worker, (tasks.clone(), done.clone())).unwrap();
    let workers: Vec<_> = (0..4).map(start).collect();
    (0..20).for_each(|_| println!("{}", done.get().unwrap()));
    tasks.put_many((0..10).map(|i| Task::Plus(i, 8))).unwrap();
    (0..10).for_each(|_| println!("{}", done.get().unwrap()));
    tasks.close();
    let total: u64 = workers.iter().map(|worker| worker.join().unwrap()).sum();
    println!("{total} tasks done by {} workers", workers.len());
}
