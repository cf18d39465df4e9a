//! What those who take packets at one end have in common.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use parking_lot::Mutex;

use super::error::RecvError;
use super::packet::{self, Cpu, Flags, Incoming};
use crate::planted::planted;

pub(super) struct Packets {
    /// Between the look at a packet and its taking: how many were taken. Nobody waits while holding it.
    taken: Mutex<u64>,
    /// Where the sender of the last one ran, a [`Cpu`].
    sender: AtomicU8,
    /// Somebody else, here or in another process, may receive from the same socket.
    is_shared: AtomicBool,
}

impl Packets {
    pub(super) fn new() -> Self {
        let sender = AtomicU8::new(Cpu::UNKNOWN.to_bits());
        Self { taken: Mutex::new(0), sender, is_shared: AtomicBool::new(false) }
    }

    pub(super) fn is_shared(&self) -> bool {
        self.is_shared.load(Ordering::Relaxed)
    }

    /// From now on others may receive from this socket, too.
    pub(super) fn share(&self) {
        // Nobody here is between a look and a taking that does without descriptors.
        let _taking = self.taken.lock();
        self.is_shared.store(true, Ordering::Relaxed);
    }

    /// Takes a packet if one is there.
    pub(super) fn take(&self, socket: BorrowedFd<'_>, limit: u64) -> Option<Result<Incoming, RecvError>> {
        self.take_seen(socket, limit, None)
    }

    /// Takes a packet. `None`: somebody else was faster.
    ///
    /// Blocks the thread in the look at the packet, which is needed anyway.
    pub(super) fn wait_and_take(
        &self,
        socket: BorrowedFd<'_>,
        limit: u64,
    ) -> Option<Result<Incoming, RecvError>> {
        let before = *self.taken.lock();
        let seen = packet::wait(socket);
        planted!("one-of-several-blocks-in-its-look", {
            // Time to be killed in.
            std::thread::sleep(std::time::Duration::from_millis(300));
        });
        self.take_seen(socket, limit, seen.map(|flags| (before, flags)))
    }

    /// What was seen counts if none has been taken since: otherwise it may have been another.
    fn take_seen(
        &self,
        socket: BorrowedFd<'_>,
        limit: u64,
        seen: Option<(u64, Flags)>,
    ) -> Option<Result<Incoming, RecvError>> {
        let taken = {
            let mut count = self.taken.lock();
            let known = seen.filter(|(before, _)| *before == *count).map(|(_, flags)| flags);
            let taken = packet::take(socket, self.is_shared(), known)?;
            *count += 1;
            taken
        };
        if let Ok(taken) = &taken {
            self.sender.store(taken.cpu.to_bits(), Ordering::Relaxed);
        }
        Some(taken.and_then(|taken| taken.open(limit)))
    }

    /// Whether the last sender ran on this CPU: then it can't send before it is let run.
    pub(super) fn has_sender_here(&self) -> bool {
        let last = Cpu::from_bits(self.sender.load(Ordering::Relaxed));
        last != Cpu::UNKNOWN && last == Cpu::here()
    }
}
