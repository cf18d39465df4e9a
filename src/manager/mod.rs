//! Managers: a server process that keeps things by name, for programs that share nothing but an address and a key, and objects
//! behind proxies.

mod array;
mod barrier;
mod builder;
mod calls;
mod client;
mod condition;
mod context;
mod dict;
mod error;
mod event;
mod hall;
mod handle;
mod joinable;
mod kept;
mod kind;
mod lane;
mod link;
mod list;
mod lock;
mod message;
mod namespace;
mod object;
mod object_macro;
mod object_proxy;
mod outbox;
mod owner;
mod proxy;
mod proxy_error;
mod queue;
mod registry;
mod registry_error;
mod reply;
mod rlock;
mod semaphore;
mod server;
mod session;
mod set;
mod slots;
mod store;
mod value;
mod waiting;

pub use array::AioManagedArray;
pub use barrier::AioManagedBarrier;
pub use builder::ManagerBuilder;
pub use condition::AioManagedCondition;
pub use dict::AioDict;
pub use error::{ManagerError, ManagerTimeoutError, StartError};
pub use event::AioManagedEvent;
pub use handle::AioManager;
pub use joinable::AioManagedJoinableQueue;
pub use list::AioList;
pub use lock::{AioManagedLock, AioManagedLockGuard};
pub use namespace::AioNamespace;
pub use proxy_error::{ProxyError, ProxyTimeoutError};
pub use queue::AioManagedQueue;
pub use registry_error::{GetHandleError, GetHandleTimeoutError, RegisterError, RegisterTimeoutError};
pub use rlock::AioManagedRLock;
pub use semaphore::{AioManagedPermit, AioManagedSemaphore};
pub use set::AioSet;
pub use value::AioManagedValue;

/// What `manager_object!` names.
#[doc(hidden)]
pub mod __manager {
    pub use serde::de::DeserializeOwned;
    pub use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub use super::object::{Calling, Dispatch, Failed, Reply};
    pub use super::object_proxy::ObjectProxy;
}
