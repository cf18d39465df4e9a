use std::io;

use super::object::Failure;
use crate::process::{JoinError, SpawnError};
use crate::{
    AddressError, BindError, ConnectError, DecodeError, EncodeError, HandshakeError, PipeError, RecvError,
    SendError,
};

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
        /// The system refused something to the manager.
        #[error("the manager could not do it: {message}")]
        Refused { message: String, },
    }
}

errors! {
    /// Why a handle was not registered.
    RegisterError,
    /// Why a handle was not registered in time.
    RegisterTimeoutError {
        /// Something has that name.
        #[error("{name:?} is registered as {kind}: choose another name, `unregister` that, or use `replace`")]
        Taken { name: String, kind: String, },
        /// The value can't be sent there.
        #[error("{0}")]
        Encode(#[source] EncodeError),
        /// The manager could not be asked.
        #[error("{0}")]
        Manager(#[source] ManagerError),
    }
}

errors! {
    /// Why a call of a manager's object failed.
    ProxyError,
    /// Why a call of a manager's object failed, or was not answered in time.
    ProxyTimeoutError {
        /// The manager could not be asked.
        #[error("{0}")]
        Manager(#[source] ManagerError),
        /// A value can't be sent there.
        #[error("{0}")]
        Encode(#[source] EncodeError),
        /// What came is no value of the type, or can't be used here.
        #[error("{0}")]
        Decode(#[source] DecodeError),
        /// There is no such place in the list.
        #[error("there is no such place in a list of {length}")]
        OutOfRange { length: u64, },
        /// It can't come here.
        #[error("the value holds shared memory or sockets, which can't travel over TCP: connect over a local socket")]
        Elsewhere,
        /// The method panicked. The object stays.
        #[error("the method panicked: {message}")]
        Panicked { message: String, },
        /// The object has no such method, for proxies of that type.
        #[error("the object has no method {method}: the other program has another `manager_object!`")]
        NoMethod { method: String, },
        /// Arguments or output could not travel.
        #[error("the manager could not make the call: {message}")]
        Call { message: String, },
        /// The manager runs another program.
        #[error("objects of this program's types can be made in managers of this very program alone: get a proxy by its name")]
        OtherBuild,
        /// The method has not returned within the time of the proxy; it may go on.
        #[error("the method has not returned in time")]
        TooSlow,
        /// The queue was closed.
        #[error("the queue is closed")]
        QueueClosed,
        /// The guard is none of this condition's.
        #[error("the guard holds another lock than the condition's: pass the one that `lock` gave")]
        NotHeld,
        /// The manager has no such object.
        #[error("the manager has no such object, or one of another kind")]
        NoObject,
    }
}

impl ProxyError {
    pub(super) fn of_failure(failure: Failure) -> Self {
        match failure {
            Failure::OtherBuild => Self::OtherBuild,
            Failure::NoMethod(method) => Self::NoMethod { method },
            Failure::Panicked(message) => Self::Panicked { message },
            Failure::Arguments(message) | Failure::Output(message) => Self::Call { message },
        }
    }

    /// A value that can't be sent is its owner's to deal with.
    pub(super) fn of_manager(error: ManagerError) -> Self {
        match error {
            ManagerError::Ask(SendError::Encode(error)) => Self::Encode(error),
            error => Self::Manager(error),
        }
    }
}

impl From<ProxyError> for ProxyTimeoutError {
    fn from(error: ProxyError) -> Self {
        match error {
            ProxyError::Manager(error) => Self::Manager(error),
            ProxyError::Encode(error) => Self::Encode(error),
            ProxyError::Decode(error) => Self::Decode(error),
            ProxyError::OutOfRange { length } => Self::OutOfRange { length },
            ProxyError::Elsewhere => Self::Elsewhere,
            ProxyError::QueueClosed => Self::QueueClosed,
            ProxyError::NotHeld => Self::NotHeld,
            ProxyError::Panicked { message } => Self::Panicked { message },
            ProxyError::NoMethod { method } => Self::NoMethod { method },
            ProxyError::Call { message } => Self::Call { message },
            ProxyError::OtherBuild => Self::OtherBuild,
            ProxyError::TooSlow => Self::TooSlow,
            ProxyError::NoObject => Self::NoObject,
        }
    }
}

errors! {
    /// Why there is no handle of that name.
    GetHandleError,
    /// Why there is no handle of that name in time.
    GetHandleTimeoutError {
        /// Nothing has that name.
        #[error("nothing is registered as {name:?}: `register` it first, or see `names`")]
        NotFound { name: String, },
        /// It is something else.
        #[error("{name:?} is registered as {registered}, and was asked for as {asked}")]
        WrongKind { name: String, registered: String, asked: String, },
        /// It can't come here.
        #[error("{name:?} holds shared memory or sockets, which can't travel over TCP: connect over a local socket")]
        Elsewhere { name: String, },
        /// What came is no value of the type, or can't be used here.
        #[error("what is registered as {name:?} cannot be used as {asked}: {source}")]
        Decode { name: String, asked: String, source: DecodeError, },
        /// The manager could not be asked.
        #[error("{0}")]
        Manager(#[source] ManagerError),
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

impl From<RegisterError> for RegisterTimeoutError {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Taken { name, kind } => Self::Taken { name, kind },
            RegisterError::Encode(error) => Self::Encode(error),
            RegisterError::Manager(error) => Self::Manager(error),
        }
    }
}

impl From<GetHandleError> for GetHandleTimeoutError {
    fn from(error: GetHandleError) -> Self {
        match error {
            GetHandleError::NotFound { name } => Self::NotFound { name },
            GetHandleError::WrongKind { name, registered, asked } => {
                Self::WrongKind { name, registered, asked }
            }
            GetHandleError::Elsewhere { name } => Self::Elsewhere { name },
            GetHandleError::Decode { name, asked, source } => Self::Decode { name, asked, source },
            GetHandleError::Manager(error) => Self::Manager(error),
        }
    }
}

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

predicates! {
    RegisterError;
    RegisterTimeoutError;
    GetHandleError, is_not_found;
    GetHandleTimeoutError, is_not_found;
    ProxyError;
    ProxyTimeoutError;
}

/// What the server said of its start.
pub(super) fn bind_error(address: crate::Address, os: Option<i32>, message: String) -> BindError {
    let error = os.map_or_else(|| io::Error::other(message), io::Error::from_raw_os_error);
    BindError::Io { address, error }
}
