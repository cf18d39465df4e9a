//! Descriptors that travel between the holders of a region: packets in a pair of sockets, each with the nonce of the
//! record that it belongs to.
//!
//! A packet is sent before its record is published, and taken away after its record was consumed, so whoever is killed in
//! between leaves a packet that no record names: it is recognised by its nonce and thrown away.

use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use super::Region;
use crate::sys::socket;

/// A peer that fills the pair with stray packets is not waited out.
const MOST_STALE: usize = 10_000;

/// What became of packing descriptors.
#[derive(Debug)]
pub(crate) enum Sent {
    Done,
    /// The pair is full.
    Full,
    Failed(io::Error),
}

/// What became of looking for descriptors.
#[derive(Debug)]
pub(crate) enum Peeked {
    Here(Vec<OwnedFd>),
    /// This process has no room for them; they wait.
    NoRoom,
    /// Nobody has them.
    Lost,
}

impl Region {
    /// A number that no other packet in this region has.
    pub(crate) fn nonce(&self) -> u64 {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        u64::from(self.me().to_bits()) << 34 | COUNTER.fetch_add(1, Ordering::Relaxed) & ((1 << 34) - 1)
    }

    /// Sends a packet. By the owner of the side that publishes records.
    pub(crate) fn send_luggage(&self, nonce: u64, descriptors: &[OwnedFd]) -> Sent {
        let Some((to, _)) = self.sockets() else { return Sent::Failed(ErrorKind::Unsupported.into()) };
        let borrowed: Vec<_> = descriptors.iter().map(|descriptor| descriptor.as_fd()).collect();
        match socket::send(to, &[IoSlice::new(&nonce.to_ne_bytes())], &borrowed) {
            Ok(()) => Sent::Done,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Sent::Full,
            Err(error) => Sent::Failed(error),
        }
    }

    /// Duplicates of the descriptors with this nonce; throws stale packets before them away. By the owner of the side that
    /// consumes records.
    pub(crate) fn peek_luggage(&self, nonce: u64) -> Peeked {
        let Some((_, from)) = self.sockets() else { return Peeked::Lost };
        for _ in 0..MOST_STALE {
            let mut bytes = [0; 8];
            match socket::peek(from, &mut bytes) {
                Ok(_) if u64::from_ne_bytes(bytes) != nonce => socket::discard(from),
                Ok(packet) if packet.descriptors_lost => return Peeked::NoRoom,
                Ok(packet) => return Peeked::Here(packet.descriptors),
                Err(_) => return Peeked::Lost,
            }
        }
        Peeked::Lost
    }

    /// Takes away the packet that [`peek_luggage`](Self::peek_luggage) found.
    pub(crate) fn drop_luggage(&self) {
        if let Some((_, from)) = self.sockets() {
            socket::discard(from);
        }
    }
}
