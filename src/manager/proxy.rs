//! What all proxies have in common: an object of a manager, and what keeps it there.
//!
//! On one machine the object is kept by a descriptor, an end of a pair of sockets whose other end the manager has: each proxy
//! holds a copy, so do messages under way and values in other objects, and the kernel counts. With the last of them, whatever
//! its holder died of, the manager sees the end of the pair. The same socket makes a proxy that arrives in another process
//! usable there: a connection is sent through it. Over TCP the manager counts for each connection.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};

use super::context;
use super::error::ManagerError;
use super::kept::{Kept, TravellingFd};
use super::message::{Answer, Ask, Call, New, PROTOCOL};
use super::proxy_error::ProxyError;
use super::session::Session;
use crate::pipe::{AioConnection, MAX_LENGTH, PeerCredentials};
use crate::sys::{memfd, socket};
use crate::wait::Waiter;
use crate::wire::{Postcard, claim_shared, refuse_to_pack, refuse_to_unpack, stow_shared};

/// One for each object that this process has got, and each time that it was got.
pub(super) struct Proxy {
    session: Arc<Session>,
    object: u64,
    token: Token,
}

/// What keeps an object.
pub(super) enum Token {
    Here(OwnedFd),
    /// A count with the connection.
    Counted,
}

impl Token {
    pub(super) fn as_here(&self) -> Option<BorrowedFd<'_>> {
        if let Self::Here(fd) = self { Some(fd.as_fd()) } else { None }
    }
}

impl Proxy {
    pub(super) fn new(session: Arc<Session>, object: u64, token: Option<TravellingFd>) -> Self {
        let token = token.map_or(Token::Counted, |fd| Token::Here(fd.0));
        Self { session, object, token }
    }

    pub(super) fn object(&self) -> u64 {
        self.object
    }

    pub(super) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Has an object made.
    pub(super) async fn make<W: Waiter>(
        session: Arc<Session>,
        waiter: &mut W,
        new: New,
    ) -> Result<Result<Arc<Self>, ProxyError>, W::GaveUp> {
        Ok(match session.call(waiter, Ask::Make(new)).await? {
            Ok(Answer::Made { object, token }) => Ok(Arc::new(Self::new(session, object, token))),
            Ok(Answer::Refused(message)) => Err(ManagerError::Refused { message }.into()),
            Ok(Answer::Failed(failure)) => Err(ProxyError::of_failure(failure)),
            Ok(_) => Err(ManagerError::NotAManager.into()),
            Err(error) => Err(ProxyError::of_manager(error)),
        })
    }

    pub(super) async fn call<W: Waiter>(
        &self,
        waiter: &mut W,
        call: Call,
    ) -> Result<Result<Answer, ProxyError>, W::GaveUp> {
        let answer = self.session.call(waiter, Ask::Call { object: self.object, call }).await?;
        Ok(match answer {
            Ok(Answer::Refused(message)) => Err(ManagerError::Refused { message }.into()),
            Ok(Answer::Failed(failure)) => Err(ProxyError::of_failure(failure)),
            Ok(Answer::NoObject) => Err(ProxyError::NoObject),
            Ok(Answer::OutOfRange(length)) => Err(ProxyError::OutOfRange { length }),
            Ok(Answer::Stays) => Err(ProxyError::Elsewhere),
            Ok(answer) => Ok(answer),
            Err(error) => Err(ProxyError::of_manager(error)),
        })
    }

    /// Changes what `ask` gives: `changed` makes of it a call that has no effect unless it is there still.
    pub(super) async fn update<W: Waiter>(
        &self,
        waiter: &mut W,
        ask: impl Fn() -> Call + Send,
        mut changed: impl FnMut(Answer) -> Result<Call, ProxyError> + Send,
    ) -> Result<Result<(), ProxyError>, W::GaveUp> {
        loop {
            let call = match self.call(waiter, ask()).await?.and_then(&mut changed) {
                Ok(call) => call,
                Err(error) => return Ok(Err(error)),
            };
            match self.call(waiter, call).await?.and_then(|answer| flag(&answer)) {
                // Somebody else was faster: once more with what is there now.
                Ok(false) => {}
                Ok(true) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    /// A value for the manager.
    pub(super) fn pack<T: Serialize + ?Sized>(&self, value: &T) -> Result<Kept, ProxyError> {
        let packed = Kept::pack::<Postcard, T>(value, self.session.manager());
        let (kept, parting) = packed.map_err(ProxyError::Encode)?;
        // Ends of pipes are dropped by the caller with the value.
        drop(parting);
        Ok(kept)
    }

    /// A value from the manager.
    pub(super) fn unpack<T: DeserializeOwned>(&self, kept: Kept) -> Result<T, ProxyError> {
        kept.unpack::<Postcard, T>(&self.session).map_err(ProxyError::Decode)
    }

    /// `(protocol, kind, manager, object, luggage)`.
    pub(super) fn serialize<S: Serializer>(&self, kind: &str, serializer: S) -> Result<S::Ok, S::Error> {
        let refuse = |why: &dyn fmt::Display| S::Error::custom(refuse_to_pack(why));
        let manager = self.session.manager();
        let luggage = match (context::refer(manager, self.object, &self.token), &self.token) {
            (Some(referred), _) => {
                referred.map_err(|error| refuse(&error))?;
                None
            }
            (None, Token::Here(token)) => {
                let copy = || Ok(vec![token.try_clone()?]);
                let (id, _) = memfd::identity(token).map_err(|error| refuse(&error))?;
                Some(stow_shared(id, copy).map_err(S::Error::custom)?)
            }
            (None, Token::Counted) => {
                return Err(refuse(
                    &"a proxy that came over TCP can go to its manager alone: register it there, and get it by its name elsewhere",
                ));
            }
        };
        (PROTOCOL, kind, manager, self.object, luggage).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        kind: &str,
        deserializer: D,
    ) -> Result<Arc<Self>, D::Error> {
        let refuse = |why: &dyn fmt::Display| D::Error::custom(refuse_to_unpack(why));
        let (protocol, theirs, manager, object, luggage) =
            <(u32, String, u128, u64, Option<u32>)>::deserialize(deserializer)?;
        if protocol != PROTOCOL {
            return Err(refuse(&ManagerError::OtherVersion { theirs: protocol }));
        }
        if theirs != kind {
            return Err(refuse(&format_args!("a proxy of a {theirs} is none of a {kind}")));
        }
        match luggage {
            None => context::arrived(manager, object)
                .ok_or_else(|| refuse(&"the value names an object that did not come with it")),
            Some(luggage) => claim_shared(luggage, |mut came| {
                let token = came.pop().ok_or("its descriptor is missing")?;
                let session = Session::with(manager).map_or_else(|| dial(&token, manager), Ok);
                let session = session.map_err(|_| "no descriptor is left")?;
                Ok::<_, &str>(Arc::new(Self::new(session, object, Some(TravellingFd(token)))))
            })
            .map_err(D::Error::custom),
        }
    }
}

/// Sends an end of a new connection through the object's socket. To a manager that is gone it is one that has ended.
fn dial(token: &OwnedFd, manager: u128) -> std::io::Result<Arc<Session>> {
    let (ours, theirs) = socket::pair()?;
    // What went wrong is told by what reads the end.
    let _ = socket::send(token, &[std::io::IoSlice::new(&[0])], &[theirs.as_fd()]);
    drop(theirs);
    let peer = PeerCredentials::of(token.as_fd());
    Ok(Session::over(AioConnection::on_packets(ours, MAX_LENGTH, peer), manager))
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if matches!(self.token, Token::Counted) {
            self.session.tell(Ask::Release { object: self.object });
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("object", &self.object).field("session", &self.session).finish()
    }
}

/// What the answer says; another one is nobody's who speaks this protocol.
pub(super) fn count(answer: &Answer) -> Result<usize, ProxyError> {
    match answer {
        Answer::Count(count) => Ok(usize::try_from(*count).unwrap_or(usize::MAX)),
        _ => Err(ManagerError::NotAManager.into()),
    }
}

pub(super) fn flag(answer: &Answer) -> Result<bool, ProxyError> {
    if let Answer::Flag(flag) = answer { Ok(*flag) } else { Err(ManagerError::NotAManager.into()) }
}

pub(super) fn done(answer: &Answer) -> Result<(), ProxyError> {
    if let Answer::Done = answer { Ok(()) } else { Err(ManagerError::NotAManager.into()) }
}
