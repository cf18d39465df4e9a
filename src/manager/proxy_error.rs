use super::error::{ManagerError, errors, predicates};
use super::object::Failure;
use crate::{DecodeError, EncodeError, SendError};

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
        /// There would be more permits than the semaphore may have; none was added.
        #[error("the semaphore would have more permits than it may: release only what was forgotten")]
        TooManyPermits,
        /// A party died or gave up while it waited, somebody aborted the barrier, or it was reset meanwhile.
        #[error("the barrier is broken: a party died, timed out or aborted it; call `reset` to use it again")]
        BarrierBroken,
        /// Processes are gone with items that they had got and not finished; nobody will finish those.
        #[error("{items} items were got by processes that died before they finished them; put them again")]
        WorkerLost { items: u64, },
        /// This process has no item that it got and has not finished.
        #[error("task_done was called more often than this process got items")]
        NoTask,
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
            ProxyError::TooManyPermits => Self::TooManyPermits,
            ProxyError::BarrierBroken => Self::BarrierBroken,
            ProxyError::WorkerLost { items } => Self::WorkerLost { items },
            ProxyError::NoTask => Self::NoTask,
            ProxyError::Panicked { message } => Self::Panicked { message },
            ProxyError::NoMethod { method } => Self::NoMethod { method },
            ProxyError::Call { message } => Self::Call { message },
            ProxyError::OtherBuild => Self::OtherBuild,
            ProxyError::TooSlow => Self::TooSlow,
            ProxyError::NoObject => Self::NoObject,
        }
    }
}

predicates! {
    ProxyError;
    ProxyTimeoutError;
}
