use crate::raw::NotMet;

const FORKED: &str =
    "this process is a fork of the one that opened the barrier; start processes with `AioProcess::spawn`";
const BROKEN: &str =
    "the barrier is broken: a party died, timed out or aborted it; call `reset` to use it again";
const NO_ACTION: &str = "no party has the barrier's action, which captures variables and stays in the process that made it; \
     wait there too, or make it a function that captures nothing";

/// Why [`AioBarrier::wait`](crate::AioBarrier::wait) did not meet the others.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BarrierError {
    /// A party died while it waited, timed out or aborted the barrier, its action panicked, or it was reset meanwhile.
    #[error("{BROKEN}")]
    Broken,
    /// All have come, but none can run the action; the barrier is broken now.
    #[error("{NO_ACTION}")]
    NoAction,
    /// This process was forked, without exec, from the one that opened the barrier.
    #[error("{FORKED}")]
    Forked,
}

/// Why [`AioBarrier::wait_timeout`](crate::AioBarrier::wait_timeout) did not meet the others.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BarrierTimeoutError {
    /// The time is over; the barrier is broken now, for all.
    #[error("the other parties did not come in time; the barrier is broken, call `reset` to use it again")]
    Timeout,
    /// As [`BarrierError::Broken`].
    #[error("{BROKEN}")]
    Broken,
    /// As [`BarrierError::NoAction`].
    #[error("{NO_ACTION}")]
    NoAction,
    /// As [`BarrierError::Forked`].
    #[error("{FORKED}")]
    Forked,
}

/// Why [`AioBarrier::try_wait`](crate::AioBarrier::try_wait) did not meet the others.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TryBarrierError {
    /// The caller would not have been the last; it has not arrived.
    #[error("other parties of the barrier are still to come; wait for them with `wait`")]
    WouldBlock,
    /// As [`BarrierError::Broken`].
    #[error("{BROKEN}")]
    Broken,
    /// As [`BarrierError::NoAction`].
    #[error("{NO_ACTION}")]
    NoAction,
    /// As [`BarrierError::Forked`].
    #[error("{FORKED}")]
    Forked,
}

impl BarrierError {
    /// Whether the barrier is broken.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Broken | Self::NoAction)
    }
}

impl BarrierTimeoutError {
    /// Whether the time was over.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout)
    }

    /// Whether the barrier is broken, as it is after a timeout too.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Timeout | Self::Broken | Self::NoAction)
    }
}

impl TryBarrierError {
    /// Whether other parties are still to come.
    pub fn is_would_block(&self) -> bool {
        matches!(self, Self::WouldBlock)
    }

    /// Whether the barrier is broken.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Broken | Self::NoAction)
    }
}

impl From<NotMet> for BarrierError {
    fn from(not_met: NotMet) -> Self {
        match not_met {
            NotMet::NoAction => Self::NoAction,
            NotMet::Broken | NotMet::WouldWait => Self::Broken,
        }
    }
}

impl From<NotMet> for BarrierTimeoutError {
    fn from(not_met: NotMet) -> Self {
        match not_met {
            NotMet::NoAction => Self::NoAction,
            NotMet::Broken | NotMet::WouldWait => Self::Broken,
        }
    }
}

impl From<NotMet> for TryBarrierError {
    fn from(not_met: NotMet) -> Self {
        match not_met {
            NotMet::NoAction => Self::NoAction,
            NotMet::Broken => Self::Broken,
            NotMet::WouldWait => Self::WouldBlock,
        }
    }
}
