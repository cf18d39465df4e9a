//! What proxies in a value are, while it is encoded for a manager or decoded from one: a number beside the value, and not
//! descriptors within it. So the manager knows what a value keeps alive without opening it, and over TCP a number is enough.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use super::kept::{Reference, TravellingFd};
use super::message::Ask;
use super::proxy::{Proxy, Token};
use super::session::Session;

thread_local! {
    static PACKING: RefCell<Vec<(u128, Vec<Reference>)>> = const { RefCell::new(Vec::new()) };
    static UNPACKING: RefCell<Vec<Arrival>> = const { RefCell::new(Vec::new()) };
}

struct Arrival {
    session: Arc<Session>,
    references: Vec<Reference>,
    made: Vec<Arc<Proxy>>,
}

/// A scope ends with this, by a panic too.
struct Scope<S: 'static>(&'static std::thread::LocalKey<RefCell<Vec<S>>>);

impl<S> Scope<S> {
    fn open(stack: &'static std::thread::LocalKey<RefCell<Vec<S>>>, with: S) -> Self {
        stack.with_borrow_mut(|stack| stack.push(with));
        Self(stack)
    }
}

impl<S> Drop for Scope<S> {
    fn drop(&mut self) {
        // What was in it is dropped outside of the borrow.
        let ended = self.0.with_borrow_mut(Vec::pop);
        drop(ended);
    }
}

/// Runs `encode` for that manager; what comes of it, and the objects that were named.
pub(super) fn packing<T>(manager: u128, encode: impl FnOnce() -> T) -> (T, Vec<Reference>) {
    let _scope = Scope::open(&PACKING, (manager, Vec::new()));
    let encoded = encode();
    let named = PACKING.with_borrow_mut(|stack| stack.last_mut().map(|(_, named)| std::mem::take(named)));
    (encoded, named.unwrap_or_default())
}

/// Names an object beside the value that is being encoded. `None`: it is not for that manager.
pub(super) fn refer(manager: u128, object: u64, token: &Token) -> Option<io::Result<()>> {
    PACKING.with_borrow_mut(|stack| {
        let (_, named) = stack.last_mut().filter(|(known, _)| *known == manager)?;
        if named.iter().any(|reference| reference.object == object) {
            return Some(Ok(()));
        }
        let token = token.as_here().map(|fd| fd.try_clone_to_owned().map(TravellingFd)).transpose();
        Some(token.map(|token| named.push(Reference { object, token })))
    })
}

/// Runs `decode` on a value that came over that session.
pub(super) fn unpacking<T>(
    session: &Arc<Session>,
    references: Vec<Reference>,
    decode: impl FnOnce() -> T,
) -> T {
    let arrival = Arrival { session: session.clone(), references, made: Vec::new() };
    let _scope = Scope::open(&UNPACKING, arrival);
    decode()
}

/// The proxy of an object that is named beside the value that is being decoded.
pub(super) fn arrived(manager: u128, object: u64) -> Option<Arc<Proxy>> {
    UNPACKING.with_borrow_mut(|stack| {
        let arrival = stack.last_mut().filter(|arrival| arrival.session.manager() == manager)?;
        if let Some(known) = arrival.made.iter().find(|proxy| proxy.object() == object) {
            return Some(known.clone());
        }
        let at = arrival.references.iter().position(|reference| reference.object == object)?;
        let Reference { object, token } = arrival.references.remove(at);
        let proxy = Arc::new(Proxy::new(arrival.session.clone(), object, token));
        arrival.made.push(proxy.clone());
        Some(proxy)
    })
}

impl Drop for Arrival {
    fn drop(&mut self) {
        // What the value names and nothing in it asked for.
        for Reference { object, token } in self.references.drain(..) {
            if token.is_none() {
                self.session.tell(Ask::Release { object });
            }
        }
    }
}
