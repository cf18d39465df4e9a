use std::marker::PhantomData;
use std::sync::Arc;

use super::AioManager;
use super::calls::{calls, made, proxy};
use super::message::{Call, New};
use super::proxy::{Proxy, done, flag};
use super::proxy_error::ProxyError;
use super::waiting::EventCall;

/// An event in a manager, for processes on several machines: Python's `SyncManager().Event()`. Made by [`AioManager::event`].
///
/// Processes of one machine are better served by an [`AioEvent`](crate::AioEvent), which needs no server; it can be registered under a name. Travelling, and what
/// keeps it, is as for an [`AioDict`](crate::AioDict).
///
/// # Examples
///
/// ```
/// use aioprocessing::AioManager;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     aioprocessing::init();
///     let manager = AioManager::start()?;
///     let event = manager.event()?;
///     let setter = event.clone();
///     std::thread::spawn(move || setter.set().unwrap());
///     event.wait()?;
///     assert!(event.is_set()?);
///     Ok(())
/// }
/// ```
pub struct AioManagedEvent {
    proxy: Arc<Proxy>,
    types: PhantomData<fn()>,
}

proxy! { AioManagedEvent<>, "event" }
made! {
    /// Makes an event that is not set.
    event, coro_event = fn<>() -> AioManagedEvent { |_manager| Ok(New::Event) }
}

impl AioManagedEvent {
    calls! {
        /// Waits until it is set.
        wait, wait_timeout, coro_wait = fn(&self) -> () {
            Ok::<_, ProxyError>(Call::Event(EventCall::Wait)) => |answer| done(&answer)
        }

        /// Sets it, and wakes all who wait.
        set, set_timeout, coro_set = fn(&self) -> () {
            Ok::<_, ProxyError>(Call::Event(EventCall::Set)) => |answer| done(&answer)
        }

        /// Makes it unset again.
        clear, clear_timeout, coro_clear = fn(&self) -> () {
            Ok::<_, ProxyError>(Call::Event(EventCall::Clear)) => |answer| done(&answer)
        }

        /// Whether it is set.
        is_set, is_set_timeout, coro_is_set = fn(&self) -> bool {
            Ok::<_, ProxyError>(Call::Event(EventCall::IsSet)) => |answer| flag(&answer)
        }
    }
}
