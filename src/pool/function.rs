//! Functions that a worker can call, and tasks of them on their way there.

use std::any::{TypeId, type_name};
use std::marker::PhantomData;
use std::os::fd::OwnedFd;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::SubmitError;
use crate::process::ProcessFn;
use crate::sys::entry::{self, Entry};
use crate::wire::{Packed, Postcard, pack, unpack};

/// What running a function on one item gives.
pub(super) type Ran = Result<Packed, Refusal>;

/// Why it gave nothing.
#[derive(Debug)]
pub(super) enum Refusal {
    Arguments(String),
    Output(String),
}

struct Callable<F, A>(PhantomData<(F, A)>);

/// Tells the entries of pools from those of processes.
struct InPool;

impl<F, A> Callable<F, A>
where
    F: ProcessFn<A, Output: Serialize>,
    A: DeserializeOwned + 'static,
{
    const ENTRY: &'static Entry<Ran> = &Entry::new(TypeId::of::<(F, A, InPool)>, type_name::<F>, Self::run);

    fn run(bytes: &[u8], descriptors: Vec<OwnedFd>) -> Ran {
        let args = unpack::<Postcard, A>(bytes, descriptors);
        let args = args.map_err(|error| Refusal::Arguments(error.to_string()))?;
        let value = entry::function::<F>().call(args);
        pack::<Postcard, _>(&value).map_err(|error| Refusal::Output(error.to_string()))
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

/// The arguments of the items of one task, one behind the other, each with its length before it.
#[derive(Debug, Default)]
pub(super) struct Items {
    pub(super) bytes: Vec<u8>,
    pub(super) count: u32,
    pub(super) luggage: Vec<OwnedFd>,
}

impl Items {
    /// One item.
    pub(super) fn one<A: Serialize>(args: &A) -> Result<Self, SubmitError> {
        let packed = pack::<Postcard, A>(args)?;
        let length = u32::try_from(packed.bytes.len()).map_err(|_| SubmitError::TooLarge)?;
        let mut bytes = Vec::with_capacity(4 + packed.bytes.len());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&packed.bytes);
        Ok(Self { bytes, count: 1, luggage: packed.descriptors })
    }

    /// Appends an item without descriptors.
    pub(super) fn append(&mut self, other: &Self) {
        self.bytes.extend_from_slice(&other.bytes);
        self.count += other.count;
    }

    /// The arguments of each item.
    pub(super) fn split(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
        std::iter::from_fn(move || {
            let (length, rest) = bytes.split_first_chunk()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            let (item, rest) = rest.split_at_checked(length)?;
            bytes = rest;
            Some(item)
        })
    }
}
