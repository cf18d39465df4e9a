//! A worker is killed while it holds a lock. In Python everybody else would wait for ever.

use aioprocessing::{AcquireError, AioEvent, AioLock, AioProcess};

fn worker(lock: AioLock, holding: AioEvent) {
    let _guard = lock.acquire().unwrap();
    holding.set();
    loop {
        std::thread::park();
    }
}

fn main() {
    aioprocessing::init();
    let (lock, holding) = (AioLock::new().unwrap(), AioEvent::new().unwrap());
    let builder = AioProcess::<()>::builder().name("careless");
    let child: AioProcess<()> = builder.spawn(worker, (lock.clone(), holding.clone())).unwrap();
    holding.wait().unwrap();
    let holder = lock.owner().unwrap();
    println!("the lock is held by {}, which is the worker: {}", holder.name, holder.pid == child.pid());

    child.kill().unwrap();
    match lock.acquire() {
        Err(AcquireError::OwnerDied(guard)) => {
            let dead = guard.dead_holder().unwrap();
            println!("{} died with the lock, and it is ours now: {}", dead.name, lock.is_locked());
            // Here one would check, and repair, what the lock protects.
        }
        other => println!("unexpected: {other:?}"),
    }
    drop(lock.acquire().unwrap());
    println!("the next one gets it as if nothing had been");
    println!("the worker: {}", child.join().unwrap_err());
}
