//! A holder that is killed.

use std::time::{Duration, Instant};

use aioprocessing::{AioEvent, AioLock, AioProcess};

use crate::measure::{Setting, kills, on_one_thread, quantile};

fn hold(lock: AioLock, held: AioEvent) {
    let _guard = lock.acquire();
    held.set();
    loop {
        std::thread::park();
    }
}

fn measure(setting: &Setting, acquire: fn(&AioLock) -> bool) -> f64 {
    let (lock, held) = (AioLock::new().unwrap(), AioEvent::new().unwrap());
    let mut times: Vec<f64> = (0..kills(setting))
        .map(|_| {
            held.clear();
            let args = (lock.clone(), held.clone());
            let child = AioProcess::builder().daemon(true).spawn(hold, args).unwrap();
            held.wait().unwrap();
            let waiter = {
                let lock = lock.clone();
                std::thread::spawn(move || {
                    assert!(acquire(&lock), "the holder's death was not told");
                    Instant::now()
                })
            };
            // The waiter is to be asleep.
            std::thread::sleep(Duration::from_millis(3));
            let killed = Instant::now();
            child.kill().unwrap();
            let followed = waiter.join().unwrap();
            child.join().unwrap_err();
            followed.saturating_duration_since(killed).as_secs_f64() * 1e3
        })
        .collect();
    quantile(&mut times, setting)
}

pub fn holder_killed(setting: &Setting) -> f64 {
    measure(setting, |lock| lock.acquire().is_err_and(|error| error.is_owner_died()))
}

pub fn coro_holder_killed(setting: &Setting) -> f64 {
    measure(setting, |lock| {
        on_one_thread().block_on(lock.coro_acquire()).is_err_and(|error| error.is_owner_died())
    })
}
