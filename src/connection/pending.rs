//! All that a listener has under way, driven by whoever is inside of an `accept`: no thread, and nobody waits for anybody.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with, getpeername};

use super::dial::{Protocol, nonce};
use super::exchange::{Exchange, Made, Talk};
use super::local::{self, Bound};
use super::{AcceptError, AuthKey, HandshakeError, Refusal, ours, python};
use crate::PeerCredentials;
use crate::planted::planted;
use crate::sys::clock;
use crate::sys::gather::Gather;

/// From the accept that picked a client up until it must have proved who it is.
const PATIENCE: u64 = 2_000_000_000;
/// Refusals are kept for whoever asks, the last so many.
const REMEMBERED: usize = 64;

/// How a listener was built.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) key: AuthKey,
    pub(super) protocol: Protocol,
    pub(super) most_pending: usize,
    pub(super) reports: bool,
}

/// The clients between `connect` and `accept`.
pub(super) struct Pending {
    /// `None`: the listener is closed.
    bound: Option<Bound>,
    /// Who the kernel says made the socket.
    owner: PeerCredentials,
    greeting: Vec<Client>,
    ready: VecDeque<Made>,
    refusals: VecDeque<Refusal>,
    refused: u64,
    unreported: usize,
}

struct Client {
    exchange: Exchange,
    from: Option<SocketAddr>,
    until: u64,
}

impl Pending {
    pub(super) fn new(bound: Bound) -> Self {
        let owner = PeerCredentials::of(bound.socket.as_fd());
        Self {
            bound: Some(bound),
            owner,
            greeting: Vec::new(),
            ready: VecDeque::new(),
            refusals: VecDeque::new(),
            refused: 0,
            unreported: 0,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.bound.is_none()
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    pub(super) fn take_refusals(&mut self) -> Vec<Refusal> {
        self.unreported = 0;
        self.refusals.drain(..).collect()
    }

    /// How many are greeting, and how many are ready.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.greeting.len(), self.ready.len())
    }

    /// Closes the socket and all clients, and wakes every accept.
    pub(super) fn close(&mut self, gather: &Gather) -> Option<Bound> {
        let bound = self.bound.take();
        self.greeting.clear();
        self.ready.clear();
        planted!("a-close-wakes-nobody", wake(gather), ());
        bound
    }

    /// The next client that has proved who it is. `None`: there is none, and `gather` is ready once there is more to do.
    pub(super) fn accept(&mut self, gather: &Gather, terms: &Terms) -> Option<Result<Made, AcceptError>> {
        let driven = self.drive(gather, terms);
        let accepted = match driven {
            Err(error) => Some(Err(error)),
            Ok(()) => self.ready.pop_front().map(Ok).or_else(|| self.report(terms).map(Err)),
        };
        self.rest(gather, terms);
        accepted
    }

    /// Whether there is one, or an `accept` would fail.
    pub(super) fn look(&mut self, gather: &Gather, terms: &Terms) -> Option<()> {
        let driven = self.drive(gather, terms);
        self.rest(gather, terms);
        let is_ready = driven.is_err() || !self.ready.is_empty() || terms.reports && self.unreported > 0;
        is_ready.then_some(())
    }

    fn report(&mut self, terms: &Terms) -> Option<AcceptError> {
        if !terms.reports || self.unreported == 0 {
            return None;
        }
        self.unreported -= 1;
        self.refusals.pop_front().map(AcceptError::Refused)
    }

    /// Sets when to go on unasked. What one caller leaves is there for another, so all are woken.
    fn rest(&self, gather: &Gather, terms: &Terms) {
        if self.is_closed() || !self.ready.is_empty() || terms.reports && self.unreported > 0 {
            planted!("what-one-leaves-wakes-nobody", wake(gather), ());
        } else {
            let _ = gather.wake_at(self.greeting.iter().map(|client| client.until).min());
        }
    }

    /// Picks clients up and goes on with those that are there.
    fn drive(&mut self, gather: &Gather, terms: &Terms) -> Result<(), AcceptError> {
        if self.is_closed() {
            return Err(AcceptError::Closed);
        }
        gather.drain();
        loop {
            let picked = self.pick_up(gather, terms);
            let under_way = self.greeting.len();
            self.go_on(gather);
            match picked {
                // As many as there may be: what has come to an end makes room for others.
                Ok(true) if self.greeting.len() < under_way => {}
                Ok(_) => return Ok(()),
                // Those under way will make room, in time.
                Err(_) if !self.greeting.is_empty() || !self.ready.is_empty() => return Ok(()),
                Err(error) => return Err(AcceptError::Io(error)),
            }
        }
    }

    /// Whether there may be more than were picked up.
    fn pick_up(&mut self, gather: &Gather, terms: &Terms) -> io::Result<bool> {
        while self.greeting.len() + self.ready.len() < terms.most_pending {
            let Some(bound) = &self.bound else { return Ok(false) };
            match accept_with(&bound.socket, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(socket) => self.meet(socket, gather, terms),
                Err(Errno::AGAIN) => return Ok(false),
                Err(
                    error @ (Errno::MFILE
                    | Errno::NFILE
                    | Errno::NOBUFS
                    | Errno::NOMEM
                    | Errno::BADF
                    | Errno::INVAL),
                ) => {
                    return Err(error.into());
                }
                // What went wrong with one connection; it is gone.
                Err(_) => {}
            }
        }
        Ok(true)
    }

    fn meet(&mut self, socket: OwnedFd, gather: &Gather, terms: &Terms) {
        let from = getpeername(&socket).ok().flatten().and_then(|from| SocketAddr::try_from(from).ok());
        let peer = PeerCredentials::of(socket.as_fd());
        let met = gather.add_duplex(&socket).map_err(HandshakeError::Io).and_then(|()| {
            let is_local = peer.is_known();
            let talk = self.talk(terms, &socket, peer)?;
            Ok(Exchange::new(socket, talk, true, is_local))
        });
        match met {
            Ok(exchange) => {
                let until =
                    clock::now() + planted!("a-silent-client-has-all-the-time", PATIENCE, u64::MAX / 2);
                self.greeting.push(Client { exchange, from, until });
            }
            Err(error) => self.refuse(Refusal { peer, from, error }),
        }
    }

    fn talk(&self, terms: &Terms, socket: &OwnedFd, seen: PeerCredentials) -> Result<Talk, HandshakeError> {
        let key = &terms.key;
        Ok(match terms.protocol {
            Protocol::Python if key.is_none() && !ours::is_same_user(seen) => {
                return Err(HandshakeError::OtherUser);
            }
            Protocol::Python => Talk::Python(python::Talk::new(key.clone(), true, nonce()?)),
            Protocol::Ours => {
                let endpoint = local::endpoint(socket, true).map_err(HandshakeError::Io)?;
                let owner = self.owner.is_known().then_some(self.owner);
                Talk::Ours(ours::Talk::of_listener(key.clone(), endpoint, seen, owner, nonce()?))
            }
        })
    }

    fn go_on(&mut self, gather: &Gather) {
        let now = clock::now();
        let mut at = 0;
        while let Some(client) = self.greeting.get_mut(at) {
            let stepped = match client.exchange.step() {
                None if now < client.until => {
                    at += 1;
                    continue;
                }
                None => Err(HandshakeError::TooSlow),
                Some(stepped) => stepped,
            };
            let client = self.greeting.remove(at);
            let (peer, from) = (client.exchange.peer(), client.from);
            // Its socket may live on as the connection.
            gather.remove(client.exchange.socket());
            match stepped.and_then(|()| client.exchange.finish()) {
                Ok(made) => self.ready.push_back(made),
                Err(error) => self.refuse(Refusal { peer, from, error }),
            }
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.refused += 1;
        self.unreported += 1;
        self.refusals.push_back(refusal);
        if self.refusals.len() > REMEMBERED {
            self.refusals.pop_front();
            self.unreported = self.unreported.min(REMEMBERED);
        }
    }
}

fn wake(gather: &Gather) {
    let _ = gather.wake_at(Some(0));
}
