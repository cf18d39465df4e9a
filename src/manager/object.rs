//! Objects of a program's own types, as a manager has them.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::kept::Kept;
use super::session::Session;
use crate::process::ProcessFn;
use crate::sys::entry::{self, Entry};
use crate::wire::{Postcard, unpack};

/// What went wrong with an object of a program's own type.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Failure {
    OtherBuild,
    NoMethod(String),
    Panicked(String),
    Arguments(String),
    Output(String),
}

/// Why a call has no answer.
#[derive(Debug)]
pub struct Failed(pub(super) Failure);

/// An object in a manager.
pub(super) trait UserObject: Send {
    fn call(&mut self, calling: Calling<'_>) -> Result<Kept, Failed>;
}

/// Runs in a manager: calls the methods that the proxy `P` has.
pub trait Dispatch<P>: Send + Sized + 'static {
    /// One call.
    ///
    /// # Errors
    ///
    /// If there is no such method, or what travels can't.
    fn dispatch(&mut self, calling: Calling<'_>) -> Result<Reply, Failed>;
}

/// A call as it comes to an object.
#[derive(Debug)]
pub struct Calling<'a> {
    method: String,
    arguments: Kept,
    own: &'a Arc<Session>,
}

/// What it comes to.
#[derive(Debug)]
pub struct Reply(Kept);

impl<'a> Calling<'a> {
    pub(super) fn new(method: String, arguments: Kept, own: &'a Arc<Session>) -> Self {
        Self { method, arguments, own }
    }

    /// The name of the method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Calls it.
    ///
    /// # Errors
    ///
    /// If the arguments or the output can't travel.
    pub fn with<A: DeserializeOwned, R: Serialize>(self, call: impl FnOnce(A) -> R) -> Result<Reply, Failed> {
        let arguments = self.arguments.unpack::<Postcard, A>(self.own);
        let arguments = arguments.map_err(|error| Failed(Failure::Arguments(error.to_string())))?;
        let output = call(arguments);
        let packed = Kept::pack::<Postcard, R>(&output, self.own.manager());
        let (kept, parting) = packed.map_err(|error| Failed(Failure::Output(error.to_string())))?;
        // Ends of pipes go with the output itself.
        drop((parting, output));
        Ok(Reply(kept))
    }

    /// There is none of that name.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn refuse(self) -> Result<Reply, Failed> {
        Err(Failed(Failure::NoMethod(self.method)))
    }
}

/// An object behind a proxy of type `P`.
pub(super) struct Held<T, P>(pub(super) T, pub(super) PhantomData<fn() -> P>);

impl<T: Dispatch<P>, P: 'static> UserObject for Held<T, P> {
    fn call(&mut self, calling: Calling<'_>) -> Result<Kept, Failed> {
        caught(|| self.0.dispatch(calling)).and_then(|reply| reply).map(|reply| reply.0)
    }
}

/// A panic ends the call, and neither the object nor the manager.
fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Failed> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| Failed(Failure::Panicked(message(&*panic))))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned())
}

/// The end of an object, which may panic as its methods may.
pub(super) fn let_go(object: Box<dyn UserObject>) {
    // It has said so on the manager's standard error; nobody else is there to be told.
    let _ = caught(|| drop(object));
}

/// What making an object gives.
pub(super) type Made = Result<Box<dyn UserObject>, Failed>;

/// The entry by which another process of this build has one made.
pub(super) struct Maker<F, A, P>(PhantomData<(F, A, P)>);

impl<F, A, P> Maker<F, A, P>
where
    F: ProcessFn<A, Output: Dispatch<P>>,
    A: DeserializeOwned + 'static,
    P: 'static,
{
    pub(super) const ENTRY: &'static Entry<Made> =
        &Entry::new(TypeId::of::<(F, A, P)>, type_name::<F>, Self::run);

    fn run(bytes: &[u8], descriptors: Vec<OwnedFd>) -> Made {
        let arguments = unpack::<Postcard, A>(bytes, descriptors);
        let arguments = arguments.map_err(|error| Failed(Failure::Arguments(error.to_string())))?;
        let object = caught(|| entry::function::<F>().call(arguments))?;
        Ok(Box::new(Held::<F::Output, P>(object, PhantomData)))
    }
}

impl fmt::Debug for dyn UserObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserObject")
    }
}
