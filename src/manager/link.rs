//! A client's connections to a manager.
//!
//! Each question has a connection of its own for as long as it is open, and then leaves it to the next. So whoever gives up, or is
//! dropped, in the middle of one takes nobody's answer away.

use parking_lot::Mutex;
use std::time::Duration;

use super::error::ManagerError;
use super::message::{Answer, Ask, Hello, PROTOCOL};
use crate::connection::{Address, AioClient, AuthKey};
use crate::pipe::{AioConnection, SendError};
use crate::planted::planted;
use crate::wait::Waiter;

type Connection = AioConnection<Ask, Answer>;

/// So many are kept for later.
const IDLE: usize = 8;

pub(super) struct Link {
    pub(super) address: Address,
    pub(super) key: AuthKey,
    idle: Mutex<Vec<Connection>>,
}

impl Link {
    pub(super) fn new(address: Address, key: AuthKey) -> Self {
        Self { address, key, idle: Mutex::new(Vec::new()) }
    }

    /// One that waits for the next question, if its manager lives.
    fn rested(&self) -> Option<Connection> {
        loop {
            let connection = self.idle.lock().pop()?;
            // Nothing was asked, so what can be read is the end.
            if matches!(connection.poll(Duration::ZERO), Ok(false)) {
                return Some(connection);
            }
        }
    }

    fn rest(&self, connection: Connection) {
        let mut idle = self.idle.lock();
        if idle.len() < IDLE {
            idle.push(connection);
        }
    }

    async fn open<W: Waiter>(&self, waiter: &mut W) -> Result<Result<Connection, ManagerError>, W::GaveUp> {
        let client = AioClient::builder();
        let opened = client.connect_with(waiter, Ok(self.address.clone()), self.key.clone()).await?;
        let connection: Connection = match opened {
            Ok(connection) => connection,
            Err(error) => return Ok(Err(ManagerError::of_connect(error))),
        };
        let answer = match Self::ask(&connection, waiter, &Ask::Hello(Hello::ours())).await? {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        Ok(match answer {
            Answer::Hello(hello, _) if !hello.is_of_a_manager() => Err(ManagerError::NotAManager),
            Answer::Hello(Hello { protocol: PROTOCOL, .. }, _) => Ok(connection),
            Answer::Hello(hello, _) => Err(ManagerError::OtherVersion { theirs: hello.protocol }),
            _ => Err(ManagerError::NotAManager),
        })
    }

    async fn ask<W: Waiter>(
        connection: &Connection,
        waiter: &mut W,
        ask: &Ask,
    ) -> Result<Result<Answer, ManagerError>, W::GaveUp> {
        let letter = match connection.letter(ask) {
            Ok(letter) => letter,
            Err(error) => return Ok(Err(ManagerError::of_send(error))),
        };
        if let Err(error) = connection.post(waiter, letter).await? {
            return Ok(Err(ManagerError::of_send(error)));
        }
        Ok(connection.next(waiter).await?.map_err(ManagerError::of_recv))
    }

    /// Makes sure that there is a manager.
    pub(super) async fn greet<W: Waiter>(
        &self,
        waiter: &mut W,
    ) -> Result<Result<(), ManagerError>, W::GaveUp> {
        Ok(self.open(waiter).await?.map(|connection| self.rest(connection)))
    }

    /// Asks one question.
    pub(super) async fn call<W: Waiter>(
        &self,
        waiter: &mut W,
        ask: &Ask,
    ) -> Result<Result<Answer, ManagerError>, W::GaveUp> {
        let connection = match self.rested() {
            Some(connection) => connection,
            None => match self.open(waiter).await? {
                Ok(connection) => connection,
                Err(error) => return Ok(Err(error)),
            },
        };
        let answer = Self::ask(&connection, waiter, ask).await?;
        if answer.is_ok() {
            self.rest(connection);
        }
        Ok(match answer {
            Ok(Answer::Refused(message)) => Err(ManagerError::Refused { message }),
            // It was sent in vain before anything was answered.
            Err(ManagerError::Ask(SendError::Closed)) => Err(ManagerError::Gone),
            answer => planted!("a-managers-end-is-an-answer", answer, answer.or(Ok(Answer::Done))),
        })
    }
}
