//! The server's process, as its owner sees it.

use std::fmt;

use parking_lot::Mutex;

use super::error::{StartError, bind_error};
use super::message::Started;
use super::server;
use crate::connection::{Address, AuthKey, BindError};
use crate::pipe::{AioConnection, AioPipe};
use crate::process::{AioProcess, JoinError};
use crate::wait::{Park, blocking, never};

/// It ends with this, and with this process.
pub(super) struct Owner {
    process: AioProcess<()>,
    /// Its closing is what the server waits for.
    end: Mutex<Option<AioConnection<(), Started>>>,
}

impl Owner {
    /// Starts a server, and says where it listens, and its number.
    pub(super) fn start(
        name: String,
        address: Address,
        key: AuthKey,
    ) -> Result<(Self, Address, u128), StartError> {
        if key.is_none() && address.tcp().is_some() {
            return Err(BindError::KeyNeeded.into());
        }
        let (end, theirs) = AioPipe::<(), Started>::duplex()?;
        let builder = AioProcess::builder().name(name).daemon(true);
        let process = builder.spawn(server::serve, (address.clone(), key, theirs))?;
        let owner = Self { process, end: Mutex::new(None) };
        let started = match never(blocking(end.next(&mut Park::new()))) {
            Ok(started) => started,
            Err(_) => {
                let ended = owner.process.join().err().unwrap_or(JoinError::Timeout);
                return Err(StartError::Ended(ended));
            }
        };
        *owner.end.lock() = Some(end);
        match started {
            Started::At(address, manager) => Ok((owner, address, manager)),
            Started::InUse(address) => Err(BindError::InUse { address }.into()),
            Started::Failed { os, message } => Err(bind_error(address, os, message).into()),
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Tells it to end.
    fn release(&self) {
        drop(self.end.lock().take());
    }

    pub(super) fn shutdown(&self) -> Result<(), JoinError> {
        self.release();
        self.process.join()
    }

    #[cfg(feature = "tokio")]
    pub(super) async fn coro_shutdown(&self) -> Result<(), JoinError> {
        self.release();
        self.process.coro_join().await
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.process.fmt(f)
    }
}
