//! Who of this process: a thread, or a task.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A number that no other process is likely to draw.
fn nonce() -> u64 {
    static NONCE: OnceLock<u64> = OnceLock::new();
    *NONCE.get_or_init(|| RandomState::new().hash_one(std::process::id()))
}

/// The calling thread. No task of this process has the same name.
pub(crate) fn thread() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    thread_local! {
        static NUMBER: u32 = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| number << 1) ^ nonce() as u32
}

/// The task that is being polled, if there is one.
#[cfg(feature = "tokio")]
pub(crate) fn task() -> Option<u32> {
    use std::hash::{Hash as _, Hasher};

    /// A task's id shows its number to nobody but a hasher.
    #[derive(Default)]
    struct Reveal(u64);

    impl Hasher for Reveal {
        fn finish(&self) -> u64 {
            self.0
        }

        fn write(&mut self, bytes: &[u8]) {
            bytes.iter().for_each(|&byte| self.0 = self.0.rotate_left(8) ^ u64::from(byte));
        }

        fn write_u64(&mut self, number: u64) {
            self.0 = number;
        }
    }

    let mut number = Reveal::default();
    tokio::task::try_id()?.hash(&mut number);
    Some((number.finish() as u32) << 1 | 1).map(|name| name ^ nonce() as u32)
}

#[cfg(not(feature = "tokio"))]
pub(crate) fn task() -> Option<u32> {
    None
}

/// A number that is used once.
pub(super) fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    nonce().wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed))
}
