//! Functions that another process of the same build can call: a constant per function type, named by its offset.

#![allow(unsafe_code)]

use std::any::TypeId;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::OwnedFd;
use std::ptr::NonNull;

use super::image::{self, Build};

const MAGIC: u64 = u64::from_le_bytes(*b"aioentry");

/// What is known of one function. `R` is what calling it gives.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Entry<R: 'static> {
    magic: u64,
    type_id: fn() -> TypeId,
    name: fn() -> &'static str,
    run: fn(&[u8], Vec<OwnedFd>) -> R,
}

/// The same entry as four words, for a look at memory that may be anything.
type Words = [usize; 4];

const _: () = assert!(size_of::<Entry<()>>() == size_of::<Words>());
const _: () = assert!(align_of::<Entry<()>>() == align_of::<Words>());

/// An entry as it travels.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(into = "Vec<u8>", try_from = "Vec<u8>")]
pub(crate) struct Place {
    pub(crate) build: Build,
    offset: u64,
    kind: u64,
}

impl Place {
    /// {offset u64, kind u64}, and the build. By hand: a new process meets no code for it that it does not need.
    pub(crate) fn write(&self, into: &mut Vec<u8>) {
        into.extend_from_slice([self.offset, self.kind].map(u64::to_le_bytes).as_flattened());
        self.build.write(into);
    }

    /// A place as [`write`](Self::write) left it; whether anything lies there is told by [`Entry::at`].
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (offset, rest) = bytes.split_first_chunk()?;
        let (kind, build) = rest.split_first_chunk()?;
        let [offset, kind] = [offset, kind].map(|word| u64::from_le_bytes(*word));
        Some(Self { build: Build::read(build)?, offset, kind })
    }

    /// Its place in the image, and what it must be: enough for a process that is known to run the same build.
    pub(crate) fn words(&self) -> (u64, u64) {
        (self.offset, self.kind)
    }

    /// The place of which another process of this build gave the [`words`](Self::words).
    pub(crate) fn here(offset: u64, kind: u64) -> Option<Self> {
        Some(Self { build: image::own()?.build().clone(), offset, kind })
    }
}

impl From<Place> for Vec<u8> {
    fn from(place: Place) -> Self {
        let mut bytes = Self::new();
        place.write(&mut bytes);
        bytes
    }
}

impl TryFrom<Vec<u8>> for Place {
    type Error = &'static str;

    fn try_from(bytes: Vec<u8>) -> Result<Self, Self::Error> {
        Self::read(&bytes).ok_or("the place of a function is damaged")
    }
}

/// Why a place is no entry here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misplaced {
    /// The two processes run different builds.
    OtherBuild,
    /// Nothing of that kind lies there.
    NoEntry,
}

impl<R> Entry<R> {
    pub(crate) const fn new(
        type_id: fn() -> TypeId,
        name: fn() -> &'static str,
        run: fn(&[u8], Vec<OwnedFd>) -> R,
    ) -> Self {
        Self { magic: MAGIC, type_id, name, run }
    }

    pub(crate) fn name(&self) -> &'static str {
        (self.name)()
    }

    pub(crate) fn run(&self, bytes: &[u8], descriptors: Vec<OwnedFd>) -> R {
        (self.run)(bytes, descriptors)
    }

    /// The type as a number that is the same in every process of this build.
    fn kind(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.type_id)().hash(&mut hasher);
        hasher.finish()
    }

    /// Where this entry lies. `None` outside of the image that holds this crate.
    pub(crate) fn place(&'static self) -> Option<Place> {
        let image = image::own()?;
        Some(Place { build: image.build().clone(), offset: image.offset_of(self)?, kind: self.kind() })
    }

    /// The entry at a place that another process named, after a check of everything that can be checked.
    pub(crate) fn at(place: &Place) -> Result<&'static Self, Misplaced> {
        let image = image::own().ok_or(Misplaced::OtherBuild)?;
        if *image.build() != place.build {
            return Err(Misplaced::OtherBuild);
        }
        let address = image.address::<Self>(place.offset).ok_or(Misplaced::NoEntry)?;
        let words = std::ptr::with_exposed_provenance::<Words>(address);
        // SAFETY: so many bytes lie within the loaded image, aligned; any words are valid words.
        let [magic, functions @ ..] = unsafe { words.read_volatile() };
        if magic as u64 != MAGIC || !functions.iter().all(|&address| image.is_code(address)) {
            return Err(Misplaced::NoEntry);
        }
        // SAFETY: the magic marks an entry of this very build, all three functions lie in its code, and constants
        // are never written to.
        let entry = unsafe { &*words.cast::<Self>() };
        if entry.kind() == place.kind { Ok(entry) } else { Err(Misplaced::NoEntry) }
    }
}

/// The function that an entry stands for, made from nothing, as a value of no bytes is. Only for the `run` of an entry:
/// that its place was named means that a value of this `Copy` type was given to `spawn`.
pub(crate) fn function<F: Copy + 'static>() -> F {
    const {
        assert!(
            size_of::<F>() == 0,
            "this closure captures variables (or is a function pointer) and can't be run in another process: pass what it \
             needs as arguments (or name the function itself)"
        );
    };
    // SAFETY: a read of no bytes through an aligned pointer; a value exists in the process that named the entry, and it is
    // `Copy`, so another may.
    unsafe { NonNull::<F>::dangling().read() }
}

/// A shared reference to a function of no bytes, for the `run` of an entry: that its place was named means that such a
/// value is shared by the object which named it, and `Sync` lets it be used from anywhere. `None`: it has bytes.
pub(crate) fn shared_function<F: Sync + 'static>() -> Option<&'static F> {
    if size_of::<F>() != 0 {
        return None;
    }
    // SAFETY: a reference to no bytes needs an aligned address only; a value exists (from the caller).
    Some(unsafe { NonNull::<F>::dangling().as_ref() })
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;

    use super::{Entry, Misplaced};

    static ENTRY: Entry<u32> = Entry::new(TypeId::of::<u8>, || "seven", |_, _| 7);
    static OTHER: Entry<u32> = Entry::new(TypeId::of::<u16>, || "eight", |_, _| 8);
    static TEXT: [u64; 8] = [super::MAGIC, 1, 2, 3, super::MAGIC, 0, 0, 0];

    #[test]
    fn a_place_leads_back_to_its_entry() {
        let found = Entry::<u32>::at(&ENTRY.place().unwrap()).unwrap();
        assert_eq!((found.name(), found.run(&[], Vec::new())), ("seven", 7));
    }

    #[test]
    fn a_place_travels_as_bytes_and_what_is_cut_is_none() {
        let named = super::Place { build: super::Build::Id(vec![1, 2, 3]), ..ENTRY.place().unwrap() };
        let hashed = super::Place { build: super::Build::Layout(1), ..ENTRY.place().unwrap() };
        for (place, head) in [(named, 17), (hashed, 25)] {
            let mut bytes = Vec::new();
            place.write(&mut bytes);
            assert_eq!(super::Place::read(&bytes), Some(place));
            for cut in 0..head {
                assert_eq!(super::Place::read(&bytes[..cut]), None, "cut at {cut}");
            }
            bytes[16] = 2;
            assert_eq!(super::Place::read(&bytes), None, "another kind of build");
        }
    }

    #[test]
    fn a_place_that_is_anything_else_is_refused() {
        let mut place = ENTRY.place().unwrap();
        place.kind = OTHER.kind();
        assert_eq!(Entry::<u32>::at(&place).unwrap_err(), Misplaced::NoEntry, "another type");

        let image = super::image::own().unwrap();
        for offset in [0, u64::MAX, place.offset + 1, place.offset + 8, image.offset_of(&TEXT).unwrap()] {
            let place = super::Place { offset, ..ENTRY.place().unwrap() };
            assert_eq!(Entry::<u32>::at(&place).unwrap_err(), Misplaced::NoEntry, "offset {offset}");
        }

        let place = super::Place { build: super::Build::Layout(1), ..ENTRY.place().unwrap() };
        assert_eq!(Entry::<u32>::at(&place).unwrap_err(), Misplaced::OtherBuild);
    }
}
