//! How answers come to those who asked.
//!
//! Whoever waits for an answer receives what comes, and hands to others what is theirs: an answer goes into its slot, and the slot's
//! waker is woken. Nobody depends on anybody else to go on: each task waits on the socket itself, and each thread on a [`Lane`].

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use super::error::ManagerError;
use super::lane::Lane;
use super::message::{Answer, Response};
use super::session::{Session, Ticket};
use super::slots::{Delivered, End};
use crate::pipe::{RecvError, TryRecvError};
use crate::planted::planted;
use crate::wait::{Ready, Waiter};

/// So many lanes are kept for later.
const IDLE: usize = 4;

/// What somebody receives for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// The answer to that question, which needs nobody to be woken, and others on the way to it.
    One(u64),
    /// Whatever is there.
    All,
}

impl Session {
    pub(super) async fn answer<W: Waiter>(
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
            let ready = if for_room { Ready::Either } else { Ready::ReadLater };
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

    pub(super) fn receive_all(&self) {
        self.receive(Whose::All);
    }

    /// Receives what is there, and hands it to those who asked.
    fn receive(&self, whose: Whose) {
        self.connection.flush();
        self.send_or_leave();
        loop {
            let end = match self.connection.try_recv() {
                Ok(response) => match self.hand_out(response, whose) {
                    // Where nobody waits any more, nothing is there; if something is, it is of those who gave up.
                    Ok(0) if whose != Whose::All => return,
                    Ok(_) => continue,
                    Err(nonsense) => nonsense,
                },
                Err(TryRecvError::Empty) => return,
                // It stays there, for a time when there is room; who waits is told.
                Err(TryRecvError::NoDescriptors) => {
                    if let Whose::One(id) = whose {
                        self.slots.refuse(id, End::NoDescriptors.error());
                    }
                    planted!("a-shortage-ends-a-session", {
                        self.slots.end(End::NoDescriptors);
                    });
                    return;
                }
                Err(TryRecvError::Decode { .. } | TryRecvError::Damaged(_)) => End::Nonsense,
                // Elsewhere it is the way there that broke.
                Err(TryRecvError::Io(error)) if self.connection.peer().is_known() => {
                    End::Io(error.kind(), error.raw_os_error())
                }
                Err(_) => End::Gone,
            };
            return self.slots.end(end);
        }
    }

    /// One answer, or several that came together; how many are still to come.
    fn hand_out(&self, Response { id, answer }: Response, whose: Whose) -> Result<usize, End> {
        let Answer::Several(parts) = answer else { return Ok(self.deliver(id, answer, whose)) };
        let mut open = self.slots.open_ones();
        for part in planted!("one-of-several-answers-is-heard", &parts[..], &parts[..1]) {
            let Response { id, answer } = part.read().map_err(|_| End::Nonsense)?;
            if matches!(answer, Answer::Several(_)) {
                return Err(End::Nonsense);
            }
            open = self.deliver(id, answer, whose);
        }
        Ok(open)
    }

    /// How many answers are still to come.
    fn deliver(&self, id: u64, answer: Answer, whose: Whose) -> usize {
        let Delivered { waker, left, open } = self.slots.deliver(id, answer);
        self.give_back(left);
        if let Some(waker) = waker
            && whose != Whose::One(id)
        {
            planted!("what-one-receives-others-never-hear-of", waker.wake(), drop(waker));
        }
        open
    }
}
