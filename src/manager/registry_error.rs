use super::error::{ManagerError, errors, predicates};
use crate::{DecodeError, EncodeError};

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

predicates! {
    RegisterError;
    RegisterTimeoutError;
    GetHandleError, is_not_found;
    GetHandleTimeoutError, is_not_found;
}
