//! The state machines: words in shared memory and their transitions. No system call, no clock, no runtime: they wait
//! through [`Waiter`](crate::wait::Waiter) and ask who lives through [`Alive`](crate::shm::Alive).

mod barrier;
#[cfg(not(aioprocessing_loom))]
mod condition;
mod event;
mod inside;
mod lock;
#[cfg(all(test, aioprocessing_loom))]
mod models;
#[cfg(not(aioprocessing_loom))]
pub(crate) mod pool;
/// What of the pool's board is words alone.
#[cfg(all(test, aioprocessing_loom))]
mod pool {
    mod model;
    mod words;
}
#[cfg(not(aioprocessing_loom))]
pub(crate) mod queue;
/// What of the queue is words alone.
#[cfg(all(test, aioprocessing_loom))]
mod queue {
    mod cursor;
    mod lease {
        mod model;
        mod steps;
    }
    mod model;
    mod record;
    pub(super) mod words;
}
mod rlock;
mod rwlock;
mod semaphore;
mod value;

pub(crate) use barrier::{Barrier, BarrierSlot, BarrierWords, MOST_PARTIES, NotMet};
#[cfg(not(aioprocessing_loom))]
pub(crate) use condition::{Condition, ConditionSlot, ConditionWords, Place, Table};
pub(crate) use event::EventWords;
pub(crate) use lock::{Acquired, LockWords};
pub(crate) use rlock::{DEEPEST, Hold, HoldWords, Left, NotAgain, NotLeaked};
pub(crate) use rwlock::{RwLock, RwSlot, RwWords};
pub(crate) use semaphore::{MOST_PERMITS, Semaphore, SemaphoreSlot, SemaphoreWords};
pub(crate) use value::{Current, Value, words_for};

use crate::shm::{Alive, Owner};
use crate::wait::Bell;

/// Who acts on an object: this process, whom it asks about the lives of others, and the bell by which it wakes them.
pub(crate) struct Party<'a, A> {
    pub(crate) me: Owner,
    pub(crate) alive: &'a A,
    pub(crate) bell: Bell<'a>,
}

impl<A: Alive> Clone for Party<'_, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: Alive> Copy for Party<'_, A> {}
