//! A process's connection to a manager: any number of questions under way, from threads and tasks, each with a number.
//!
//! There is no thread behind it. Who asks while others are under way lets those go first that can, and then sends what all of them
//! have to say; each of them would. How answers come stands in [`reply`](super::reply).

use std::future::poll_fn;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::{Arc, Weak};
use std::task::Poll;

use parking_lot::Mutex;

use super::error::ManagerError;
use super::lane::Lane;
use super::message::{Answer, Ask, Request, Response, UNANSWERED};
use super::outbox::Outbox;
use super::slots::{End, Slots, Untaken};
use crate::pipe::{AioConnection, PeerCredentials, SendError};
use crate::planted::planted;
use crate::sys::{forked, socket};
use crate::wait::Waiter;

pub(super) type Connection = AioConnection<Request, Response>;

/// Up to so many calls at once, long values are copied before their turn to be sent: nobody else waits for that, but each copy is a
/// descriptor until it is out.
const AHEAD: usize = 64;

/// The sessions of this process, by the numbers of their managers.
static SESSIONS: Mutex<Vec<(u128, Weak<Session>)>> = Mutex::new(Vec::new());

pub(super) struct Session {
    manager: u128,
    pub(super) connection: Connection,
    pub(super) slots: Slots,
    /// What is sent as soon as there is room.
    outbox: Outbox,
    /// Those that nobody uses now.
    pub(super) lanes: Mutex<Vec<Arc<Lane>>>,
}

/// A question under way. Dropped before its answer was taken, the answer is thrown away.
pub(super) struct Ticket<'a> {
    session: &'a Session,
    pub(super) id: u64,
    /// The object that must know if nobody waits any more.
    waits_for: Option<u64>,
    /// The time for it is over.
    is_late: bool,
    /// It is heard even then, with the end of its time.
    is_heard_late: bool,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let Some(Untaken { answer }) = self.session.slots.close(self.id) else { return };
        let is_said = self.is_late && self.is_heard_late;
        let is_unsent =
            !is_said && planted!("who-gave-up-asks-still", self.session.outbox.take_back(self.id), false);
        // An answer that is here and was not taken is to go back like one that is on its way.
        if !is_unsent && let Some(object) = self.waits_for {
            planted!(
                "nobody-is-told-who-gave-up",
                self.session.tell(Ask::Cancel { object, question: self.id, is_late: self.is_late }),
                ()
            );
        }
        self.session.give_back(answer);
    }
}

impl Session {
    /// The one with this manager, which `connection` leads to.
    pub(super) fn over(connection: Connection, manager: u128) -> Arc<Self> {
        let mut sessions = SESSIONS.lock();
        if let Some(known) = find(&sessions, manager) {
            return known;
        }
        let (slots, outbox, lanes) = (Slots::default(), Outbox::default(), Mutex::default());
        let session = Arc::new(Self { manager, connection, slots, outbox, lanes });
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
            self.receive_all();
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
        let mut ticket = match self.ticket(waits_for, ask.is_heard_late()) {
            Ok(ticket) => ticket,
            Err(error) => return Ok(Err(error)),
        };
        let letter = match self.connection.letter(&Request { id: ticket.id, ask }) {
            Ok(mut letter) => {
                if self.slots.open_ones() <= planted!("long-values-are-copied-in-turn", AHEAD, 0) {
                    // Refused, it is told when its turn comes.
                    let _ = self.connection.make_ready(&mut letter);
                }
                letter
            }
            Err(error) => return Ok(Err(ManagerError::of_send(error))),
        };
        self.outbox.put(ticket.id, letter);
        if !waiter.is_done_at_first_poll() && self.slots.open_ones() > 1 {
            // Others may be about to ask as well.
            let_others_run().await;
        }
        self.send_or_leave();
        let answer = match self.answer(waiter, &ticket).await {
            Ok(answer) => answer,
            Err(gave_up) => {
                ticket.is_late = true;
                return Err(gave_up);
            }
        };
        if let (Ok(Answer::Stays | Answer::Refused(_)), Some(object)) = (&answer, waits_for) {
            // It can't come here, or could not be sent: to whoever is next.
            self.tell(Ask::Cancel { object, question: ticket.id, is_late: false });
        }
        Ok(answer)
    }

    fn ticket(&self, waits_for: Option<u64>, is_heard_late: bool) -> Result<Ticket<'_>, ManagerError> {
        let id = self.slots.open()?;
        Ok(Ticket { session: self, id, waits_for, is_late: false, is_heard_late })
    }

    /// Says something that is not answered. Never waits: what there is no room for is sent on by whoever waits for an answer, or asks
    /// something next.
    pub(super) fn tell(&self, ask: Ask) {
        if forked::is_fork() {
            return;
        }
        if let Ok(letter) = self.connection.letter(&Request { id: UNANSWERED, ask }) {
            self.outbox.put(UNANSWERED, letter);
            if !self.send_on() {
                // Those who wait listen for room from here on.
                planted!("what-is-told-waits-for-an-answer", self.slots.wake_all(), ());
            }
        }
    }

    /// Objects that an answer names by number are held from when it is sent, by whoever got it: this one nobody did.
    pub(super) fn give_back(&self, answer: Option<Answer>) {
        for object in answer.into_iter().flat_map(|mut answer| answer.counted()) {
            planted!("what-nobody-got-is-kept", self.tell(Ask::Release { object }), ());
        }
    }

    /// Sends what is not out; whether all of it is.
    pub(super) fn send_on(&self) -> bool {
        self.outbox.send(&self.connection, |ids, error| self.refuse(ids, error))
    }

    /// The same, unless somebody is at it.
    pub(super) fn send_or_leave(&self) {
        self.outbox.send_or_leave(&self.connection, |ids, error| self.refuse(ids, error));
    }

    /// Those questions could not be sent.
    fn refuse(&self, ids: &[u64], error: SendError) {
        if let [id] = *ids {
            return self.slots.refuse(id, ManagerError::of_send(error));
        }
        for &id in ids {
            let again = match &error {
                SendError::Closed => SendError::Closed,
                SendError::Io(error) => SendError::Io(error.kind().into()),
                error => SendError::Io(io::Error::other(error.to_string())),
            };
            self.slots.refuse(id, ManagerError::of_send(again));
        }
    }

    pub(super) fn has_unsent(&self) -> bool {
        !self.outbox.is_empty()
    }
}

/// Once round the runtime: who is ready to run by now runs before this goes on.
async fn let_others_run() {
    let mut is_first = true;
    let once = poll_fn(|cx| {
        if !std::mem::take(&mut is_first) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    });
    once.await;
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
