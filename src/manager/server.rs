//! The server: one thread, one loop over all its clients.
//!
//! Whoever is slow to take an answer has its next question wait, and nobody else. An answer that does not fit into a socket stays
//! with its client until there is room.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::kept::Kept;
use super::kind::Kind;
use super::message::{Answer, Ask, Hello, Started};
use crate::connection::{Address, AioListener, AuthKey, BindError, TryAcceptError};
use crate::pipe::{AioConnection, Letter, TryRecvError};
use crate::planted::planted;
use crate::sys::gather::Gather;
use crate::sys::{clock, signal};
use crate::wait::{Park, Ready, Waiter, blocking, never};

/// The owner's end of this closes with the last of its handles, and with its process.
pub(super) type Owner = AioConnection<Started, ()>;

type Connection = AioConnection<Answer, Ask>;

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
    let (listener, started) = match AioListener::bind(&address, key) {
        Ok(listener) => {
            let at = listener.address().clone();
            (Some(listener), Started::At(at))
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
        && let Ok(mut server) = Server::new(listener, owner)
    {
        server.run();
    }
}

/// Each name and each client is a descriptor or more.
fn raise_the_limit_of_files() {
    let limit = getrlimit(Resource::Nofile);
    // Refused, there is room for fewer.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

struct Server {
    gather: Arc<Gather>,
    listener: AioListener<Answer, Ask>,
    owner: Owner,
    clients: HashMap<u64, Client>,
    next: u64,
    names: BTreeMap<String, (Kind, Kept)>,
}

struct Client {
    connection: Connection,
    /// It knows that it is here.
    has_greeted: bool,
    /// The answer that is on its way.
    answer: Option<Letter>,
}

/// A client that is gone, or whose questions make no sense.
struct Left;

impl Server {
    fn new(listener: AioListener<Answer, Ask>, owner: Owner) -> io::Result<Self> {
        let gather = Arc::new(Gather::new()?);
        gather.add(listener.source())?;
        owner.with_descriptor(|fd| gather.add_duplex_as(fd, OWNER)).unwrap_or(Ok(()))?;
        Ok(Self { gather, listener, owner, clients: HashMap::new(), next: FIRST, names: BTreeMap::new() })
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

    fn admit(&mut self) {
        loop {
            match self.listener.try_accept() {
                Ok(connection) => {
                    let number = self.next;
                    self.next += 1;
                    let client = Client { connection, has_greeted: false, answer: None };
                    let added = client.connection.with_descriptor(|fd| self.gather.add_duplex_as(fd, number));
                    if matches!(added, Some(Ok(()))) {
                        // What it has said already is the first edge.
                        self.clients.insert(number, client);
                    }
                }
                Err(TryAcceptError::Io(_)) => {
                    // No descriptor is left; who leaves gives one back.
                    let _ = self.gather.wake_at(Some(clock::now() + SHORTAGE));
                    return;
                }
                Err(_) => return,
            }
        }
    }

    fn attend(&mut self, number: u64) {
        if let Some(client) = self.clients.get_mut(&number)
            && client.go_on(&mut self.names).is_err()
        {
            self.clients.remove(&number);
        }
    }
}

impl Client {
    /// Answers what was asked, for as long as the answers are taken.
    fn go_on(&mut self, names: &mut BTreeMap<String, (Kind, Kept)>) -> Result<(), Left> {
        loop {
            if let Some(letter) = &mut self.answer {
                match self.connection.attempt(letter) {
                    None => planted!("a-slow-client-holds-all", return Ok(()), continue),
                    Some(Ok(())) => self.answer = None,
                    Some(Err(_)) => return Err(Left),
                }
            }
            let ask = match self.connection.try_recv() {
                Ok(ask) => ask,
                Err(TryRecvError::Empty) => return Ok(()),
                Err(_) => return Err(Left),
            };
            let answer = self.answer(ask, names)?;
            let letter = self.connection.letter(&answer);
            let letter = letter.or_else(|error| self.connection.letter(&Answer::Refused(error.to_string())));
            self.answer = Some(letter.map_err(|_| Left)?);
        }
    }

    fn answer(&mut self, ask: Ask, names: &mut BTreeMap<String, (Kind, Kept)>) -> Result<Answer, Left> {
        Ok(match ask {
            Ask::Hello(hello) if hello.is_of_a_manager() => {
                self.has_greeted = true;
                Answer::Hello(Hello::ours(), std::process::id())
            }
            _ if !self.has_greeted => return Err(Left),
            Ask::Hello(_) => return Err(Left),
            Ask::Register { name, kind, value, replaces } => match names.get(&name) {
                Some((kind, _)) if !replaces => Answer::Taken(kind.clone()),
                _ => {
                    names.insert(name, (kind, value));
                    Answer::Done
                }
            },
            Ask::Get { name, kind } => match names.get(&name) {
                None => Answer::Missing,
                Some((registered, _)) if planted!("any-kind-will-do", !registered.fits(&kind), false) => {
                    Answer::Taken(registered.clone())
                }
                Some((_, kept)) if kept.has_descriptors() && self.is_elsewhere() => Answer::Stays,
                Some((_, kept)) => match kept.again() {
                    Ok(value) => Answer::Value(value),
                    Err(error) => Answer::Refused(error.to_string()),
                },
            },
            Ask::Unregister { name } => match names.remove(&name) {
                Some(_) => Answer::Done,
                None => Answer::Missing,
            },
            Ask::Names => Answer::Names(names.keys().cloned().collect()),
        })
    }

    /// Whether descriptors can't reach it.
    fn is_elsewhere(&self) -> bool {
        !self.connection.peer().is_known()
    }
}
