//! A client's way to a connection, in steps that never wait.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::sockopt::socket_error;
use rustix::rand::{GetRandomFlags, getrandom};
use rustix::time::Timespec;

use super::address::Kind;
use super::exchange::{Exchange, Made, Talk};
use super::{Address, AuthKey, ConnectError, HandshakeError};
use super::{local, ours, python};
use crate::PeerCredentials;
use crate::sys::clock;
use crate::sys::gather::Gather;

const MILLI: u64 = 1_000_000;
/// How soon to try again where a listener has as many clients waiting as the system admits; it doubles.
const FIRST_NAP: u64 = MILLI;
const LONGEST_NAP: u64 = 64 * MILLI;

/// What is spoken once two sides have met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Ours,
    Python,
}

/// Random bytes for a challenge.
pub(super) fn nonce<const N: usize>() -> Result<[u8; N], HandshakeError> {
    let mut bytes = [0; N];
    match getrandom(&mut bytes, GetRandomFlags::empty()) {
        Ok(filled) if filled == N => Ok(bytes),
        Ok(_) => Err(HandshakeError::Io(io::ErrorKind::UnexpectedEof.into())),
        Err(error) => Err(HandshakeError::Io(error.into())),
    }
}

pub(super) struct Dial {
    address: Address,
    protocol: Protocol,
    key: AuthKey,
    /// When a listener that has been reached and says nothing is given up; with Python alone, whose listener says nothing if it has
    /// no key.
    patience: Option<u64>,
    give_up: Option<u64>,
    nap: u64,
    stage: Stage,
}

enum Stage {
    Begin,
    /// TCP.
    Reaching(OwnedFd),
    Greeting(Box<Exchange>),
    Over,
}

impl Dial {
    /// `patience` in nanoseconds.
    pub(super) fn new(
        address: Address,
        key: AuthKey,
        protocol: Protocol,
        patience: u64,
    ) -> Result<Self, ConnectError> {
        if key.is_none() && address.tcp().is_some() {
            return Err(ConnectError::KeyNeeded);
        }
        let patience = (protocol == Protocol::Python).then_some(patience);
        Ok(Self { address, protocol, key, patience, give_up: None, nap: FIRST_NAP, stage: Stage::Begin })
    }

    fn failed(&self, error: io::Error) -> ConnectError {
        let address = self.address.clone();
        match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
                ConnectError::NobodyListens { address }
            }
            _ => ConnectError::Io { address, error },
        }
    }

    /// Goes on as far as that goes at once. `None`: `gather` is ready when there is more to do.
    pub(super) fn attempt(&mut self, gather: &Gather) -> Option<Result<Made, ConnectError>> {
        gather.drain();
        let made = self.advance(gather);
        if made.is_some() {
            self.stage = Stage::Over;
        }
        made
    }

    fn advance(&mut self, gather: &Gather) -> Option<Result<Made, ConnectError>> {
        if matches!(self.stage, Stage::Begin) {
            match self.reach(gather) {
                Ok(Some(stage)) => self.stage = stage,
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
        if let Stage::Reaching(socket) = &self.stage {
            match reached(socket) {
                Ok(false) => return None,
                Ok(true) => {}
                Err(error) => return Some(Err(self.failed(error))),
            }
            let Stage::Reaching(socket) = std::mem::replace(&mut self.stage, Stage::Over) else {
                return None;
            };
            match self.greet(socket, gather) {
                Ok(exchange) => self.stage = Stage::Greeting(Box::new(exchange)),
                Err(error) => return Some(Err(error)),
            }
        }
        let Stage::Greeting(exchange) = &mut self.stage else { return None };
        let stepped = match exchange.step() {
            None if self.give_up.is_some_and(|at| clock::now() >= at) => Err(HandshakeError::TooSlow),
            None => return None,
            Some(stepped) => stepped,
        };
        let Stage::Greeting(exchange) = std::mem::replace(&mut self.stage, Stage::Over) else { return None };
        let made = stepped.and_then(|()| {
            gather.remove(exchange.socket());
            exchange.finish()
        });
        Some(made.map_err(|error| ConnectError::Handshake { address: self.address.clone(), error }))
    }

    /// Reaches the listener, or sets the time to try again.
    fn reach(&mut self, gather: &Gather) -> Result<Option<Stage>, ConnectError> {
        let socket = match self.address.kind() {
            Kind::Tcp(to) => {
                let socket = local::connect_tcp(*to).map_err(|error| self.failed(error))?;
                gather.add_duplex(&socket).map_err(|error| self.failed(error))?;
                return Ok(Some(Stage::Reaching(socket)));
            }
            Kind::Path(path) => local::connect_path(path),
            Kind::Abstract(name) => local::connect_abstract(name),
        };
        match socket.map_err(|error| self.failed(error))? {
            Some(socket) => {
                gather.add_duplex(&socket).map_err(|error| self.failed(error))?;
                Ok(Some(Stage::Greeting(Box::new(self.greet(socket, gather)?))))
            }
            None => {
                gather.wake_at(Some(clock::now() + self.nap)).map_err(|error| self.failed(error))?;
                self.nap = (self.nap * 2).min(LONGEST_NAP);
                Ok(None)
            }
        }
    }

    fn greet(&mut self, socket: OwnedFd, gather: &Gather) -> Result<Exchange, ConnectError> {
        if let Some(patience) = self.patience {
            let at = clock::now().saturating_add(patience);
            gather.wake_at(Some(at)).map_err(|error| self.failed(error))?;
            self.give_up = Some(at);
        }
        let refused = |error| ConnectError::Handshake { address: self.address.clone(), error };
        let (key, seen) = (self.key.clone(), PeerCredentials::of(socket.as_fd()));
        let talk = match self.protocol {
            Protocol::Ours => {
                let endpoint = local::endpoint(&socket, false).map_err(|error| self.failed(error))?;
                Talk::Ours(ours::Talk::of_client(key, endpoint, seen, nonce().map_err(refused)?))
            }
            Protocol::Python if key.is_none() && !ours::is_same_user(seen) => {
                return Err(refused(HandshakeError::OtherUser));
            }
            Protocol::Python => Talk::Python(python::Talk::new(key, false, nonce().map_err(refused)?)),
        };
        Ok(Exchange::new(socket, talk, false, self.address.tcp().is_none()))
    }
}

/// Whether a TCP connection stands.
fn reached(socket: &OwnedFd) -> io::Result<bool> {
    let mut ready = [PollFd::new(socket, PollFlags::OUT)];
    match poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
        Ok(0) | Err(Errno::INTR) => return Ok(false),
        other => other?,
    };
    socket_error(socket)??;
    Ok(true)
}
