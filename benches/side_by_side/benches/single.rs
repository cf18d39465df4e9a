//! Single operations in one process, for finding regressions: criterion compares with what it measured last time.
//!
//! ```text
//! cargo bench --manifest-path benches/side_by_side/Cargo.toml [-- FILTER]
//! ```
//!
//! It stands here and not beside the library, whose `cargo test` would have to build criterion too.

use aioprocessing::{
    AioEvent, AioLock, AioMutex, AioPipe, AioQueue, AioRLock, AioRwLock, AioSemaphore, AioValue,
};
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn locks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lock");
    let (lock, rlock, rwlock) =
        (AioLock::new().unwrap(), AioRLock::new().unwrap(), AioRwLock::new().unwrap());
    let (mutex, semaphore) = (AioMutex::new(0_u64).unwrap(), AioSemaphore::new(3).unwrap());
    group.bench_function("acquire", |b| b.iter(|| drop(lock.acquire().unwrap())));
    group.bench_function("try_acquire", |b| b.iter(|| drop(lock.try_acquire().unwrap())));
    let runtime = runtime();
    group.bench_function("coro_acquire", |b| {
        // Inside of one task: a `block_on` for each turn would be what is measured.
        b.iter_custom(|turns| {
            runtime.block_on(async {
                let begun = std::time::Instant::now();
                for _ in 0..turns {
                    drop(lock.coro_acquire().await.unwrap());
                }
                begun.elapsed()
            })
        });
    });
    group.bench_function("rlock acquire", |b| b.iter(|| drop(rlock.acquire().unwrap())));
    group.bench_function("mutex lock", |b| b.iter(|| *mutex.lock().unwrap() += 1));
    group.bench_function("rwlock read", |b| b.iter(|| drop(rwlock.read().unwrap())));
    group.bench_function("rwlock write", |b| b.iter(|| drop(rwlock.write().unwrap())));
    group.bench_function("semaphore acquire", |b| b.iter(|| drop(semaphore.acquire().unwrap())));
    group.finish();
}

fn events_and_values(criterion: &mut Criterion) {
    let (event, value) = (AioEvent::new().unwrap(), AioValue::new(0_u64).unwrap());
    criterion.bench_function("event set, wait, clear", |b| {
        b.iter(|| {
            event.set();
            event.wait().unwrap();
            event.clear();
        });
    });
    criterion.bench_function("value get", |b| b.iter(|| value.get()));
    criterion.bench_function("value fetch_add", |b| b.iter(|| value.fetch_add(1)));
}

fn queues(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queue, put and get");
    for length in [8, 64, 1024, 65_536, 1 << 20] {
        let (queue, item) = (AioQueue::bounded(4).unwrap(), vec![7_u8; length]);
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function(format!("{length} bytes"), |b| {
            b.iter(|| {
                queue.put(black_box(&item).clone()).unwrap();
                queue.get().unwrap()
            });
        });
    }
    let (queue, batch) = (AioQueue::bounded(64).unwrap(), vec![vec![7_u8; 64]; 32]);
    group.throughput(Throughput::Elements(32));
    group.bench_function("64 bytes, 32 at once", |b| {
        b.iter(|| {
            queue.put_many(black_box(&batch).clone()).unwrap();
            queue.get_many(32).unwrap()
        });
    });
    group.finish();
}

fn pipes(criterion: &mut Criterion) {
    let (receiver, sender) = AioPipe::simplex().unwrap();
    let item = vec![7_u8; 64];
    criterion.bench_function("pipe, send and recv of 64 bytes", |b| {
        b.iter(|| {
            sender.send(black_box(&item)).unwrap();
            receiver.recv().unwrap()
        });
    });
}

criterion_group!(single, locks, events_and_values, queues, pipes);
criterion_main!(single);
