//! One client, as the server sees it: what it asks, what it is answered, and what it holds over TCP.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{BorrowedFd, OwnedFd};

use super::hall::Hall;
use super::kept::{Bytes, Kept, TravellingFd};
use super::message::{Answer, Ask, Hello, Request, Response, UNANSWERED};
use super::outbox::{Outbox, TOGETHER};
use super::waiting::Caller;
use crate::pipe::{AioConnection, TryRecvError};
use crate::planted::planted;

pub(super) type Connection = AioConnection<Response, Request>;

/// When so many questions of one client were answered, others are looked at.
const TURN: usize = 32;

pub(super) struct Client {
    connection: Connection,
    manager: u128,
    number: u64,
    /// It knows that it is here.
    has_greeted: bool,
    /// Answers that are on their way. While there are any, nothing more is asked.
    answers: Outbox,
    /// Questions that came together, and were not answered yet: they wait for their answers to be taken.
    asked: VecDeque<Bytes>,
    /// The server listens for room for them, and not for questions.
    pub(super) is_awaited: bool,
    /// The objects that it holds by number, how often, and what keeps them.
    counted: HashMap<u64, (u64, OwnedFd)>,
}

/// A client that is gone, or whose questions make no sense.
pub(super) struct Left;

impl Client {
    pub(super) fn new(connection: Connection, manager: u128, number: u64, has_greeted: bool) -> Self {
        let (answers, asked, counted) = (Outbox::default(), VecDeque::new(), HashMap::new());
        Self { connection, manager, number, has_greeted, answers, asked, is_awaited: false, counted }
    }

    /// Answers what is asked, for as long as the answers are taken, and others can be kept waiting.
    pub(super) fn go_on(&mut self, hall: &mut Hall) -> Result<(), Left> {
        let mut answered = 0;
        let turn = planted!("a-busy-client-has-all-turns", TURN, usize::MAX);
        // Nobody else would say that some of what came together is left.
        while answered < turn || !self.asked.is_empty() {
            self.push()?;
            if !self.answers.is_empty() {
                return Ok(());
            }
            if !self.asked.is_empty() {
                answered += self.answer_asked(hall)?;
                continue;
            }
            let request = match self.connection.try_recv() {
                Ok(request) => request,
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Closed) => return Err(Left),
                Err(_) => {
                    planted!("nonsense-ends-the-server", { panic!("nonsense") });
                    return Err(Left);
                }
            };
            answered += self.take_in(request, hall)?;
        }
        self.push()
    }

    /// One question, or several that came together; how many were answered.
    fn take_in(&mut self, request: Request, hall: &mut Hall) -> Result<usize, Left> {
        let Ask::Several(parts) = request.ask else { return self.answer(request, hall).map(|()| 1) };
        // More would keep others waiting.
        if parts.len() > planted!("several-are-any-number", TOGETHER, usize::MAX) {
            return Err(Left);
        }
        self.asked = parts.into();
        self.answer_asked(hall).map(|answered| answered.max(1))
    }

    /// Those that came together, up to as many answers as go out together: a short question can have a long answer.
    fn answer_asked(&mut self, hall: &mut Hall) -> Result<usize, Left> {
        let mut answered = 0;
        while let Some(part) = self.asked.pop_front() {
            self.answer(part.read().map_err(|_| Left)?, hall)?;
            answered += 1;
            if planted!("all-answers-are-made-at-once", self.answers.is_heavy(), false) {
                break;
            }
        }
        Ok(answered)
    }

    fn answer(&mut self, Request { id, ask }: Request, hall: &mut Hall) -> Result<(), Left> {
        match self.hear(id, ask, hall)? {
            Some(answer) if id != UNANSWERED => self.say(id, answer),
            _ => Ok(()),
        }
    }

    /// Sends the answers that it takes. For what the system refuses to send, it is told why.
    pub(super) fn push(&mut self) -> Result<(), Left> {
        let mut told = Vec::new();
        loop {
            let refused = self.send()?;
            if refused.is_empty() {
                return Ok(());
            }
            planted!("what-is-refused-ends-a-session", {
                return Err(Left);
            });
            for (id, why) in refused {
                if told.contains(&id) {
                    // Not even told why, it would wait for ever.
                    return Err(Left);
                }
                told.push(id);
                let answer = Answer::Refused(format!("its answer could not be sent: {why}"));
                let letter = self.connection.letter(&Response { id, answer });
                self.answers.put(id, letter.map_err(|_| Left)?);
            }
        }
    }

    /// The questions whose answers were refused, and why.
    fn send(&self) -> Result<Vec<(u64, String)>, Left> {
        let (mut is_gone, mut refused) = (false, Vec::new());
        let mut send = || {
            self.answers.send(&self.connection, |ids, error| {
                is_gone |= error.is_closed();
                refused.extend(ids.iter().map(|&id| (id, error.to_string())));
            })
        };
        // What is not out by now goes when there is room.
        let _ = planted!("a-slow-client-holds-all", send(), {
            while !send() {}
            true
        });
        // What was half sent on a stream can't be taken back.
        if is_gone || !refused.is_empty() && self.is_elsewhere() { Err(Left) } else { Ok(refused) }
    }

    /// It has not taken all of its answers, or others that it has asked for wait for that.
    pub(super) fn is_slow(&self) -> bool {
        !self.answers.is_empty() || !self.asked.is_empty()
    }

    pub(super) fn with_descriptor<O>(&self, look: impl FnOnce(BorrowedFd<'_>) -> O) -> Option<O> {
        self.connection.with_descriptor(look)
    }

    pub(super) fn say(&mut self, id: u64, mut answer: Answer) -> Result<(), Left> {
        if let Err(refusal) = self.lend(&mut answer) {
            answer = refusal;
        }
        let letter = self.connection.letter(&Response { id, answer });
        let letter = letter.or_else(|error| {
            self.connection.letter(&Response { id, answer: Answer::Refused(error.to_string()) })
        });
        self.answers.put(id, letter.map_err(|_| Left)?);
        Ok(())
    }

    fn hear(&mut self, question: u64, mut ask: Ask, hall: &mut Hall) -> Result<Option<Answer>, Left> {
        match &ask {
            Ask::Hello(hello) if !self.has_greeted && hello.is_of_a_manager() => {
                self.has_greeted = true;
                return Ok(Some(Answer::Hello(Hello::ours(), self.manager)));
            }
            _ if !self.has_greeted => return Err(Left),
            Ask::Hello(_) | Ask::Several(_) => return Err(Left),
            Ask::Release { object } => {
                self.release(*object);
                return Ok(None);
            }
            _ => {}
        }
        for value in ask.values_mut() {
            self.take(value, hall)?;
        }
        Ok(hall.answer(Caller { client: self.number, question }, ask))
    }

    /// Whether descriptors can't reach it.
    fn is_elsewhere(&self) -> bool {
        !self.connection.peer().is_known()
    }

    /// What the value names is kept by the value from here on.
    fn take(&self, value: &mut Kept, hall: &Hall) -> Result<(), Left> {
        for reference in &mut value.references {
            match &reference.token {
                Some(token) if hall.is_token(reference.object, &token.0) => {}
                Some(_) => planted!("references-are-believed", return Err(Left), {}),
                None => {
                    let (_, token) = self.counted.get(&reference.object).ok_or(Left)?;
                    reference.token = Some(TravellingFd(token.try_clone().map_err(|_| Left)?));
                }
            }
        }
        Ok(())
    }

    /// What the answer names is the client's from here on. Refused, nothing is.
    fn lend(&mut self, answer: &mut Answer) -> Result<(), Answer> {
        if !self.is_elsewhere() {
            return Ok(());
        }
        if answer.values_mut().iter().any(|value| value.has_descriptors()) {
            return Err(Answer::Stays);
        }
        for value in answer.values_mut() {
            for reference in &mut value.references {
                if let Some(token) = reference.token.take() {
                    self.count(reference.object, token.0);
                }
            }
        }
        if let Answer::Made { object, token } = answer
            && let Some(token) = token.take()
        {
            self.count(*object, token.0);
        }
        Ok(())
    }

    fn count(&mut self, object: u64, token: OwnedFd) {
        self.counted.entry(object).or_insert((0, token)).0 += 1;
    }

    fn release(&mut self, object: u64) {
        if let Some((count, _)) = self.counted.get_mut(&object) {
            *count -= 1;
            if *count == 0 {
                self.counted.remove(&object);
            }
        }
    }
}
