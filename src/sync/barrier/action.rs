//! What runs when all parties have met.

use std::any::{TypeId, type_name};
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::sys::entry::{self, Entry, Place};

/// A barrier's action, as this process has it.
#[derive(Clone)]
pub(super) struct Action {
    run: Arc<dyn Fn() + Send + Sync>,
    /// Of one that captures nothing, and so can travel.
    entry: Option<&'static Entry<()>>,
}

/// The entry of a function, as a constant that the compiler puts into the image.
struct Named<F>(PhantomData<F>);

impl<F: Fn() + Send + Sync + 'static> Named<F> {
    const ENTRY: &'static Entry<()> = &Entry::new(TypeId::of::<(Self, u16)>, type_name::<F>, Self::run);

    fn run(_: &[u8], _: Vec<OwnedFd>) {
        if let Some(function) = entry::shared_function::<F>() {
            function();
        }
    }
}

impl Action {
    pub(super) fn new<F: Fn() + Send + Sync + 'static>(action: F) -> Self {
        let entry = (size_of::<F>() == 0).then_some(Named::<F>::ENTRY);
        Self { run: Arc::new(action), entry }
    }

    pub(super) fn function(&self) -> &(dyn Fn() + Send + Sync) {
        &*self.run
    }

    /// Where it lies, if it can travel.
    pub(super) fn place(action: Option<&Self>) -> Travelling {
        Travelling(action.and_then(|action| action.entry).and_then(Entry::place))
    }
}

/// An action on its way, or none.
pub(super) struct Travelling(Option<Place>);

impl Travelling {
    pub(super) fn arrive<E: de::Error>(self) -> Result<Option<Action>, E> {
        let Some(place) = self.0 else { return Ok(None) };
        let entry = Entry::<()>::at(&place)
            .map_err(|_| E::custom("the barrier's action is a function of another program"))?;
        Ok(Some(Action { run: Arc::new(|| entry.run(&[], Vec::new())), entry: Some(entry) }))
    }
}

impl Serialize for Travelling {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Travelling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self)
    }
}
