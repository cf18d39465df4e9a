//! A process's connection to a manager: any number of questions under way, from threads and tasks, each with a number.
//!
//! There is no thread behind it. Whoever waits for an answer receives what comes, and hands to others what is theirs: an answer goes
//! into its slot, and the slot's waker is woken. Nobody depends on anybody else to go on: each task waits on the socket itself,
//! and each thread on a [`Lane`].

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::AsFd as _;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::{Poll, Waker};

use parking_lot::Mutex;

use super::error::ManagerError;
use super::lane::Lane;
use super::message::{Answer, Ask, Request, Response, UNANSWERED};
use super::slots::{Delivered, End, Slots};
use crate::pipe::{AioConnection, Letter, PeerCredentials, RecvError, SendError, TryRecvError};
use crate::planted::planted;
use crate::sys::{forked, socket};
use crate::wait::{Ready, Waiter};

pub(super) type Connection = AioConnection<Request, Response>;

/// So many lanes are kept for later.
const IDLE: usize = 4;

/// The sessions of this process, by the numbers of their managers.
static SESSIONS: Mutex<Vec<(u128, Weak<Session>)>> = Mutex::new(Vec::new());

pub(super) struct Session {
    manager: u128,
    connection: Connection,
    slots: Slots,
    /// What is told as soon as there is room.
    unsent: Mutex<VecDeque<Letter>>,
    /// Those that nobody uses now.
    lanes: Mutex<Vec<Arc<Lane>>>,
}

/// What somebody receives for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// The answer to that question, which needs nobody to be woken, and others on the way to it.
    One(u64),
    /// Whatever is there.
    All,
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
        // An answer that is here and was not taken is to go back like one that is on its way.
        if self.session.slots.close(self.id)
            && let Some(object) = self.waits_for
        {
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
        let (slots, unsent, lanes) = (Slots::default(), Mutex::default(), Mutex::default());
        let session = Arc::new(Self { manager, connection, slots, unsent, lanes });
        sessions.retain(|(_, known)| known.strong_count() > 0);
        sessions.push((manager, Arc::downgrade(&session)));
        session
    }

    /// Of a manager's process with itself: proxies that come there have it, and calls are refused.
    pub(super) fn own(manager: u128) -> io::Result<Arc<Self>> {
        let (ours, _) = socket::pair()?;
        let peer = PeerCredentials::of(ours.as_fd());
        let session = Self::over(AioConnection::on_packets(ours, 0, peer), manager);
        session.slots.end(End::Within);
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
        if self.slots.len() == 0 {
            // Nobody would have heard of its end.
            self.receive(Whose::All);
        }
        self.slots.is_over()
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
        let id = self.slots.open()?;
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
            // What was told before goes first.
            let sent = if self.send_on() { self.connection.attempt(&mut letter) } else { None };
            if sent.is_none() {
                // The manager takes no more questions from who takes no answers.
                self.receive(Whose::All);
            }
            sent
        };
        let sent = self.connection.when_ready(waiter, Ready::Either, attempt).await?;
        Ok(sent.unwrap_or(Err(SendError::Moved)).map_err(ManagerError::of_send))
    }

    /// Says something that is not answered. Never waits: what there is no room for is sent on by whoever waits for an answer, or asks
    /// something next.
    pub(super) fn tell(&self, ask: Ask) {
        if forked::is_fork() {
            return;
        }
        if let Ok(letter) = self.connection.letter(&Request { id: UNANSWERED, ask }) {
            self.unsent.lock().push_back(letter);
            if !self.send_on() {
                // Those who wait listen for room from here on.
                planted!("what-is-told-waits-for-an-answer", self.slots.wake_all(), ());
            }
        }
    }

    /// Sends what was told and is not out; whether all of it is.
    fn send_on(&self) -> bool {
        let mut unsent = self.unsent.lock();
        while let Some(letter) = unsent.front_mut() {
            if self.connection.attempt(letter).is_none() {
                return false;
            }
            unsent.pop_front();
        }
        true
    }

    fn has_unsent(&self) -> bool {
        !self.unsent.lock().is_empty()
    }

    async fn answer<W: Waiter>(
        &self,
        waiter: &mut W,
        ticket: &Ticket<'_>,
    ) -> Result<Result<Answer, ManagerError>, W::GaveUp> {
        if waiter.is_done_at_first_poll() {
            self.park(waiter, ticket.id).await
        } else {
            self.suspend(waiter, ticket.id).await
        }
    }

    async fn suspend<W: Waiter>(
        &self,
        waiter: &mut W,
        id: u64,
    ) -> Result<Result<Answer, ManagerError>, W::GaveUp> {
        loop {
            let for_room = self.has_unsent();
            let look = || {
                self.receive(Whose::One(id));
                self.slots.take(id, None)
            };
            let ready = if for_room { Ready::Either } else { Ready::Read };
            let mut on_socket = pin!(self.connection.when_ready(waiter, ready, look));
            let answered = poll_fn(|cx| {
                if let Some(answer) = self.slots.take(id, Some(cx.waker())) {
                    return Poll::Ready(Some(Ok(Some(answer))));
                }
                // Before it is polled again it is made anew.
                if self.has_unsent() != for_room {
                    return Poll::Ready(None);
                }
                on_socket.as_mut().poll(cx).map(Some)
            });
            if let Some(answered) = answered.await {
                return Ok(answered?.unwrap_or(Err(ManagerError::Gone)));
            }
        }
    }

    async fn park<W: Waiter>(
        &self,
        waiter: &mut W,
        id: u64,
    ) -> Result<Result<Answer, ManagerError>, W::GaveUp> {
        let lane = match self.lane() {
            Ok(lane) => lane,
            Err(error) => return Ok(Err(ManagerError::Answer(RecvError::Io(error)))),
        };
        let waker = Waker::from(lane.clone());
        // What has come since the question was sent is reported by an edge: no look before the first.
        let mut is_first = true;
        let look = || {
            if !std::mem::take(&mut is_first) {
                lane.drain();
                self.receive(Whose::One(id));
            }
            let answer = self.slots.take(id, Some(&waker));
            lane.listen(&self.connection, answer.is_none() && self.has_unsent());
            answer
        };
        let answer = waiter.on_fd(lane.source(), Ready::Read, look).await;
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

    /// Receives what is there, and hands it to those who asked.
    fn receive(&self, whose: Whose) {
        self.connection.flush();
        self.send_on();
        loop {
            let end = match self.connection.try_recv() {
                Ok(Response { id, answer }) => {
                    // Where nobody waits any more, nothing is there; if something is, it is of those who gave up.
                    if self.deliver(id, answer, whose) == 0 && whose != Whose::All {
                        return;
                    }
                    continue;
                }
                Err(TryRecvError::Empty) => return,
                // It stays there, for a time when there is room; who waits is told.
                Err(TryRecvError::NoDescriptors) => {
                    if let Whose::One(id) = whose {
                        self.slots.refuse(id, End::NoDescriptors);
                    }
                    planted!("a-shortage-ends-a-session", {
                        self.slots.end(End::NoDescriptors);
                    });
                    return;
                }
                Err(TryRecvError::Decode { .. } | TryRecvError::Damaged(_)) => End::Nonsense,
                Err(_) => End::Gone,
            };
            return self.slots.end(end);
        }
    }

    /// How many answers are still to come.
    fn deliver(&self, id: u64, answer: Answer, whose: Whose) -> usize {
        let Delivered { waker, left, open } = self.slots.deliver(id, answer);
        drop(left);
        if let Some(waker) = waker
            && whose != Whose::One(id)
        {
            planted!("what-one-receives-others-never-hear-of", waker.wake(), drop(waker));
        }
        open
    }
}

fn find(sessions: &[(u128, Weak<Session>)], manager: u128) -> Option<Arc<Session>> {
    let of_it = sessions.iter().filter(|(known, _)| *known == manager);
    of_it.filter_map(|(_, session)| session.upgrade()).find(|session| session.slots.is_of_use())
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("under_way", &self.slots.len())
            .field("is_over", &self.slots.is_over())
            .finish_non_exhaustive()
    }
}
