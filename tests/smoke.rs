#![allow(unsafe_code, missing_docs)]
use aioprocessing::*;
use std::time::Duration;

#[test]
fn threads_contend() {
    let lock = AioLock::new().unwrap();
    let mut n = 0u64;
    let p = &raw mut n as usize;
    std::thread::scope(|s| {
        for _ in 0..4 {
            let lock = lock.clone();
            s.spawn(move || {
                for _ in 0..50_000 {
                    let g = lock.acquire().unwrap();
                    unsafe { *(p as *mut u64) += 1 };
                    drop(g);
                }
            });
        }
    });
    assert_eq!(n, 200_000);
    println!("{lock:?}");
}

#[test]
fn timeout_names_holder() {
    let lock = AioLock::new().unwrap();
    let g = lock.acquire().unwrap();
    let e = lock.acquire_timeout(Duration::from_millis(30)).unwrap_err();
    println!("{e}");
    assert!(e.is_timeout());
    drop(g);
    lock.acquire().unwrap().leak();
    assert!(lock.is_locked());
    lock.release().unwrap();
    assert!(matches!(lock.release(), Err(ReleaseError::NotHeld)));
}

#[test]
fn event_wakes_everyone() {
    let event = AioEvent::new().unwrap();
    let lock = AioLock::new().unwrap();
    for flavour in 0..2 {
        let rt = if flavour == 0 {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
        } else {
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
        };
        event.clear();
        rt.block_on(async {
            let mut all = vec![];
            for _ in 0..1000 {
                let event = event.clone();
                all.push(tokio::spawn(async move { event.coro_wait().await.unwrap() }));
            }
            let e2 = event.clone();
            let t = std::thread::spawn(move || e2.wait().unwrap());
            tokio::task::yield_now().await;
            event.set();
            for a in all {
                a.await.unwrap()
            }
            t.join().unwrap();
            println!("{event:?}");
            let mut all = vec![];
            for _ in 0..50 {
                let lock = lock.clone();
                all.push(tokio::spawn(async move {
                    for _ in 0..100 {
                        let g = lock.coro_acquire().await.unwrap();
                        tokio::task::yield_now().await;
                        drop(g);
                    }
                }));
            }
            for a in all {
                a.await.unwrap()
            }
            println!("{lock:?}");
        });
    }
}

#[test]
fn throughput() {
    let lock = AioLock::new().unwrap();
    let t = std::time::Instant::now();
    for _ in 0..10_000_000 {
        drop(lock.acquire().unwrap());
    }
    println!("pair {:?}", t.elapsed() / 10_000_000);
    let event = AioEvent::new().unwrap();
    let t = std::time::Instant::now();
    for _ in 0..10_000_000 {
        event.set();
        event.wait().unwrap();
        event.clear();
    }
    println!("set-wait-clear {:?}", t.elapsed() / 10_000_000);
    let t = std::time::Instant::now();
    let m = parking_lot::Mutex::new(0);
    for _ in 0..10_000_000 {
        *std::hint::black_box(&m).lock() += 1;
    }
    println!("parking_lot {:?}", t.elapsed() / 10_000_000);
}
