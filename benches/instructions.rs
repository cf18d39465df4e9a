//! The fast paths, each in a function of its own, for `ci/instructions.sh`, which counts their instructions under callgrind: the same
//! in each run, where time is not.
//!
//! By itself (`cargo bench --bench instructions`) it runs each once.
#![allow(missing_docs)]

use std::hint::black_box;

use aioprocessing::{
    AioBoundedSemaphore, AioEvent, AioLock, AioMutex, AioPipe, AioQueue, AioRLock, AioReceiver, AioRwLock,
    AioSemaphore, AioSender, AioValue,
};
use tokio::runtime::Runtime;

/// So many that what happens once does not count.
const TURNS: u32 = 2_000;

struct Objects {
    runtime: Runtime,
    lock: AioLock,
    rlock: AioRLock,
    mutex: AioMutex<u64>,
    rwlock: AioRwLock,
    semaphore: AioSemaphore,
    bounded: AioBoundedSemaphore,
    event: AioEvent,
    set: AioEvent,
    value: AioValue<u64>,
    numbers: AioQueue<u64>,
    bytes: AioQueue<Vec<u8>>,
    receiver: AioReceiver<Vec<u8>>,
    sender: AioSender<Vec<u8>>,
}

/// Functions that stay functions, and the table of them.
macro_rules! operations {
    ($($name:ident: |$o:ident| $turn:expr;)*) => {
        $(
            #[inline(never)]
            fn $name($o: &Objects) {
                for _ in 0..TURNS {
                    black_box($turn);
                }
            }
        )*
        const BLOCKING: &[(&str, fn(&Objects))] = &[$((stringify!($name), $name)),*];
    };
}

/// The same in one task of a runtime.
macro_rules! coro_operations {
    ($($name:ident: |$o:ident| $turn:expr;)*) => {
        $(
            #[inline(never)]
            fn $name($o: &Objects) {
                $o.runtime.block_on(async {
                    for _ in 0..TURNS {
                        black_box($turn);
                    }
                });
            }
        )*
        const ASYNC: &[(&str, fn(&Objects))] = &[$((stringify!($name), $name)),*];
    };
}

operations! {
    lock_acquire: |o| drop(o.lock.acquire().unwrap());
    lock_try_acquire: |o| drop(o.lock.try_acquire().unwrap());
    rlock_acquire: |o| drop(o.rlock.acquire().unwrap());
    mutex_lock: |o| *o.mutex.lock().unwrap() += 1;
    rwlock_read: |o| drop(o.rwlock.read().unwrap());
    rwlock_write: |o| drop(o.rwlock.write().unwrap());
    semaphore_acquire: |o| drop(o.semaphore.acquire().unwrap());
    semaphore_try_acquire: |o| drop(o.semaphore.try_acquire().unwrap());
    bounded_semaphore_acquire: |o| drop(o.bounded.acquire().unwrap());
    event_set_and_clear: |o| { o.event.set(); o.event.clear() };
    event_is_set: |o| o.set.is_set();
    event_wait_when_set: |o| o.set.wait().unwrap();
    value_get: |o| o.value.get();
    value_set: |o| o.value.set(7);
    value_fetch_add: |o| o.value.fetch_add(1);
    queue_u64: |o| { o.numbers.put(7).unwrap(); o.numbers.get().unwrap() };
    queue_u64_try: |o| { o.numbers.try_put(7).unwrap(); o.numbers.try_get().unwrap() };
    queue_64_bytes: |o| { o.bytes.put(vec![7; 64]).unwrap(); o.bytes.get().unwrap() };
    queue_64_bytes_try: |o| { o.bytes.try_put(vec![7; 64]).unwrap(); o.bytes.try_get().unwrap() };
    queue_64_bytes_32_at_once: |o| {
        o.bytes.put_many((0..32).map(|_| vec![7; 64])).unwrap();
        o.bytes.get_many(32).unwrap()
    };
    pipe_64_bytes: |o| { o.sender.send(&vec![7; 64]).unwrap(); o.receiver.recv().unwrap() };
}

coro_operations! {
    lock_coro_acquire: |o| drop(o.lock.coro_acquire().await.unwrap());
    rlock_coro_acquire: |o| drop(o.rlock.coro_acquire().await.unwrap());
    mutex_coro_lock: |o| *o.mutex.coro_lock().await.unwrap() += 1;
    semaphore_coro_acquire: |o| drop(o.semaphore.coro_acquire().await.unwrap());
    event_coro_wait_when_set: |o| o.set.coro_wait().await.unwrap();
    queue_coro_u64: |o| { o.numbers.coro_put(7).await.unwrap(); o.numbers.coro_get().await.unwrap() };
    queue_coro_64_bytes: |o| { o.bytes.coro_put(vec![7; 64]).await.unwrap(); o.bytes.coro_get().await.unwrap() };
    pipe_coro_64_bytes: |o| { o.sender.coro_send(&vec![7; 64]).await.unwrap(); o.receiver.coro_recv().await.unwrap() };
}

fn main() {
    let set = AioEvent::new().unwrap();
    set.set();
    let (receiver, sender) = AioPipe::simplex().unwrap();
    let objects = Objects {
        runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        lock: AioLock::new().unwrap(),
        rlock: AioRLock::new().unwrap(),
        mutex: AioMutex::new(0).unwrap(),
        rwlock: AioRwLock::new().unwrap(),
        semaphore: AioSemaphore::new(3).unwrap(),
        bounded: AioBoundedSemaphore::new(3).unwrap(),
        event: AioEvent::new().unwrap(),
        set,
        value: AioValue::new(0).unwrap(),
        numbers: AioQueue::bounded(100).unwrap(),
        bytes: AioQueue::bounded(100).unwrap(),
        receiver,
        sender,
    };
    println!("turns {TURNS}");
    for (name, operation) in BLOCKING.iter().chain(ASYNC) {
        operation(&objects);
        println!("ran {name}");
    }
}
