//! The C library's mutexes between processes, plain and robust.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::shared::Shared;
use super::{Measure, Peer, fork_off, here};
use crate::measure::{Setting, rate};

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
    ],
    except: &[],
    child: Some(other_side),
};

#[derive(Clone, Copy)]
struct Mutex(*mut libc::pthread_mutex_t);

impl Mutex {
    fn at(shared: &Shared) -> Self {
        Self(shared.base().cast())
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

    fn pair(self) {
        // SAFETY: the mutex is initialised.
        assert_eq!(unsafe { libc::pthread_mutex_lock(self.0) }, 0);
        // SAFETY: locked by this thread.
        unsafe { libc::pthread_mutex_unlock(self.0) };
    }
}

fn free(setting: &Setting, is_robust: bool) -> f64 {
    let mutex = Mutex::at(&Shared::create(4096));
    mutex.make(is_robust);
    rate(setting.time, 10_000, || mutex.pair())
}

/// 1: ready, 2: over; then how many turns.
fn state(shared: &Shared) -> (&'static AtomicU64, &'static AtomicU64) {
    (shared.object(1024), shared.object(2048))
}

fn other_side(_: &Setting) {
    let shared = Shared::of_parent(4096);
    let (mutex, (stage, turns)) = (Mutex::at(&shared), state(&shared));
    stage.store(1, Ordering::Release);
    let mut count = 0;
    while stage.load(Ordering::Acquire) == 1 {
        (0..100).for_each(|_| mutex.pair());
        count += 100;
    }
    turns.store(count, Ordering::Release);
}

fn contended(setting: &Setting, is_robust: bool) -> f64 {
    let shared = Shared::create(4096);
    let (mutex, (stage, turns)) = (Mutex::at(&shared), state(&shared));
    mutex.make(is_robust);
    let _other = fork_off(if is_robust { NAME_ROBUST } else { NAME_PLAIN }, setting, shared.fd());
    while stage.load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
    let begun = Instant::now();
    let mut ours = 0;
    while begun.elapsed() < setting.time {
        (0..100).for_each(|_| mutex.pair());
        ours += 100;
    }
    let took = begun.elapsed();
    stage.store(2, Ordering::Release);
    while turns.load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
    (ours + turns.load(Ordering::Acquire)) as f64 / took.as_secs_f64()
}
