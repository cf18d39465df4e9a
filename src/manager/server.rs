//! The server: one thread, one loop over all its clients.
//!
//! Whoever is slow to take an answer has its next question wait, and nobody else. An answer that does not fit into a socket stays
//! with its client until there is room. Whoever asks without end has a number of questions answered, and is in the next round.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::client::{Client, Connection};
use super::hall::Hall;
use super::link;
use super::message::{Request, Response, Started};
use super::session::Session;
use crate::connection::{Address, AioListener, AuthKey, BindError, TryAcceptError};
use crate::pipe::{AioConnection, MAX_LENGTH, PeerCredentials, TryRecvError};
use crate::planted::planted;
use crate::sys::gather::Gather;
use crate::sys::{clock, signal, socket};
use crate::wait::{Park, Ready, Waiter, blocking, never};

/// The owner's end of this closes with the last of its handles, and with its process.
pub(super) type Owner = AioConnection<Started, ()>;

/// Of the owner.
const OWNER: u64 = 1;
/// Of the first client.
const FIRST: u64 = 2;
/// How soon those are looked at for whom there was no descriptor.
const SHORTAGE: u64 = 20_000_000;

/// What the server's process does.
pub(super) fn serve(address: Address, key: AuthKey, owner: Owner) {
    signal::ignore_interrupt();
    raise_the_limit_of_files();
    let manager = u128::from(random()) << 64 | u128::from(random());
    let (listener, started) = match AioListener::bind(&address, key) {
        Ok(listener) => {
            let at = listener.address().clone();
            link::listens_here(&at);
            (Some(listener), Started::At(at, manager))
        }
        Err(BindError::InUse { address }) => (None, Started::InUse(address)),
        Err(BindError::Io { error, .. }) => {
            (None, Started::Failed { os: error.raw_os_error(), message: error.to_string() })
        }
        Err(error) => (None, Started::Failed { os: None, message: error.to_string() }),
    };
    // An owner that is gone needs nothing.
    if owner.send(&started).is_ok()
        && let Some(listener) = listener
        && let Ok(mut server) = Server::new(listener, owner, manager)
    {
        server.run();
    }
}

fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// Each name, each object and each client is a descriptor or more.
fn raise_the_limit_of_files() {
    let limit = getrlimit(Resource::Nofile);
    // Refused, there is room for fewer.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

struct Server {
    gather: Arc<Gather>,
    listener: AioListener<Response, Request>,
    owner: Owner,
    manager: u128,
    speakers: HashMap<u64, Speaker>,
    next: u64,
    hall: Hall,
}

/// Whose descriptor it is that has something to say.
enum Speaker {
    Client(Box<Client>),
    /// The end of an object's pair of sockets; the other end is with those who hold it.
    Object(OwnedFd),
}

impl Server {
    fn new(listener: AioListener<Response, Request>, owner: Owner, manager: u128) -> io::Result<Self> {
        let gather = Arc::new(Gather::new()?);
        gather.add(listener.source())?;
        owner.with_descriptor(|fd| gather.add_as(fd, OWNER)).unwrap_or(Ok(()))?;
        let (speakers, hall) = (HashMap::new(), Hall::new(Session::own(manager)?));
        Ok(Self { gather, listener, owner, manager, speakers, next: FIRST, hall })
    }

    /// Until its owner is gone.
    fn run(&mut self) {
        let gather = self.gather.clone();
        never(blocking(Park::new().on_fd(gather.source(), Ready::Read, || self.look())));
    }

    fn look(&mut self) -> Option<()> {
        for number in self.gather.reported() {
            match number {
                0 => self.admit(),
                OWNER if matches!(self.owner.try_recv(), Err(TryRecvError::Empty)) => {}
                OWNER => planted!("a-manager-outlives-its-owner", return Some(()), ()),
                number => self.attend(number),
            }
        }
        None
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn admit(&mut self) {
        loop {
            match self.listener.try_accept() {
                Ok(connection) => self.enter(connection, false),
                Err(TryAcceptError::Io(_)) => {
                    // No descriptor is left; who leaves gives one back.
                    let _ = self.gather.wake_at(Some(clock::now() + SHORTAGE));
                    return;
                }
                Err(_) => return,
            }
        }
    }

    fn enter(&mut self, connection: Connection, has_greeted: bool) {
        let number = self.number();
        let added = connection.with_descriptor(|fd| self.gather.add_as(fd, number));
        if matches!(added, Some(Ok(()))) {
            let client = Client::new(connection, self.manager, number, has_greeted);
            self.speakers.insert(number, Speaker::Client(Box::new(client)));
        }
    }

    fn attend(&mut self, number: u64) {
        match self.speakers.get_mut(&number) {
            Some(Speaker::Client(client)) => {
                let went_on = client.go_on(&mut self.hall);
                self.after(number, went_on.is_ok());
            }
            Some(Speaker::Object(_)) => self.hear(number),
            None => {}
        }
    }

    /// What a client has brought about for others, its end included.
    fn after(&mut self, number: u64, is_here: bool) {
        self.tend(number, is_here);
        self.settle();
        loop {
            let due = self.hall.take_due();
            if due.is_empty() {
                return;
            }
            let mut told: Vec<u64> = due.iter().map(|(caller, _)| caller.client).collect();
            told.sort_unstable();
            told.dedup();
            for (caller, answer) in due {
                // One that is gone by now has left, and with it what it is given here.
                let Some(Speaker::Client(client)) = self.speakers.get_mut(&caller.client) else { continue };
                if client.say(caller.question, answer).is_err() {
                    self.tend(caller.client, false);
                }
            }
            for number in told {
                if let Some(Speaker::Client(client)) = self.speakers.get_mut(&number) {
                    let pushed = client.push();
                    self.tend(number, pushed.is_ok());
                }
            }
        }
    }

    /// Listens for what a client is to do next, unless it is gone.
    fn tend(&mut self, number: u64, is_here: bool) {
        if !is_here {
            self.speakers.remove(&number);
            self.hall.leave(number);
        } else if let Some(Speaker::Client(client)) = self.speakers.get_mut(&number)
            && client.is_slow() != client.is_awaited
        {
            client.is_awaited = client.is_slow();
            let turn = |fd: BorrowedFd<'_>| self.gather.turn_as(fd, number, client.is_awaited);
            let _ = client.with_descriptor(turn);
        }
    }

    /// Objects that were made meanwhile are listened to.
    fn settle(&mut self) {
        for (object, end) in self.hall.take_made() {
            let number = self.number();
            if self.gather.add_as(&end, number).is_ok() {
                self.speakers.insert(number, Speaker::Object(end));
                self.hall.settle(object, number);
            } else {
                self.hall.forget(object);
            }
        }
    }

    /// A connection that somebody sends through an object's socket, or the end of all who hold the object.
    fn hear(&mut self, number: u64) {
        loop {
            let Some(Speaker::Object(end)) = self.speakers.get(&number) else { return };
            let came = socket::receive(end, &mut [0; 8]);
            match came {
                Ok(packet) if packet.length > 0 => {
                    for socket in packet.descriptors.into_iter().filter(|fd| socket::keeps_packets(fd)) {
                        let peer = PeerCredentials::of(socket.as_fd());
                        self.enter(AioConnection::on_packets(socket, MAX_LENGTH, peer), true);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                _ => {
                    self.speakers.remove(&number);
                    planted!("objects-outlive-their-holders", self.hall.forget_settled(number), ());
                    return;
                }
            }
        }
    }
}
