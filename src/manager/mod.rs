//! Managers: a server process that keeps things by name, for programs that share nothing but an address and a key, and objects
//! behind proxies.

mod builder;
mod calls;
mod client;
mod context;
mod dict;
mod error;
mod event;
mod hall;
mod handle;
mod kept;
mod kind;
mod lane;
mod link;
mod list;
mod lock;
mod message;
mod namespace;
mod object;
mod owner;
mod proxy;
mod queue;
mod server;
mod session;
mod set;
mod store;
mod value;
mod waiting;

pub use builder::ManagerBuilder;
pub use dict::AioDict;
pub use error::{
    GetHandleError, GetHandleTimeoutError, ManagerError, ManagerTimeoutError, ProxyError, ProxyTimeoutError,
    RegisterError, RegisterTimeoutError, StartError,
};
pub use event::AioManagedEvent;
pub use handle::AioManager;
pub use list::AioList;
pub use lock::{AioManagedCondition, AioManagedLock, AioManagedLockGuard};
pub use namespace::AioNamespace;
pub use queue::AioManagedQueue;
pub use set::AioSet;
pub use value::AioManagedValue;

/// What `manager_object!` names.
#[doc(hidden)]
pub mod __manager {
    pub use serde::de::DeserializeOwned;
    pub use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub use super::object::{Calling, Dispatch, Failed, ObjectProxy, Reply};
}
