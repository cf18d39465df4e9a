//! What a manager keeps by name.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::AioManager;
use super::error::ManagerError;
use super::kept::Kept;
use super::kind::Kind;
use super::message::{Answer, Ask};
use super::registry_error::{GetHandleError, GetHandleTimeoutError, RegisterError, RegisterTimeoutError};
use crate::pipe::SendError;
use crate::wait::{Deadline, Park, ParkUntil, Waiter, blocking, never};
#[cfg(feature = "tokio")]
use crate::wait::{Suspend, suspended};
use crate::wire::{Parting, Postcard};

/// A question with what is to be done once it was answered.
type Asking = (Ask, Parting);

impl AioManager {
    fn registering<T: Serialize>(
        &self,
        name: &str,
        value: &T,
        replaces: bool,
    ) -> Result<Asking, RegisterError> {
        let packed = Kept::pack::<Postcard, T>(value, self.link.manager());
        let (value, parting) = packed.map_err(RegisterError::Encode)?;
        Ok((Ask::Register { name: name.to_owned(), kind: Kind::of::<T>(), value, replaces }, parting))
    }

    async fn register_with<W: Waiter>(
        &self,
        waiter: &mut W,
        name: String,
        (ask, parting): Asking,
    ) -> Result<Result<(), RegisterError>, W::GaveUp> {
        Ok(match self.link.call(waiter, ask).await? {
            Ok((_, Answer::Done)) => {
                parting.complete();
                Ok(())
            }
            Ok((_, Answer::Taken(kind))) => Err(RegisterError::Taken { name, kind: kind.text }),
            Ok(_) => Err(ManagerError::NotAManager.into()),
            Err(ManagerError::Ask(SendError::Encode(error))) => Err(RegisterError::Encode(error)),
            Err(error) => Err(error.into()),
        })
    }

    /// Keeps a handle under a name, for whoever [gets](Self::get) it. The handle stays usable here; ends of pipes in it go there, and
    /// all who get them share one end.
    ///
    /// [`register_timeout`](Self::register_timeout) gives up after a time, [`coro_register`](Self::coro_register) suspends the task
    /// instead of the thread, and [`replace`](Self::replace) takes the place of what has that name.
    ///
    /// A handle that is registered counts as one on its way to somebody: a queue does not close with its last sender while a manager
    /// keeps it.
    ///
    /// # Blocking
    ///
    /// Blocks the thread until the manager has answered; needs no runtime.
    ///
    /// # If a process dies
    ///
    /// If the manager does, it is [`ManagerError::Gone`] at once. What was registered outlives the process that did it.
    ///
    /// # Errors
    ///
    /// [`RegisterError::Taken`] if something has that name; [`RegisterError::Encode`] if the value can't be sent there: handles can't
    /// go over TCP.
    pub fn register<T: Serialize>(&self, name: &str, handle: &T) -> Result<(), RegisterError> {
        let asking = self.registering(name, handle, false)?;
        never(blocking(self.register_with(&mut Park::new(), name.to_owned(), asking)))
    }

    /// As [`register`](Self::register), for at most `timeout`. It may be registered after that.
    ///
    /// # Errors
    ///
    /// [`RegisterTimeoutError::Timeout`] if the manager has not answered in time; otherwise as [`register`](Self::register).
    pub fn register_timeout<T: Serialize>(
        &self,
        name: &str,
        handle: &T,
        timeout: Duration,
    ) -> Result<(), RegisterTimeoutError> {
        let deadline = Deadline::after(timeout);
        let asking = self.registering(name, handle, false)?;
        let registered = blocking(self.register_with(&mut ParkUntil::new(deadline), name.to_owned(), asking));
        Ok(registered.map_err(|_| RegisterTimeoutError::Timeout)??)
    }

    /// As [`register`](Self::register), and suspends the task. The handle is encoded by the call, before the future is polled.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it resolves, it is registered or not: nobody can take back what is sent.
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O enabled, when it has to wait.
    #[cfg(feature = "tokio")]
    pub fn coro_register<T: Serialize>(
        &self,
        name: &str,
        handle: &T,
    ) -> impl Future<Output = Result<(), RegisterError>> + Send + use<'_, T> {
        let asking = self.registering(name, handle, false);
        let name = name.to_owned();
        async move { never(suspended(self.register_with(&mut Suspend::new(), name, asking?)).await) }
    }

    /// As [`register`](Self::register), in the place of what has that name, if something has.
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register), but for a name that is taken.
    pub fn replace<T: Serialize>(&self, name: &str, handle: &T) -> Result<(), RegisterError> {
        let asking = self.registering(name, handle, true)?;
        never(blocking(self.register_with(&mut Park::new(), name.to_owned(), asking)))
    }

    /// As [`replace`](Self::replace), and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// As [`coro_register`](Self::coro_register).
    ///
    /// # Errors
    ///
    /// As [`replace`](Self::replace).
    #[cfg(feature = "tokio")]
    pub fn coro_replace<T: Serialize>(
        &self,
        name: &str,
        handle: &T,
    ) -> impl Future<Output = Result<(), RegisterError>> + Send + use<'_, T> {
        let asking = self.registering(name, handle, true);
        let name = name.to_owned();
        async move { never(suspended(self.register_with(&mut Suspend::new(), name, asking?)).await) }
    }

    async fn get_with<W: Waiter, T: DeserializeOwned>(
        &self,
        waiter: &mut W,
        name: &str,
    ) -> Result<Result<T, GetHandleError>, W::GaveUp> {
        let name = name.to_owned();
        let asked = Kind::of::<T>();
        let answer = self.link.call(waiter, Ask::Get { name: name.clone(), kind: asked.clone() }).await?;
        let asked = asked.text;
        Ok(match answer {
            Ok((session, Answer::Value(value))) => value
                .unpack::<Postcard, T>(&session)
                .map_err(|source| GetHandleError::Decode { name, asked, source }),
            Ok((_, Answer::Missing)) => Err(GetHandleError::NotFound { name }),
            Ok((_, Answer::Taken(kind))) => {
                Err(GetHandleError::WrongKind { name, registered: kind.text, asked })
            }
            Ok((_, Answer::Stays)) => Err(GetHandleError::Elsewhere { name }),
            Ok(_) => Err(ManagerError::NotAManager.into()),
            Err(error) => Err(error.into()),
        })
    }

    /// A handle of what is registered under a name.
    ///
    /// [`get_timeout`](Self::get_timeout) gives up after a time, and [`coro_get`](Self::coro_get) suspends the task instead of the
    /// thread. It does not wait for a name to be registered.
    ///
    /// The kind of the handle, its codec and its layout must be those that were registered. What a queue holds shows when an
    /// item is got: a `Job` of another form is a decode error there.
    ///
    /// # Blocking
    ///
    /// Blocks the thread until the manager has answered; needs no runtime.
    ///
    /// # If a process dies
    ///
    /// If the manager does, it is [`ManagerError::Gone`] at once. A handle that was got does not need it any more.
    ///
    /// # Errors
    ///
    /// [`GetHandleError::NotFound`], [`GetHandleError::WrongKind`], and [`GetHandleError::Decode`] if the handle was made with another codec or by
    /// a program with another layout; [`GetHandleError::Elsewhere`] for shared memory over TCP.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<T, GetHandleError> {
        never(blocking(self.get_with(&mut Park::new(), name)))
    }

    /// As [`get`](Self::get), for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`GetHandleTimeoutError::Timeout`] if the manager has not answered in time; otherwise as [`get`](Self::get).
    pub fn get_timeout<T: DeserializeOwned>(
        &self,
        name: &str,
        timeout: Duration,
    ) -> Result<T, GetHandleTimeoutError> {
        let got = blocking(self.get_with(&mut ParkUntil::new(Deadline::after(timeout)), name));
        Ok(got.map_err(|_| GetHandleTimeoutError::Timeout)??)
    }

    /// As [`get`](Self::get), and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped before it resolves, it has had no effect.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O enabled, when it has to wait.
    #[cfg(feature = "tokio")]
    pub async fn coro_get<T: DeserializeOwned>(&self, name: &str) -> Result<T, GetHandleError> {
        never(suspended(self.get_with(&mut Suspend::new(), name)).await)
    }

    async fn unregister_with<W: Waiter>(
        &self,
        waiter: &mut W,
        name: &str,
    ) -> Result<Result<bool, ManagerError>, W::GaveUp> {
        let answer = self.link.call(waiter, Ask::Unregister { name: name.to_owned() }).await?;
        Ok(match answer {
            Ok((_, Answer::Done)) => Ok(true),
            Ok((_, Answer::Missing)) => Ok(false),
            Ok(_) => Err(ManagerError::NotAManager),
            Err(error) => Err(error),
        })
    }

    /// Forgets a name; whether something had it. What others have got stays theirs.
    ///
    /// # Errors
    ///
    /// [`ManagerError`].
    pub fn unregister(&self, name: &str) -> Result<bool, ManagerError> {
        never(blocking(self.unregister_with(&mut Park::new(), name)))
    }

    /// As [`unregister`](Self::unregister), and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it resolves, the name is forgotten or not: nobody can take back what is sent.
    ///
    /// # Errors
    ///
    /// As [`unregister`](Self::unregister).
    #[cfg(feature = "tokio")]
    pub async fn coro_unregister(&self, name: &str) -> Result<bool, ManagerError> {
        never(suspended(self.unregister_with(&mut Suspend::new(), name)).await)
    }

    async fn names_with<W: Waiter>(
        &self,
        waiter: &mut W,
    ) -> Result<Result<Vec<String>, ManagerError>, W::GaveUp> {
        Ok(match self.link.call(waiter, Ask::Names).await? {
            Ok((_, Answer::Names(names))) => Ok(names),
            Ok(_) => Err(ManagerError::NotAManager),
            Err(error) => Err(error),
        })
    }

    /// All names that something is registered under, sorted.
    ///
    /// # Errors
    ///
    /// [`ManagerError`].
    pub fn names(&self) -> Result<Vec<String>, ManagerError> {
        never(blocking(self.names_with(&mut Park::new())))
    }

    /// As [`names`](Self::names), and suspends the task.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    ///
    /// As [`names`](Self::names).
    #[cfg(feature = "tokio")]
    pub async fn coro_names(&self) -> Result<Vec<String>, ManagerError> {
        never(suspended(self.names_with(&mut Suspend::new())).await)
    }
}
