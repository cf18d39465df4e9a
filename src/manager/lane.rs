//! What a thread waits on for its answer: one descriptor that the connection makes ready, and whoever receives the answer for it.
//!
//! Each thread has one of its own. With one for all, what one of them drains the others would never hear of.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use super::session::Connection;
use crate::sys::gather::Gather;
use crate::sys::{Source, eventfd};

pub(super) struct Lane {
    gather: Gather,
    bell: OwnedFd,
    /// The connection is listened to for room as well. Known to the one thread that has the lane.
    is_duplex: AtomicBool,
}

impl Lane {
    pub(super) fn new(connection: &Connection) -> io::Result<Arc<Self>> {
        let (gather, bell) = (Gather::new()?, eventfd::create()?);
        gather.add(&bell)?;
        match connection.with_descriptor(|fd| gather.add(fd)) {
            Some(added) => added?,
            None => return Err(io::ErrorKind::NotConnected.into()),
        }
        Ok(Arc::new(Self { gather, bell, is_duplex: AtomicBool::new(false) }))
    }

    pub(super) fn source(&self) -> &Source {
        self.gather.source()
    }

    /// To be called before each look at what has come, and not before the first: what came before that is reported still.
    pub(super) fn drain(&self) {
        self.gather.drain();
    }

    /// Whether to listen for room as well: it comes with everything that the manager takes, and wakes for nothing if nothing waits for it.
    pub(super) fn listen(&self, connection: &Connection, for_room: bool) {
        if self.is_duplex.swap(for_room, Ordering::Relaxed) != for_room {
            // A connection that was sent away is nobody's here: these are not.
            let _ = connection.with_descriptor(|fd| self.gather.turn_duplex(fd, for_room));
        }
    }
}

impl Wake for Lane {
    fn wake(self: Arc<Self>) {
        eventfd::ring(self.bell.as_fd());
    }
}
