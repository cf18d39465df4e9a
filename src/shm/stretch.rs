//! A stretch of a region that holds plain data, either in place or as words.
//!
//! It is made of units of 128 bytes. The first one is the head; it says how large an element is and how many there are, and
//! is read once, when the stretch is opened, and held against the directory then.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

use super::atomic::{AtomicU64, Ordering};
use super::plain::Plain;
use super::plan::Plan;
use super::region::{AttachError, Region};
use super::shared::{Object, shared};

const UNIT: u64 = 128;

shared! {
    /// A unit of a stretch whose data is used in place.
    struct PlaceUnit[128] {
        words: [AtomicU64; 16],
    }

    /// A unit of a stretch whose data is only ever reached through its words.
    struct WordUnit[128] {
        words: [AtomicU64; 16],
    }
}

impl Object for PlaceUnit {
    const KIND: u32 = 32;
}

impl Object for WordUnit {
    const KIND: u32 = 33;
}

/// The words of the head: bytes of an element, number of elements.
trait Unit: Object {
    fn words(&self) -> &[AtomicU64; 16];
}

impl Unit for PlaceUnit {
    fn words(&self) -> &[AtomicU64; 16] {
        &self.words
    }
}

impl Unit for WordUnit {
    fn words(&self) -> &[AtomicU64; 16] {
        &self.words
    }
}

/// Plans a stretch for `bytes` behind its head. `None`: too long for a region.
fn plan<U: Unit>(plan: &mut Plan, bytes: u64) -> Option<u64> {
    let units = u32::try_from(bytes.div_ceil(UNIT).checked_add(1)?).ok()?;
    Some(plan.place::<U>(units))
}

/// Checks the stretch at `offset`; `bytes` reads from its head how much data there must be.
fn check<U: Unit>(
    region: &Arc<Region>,
    offset: u64,
    bytes: impl FnOnce(&[AtomicU64; 16]) -> Option<u64>,
) -> Result<(), AttachError> {
    const WRONG: AttachError = AttachError::NotARegion("it holds data of another size");
    // The directory may say anything; a plain value may want this alignment, which a unit's words don't.
    if !offset.is_multiple_of(UNIT) {
        return Err(WRONG);
    }
    let head = region.object::<U>(offset)?;
    let bytes = bytes(head.words()).ok_or(WRONG)?;
    let units = bytes.div_ceil(UNIT);
    let last = units.checked_mul(UNIT).and_then(|length| offset.checked_add(length)).ok_or(WRONG)?;
    // Head and last unit are in the directory, so all between them is in the mapping.
    region.object::<U>(last).map_err(|_| WRONG)?;
    Ok(())
}

/// Where the data behind the head at `offset` begins; at the end of the mapping if there is none.
fn data(region: &Region, offset: u64) -> NonNull<u8> {
    // SAFETY: `check` found the whole unit at `offset` inside of the mapping, so its end is inside or one past it.
    unsafe { region.map().base().add((offset + UNIT) as usize) }
}

/// Plain values used in place, under a lock that stands beside them. Alone it gives no access but copies of single values.
pub(crate) struct InPlace<T> {
    region: Arc<Region>,
    offset: u64,
    length: usize,
    values: PhantomData<fn() -> T>,
}

impl<T: Plain> InPlace<T> {
    /// `None`: too many for a region.
    pub(crate) fn plan(into: &mut Plan, length: usize) -> Option<u64> {
        const { assert!(align_of::<T>() as u64 <= UNIT, "plain data with more than 128 bytes of alignment") };
        let bytes = u64::try_from(length).ok()?.checked_mul(size_of::<T>() as u64)?;
        plan::<PlaceUnit>(into, bytes)
    }

    /// Writes the head of a planned stretch.
    pub(crate) fn create(region: &Arc<Region>, offset: u64, length: usize) -> Result<Self, AttachError> {
        let head = region.object::<PlaceUnit>(offset)?;
        head.words[0].store(size_of::<T>() as u64, Ordering::Relaxed);
        head.words[1].store(length as u64, Ordering::Release);
        Self::open(region, offset)
    }

    /// `offset` may come from anywhere.
    pub(crate) fn open(region: &Arc<Region>, offset: u64) -> Result<Self, AttachError> {
        let mut length = 0;
        check::<PlaceUnit>(region, offset, |head| {
            if head[0].load(Ordering::Relaxed) != size_of::<T>() as u64 {
                return None;
            }
            let count = head[1].load(Ordering::Acquire);
            length = usize::try_from(count).ok()?;
            count.checked_mul(size_of::<T>() as u64)
        })?;
        Ok(Self { region: region.clone(), offset, length, values: PhantomData })
    }

    fn values(&self) -> NonNull<T> {
        data(&self.region, self.offset).cast()
    }

    /// A copy of one value, for those who don't have the lock: taken by the kernel, so that it is no access of this program's
    /// to memory which another thread of it may be writing to at this moment.
    pub(crate) fn copy(&self, index: usize) -> Option<T> {
        if index >= self.length {
            return None;
        }
        let mut value = MaybeUninit::<T>::zeroed();
        let address = value.as_mut_ptr().cast::<u8>();
        // SAFETY: all of `value`, which is initialised (to zeroes) and borrowed by nobody else.
        let bytes = unsafe { std::slice::from_raw_parts_mut(address, size_of::<T>()) };
        let at = self.offset + UNIT + (index * size_of::<T>()) as u64;
        let fd = self.region.fd();
        let got = rustix::io::retry_on_intr(|| rustix::io::pread(fd, &mut *bytes, at));
        if got != Ok(size_of::<T>()) {
            return None;
        }
        // SAFETY: any bits are a value (contract of `Plain`).
        Some(unsafe { value.assume_init() })
    }
}

impl<T> InPlace<T> {
    pub(crate) fn len(&self) -> usize {
        self.length
    }
}

impl<T> Clone for InPlace<T> {
    fn clone(&self) -> Self {
        Self { region: self.region.clone(), offset: self.offset, length: self.length, values: PhantomData }
    }
}

/// Plain values in place, together with the guard of the lock that stands beside them.
pub(crate) struct Locked<T, G> {
    cells: InPlace<T>,
    guard: G,
}

impl<T, G> Locked<T, G> {
    /// `guard` must hold the one lock under which all use these cells, for as long as it exists.
    pub(crate) fn new(cells: InPlace<T>, guard: G) -> Self {
        Self { cells, guard }
    }

    pub(crate) fn guard(&self) -> &G {
        &self.guard
    }

    /// Takes the two apart.
    pub(crate) fn into_parts(self) -> (InPlace<T>, G) {
        (self.cells, self.guard)
    }
}

impl<T: Plain, G> Deref for Locked<T, G> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: so many values lie in the mapping, aligned (a unit is aligned to 128 bytes), which `region` keeps; any bits are a value; and nobody of this process writes to them meanwhile, since `guard` holds their lock.
        unsafe { std::slice::from_raw_parts(self.cells.values().as_ptr(), self.cells.length) }
    }
}

impl<T: Plain, G> DerefMut for Locked<T, G> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and this borrow of the only guard is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.cells.values().as_ptr(), self.cells.length) }
    }
}

/// Words with a head, reached through atomics alone.
#[derive(Clone)]
pub(crate) struct Words {
    region: Arc<Region>,
    offset: u64,
    count: usize,
}

impl Words {
    /// `None`: too many for a region.
    pub(crate) fn plan(into: &mut Plan, count: usize) -> Option<u64> {
        plan::<WordUnit>(into, u64::try_from(count).ok()?.checked_mul(8)?)
    }

    /// Writes the head of a planned stretch. `tag` is for the user of the words.
    pub(crate) fn create(
        region: &Arc<Region>,
        offset: u64,
        count: usize,
        tag: u64,
    ) -> Result<Self, AttachError> {
        let head = region.object::<WordUnit>(offset)?;
        head.words[0].store(tag, Ordering::Relaxed);
        head.words[1].store(count as u64, Ordering::Release);
        Self::open(region, offset, count, tag)
    }

    /// `offset` may come from anywhere; `count` and `tag` are what the caller expects there.
    pub(crate) fn open(
        region: &Arc<Region>,
        offset: u64,
        count: usize,
        tag: u64,
    ) -> Result<Self, AttachError> {
        check::<WordUnit>(region, offset, |head| {
            let is_expected =
                head[0].load(Ordering::Relaxed) == tag && head[1].load(Ordering::Acquire) == count as u64;
            is_expected.then_some((count as u64).checked_mul(8)?)
        })?;
        Ok(Self { region: region.clone(), offset, count })
    }
}

impl Deref for Words {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        // SAFETY: so many words lie in the mapping, aligned, which `region` keeps; any bits are a word, and words of
        // units of this kind are only ever reached through atomics.
        unsafe { std::slice::from_raw_parts(data(&self.region, self.offset).as_ptr().cast(), self.count) }
    }
}

/// A plain value as words; the bytes behind its end are zero.
pub(crate) struct Bits<T>(MaybeUninit<T>);

impl<T: Plain> Bits<T> {
    pub(crate) const WORDS: usize = size_of::<T>().div_ceil(8);

    pub(crate) fn of(value: T) -> Self {
        Self(MaybeUninit::new(value))
    }

    /// All of them zero.
    pub(crate) fn empty() -> Self {
        Self(MaybeUninit::zeroed())
    }

    pub(crate) fn value(&self) -> T {
        // SAFETY: made of a value, or of zeroes and words: any bits are a value (contract of `Plain`).
        unsafe { self.0.assume_init() }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: all of the value, which is initialised, and has no padding (contract of `Plain`).
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), size_of::<T>()) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; any bytes written make a value.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), size_of::<T>()) }
    }

    pub(crate) fn word(&self, index: usize) -> u64 {
        let part = self.bytes().chunks(8).nth(index).unwrap_or_default();
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        u64::from_ne_bytes(word)
    }

    pub(crate) fn set_word(&mut self, index: usize, word: u64) {
        if let Some(part) = self.bytes_mut().chunks_mut(8).nth(index) {
            let length = part.len();
            part.copy_from_slice(&word.to_ne_bytes()[..length]);
        }
    }
}
