//! Descriptors that travel beside a value: a side table that exists for the duration of one encoding or decoding, on
//! the thread that does it. A handle puts its descriptors in and writes down a small number.
//!
//! The number names a run of descriptors: its first in the upper 24 bits, its length in the lower 8.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::sync::Arc;

thread_local! {
    static PACKING: Stack<Trunk> = const { RefCell::new(Vec::new()) };
    static UNPACKING: Stack<Shelf> = const { RefCell::new(Vec::new()) };
    /// Which scope, counted from the outermost, packs a value that nobody uses any more; zero: none.
    static GIVEN: Cell<usize> = const { Cell::new(0) };
}

/// The scopes of this thread, the innermost last. Most messages carry nothing, so a scope is made of something only when it is
/// needed.
type Stack<S> = RefCell<Vec<Option<Box<S>>>>;

/// Why a handle can't travel, or arrived in vain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LuggageError {
    #[error(
        "a handle can be serialised only as an argument of spawn or inside a message of this crate, where its descriptors \
         travel with it: pass the handle itself"
    )]
    NotInMessage,
    #[error("a handle holds more than 255 descriptors, or a message more than 16 million")]
    TooMany,
    #[error("the message names a descriptor that it does not carry")]
    OutOfRange,
    #[error("the message names a descriptor twice")]
    ClaimedTwice,
    #[error("the message names a shared resource as one of another kind")]
    WrongKind,
    #[error("{0}")]
    Failed(String),
}

/// What is to be done here once the message is on its way: the ends of pipes in it are closed. Dropped, nothing is.
#[derive(Default)]
pub(crate) struct Parting(Vec<Box<dyn FnOnce() + Send>>);

impl Parting {
    /// The message is sent.
    pub(crate) fn complete(self) {
        self.0.into_iter().for_each(|part| part());
    }
}

impl std::fmt::Debug for Parting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Parting").field(&self.0.len()).finish()
    }
}

/// What one message is being filled with.
#[derive(Default)]
struct Trunk {
    descriptors: Vec<OwnedFd>,
    shared: BTreeMap<(u64, u64), u32>,
    parting: Parting,
    refusal: Option<LuggageError>,
}

/// What one message brought.
#[derive(Default)]
struct Shelf {
    descriptors: Vec<Option<OwnedFd>>,
    opened: BTreeMap<u32, Arc<dyn Any + Send + Sync>>,
    refusal: Option<LuggageError>,
}

/// Runs with the innermost scope, and remembers what went wrong: serde's errors lose their text in some codecs.
macro_rules! in_scope {
    ($stack:ident, |$scope:ident| $body:expr) => {
        $stack.with_borrow_mut(|stack| {
            let $scope = stack.last_mut().ok_or(LuggageError::NotInMessage)?.get_or_insert_default();
            let done: Result<_, LuggageError> = $body;
            if let Err(error) = &done {
                $scope.refusal.get_or_insert_with(|| error.clone());
            }
            done
        })
    };
}

impl Trunk {
    fn add(&mut self, new: impl IntoIterator<Item = OwnedFd>) -> Result<u32, LuggageError> {
        let start = self.descriptors.len();
        self.descriptors.extend(new);
        name(start, self.descriptors.len() - start).ok_or(LuggageError::TooMany)
    }
}

fn name(start: usize, length: usize) -> Option<u32> {
    let start = u32::try_from(start).ok().filter(|&start| start < 1 << 24)?;
    Some((start << 8) | u32::from(u8::try_from(length).ok()?))
}

fn run(name: u32) -> std::ops::Range<usize> {
    let (start, length) = ((name >> 8) as usize, (name & 0xff) as usize);
    start..start + length
}

/// Puts a descriptor into the message that is being packed.
pub(crate) fn stow(descriptor: OwnedFd) -> Result<u32, LuggageError> {
    in_scope!(PACKING, |trunk| trunk.add([descriptor]))
}

/// Puts a descriptor into the message that is being packed; once that is sent, `part` gives up what is left of it here.
pub(crate) fn stow_and_part(
    descriptor: OwnedFd,
    part: impl FnOnce() + Send + 'static,
) -> Result<u32, LuggageError> {
    in_scope!(PACKING, |trunk| {
        trunk.parting.0.push(Box::new(part));
        trunk.add([descriptor])
    })
}

/// Packs a value that goes away with this: between its packing and its sending nobody uses what is in it.
pub(crate) fn giving<R>(pack: impl FnOnce() -> R) -> R {
    struct Before(usize);
    impl Drop for Before {
        fn drop(&mut self) {
            GIVEN.set(self.0);
        }
    }
    let scope = PACKING.with_borrow(Vec::len) + 1;
    let _before = Before(GIVEN.replace(scope));
    pack()
}

/// Whether the value that is being packed goes away with that.
pub(crate) fn is_given() -> bool {
    PACKING.with_borrow(Vec::len) == GIVEN.get()
}

/// Puts what `key` names into the message, once: a second handle of the same thing gets the first one's number.
pub(crate) fn stow_shared(
    key: (u64, u64),
    make: impl FnOnce() -> io::Result<Vec<OwnedFd>>,
) -> Result<u32, LuggageError> {
    let known = in_scope!(PACKING, |trunk| Ok(trunk.shared.get(&key).copied()))?;
    if let Some(name) = known {
        return Ok(name);
    }
    // Outside of the borrow: making it may pack something else.
    let made = make().map_err(|error| LuggageError::Failed(error.to_string()));
    in_scope!(PACKING, |trunk| {
        let name = made.and_then(|descriptors| trunk.add(descriptors));
        if let Ok(name) = name {
            trunk.shared.insert(key, name);
        }
        name
    })
}

/// Takes a descriptor out of the message that is being unpacked.
pub(crate) fn claim(name: u32) -> Result<OwnedFd, LuggageError> {
    let mut taken = in_scope!(UNPACKING, |shelf| shelf.take(name, Some(1)))?;
    taken.pop().ok_or(LuggageError::OutOfRange)
}

/// Opens what that number names, once: a second handle of the same thing gets what the first one opened.
pub(crate) fn claim_shared<T: Any + Send + Sync, E: std::fmt::Display>(
    name: u32,
    open: impl FnOnce(Vec<OwnedFd>) -> Result<Arc<T>, E>,
) -> Result<Arc<T>, LuggageError> {
    let known = in_scope!(UNPACKING, |shelf| match shelf.opened.get(&name) {
        Some(known) => known.clone().downcast::<T>().map(Some).map_err(|_| LuggageError::WrongKind),
        None => Ok(None),
    })?;
    if let Some(known) = known {
        return Ok(known);
    }
    let taken = in_scope!(UNPACKING, |shelf| shelf.take(name, None))?;
    // Outside of the borrow: opening it may unpack something else.
    let opened = open(taken).map_err(|error| LuggageError::Failed(error.to_string()));
    in_scope!(UNPACKING, |shelf| {
        if let Ok(opened) = &opened {
            shelf.opened.insert(name, opened.clone());
        }
        opened
    })
}

/// Notes why a handle can't go into the message that is being packed: what serde is told, some codecs forget.
pub(crate) fn refuse_to_pack<E: std::fmt::Display>(why: E) -> LuggageError {
    let refused: Result<(), _> = in_scope!(PACKING, |_trunk| Err(LuggageError::Failed(why.to_string())));
    refused.err().unwrap_or(LuggageError::NotInMessage)
}

/// The same for the message that is being unpacked.
pub(crate) fn refuse_to_unpack<E: std::fmt::Display>(why: E) -> LuggageError {
    let refused: Result<(), _> = in_scope!(UNPACKING, |_shelf| Err(LuggageError::Failed(why.to_string())));
    refused.err().unwrap_or(LuggageError::NotInMessage)
}

impl Shelf {
    fn take(&mut self, name: u32, length: Option<usize>) -> Result<Vec<OwnedFd>, LuggageError> {
        let run = run(name);
        if run.is_empty() || length.is_some_and(|length| length != run.len()) {
            return Err(LuggageError::WrongKind);
        }
        let places = self.descriptors.get_mut(run).ok_or(LuggageError::OutOfRange)?;
        if places.iter().any(Option::is_none) {
            return Err(LuggageError::ClaimedTwice);
        }
        Ok(places.iter_mut().filter_map(Option::take).collect())
    }
}

/// A scope on this thread; it ends with this value, by a panic too.
struct Scope<S: 'static> {
    stack: &'static std::thread::LocalKey<Stack<S>>,
    is_open: bool,
    // Scopes end in the reverse order, on the thread where they began.
    _here: PhantomData<*const ()>,
}

impl<S> Scope<S> {
    fn open(stack: &'static std::thread::LocalKey<Stack<S>>, with: Option<Box<S>>) -> Self {
        stack.with_borrow_mut(|stack| stack.push(with));
        Self { stack, is_open: true, _here: PhantomData }
    }

    fn close(mut self) -> Option<Box<S>> {
        self.is_open = false;
        self.stack.with_borrow_mut(Vec::pop).flatten()
    }
}

impl<S> Drop for Scope<S> {
    fn drop(&mut self) {
        if self.is_open {
            // What was in it is dropped outside of the borrow.
            let abandoned = self.stack.with_borrow_mut(Vec::pop);
            drop(abandoned);
        }
    }
}

/// What came of running a codec in a scope.
pub(super) struct Outcome<T> {
    pub(super) result: T,
    /// What is left in the trunk; empty after unpacking.
    pub(super) descriptors: Vec<OwnedFd>,
    pub(super) parting: Parting,
    /// The first thing that a handle refused.
    pub(super) refusal: Option<LuggageError>,
}

/// Runs `encode` with an empty trunk.
pub(super) fn packing<T>(encode: impl FnOnce() -> T) -> Outcome<T> {
    let scope = Scope::open(&PACKING, None);
    let result = encode();
    let Some(trunk) = scope.close() else {
        return Outcome { result, descriptors: Vec::new(), parting: Parting::default(), refusal: None };
    };
    Outcome { result, descriptors: trunk.descriptors, parting: trunk.parting, refusal: trunk.refusal }
}

/// Runs `decode` with these descriptors on the shelf, and closes those that it left there.
pub(super) fn unpacking<T>(descriptors: Vec<OwnedFd>, decode: impl FnOnce() -> T) -> Outcome<T> {
    let shelf = (!descriptors.is_empty()).then(|| {
        let descriptors = descriptors.into_iter().map(Some).collect();
        Box::new(Shelf { descriptors, ..Shelf::default() })
    });
    let scope = Scope::open(&UNPACKING, shelf);
    let result = decode();
    let refusal = scope.close().and_then(|shelf| shelf.refusal);
    Outcome { result, descriptors: Vec::new(), parting: Parting::default(), refusal }
}
