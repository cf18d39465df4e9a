use crate::sync::Holder;

/// Why [`AioValue::with_lock`](crate::AioValue::with_lock) changed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// This process was forked, without exec, from the one that opened the value.
    #[error(
        "this process is a fork of the one that opened the value; start processes with `AioProcess::spawn`"
    )]
    Forked,
}

/// Why [`AioValue::with_lock_timeout`](crate::AioValue::with_lock_timeout) changed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateTimeoutError {
    /// The time is over and another holds the lock still.
    #[error("the lock of the value was not free in time{}", by(.holder.as_ref()))]
    Timeout {
        /// Who, unless it let go at the last moment.
        holder: Option<Holder>,
    },
    /// As [`UpdateError::Forked`].
    #[error(
        "this process is a fork of the one that opened the value; start processes with `AioProcess::spawn`"
    )]
    Forked,
}

impl UpdateTimeoutError {
    /// Whether the time was over.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }
}

/// Why [`AioValue::try_with_lock`](crate::AioValue::try_with_lock) changed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TryUpdateError {
    /// Another holds the lock.
    #[error("the lock of the value is held{}", by(.holder.as_ref()))]
    WouldBlock {
        /// Who, unless it let go at that moment.
        holder: Option<Holder>,
    },
    /// As [`UpdateError::Forked`].
    #[error(
        "this process is a fork of the one that opened the value; start processes with `AioProcess::spawn`"
    )]
    Forked,
}

impl TryUpdateError {
    /// Whether another holds the lock.
    pub fn is_would_block(&self) -> bool {
        matches!(self, Self::WouldBlock { .. })
    }
}

fn by(holder: Option<&Holder>) -> String {
    holder.map_or_else(String::new, |holder| format!(": held by {holder}"))
}
