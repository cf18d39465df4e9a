//! Ten processes print a line each under one lock: the lock example of Python's multiprocessing.

use std::io::Write as _;

use aioprocessing::{AioLock, AioProcess};

fn print(lock: AioLock, number: u32) {
    let _guard = lock.acquire().unwrap();
    // Two writes: without the lock the lines of two processes could mix.
    print!("hello ");
    std::io::stdout().flush().unwrap();
    println!("world {number}");
}

fn main() {
    aioprocessing::init();
    let lock = AioLock::new().unwrap();
    let children: Vec<_> =
        (0..10).map(|number| AioProcess::spawn(print, (lock.clone(), number)).unwrap()).collect();
    for child in children {
        child.join().unwrap();
    }
}
