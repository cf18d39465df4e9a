//! A process's connection to a manager: any number of questions under way, from threads and tasks, each with a number.
//!
//! There is no thread behind it. Whoever waits for an answer receives what comes, and hands to others what is theirs: an answer goes
//! into its slot, and the slot's waker is woken. Nobody depends on anybody else to go on: each task waits on the socket itself,
//! and each thread on a [`Lane`], a descriptor of its own that the socket and its waker both make ready. (With one descriptor for
//! all, what one of them drains the others would never hear of.)

use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::{Poll, Wake, Waker};

use parking_lot::Mutex;

use super::error::ManagerError;
use super::message::{Answer, Ask, Request, Response, UNANSWERED};
use crate::pipe::{AioConnection, Letter, PeerCredentials, RecvError, SendError, TryRecvError};
use crate::planted::planted;
use crate::sys::gather::Gather;
use crate::sys::{eventfd, forked, socket};
use crate::wait::{Ready, Waiter};

type Connection = AioConnection<Request, Response>;

/// So many lanes are kept for later.
const IDLE: usize = 4;

/// The sessions of this process, by the numbers of their managers.
static SESSIONS: Mutex<Vec<(u128, Weak<Session>)>> = Mutex::new(Vec::new());

pub(super) struct Session {
    manager: u128,
    connection: Connection,
    table: Mutex<Table>,
    /// What is told as soon as there is room.
    unsent: Mutex<VecDeque<Letter>>,
    /// Those that nobody uses now.
    lanes: Mutex<Vec<Arc<Lane>>>,
}

#[derive(Default)]
struct Table {
    next: u64,
    slots: HashMap<u64, Slot>,
    /// Why nothing comes any more.
    end: Option<End>,
}

#[derive(Default)]
struct Slot {
    answer: Option<Answer>,
    waker: Option<Waker>,
}

/// Why a session is over.
#[derive(Clone, Copy)]
enum End {
    Gone,
    NoDescriptors,
    Nonsense,
    /// It is the manager's own.
    Within,
}

impl End {
    fn error(self) -> ManagerError {
        match self {
            Self::Gone => ManagerError::Gone,
            Self::NoDescriptors => ManagerError::Answer(RecvError::NoDescriptors),
            Self::Nonsense => ManagerError::NotAManager,
            Self::Within => ManagerError::Within,
        }
    }
}

/// What a thread waits on.
struct Lane {
    gather: Gather,
    bell: OwnedFd,
}

impl Lane {
    fn new(connection: &Connection) -> io::Result<Arc<Self>> {
        let (gather, bell) = (Gather::new()?, eventfd::create()?);
        gather.add(&bell)?;
        match connection.with_descriptor(|fd| gather.add_duplex(fd)) {
            Some(added) => added?,
            None => return Err(io::ErrorKind::NotConnected.into()),
        }
        Ok(Arc::new(Self { gather, bell }))
    }
}

impl Wake for Lane {
    fn wake(self: Arc<Self>) {
        eventfd::ring(self.bell.as_fd());
    }
}

/// A question under way. Dropped before its answer was taken, the answer is thrown away.
struct Ticket<'a> {
    session: &'a Session,
    id: u64,
    /// The object that must know if nobody waits any more.
    waits_for: Option<u64>,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let slot = self.session.table.lock().slots.remove(&self.id);
        // An answer that is here and was not taken is to go back like one that is on its way.
        if let (Some(_), Some(object)) = (slot, self.waits_for) {
            planted!(
                "nobody-is-told-who-gave-up",
                self.session.tell(Ask::Cancel { object, question: self.id }),
                ()
            );
        }
    }
}

impl Session {
    /// The one with this manager, which `connection` leads to.
    pub(super) fn over(connection: Connection, manager: u128) -> Arc<Self> {
        let mut sessions = SESSIONS.lock();
        if let Some(known) = find(&sessions, manager) {
            return known;
        }
        let (table, unsent, lanes) = (Mutex::default(), Mutex::default(), Mutex::default());
        let session = Arc::new(Self { manager, connection, table, unsent, lanes });
        sessions.retain(|(_, known)| known.strong_count() > 0);
        sessions.push((manager, Arc::downgrade(&session)));
        session
    }

    /// Of a manager's process with itself: proxies that come there have it, and calls are refused.
    pub(super) fn own(manager: u128) -> io::Result<Arc<Self>> {
        let (ours, _) = socket::pair()?;
        let peer = PeerCredentials::of(ours.as_fd());
        let session = Self::over(AioConnection::on_packets(ours, 0, peer), manager);
        session.table.lock().end = Some(End::Within);
        Ok(session)
    }

    /// The one that this process has with a manager.
    pub(super) fn with(manager: u128) -> Option<Arc<Self>> {
        find(&SESSIONS.lock(), manager)
    }

    pub(super) fn manager(&self) -> u128 {
        self.manager
    }

    /// Whether the manager is known to be gone.
    pub(super) fn is_over(&self) -> bool {
        let is_quiet = self.table.lock().slots.is_empty();
        if is_quiet {
            // Nobody would have heard of its end.
            self.receive();
        }
        self.table.lock().end.is_some()
    }

    /// Asks, and waits for the answer.
    pub(super) async fn call<W: Waiter>(
        &self,
        waiter: &mut W,
        ask: Ask,
    ) -> Result<Result<Answer, ManagerError>, W::GaveUp> {
        if forked::is_fork() {
            return Ok(Err(ManagerError::Forked));
        }
        let waits_for = ask.waits_for();
        let ticket = match self.ticket(waits_for) {
            Ok(ticket) => ticket,
            Err(error) => return Ok(Err(error)),
        };
        let request = Request { id: ticket.id, ask };
        if let Err(error) = self.send(waiter, &request).await? {
            return Ok(Err(error));
        }
        drop(request);
        let answer = self.answer(waiter, &ticket).await?;
        if let (Ok(Answer::Stays), Some(object)) = (&answer, waits_for) {
            // It can't come here: to whoever is next.
            self.tell(Ask::Cancel { object, question: ticket.id });
        }
        Ok(answer)
    }

    fn ticket(&self, waits_for: Option<u64>) -> Result<Ticket<'_>, ManagerError> {
        let mut table = self.table.lock();
        if let Some(end) = table.end {
            return Err(end.error());
        }
        let id = table.next;
        table.next += 1;
        table.slots.insert(id, Slot::default());
        Ok(Ticket { session: self, id, waits_for })
    }

    async fn send<W: Waiter>(
        &self,
        waiter: &mut W,
        request: &Request,
    ) -> Result<Result<(), ManagerError>, W::GaveUp> {
        let mut letter = match self.connection.letter(request) {
            Ok(letter) => letter,
            Err(error) => return Ok(Err(ManagerError::of_send(error))),
        };
        let attempt = || {
            let sent = self.connection.attempt(&mut letter);
            if sent.is_none() {
                // The manager takes no more questions from who takes no answers.
                planted!("who-sends-takes-no-answers", self.receive(), ());
            }
            sent
        };
        let sent = self.connection.when_ready(waiter, Ready::Either, attempt).await?;
        Ok(sent.unwrap_or(Err(SendError::Moved)).map_err(ManagerError::of_send))
    }

    /// Says something that is not answered. Never waits: what there is no room for goes out when answers have been received. There
    /// always will be some, since without questions under way there is room.
    pub(super) fn tell(&self, ask: Ask) {
        if forked::is_fork() {
            return;
        }
        if let Ok(letter) = self.connection.letter(&Request { id: UNANSWERED, ask }) {
            self.unsent.lock().push_back(letter);
            self.send_on();
        }
    }

    fn send_on(&self) {
        let mut unsent = self.unsent.lock();
        while let Some(letter) = unsent.front_mut()
            && self.connection.attempt(letter).is_some()
        {
            unsent.pop_front();
        }
    }

    async fn answer<W: Waiter>(
        &self,
        waiter: &mut W,
        ticket: &Ticket<'_>,
    ) -> Result<Result<Answer, ManagerError>, W::GaveUp> {
        if !waiter.blocks() {
            let look = || {
                self.receive();
                self.take(ticket.id, None)
            };
            let mut on_socket = pin!(self.connection.when_ready(waiter, Ready::Read, look));
            let answered = poll_fn(|cx| match self.take(ticket.id, Some(cx.waker())) {
                Some(answer) => Poll::Ready(Ok(Some(answer))),
                None => on_socket.as_mut().poll(cx),
            });
            return Ok(answered.await?.unwrap_or(Err(ManagerError::Gone)));
        }
        let lane = match self.lane() {
            Ok(lane) => lane,
            Err(error) => return Ok(Err(ManagerError::Answer(RecvError::Io(error)))),
        };
        let waker = Waker::from(lane.clone());
        let look = || {
            lane.gather.drain();
            if let Some(answer) = self.take(ticket.id, Some(&waker)) {
                return Some(answer);
            }
            self.receive();
            self.take(ticket.id, None)
        };
        let answer = waiter.on_fd(lane.gather.source(), Ready::Read, look).await;
        let mut lanes = self.lanes.lock();
        if lanes.len() < IDLE {
            lanes.push(lane);
        }
        answer
    }

    fn lane(&self) -> io::Result<Arc<Lane>> {
        let idle = self.lanes.lock().pop();
        idle.map_or_else(|| Lane::new(&self.connection), Ok)
    }

    /// The answer, if it is here; otherwise whom to wake when it is.
    fn take(&self, id: u64, waker: Option<&Waker>) -> Option<Result<Answer, ManagerError>> {
        let mut table = self.table.lock();
        let end = table.end;
        let slot = table.slots.get_mut(&id)?;
        if let Some(answer) = slot.answer.take() {
            table.slots.remove(&id);
            return Some(Ok(answer));
        }
        if let Some(end) = end {
            return Some(Err(end.error()));
        }
        if let Some(waker) = waker {
            slot.waker.get_or_insert_with(|| waker.clone()).clone_from(waker);
        }
        None
    }

    /// Receives all that is there, and hands it to those who asked.
    fn receive(&self) {
        self.connection.flush();
        if !self.unsent.lock().is_empty() {
            self.send_on();
        }
        loop {
            let end = match self.connection.try_recv() {
                Ok(Response { id, answer }) => {
                    self.deliver(id, answer);
                    continue;
                }
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::NoDescriptors) => End::NoDescriptors,
                Err(TryRecvError::Decode { .. } | TryRecvError::Damaged(_)) => End::Nonsense,
                Err(_) => End::Gone,
            };
            return self.end(end);
        }
    }

    fn deliver(&self, id: u64, answer: Answer) {
        let waker = {
            let mut table = self.table.lock();
            match table.slots.get_mut(&id) {
                Some(slot) => {
                    slot.answer = Some(answer);
                    slot.waker.take()
                }
                // Nobody waits for it any more; what it holds is closed outside of the lock.
                None => {
                    drop(table);
                    drop(answer);
                    return;
                }
            }
        };
        if let Some(waker) = waker {
            planted!("what-one-receives-others-never-hear-of", waker.wake(), drop(waker));
        }
    }

    fn end(&self, end: End) {
        let wakers: Vec<Waker> = {
            let mut table = self.table.lock();
            table.end.get_or_insert(end);
            table.slots.values_mut().filter_map(|slot| slot.waker.take()).collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

fn find(sessions: &[(u128, Weak<Session>)], manager: u128) -> Option<Arc<Session>> {
    let of_it = sessions.iter().filter(|(known, _)| *known == manager);
    of_it
        .filter_map(|(_, session)| session.upgrade())
        .find(|session| matches!(session.table.lock().end, None | Some(End::Within)))
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let table = self.table.lock();
        f.debug_struct("Session")
            .field("under_way", &table.slots.len())
            .field("is_over", &table.end.is_some())
            .finish_non_exhaustive()
    }
}
