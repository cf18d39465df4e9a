use std::os::fd::BorrowedFd;

use serde::{Deserialize, Serialize};

use crate::sys::peer;

/// The process at the other end of a connection, as the kernel vouches for it: [`AioConnection::peer`](crate::AioConnection::peer).
///
/// Of a connection that was accepted it is the process that connected; of one that connected it is the process that made the
/// listener; of an end of a pipe it is the process that made the pipe. A process number names that process for as long as it
/// lives, and may be used again after that.
///
/// Over TCP nobody vouches for anybody: see [`is_known`](Self::is_known).
///
/// # Examples
///
/// ```
/// let (a, _b) = aioprocessing::AioPipe::<u8>::duplex()?;
/// assert_eq!(a.peer().pid, std::process::id());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PeerCredentials {
    /// Its process number; 0 if it is unknown, or outside of this process's pid namespace.
    pub pid: u32,
    /// Its effective user; `u32::MAX`, which is nobody's, if it is unknown.
    pub uid: u32,
    /// Its effective group; `u32::MAX`, which is nobody's, if it is unknown.
    pub gid: u32,
}

impl PeerCredentials {
    pub(crate) const UNKNOWN: Self = Self { pid: 0, uid: u32::MAX, gid: u32::MAX };

    /// Whether the kernel knows the peer: over local sockets, not over TCP.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.uid != u32::MAX
    }

    /// Who was at the other end when this socket was connected, or made.
    pub(crate) fn of(socket: BorrowedFd<'_>) -> Self {
        match peer::credentials(socket) {
            Ok(Some((pid, uid, gid))) => Self { pid, uid, gid },
            _ => Self::UNKNOWN,
        }
    }
}
