//! Atomics of models, and threads that may be killed before any access to them.
//!
//! A thread under [`die_before`] ends at its access of that number. What it runs while it unwinds is not there in a killed
//! process: its accesses read zero from then on, change nothing, and say that they did.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use loom::sync::atomic as inner;
pub(crate) use loom::sync::atomic::Ordering;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Immortal,
    /// Dies before the access after so many more.
    Dies(u32),
}

loom::thread_local! {
    static FATE: Cell<Fate> = Cell::new(Fate::Immortal);
}

struct Killed;

/// Runs `body` in this thread, which is killed before its access number `access`. None: it was.
pub(crate) fn die_before<T>(access: u32, body: impl FnOnce() -> T) -> Option<T> {
    FATE.with(|fate| fate.set(Fate::Dies(access)));
    let ended = catch_unwind(AssertUnwindSafe(body));
    FATE.with(|fate| fate.set(Fate::Immortal));
    match ended {
        Ok(out) => Some(out),
        Err(payload) if payload.is::<Killed>() => None,
        Err(payload) => resume_unwind(payload),
    }
}

/// Before each access, a system call included. False if there must be none, because the thread is dead.
pub(crate) fn lives() -> bool {
    // Here, or in a model that has failed. No thread of the model runs while another unwinds.
    if std::thread::panicking() {
        return false;
    }
    FATE.with(|fate| match fate.get() {
        Fate::Immortal => true,
        Fate::Dies(0) => resume_unwind(Box::new(Killed)),
        Fate::Dies(more) => {
            fate.set(Fate::Dies(more - 1));
            true
        }
    })
}

pub(crate) fn fence(order: Ordering) {
    if lives() {
        inner::fence(order);
    }
}

macro_rules! mortal {
    ($($name:ident: $integer:ty),*) => { $(
        #[derive(Debug, Default)]
        pub(crate) struct $name(inner::$name);

        impl $name {
            pub(crate) fn new(value: $integer) -> Self {
                Self(inner::$name::new(value))
            }

            pub(crate) fn load(&self, order: Ordering) -> $integer {
                if lives() { self.0.load(order) } else { 0 }
            }

            /// What the kernel sees: no access of the thread's own.
            pub(crate) fn load_by_kernel(&self) -> $integer {
                self.0.load(Ordering::SeqCst)
            }

            pub(crate) fn store(&self, value: $integer, order: Ordering) {
                if lives() {
                    self.0.store(value, order);
                }
            }

            fn change(&self, change: impl FnOnce(&inner::$name) -> $integer) -> $integer {
                if lives() { change(&self.0) } else { 0 }
            }

            pub(crate) fn swap(&self, value: $integer, order: Ordering) -> $integer {
                self.change(|inner| inner.swap(value, order))
            }

            pub(crate) fn fetch_add(&self, value: $integer, order: Ordering) -> $integer {
                self.change(|inner| inner.fetch_add(value, order))
            }

            pub(crate) fn fetch_sub(&self, value: $integer, order: Ordering) -> $integer {
                self.change(|inner| inner.fetch_sub(value, order))
            }

            pub(crate) fn fetch_or(&self, value: $integer, order: Ordering) -> $integer {
                self.change(|inner| inner.fetch_or(value, order))
            }

            pub(crate) fn fetch_and(&self, value: $integer, order: Ordering) -> $integer {
                self.change(|inner| inner.fetch_and(value, order))
            }

            pub(crate) fn fetch_max(&self, value: $integer, order: Ordering) -> $integer {
                self.change(|inner| inner.fetch_max(value, order))
            }

            pub(crate) fn compare_exchange(
                &self,
                from: $integer,
                to: $integer,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$integer, $integer> {
                if lives() { self.0.compare_exchange(from, to, success, failure) } else { Ok(from) }
            }

            pub(crate) fn compare_exchange_weak(
                &self,
                from: $integer,
                to: $integer,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$integer, $integer> {
                if lives() { self.0.compare_exchange_weak(from, to, success, failure) } else { Ok(from) }
            }

            /// A look and a step at least, with a death before either.
            pub(crate) fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                mut change: impl FnMut($integer) -> Option<$integer>,
            ) -> Result<$integer, $integer> {
                let mut now = self.load(failure);
                while let Some(next) = change(now) {
                    match self.compare_exchange(now, next, success, failure) {
                        Ok(before) => return Ok(before),
                        Err(other) => now = other,
                    }
                }
                Err(now)
            }
        }
    )* };
}

mortal!(AtomicU32: u32, AtomicU64: u64);
