//! The C library's mutexes between processes, plain and robust.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::shared::Shared;
use super::{Measure, Peer, fork_off, here};
use crate::counted::{self, Counted};
use crate::measure::{Setting, kills, quantile, rate};

const NAME_PLAIN: &str = "pthread mutex";
const NAME_ROBUST: &str = "pthread mutex, robust";

pub const PLAIN: Peer = Peer {
    name: NAME_PLAIN,
    check: here,
    measures: &[
        ("lock_free", |setting| free(setting, false)),
        ("lock_contended", (|setting| contended(setting, false)) as Measure),
    ],
    except: &[],
    child: Some(other_side),
};

pub const ROBUST: Peer = Peer {
    name: NAME_ROBUST,
    check: here,
    measures: &[
        ("lock_free", |setting| free(setting, true)),
        ("lock_contended", (|setting| contended(setting, true)) as Measure),
        ("holder_killed_p50", holder_killed as Measure),
        ("holder_killed_p99", holder_killed as Measure),
    ],
    except: &[],
    child: Some(other_side),
};

#[derive(Clone, Copy)]
struct Mutex(*mut libc::pthread_mutex_t);

impl Mutex {
    fn at(shared: &Shared) -> Self {
        // Behind what is counted.
        Self(shared.base().wrapping_add(counted::LENGTH).cast())
    }

    fn make(self, is_robust: bool) {
        let mut attributes = std::mem::MaybeUninit::uninit();
        // SAFETY: initialises the attributes.
        unsafe { libc::pthread_mutexattr_init(attributes.as_mut_ptr()) };
        // SAFETY: the attributes are initialised.
        unsafe { libc::pthread_mutexattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED) };
        if is_robust {
            // SAFETY: as above.
            unsafe { libc::pthread_mutexattr_setrobust(attributes.as_mut_ptr(), libc::PTHREAD_MUTEX_ROBUST) };
        }
        // SAFETY: the mutex lies in memory that is mapped for as long as the process lives, and nobody has it yet.
        let made = unsafe { libc::pthread_mutex_init(self.0, attributes.as_ptr()) };
        assert_eq!(made, 0);
    }

    fn pair(self, between: impl FnOnce()) {
        // SAFETY: the mutex is initialised.
        assert_eq!(unsafe { libc::pthread_mutex_lock(self.0) }, 0);
        between();
        // SAFETY: locked by this thread.
        unsafe { libc::pthread_mutex_unlock(self.0) };
    }
}

fn free(setting: &Setting, is_robust: bool) -> f64 {
    let mutex = Mutex::at(&Shared::create(LENGTH));
    mutex.make(is_robust);
    rate(setting.time, 10_000, || mutex.pair(|| ()))
}

const LENGTH: usize = counted::LENGTH + 4096;

fn other_side(setting: &Setting) {
    let shared = Shared::of_parent(LENGTH);
    let mutex = Mutex::at(&shared);
    if setting.case != "lock_contended" {
        return hold(mutex, &shared);
    }
    let counted = Counted::on(&shared);
    let mut round = counted.join();
    while round.goes_on() {
        mutex.pair(|| counted.step());
    }
    round.end();
}

fn contended(setting: &Setting, is_robust: bool) -> f64 {
    let shared = Shared::create(LENGTH);
    let (mutex, counted) = (Mutex::at(&shared), Counted::on(&shared));
    mutex.make(is_robust);
    let _other = fork_off(if is_robust { NAME_ROBUST } else { NAME_PLAIN }, setting, shared.fd());
    let mut round = counted.begin(setting.time);
    while round.goes_on() {
        mutex.pair(|| counted.step());
    }
    round.end()
}

/// Whether somebody has the mutex who does not give it back.
fn held(shared: &Shared) -> &'static AtomicU64 {
    shared.object(counted::LENGTH + 1024)
}

fn hold(mutex: Mutex, shared: &Shared) {
    // SAFETY: the mutex is initialised.
    unsafe { libc::pthread_mutex_lock(mutex.0) };
    held(shared).store(1, Ordering::Release);
    loop {
        std::thread::park();
    }
}

fn holder_killed(setting: &Setting) -> f64 {
    let mut times: Vec<f64> = (0..kills(setting))
        .map(|_| {
            let shared = Shared::create(LENGTH);
            let mutex = Mutex::at(&shared);
            mutex.make(true);
            let other = fork_off(NAME_ROBUST, setting, shared.fd());
            while held(&shared).load(Ordering::Acquire) == 0 {
                std::thread::sleep(Duration::from_micros(100));
            }
            let waiter = std::thread::spawn(move || {
                let mutex = Mutex::at(&shared);
                // SAFETY: the mutex is initialised.
                let told = unsafe { libc::pthread_mutex_lock(mutex.0) };
                assert_eq!(told, libc::EOWNERDEAD, "the holder's death was not told");
                Instant::now()
            });
            // The waiter is to be asleep.
            std::thread::sleep(Duration::from_millis(3));
            let killed = Instant::now();
            drop(other);
            waiter.join().unwrap().saturating_duration_since(killed).as_secs_f64() * 1e3
        })
        .collect();
    quantile(&mut times, setting)
}
