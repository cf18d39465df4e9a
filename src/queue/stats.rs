use super::AioQueue;

/// What has happened to a queue since it was made, counted over all processes; given by [`AioQueue::stats`].
///
/// Counts of puts and gets wrap at 2^35.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// How many items were put.
    pub puts: u64,
    /// How many were got.
    pub gets: u64,
    /// How many puts had to wait.
    pub put_waits: u64,
    /// How many gets had to wait.
    pub get_waits: u64,
    /// About how many items waited at the worst moment: counted when a getter looks, which it need not do for every item.
    pub peak_len: u64,
}

impl<T, C> AioQueue<T, C> {
    /// Counts of what has happened.
    pub fn stats(&self) -> QueueStats {
        let [puts, gets, put_waits, get_waits, peak_len] = self.queue.counts();
        QueueStats { puts, gets, put_waits, get_waits, peak_len }
    }
}
