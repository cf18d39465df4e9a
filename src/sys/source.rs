//! A descriptor that can be waited on from anywhere: `poll(2)`, an edge-triggered `epoll`, or any number of
//! tokio runtimes, one after the other or at once.
//!
//! An `AsyncFd` belongs to the runtime it was registered in, so a [`Source`] keeps one registration per
//! runtime and [`Way`], made on first use there and dropped once that runtime is seen to be gone.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

#[cfg(feature = "tokio")]
pub(crate) use registered::{Registration, Watched};

/// Which way a descriptor must be ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "tokio"), allow(dead_code, reason = "only registrations are made one by one"))]
pub(crate) enum Way {
    Read,
    Write,
}

/// An owned descriptor with its registrations.
pub(crate) struct Source {
    // Declared before `fd`: a registration must go before the descriptor that it names.
    #[cfg(feature = "tokio")]
    registrations: registered::Table,
    fd: OwnedFd,
}

impl Source {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self {
            #[cfg(feature = "tokio")]
            registrations: registered::Table::default(),
            fd,
        }
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Source").field(&self.fd.as_raw_fd()).finish()
    }
}

#[cfg(feature = "tokio")]
mod registered {
    #![allow(unsafe_code)]

    use std::io;
    use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    use tokio::runtime::{Handle, Id};

    use super::{Source, Way};

    /// What a runtime watches.
    #[derive(Debug)]
    pub(crate) enum Watched {
        /// The number of the descriptor, which its [`Source`] keeps open.
        Borrowed(RawFd),
        /// A copy of it.
        Copied(OwnedFd),
    }

    impl AsRawFd for Watched {
        fn as_raw_fd(&self) -> RawFd {
            match self {
                Self::Borrowed(fd) => *fd,
                Self::Copied(fd) => fd.as_raw_fd(),
            }
        }
    }

    /// What one runtime knows of a source.
    pub(crate) type Registration = AsyncFd<Watched>;

    #[derive(Default)]
    pub(super) struct Table(Mutex<Entries>);

    #[derive(Default)]
    struct Entries(Vec<(Id, Way, Arc<Registration>)>);

    impl Entries {
        fn find(&self, runtime: Id, way: Way) -> Option<Arc<Registration>> {
            let mut entries = self.0.iter();
            entries.find(|(id, known, _)| *id == runtime && *known == way).map(|(.., found)| found.clone())
        }
    }

    impl Source {
        /// The registration in the runtime of the caller, made at its first use.
        ///
        /// Those for writing watch a copy of the descriptor, for epoll knows each one once. A single registration for both
        /// ways would wake a runtime that waits for an answer as soon as the peer has taken the question.
        ///
        /// # Panics
        ///
        /// As every tokio I/O resource does: outside of a runtime, or where the runtime's I/O is disabled.
        pub(crate) fn registration(&self, way: Way) -> io::Result<Arc<Registration>> {
            let runtime = Handle::current().id();
            let mut table = self.registrations.0.lock();
            if let Some(known) = table.find(runtime, way) {
                return Ok(known);
            }
            table.0.retain(|(_, _, registration)| !belongs_to_a_dead_runtime(registration));
            let (watched, interest) = match way {
                Way::Read => (Watched::Borrowed(self.as_fd().as_raw_fd()), Interest::READABLE),
                Way::Write => (Watched::Copied(self.as_fd().try_clone_to_owned()?), Interest::WRITABLE),
            };
            // SAFETY: the descriptor stays open and the same for as long as this registration: it is the registration's own, or
            // the table is a field declared before it, and waiters, the only users of a registration, borrow the source for as long.
            let made = unsafe { AsyncFd::register_with_interest(watched, interest) };
            let made = Arc::new(made.map_err(io::Error::from)?);
            table.0.push((runtime, way, made.clone()));
            Ok(made)
        }

        /// The same if there is one already; none outside of a runtime.
        pub(crate) fn known(&self, way: Way) -> Option<Arc<Registration>> {
            let table = self.registrations.0.lock();
            if table.0.is_empty() { None } else { table.find(Handle::try_current().ok()?.id(), way) }
        }

        /// Forgets the registration of the calling runtime, if it turned out to be dead.
        pub(crate) fn forget(&self, registration: &Arc<Registration>) {
            self.registrations.0.lock().0.retain(|(_, _, known)| !Arc::ptr_eq(known, registration));
        }
    }

    /// A runtime that has shut down answers every readiness call with an error.
    fn belongs_to_a_dead_runtime(registration: &Registration) -> bool {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let mut readable = std::pin::pin!(registration.readable());
        matches!(std::future::Future::poll(readable.as_mut(), &mut cx), std::task::Poll::Ready(Err(_)))
    }
}
