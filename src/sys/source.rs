//! A descriptor that can be waited on from anywhere: `poll(2)`, an edge-triggered `epoll`, or any number of
//! tokio runtimes, one after the other or at once.
//!
//! An `AsyncFd` belongs to the runtime it was registered in, so a [`Source`] keeps one registration per
//! runtime, made on first use there and dropped once that runtime is seen to be gone.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

#[cfg(feature = "tokio")]
pub(crate) use registered::Registration;

/// An owned descriptor with its registrations.
pub(crate) struct Source {
    // Declared before `fd`: a registration must go before the descriptor that it names.
    #[cfg(feature = "tokio")]
    registrations: registered::Table,
    #[cfg(feature = "tokio")]
    is_duplex: bool,
    fd: OwnedFd,
}

impl Source {
    /// A descriptor that one only waits on to read.
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self {
            #[cfg(feature = "tokio")]
            registrations: registered::Table::default(),
            #[cfg(feature = "tokio")]
            is_duplex: false,
            fd,
        }
    }

    /// A descriptor that one waits on to read and to write.
    #[cfg_attr(not(feature = "tokio"), allow(unused_mut))]
    pub(crate) fn duplex(fd: OwnedFd) -> Self {
        let mut source = Self::new(fd);
        #[cfg(feature = "tokio")]
        {
            source.is_duplex = true;
        }
        source
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
    use std::os::fd::{AsFd, AsRawFd, RawFd};
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    use tokio::runtime::{Handle, Id};

    use super::Source;

    /// The number of a descriptor that its [`Source`] keeps open.
    #[derive(Debug)]
    pub(crate) struct Borrowed(RawFd);

    impl AsRawFd for Borrowed {
        fn as_raw_fd(&self) -> RawFd {
            self.0
        }
    }

    /// What one runtime knows of a source.
    pub(crate) type Registration = AsyncFd<Borrowed>;

    #[derive(Default)]
    pub(super) struct Table(Mutex<Vec<(Id, Arc<Registration>)>>);

    impl Source {
        /// The registration in the runtime of the caller.
        ///
        /// # Panics
        ///
        /// As every tokio I/O resource does: outside of a runtime, or where the runtime's I/O is disabled.
        pub(crate) fn registration(&self) -> io::Result<Arc<Registration>> {
            let runtime = Handle::current().id();
            let mut table = self.registrations.0.lock();
            if let Some((_, known)) = table.iter().find(|(id, _)| *id == runtime) {
                return Ok(known.clone());
            }
            table.retain(|(_, registration)| !belongs_to_a_dead_runtime(registration));
            let fd = Borrowed(self.as_fd().as_raw_fd());
            let interest =
                if self.is_duplex { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            // SAFETY: the descriptor stays open and the same for as long as this registration: the table is a field declared
            // before the descriptor, and waiters, the only users of a registration, borrow the source for as long.
            let made = unsafe { AsyncFd::register_with_interest(fd, interest) };
            let made = Arc::new(made.map_err(io::Error::from)?);
            table.push((runtime, made.clone()));
            Ok(made)
        }

        /// Forgets the registration of the calling runtime, if it turned out to be dead.
        pub(crate) fn forget(&self, registration: &Arc<Registration>) {
            self.registrations.0.lock().retain(|(_, known)| !Arc::ptr_eq(known, registration));
        }
    }

    /// A runtime that has shut down answers every readiness call with an error.
    fn belongs_to_a_dead_runtime(registration: &Registration) -> bool {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let mut readable = std::pin::pin!(registration.readable());
        matches!(std::future::Future::poll(readable.as_mut(), &mut cx), std::task::Poll::Ready(Err(_)))
    }
}
