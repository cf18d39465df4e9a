use std::io;

use crate::process::{JoinError, SpawnError};
use crate::{AddressError, BindError, ConnectError, HandshakeError, PipeError, RecvError, SendError};

/// Why a manager was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// It is no address, or there is no random name for one.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The server's process could not be started.
    #[error("the manager's process could not be started: {0}")]
    Spawn(#[from] SpawnError),
    /// There is no descriptor for the pipe to the server.
    #[error(transparent)]
    Pipe(#[from] PipeError),
    /// The server can't listen at its address.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The server's process ended before it listened.
    #[error("the manager's process ended before it listened: {0}")]
    Ended(#[source] JoinError),
}

impl StartError {
    /// Whether somebody listens there already.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::Bind(error) if error.is_in_use())
    }
}

/// The two errors of an operation: what goes wrong at any time, and beside it the end of the time.
macro_rules! errors {
    (
        $(#[$doc:meta])* $name:ident, $(#[$timed_doc:meta])* $timed:ident {
            $($(#[$variant_doc:meta])* $variant:ident $(($($of:tt)*))? $({ $($field:ident: $type:ty,)* })?,)*
        }
    ) => {
        errors!(@enum $(#[$doc])* $name [] { $($(#[$variant_doc])* $variant $(($($of)*))? $({ $($field: $type),* })?,)* });
        errors!(@enum $(#[$timed_doc])* $timed [
            /// The time is over. What was asked for may still happen.
            #[error("the manager did not answer in time")]
            Timeout,
        ] { $($(#[$variant_doc])* $variant $(($($of)*))? $({ $($field: $type),* })?,)* });

        impl $timed {
            /// Whether the time is over.
            #[must_use]
            pub fn is_timeout(&self) -> bool {
                matches!(self, Self::Timeout)
            }
        }
    };
    (@enum $(#[$doc:meta])* $name:ident [$($own:tt)*] {
        $($(#[$variant_doc:meta])* $variant:ident $(($($of:tt)*))? $({ $($field:ident: $type:ty),* })?,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, thiserror::Error)]
        #[non_exhaustive]
        pub enum $name {
            $($own)*
            $(
                $(#[$variant_doc])*
                $variant $(($($of)*))? $({
                    $(
                        #[doc = concat!("See the message: ", stringify!($field), ".")]
                        $field: $type,
                    )*
                })?,
            )*
        }
    };
}

errors! {
    /// Why a manager could not be asked.
    ManagerError,
    /// Why a manager could not be asked in time.
    ManagerTimeoutError {
        /// It is gone: its process ended, or its owner shut it down.
        #[error("the manager is gone: its process ended or was shut down; start it again")]
        Gone,
        /// There is no connection to it.
        #[error("{0}")]
        Connect(#[source] ConnectError),
        /// Somebody else listens there.
        #[error("who listens at that address is no manager of this crate")]
        NotAManager,
        /// It is a manager of another version of this crate.
        #[error("the manager speaks version {theirs} of the protocol and this program another: build both with the same aioprocessing")]
        OtherVersion { theirs: u32, },
        /// This process was forked from the one that connected.
        #[error("this process was forked without exec and can't use the connection of the one that it was forked from: connect here, or use `AioProcess`")]
        Forked,
        /// It was called from within.
        #[error("a manager's object called a proxy of its own manager, which has one thread: pass what it needs as arguments")]
        Within,
        /// Something that works in a manager's process alone was called elsewhere.
        #[error("this is no manager's process: `keep` is for methods that run in one")]
        NotInManager,
        /// The question was not sent.
        #[error("the manager could not be asked: {0}")]
        Ask(#[source] SendError),
        /// The answer could not be received.
        #[error("the manager's answer could not be received: {0}")]
        Answer(#[source] RecvError),
        /// The system refused something to the manager. If that was the sending of an answer, what was asked for has been done: only a lock or
        /// an item on its way went back.
        #[error("the manager could not do it: {message}")]
        Refused { message: String, },
    }
}

impl ManagerError {
    /// Whether it is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Gone)
    }

    /// What a send or a bind without a partner, or a partner that went, means here.
    pub(super) fn of_connect(error: ConnectError) -> Self {
        match error {
            error if error.is_nobody_listens() => Self::Gone,
            // The end of a process closes one descriptor after the other: its listener may be there when the rest has gone.
            ConnectError::Handshake { error: HandshakeError::Left, .. } => Self::Gone,
            error => Self::Connect(error),
        }
    }

    pub(super) fn of_send(error: SendError) -> Self {
        if error.is_closed() { Self::Gone } else { Self::Ask(error) }
    }

    pub(super) fn of_recv(error: RecvError) -> Self {
        match error {
            RecvError::Closed => Self::Gone,
            RecvError::Decode { .. } | RecvError::Damaged(_) => Self::NotAManager,
            error => Self::Answer(error),
        }
    }
}

impl ManagerTimeoutError {
    /// Whether it is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Gone)
    }
}

impl From<ManagerError> for ManagerTimeoutError {
    fn from(error: ManagerError) -> Self {
        match error {
            ManagerError::Gone => Self::Gone,
            ManagerError::Connect(error) => Self::Connect(error),
            ManagerError::NotAManager => Self::NotAManager,
            ManagerError::OtherVersion { theirs } => Self::OtherVersion { theirs },
            ManagerError::Forked => Self::Forked,
            ManagerError::Within => Self::Within,
            ManagerError::NotInManager => Self::NotInManager,
            ManagerError::Ask(error) => Self::Ask(error),
            ManagerError::Answer(error) => Self::Answer(error),
            ManagerError::Refused { message } => Self::Refused { message },
        }
    }
}

/// Of errors that a manager's may be inside of.
macro_rules! predicates {
    ($($name:ident $(, $found:ident)?;)*) => { $(
        impl $name {
            /// Whether the manager is gone.
            #[must_use]
            pub fn is_closed(&self) -> bool {
                matches!(self, Self::Manager(error) if error.is_closed())
            }

            $(
                /// Whether nothing has that name.
                #[must_use]
                pub fn $found(&self) -> bool {
                    matches!(self, Self::NotFound { .. })
                }
            )?
        }

        impl From<ManagerError> for $name {
            fn from(error: ManagerError) -> Self {
                Self::Manager(error)
            }
        }
    )* };
}

/// What the server said of its start.
pub(super) fn bind_error(address: crate::Address, os: Option<i32>, message: String) -> BindError {
    let error = os.map_or_else(|| io::Error::other(message), io::Error::from_raw_os_error);
    BindError::Io { address, error }
}

pub(super) use {errors, predicates};
