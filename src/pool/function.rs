//! Functions that a worker can call, and tasks of them on their way there.

use std::any::{TypeId, type_name};
use std::marker::PhantomData;
use std::os::fd::OwnedFd;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::SubmitError;
use super::frames::{self, VALUE};
use crate::process::ProcessFn;
use crate::sys::entry::{self, Entry};
use crate::wire::{Postcard, lone, pack_onto, put_lone, unpack};

/// What a worker can do with a function.
pub(super) trait Job: Sync {
    /// Calls it with the arguments of one item and appends its value; gives the descriptors that belong to that.
    fn run(&self, args: &[u8], luggage: Vec<OwnedFd>, into: &mut Vec<u8>) -> Result<Vec<OwnedFd>, Refusal>;
}

/// Why it gave nothing.
#[derive(Debug)]
pub(super) enum Refusal {
    Arguments(String),
    Output(String),
}

struct Callable<F, A>(PhantomData<fn() -> (F, A)>);

/// Tells the entries of pools from those of processes.
struct InPool;

impl<F, A> Callable<F, A>
where
    F: ProcessFn<A, Output: Serialize>,
    A: DeserializeOwned + 'static,
{
    const ENTRY: &'static Entry<&'static dyn Job> =
        &Entry::new(TypeId::of::<(F, A, InPool)>, type_name::<F>, |_, _| &Self(PhantomData));
}

impl<F, A> Job for Callable<F, A>
where
    F: ProcessFn<A, Output: Serialize>,
    A: DeserializeOwned + 'static,
{
    fn run(&self, args: &[u8], luggage: Vec<OwnedFd>, into: &mut Vec<u8>) -> Result<Vec<OwnedFd>, Refusal> {
        let args = match lone(args) {
            Some(args) => args,
            None => {
                unpack::<Postcard, A>(args, luggage).map_err(|error| Refusal::Arguments(error.to_string()))?
            }
        };
        let value = entry::function::<F>().call(args);
        if put_lone(&value, into) {
            return Ok(Vec::new());
        }
        pack_onto::<Postcard, _>(&value, into).map_err(|error| Refusal::Output(error.to_string()))
    }
}

/// A function by its place in the image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Function {
    pub(super) offset: u64,
    pub(super) kind: u64,
}

impl Function {
    pub(super) fn of<F, A>(_: F) -> Result<Self, SubmitError>
    where
        F: ProcessFn<A, Output: Serialize>,
        A: DeserializeOwned + 'static,
    {
        let entry = Callable::<F, A>::ENTRY;
        let place = entry.place().ok_or(SubmitError::Function { function: entry.name() })?;
        let (offset, kind) = place.words();
        Ok(Self { offset, kind })
    }
}

/// The arguments of the items of one task, in frames.
#[derive(Debug, Default)]
pub(super) struct Items {
    pub(super) bytes: Vec<u8>,
    pub(super) count: u32,
    pub(super) luggage: Vec<OwnedFd>,
}

impl Items {
    /// One item.
    pub(super) fn one<A: Serialize + 'static>(args: &A) -> Result<Self, SubmitError> {
        let mut items = Self::default();
        items.push(args)?;
        Ok(items)
    }

    /// Appends an item to others, none of which has descriptors. Refused, it has changed nothing.
    pub(super) fn push<A: Serialize + 'static>(&mut self, args: &A) -> Result<(), SubmitError> {
        let at = frames::begin(&mut self.bytes);
        if !put_lone(args, &mut self.bytes) {
            let packed = pack_onto::<Postcard, A>(args, &mut self.bytes);
            self.luggage = packed.inspect_err(|_| self.bytes.truncate(at))?;
        }
        frames::end(&mut self.bytes, at, VALUE);
        self.count += 1;
        Ok(())
    }

    /// Takes out the last item, which begins at `start`.
    pub(super) fn split_last(&mut self, start: usize) -> Self {
        self.count -= 1;
        Self { bytes: self.bytes.split_off(start), count: 1, luggage: std::mem::take(&mut self.luggage) }
    }
}
