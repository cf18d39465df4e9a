//! What this crate tells the crate tracing of: nothing without the feature `tracing`, and nothing on a path that is fast.
//!
//! Never called while the inside of a shared object is held: a subscriber may take any time, and may use such objects itself.

/// A process of ours has been started.
pub(crate) fn spawned(_pid: u32, _name: &str) {
    #[cfg(feature = "tracing")]
    told::apart(
        || tracing::debug!(target: told::TARGET, pid = _pid, name = _name, object = "process", "spawned"),
    );
}

/// A child's status was taken. Neither code nor signal: somebody else has taken it.
pub(crate) fn ended(_pid: u32, _name: &str, _code: Option<i32>, _signal: Option<i32>) {
    #[cfg(feature = "tracing")]
    told::apart(|| match (_code, _signal) {
        (Some(0), _) => {
            tracing::debug!(target: told::TARGET, pid = _pid, name = _name, object = "process", code = 0, "ended");
        }
        (code, signal) => {
            tracing::warn!(target: told::TARGET, pid = _pid, name = _name, object = "process", code, signal, "died");
        }
    });
}

#[cfg(feature = "tracing")]
pub(crate) use told::{delivered_again, taken_over, waits_long};

#[cfg(feature = "tracing")]
mod told {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    pub(super) const TARGET: &str = "aioprocessing";

    thread_local! {
        static TELLS: Cell<bool> = const { Cell::new(false) };
    }

    /// A subscriber that writes to a queue of ours must not be told of its own waits: that would never end. And its panic must not
    /// come between the taking of a lock and its guard; the hook has told of it.
    pub(super) fn apart(tell: impl FnOnce()) {
        if !TELLS.replace(true) {
            let _ = catch_unwind(AssertUnwindSafe(tell));
            TELLS.set(false);
        }
    }

    /// What a process held when it died has come to the caller, or back to all. `region` is the inode of the shared memory.
    pub(crate) fn taken_over(pid: u32, name: &str, object: &str, region: u64) {
        apart(|| tracing::warn!(target: TARGET, pid, name, object, region, "taken over from a dead process"));
    }

    /// An item has come to this process that was delivered before.
    pub(crate) fn delivered_again(pid: u32, name: &str, object: &str, region: u64, attempt: u16) {
        apart(|| tracing::warn!(target: TARGET, pid, name, object, region, attempt, "delivered again"));
    }

    /// This process has waited for a while, and goes on to.
    pub(crate) fn waits_long(pid: u32, name: &str, object: &str, region: u64) {
        apart(|| tracing::debug!(target: TARGET, pid, name, object, region, "a long wait"));
    }
}

/// What is to be told of once nothing is held any more.
#[derive(Debug)]
pub(crate) struct Later<T> {
    #[cfg(feature = "tracing")]
    noted: Vec<T>,
    of: std::marker::PhantomData<T>,
}

impl<T> Later<T> {
    pub(crate) fn new() -> Self {
        Self {
            #[cfg(feature = "tracing")]
            noted: Vec::new(),
            of: std::marker::PhantomData,
        }
    }

    pub(crate) fn note(&mut self, _what: T) {
        #[cfg(feature = "tracing")]
        self.noted.push(_what);
    }

    pub(crate) fn tell(self, _tell: impl FnMut(T)) {
        #[cfg(feature = "tracing")]
        self.noted.into_iter().for_each(_tell);
    }
}
