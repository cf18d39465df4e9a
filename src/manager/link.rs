//! How a handle of a manager reaches it: by the session that this process has, or a new one.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::error::ManagerError;
use super::message::{Answer, Ask, Hello, PROTOCOL, Request, Response};
use super::session::Session;
use crate::connection::{Address, AioClient, AuthKey};
use crate::pipe::AioConnection;
use crate::planted::planted;
use crate::wait::Waiter;

type Connection = AioConnection<Request, Response>;

/// Where this process listens, if it is a manager's.
static OWN: OnceLock<Address> = OnceLock::new();

/// Says that this process is a manager's: its one thread can't answer itself.
pub(super) fn listens_here(address: &Address) {
    // There is one manager in a process.
    let _ = OWN.set(address.clone());
}

pub(super) struct Link {
    pub(super) address: Address,
    pub(super) key: AuthKey,
    /// The number of the manager that was met last, and the session with it.
    session: Mutex<(u128, Option<Arc<Session>>)>,
}

impl Link {
    pub(super) fn new(address: Address, key: AuthKey, manager: u128) -> Self {
        Self { address, key, session: Mutex::new((manager, None)) }
    }

    /// The number of the manager, as far as it is known.
    pub(super) fn manager(&self) -> u128 {
        self.session.lock().0
    }

    /// The session, if its manager is not known to be gone; a new one to whoever listens there now.
    pub(super) async fn session<W: Waiter>(
        &self,
        waiter: &mut W,
    ) -> Result<Result<Arc<Session>, ManagerError>, W::GaveUp> {
        let known = self.session.lock().1.clone();
        if let Some(session) = known
            && !session.is_over()
        {
            return Ok(Ok(session));
        }
        let opened = self.open(waiter).await?;
        if let Ok(session) = &opened {
            *self.session.lock() = (session.manager(), Some(session.clone()));
        }
        Ok(opened)
    }

    async fn open<W: Waiter>(&self, waiter: &mut W) -> Result<Result<Arc<Session>, ManagerError>, W::GaveUp> {
        if OWN.get() == Some(&self.address) {
            return Ok(Err(ManagerError::Within));
        }
        let client = AioClient::builder();
        let opened = client.connect_with(waiter, Ok(self.address.clone()), self.key.clone()).await?;
        let connection: Connection = match opened {
            Ok(connection) => connection,
            Err(error) => return Ok(Err(ManagerError::of_connect(error))),
        };
        let letter = match connection.letter(&Request { id: 0, ask: Ask::Hello(Hello::ours()) }) {
            Ok(letter) => letter,
            Err(error) => return Ok(Err(ManagerError::of_send(error))),
        };
        if let Err(error) = connection.post(waiter, letter).await? {
            return Ok(Err(ManagerError::of_send(error)));
        }
        let answer = connection.next(waiter).await?.map_err(ManagerError::of_recv);
        Ok(answer.and_then(|Response { answer, .. }| match answer {
            Answer::Hello(hello, _) if !hello.is_of_a_manager() => Err(ManagerError::NotAManager),
            Answer::Hello(Hello { protocol: PROTOCOL, .. }, manager) => {
                Ok(Session::over(connection, manager))
            }
            Answer::Hello(hello, _) => Err(ManagerError::OtherVersion { theirs: hello.protocol }),
            _ => Err(ManagerError::NotAManager),
        }))
    }

    /// Asks one question; the answer, with what it came over.
    pub(super) async fn call<W: Waiter>(
        &self,
        waiter: &mut W,
        ask: Ask,
    ) -> Result<Result<(Arc<Session>, Answer), ManagerError>, W::GaveUp> {
        let session = match self.session(waiter).await? {
            Ok(session) => session,
            Err(error) => return Ok(Err(error)),
        };
        Ok(match session.call(waiter, ask).await? {
            Ok(Answer::Refused(message)) => Err(ManagerError::Refused { message }),
            answer => planted!("a-managers-end-is-an-answer", answer, answer.or(Ok(Answer::Done)))
                .map(|answer| (session, answer)),
        })
    }
}
