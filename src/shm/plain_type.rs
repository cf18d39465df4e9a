//! Which types are plain, for code that is generic over any type: those of `plain!` stand in a table that the linker gathers, in
//! a section of its own.
//!
//! A type is looked up by its id, which differs between programs. What programs compare is its shape: a number made of the names
//! and types of its fields, the same wherever these are the same.

#![allow(unsafe_code)]

use std::any::TypeId;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::num::NonZeroU64;

use super::Plain;
use super::same::{id_of, is};
use super::shape;

/// What is known of a plain type. `plain!` puts one for each of its structs into the table.
///
/// The number at the end of the section's name changes with this layout: two versions of this crate may be in one program.
#[doc(hidden)]
#[derive(Debug)]
#[repr(C, align(64))]
pub struct PlainType {
    item: TypeId,
    /// Of a `Vec` of items; that of an item again if these have no bytes, and so say nothing of their number.
    row: TypeId,
    shape: u64,
    /// The bytes of such a `Vec`.
    bytes: unsafe fn(*const ()) -> *const [u8],
    /// Makes such a `Vec` from its bytes; whether they are so many.
    read: unsafe fn(&[u8], *mut ()) -> bool,
}

impl PlainType {
    #[doc(hidden)]
    #[must_use]
    pub const fn of<T: Plain>() -> Self {
        let item = TypeId::of::<T>();
        let row = if size_of::<T>() == 0 { item } else { TypeId::of::<Vec<T>>() };
        Self { item, row, shape: T::SHAPE, bytes: row_bytes::<T>, read: read_row::<T> }
    }
}

/// # Safety
///
/// `row` points to a `Vec<T>`.
unsafe fn row_bytes<T: Plain>(row: *const ()) -> *const [u8] {
    // SAFETY: from the caller.
    let row = unsafe { &*row.cast::<Vec<T>>() };
    std::ptr::slice_from_raw_parts(row.as_ptr().cast(), size_of_val(&row[..]))
}

/// # Safety
///
/// `into` points to room for a `Vec<T>`, which is there if this is true.
unsafe fn read_row<T: Plain>(bytes: &[u8], into: *mut ()) -> bool {
    if size_of::<T>() == 0 || !bytes.len().is_multiple_of(size_of::<T>()) {
        return false;
    }
    let count = bytes.len() / size_of::<T>();
    let mut row = Vec::<T>::with_capacity(count);
    // SAFETY: there is room for `count` items, which have so many bytes.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), row.as_mut_ptr().cast::<u8>(), bytes.len()) };
    // SAFETY: so many lie there, and any bytes are plain items.
    unsafe { row.set_len(count) };
    // SAFETY: from the caller.
    unsafe { into.cast::<Vec<T>>().write(row) };
    true
}

/// Without any entry there would be no section.
#[used]
#[unsafe(link_section = "aioprocessing_plain_1")]
static BYTE: PlainType = PlainType::of::<u8>();

#[allow(improper_ctypes, reason = "the linker sets these, and no C ever sees them")]
unsafe extern "C" {
    #[link_name = "__start_aioprocessing_plain_1"]
    static FIRST: PlainType;
    #[link_name = "__stop_aioprocessing_plain_1"]
    static END: PlainType;
}

fn table() -> &'static [PlainType] {
    let (first, end) = (&raw const FIRST, &raw const END);
    let count = end.addr().saturating_sub(first.addr()) / size_of::<PlainType>();
    // SAFETY: the linker sets both ends of the section, in which nothing stands but these: their size is their alignment, so
    // nothing is between them.
    unsafe { std::slice::from_raw_parts(first, count) }
}

/// That `T` is plain, or a `Vec` of what is.
#[derive(Debug)]
pub(crate) struct Plainly<T> {
    shape: NonZeroU64,
    /// `None`: a lone item.
    row: Option<&'static PlainType>,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Plainly<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Plainly<T> {}

impl<T> Plainly<T> {
    /// `T` is an item of this shape.
    #[inline]
    fn item(shape: u64) -> Option<Self> {
        Some(Self { shape: NonZeroU64::new(shape)?, row: None, of: PhantomData })
    }

    /// `T` is a row of these.
    #[inline]
    fn row(row: &'static PlainType) -> Option<Self> {
        let shape = shape::mix(shape::ROW, row.shape);
        Some(Self { shape: NonZeroU64::new(shape)?, row: Some(row), of: PhantomData })
    }

    /// Looks the type up. For once, as it takes its time.
    #[cold]
    pub(crate) fn find() -> Option<Self> {
        let id = id_of::<T>();
        for known in table() {
            if known.item == id {
                return Self::item(known.shape);
            }
            if known.row == id {
                return Self::row(known);
            }
        }
        Self::item(shape_of_numbers(id)?)
    }

    pub(crate) fn shape(&self) -> u64 {
        self.shape.get()
    }

    #[inline]
    pub(crate) fn bytes<'a>(&self, value: &'a T) -> &'a [u8] {
        let start = std::ptr::from_ref(value);
        let Some(row) = self.row else {
            // SAFETY: plain data is so many bytes, with none of them left out, and does not change while it is borrowed.
            return unsafe { std::slice::from_raw_parts(start.cast(), size_of::<T>()) };
        };
        // SAFETY: `T` is the `Vec` that this is of.
        let bytes = unsafe { (row.bytes)(start.cast()) };
        // SAFETY: the items of a `Vec` that is borrowed for as long; plain data is its bytes.
        unsafe { &*bytes }
    }

    /// `None`: they are too few or too many.
    #[inline]
    pub(crate) fn value(&self, bytes: &[u8]) -> Option<T> {
        let Some(row) = self.row else {
            // SAFETY: so many bytes are there, and any are a value, because `T` is plain.
            return (bytes.len() == size_of::<T>())
                .then(|| unsafe { bytes.as_ptr().cast::<T>().read_unaligned() });
        };
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: `T` is the `Vec` that this is of.
        let is_there = unsafe { (row.read)(bytes, value.as_mut_ptr().cast()) };
        // SAFETY: it was written.
        is_there.then(|| unsafe { value.assume_init() })
    }
}

macro_rules! numbers {
    ($($number:ident)*) => {
        impl<T> Plainly<T> {
            /// If `T` is a number or a `Vec` of numbers, which the compiler knows. Not `usize`: two programs may differ in it.
            #[inline]
            pub(crate) fn number() -> Option<Self> {
                $(
                    if is::<T, $number>() {
                        return Self::item(<$number as Plain>::SHAPE);
                    }
                    if is::<T, Vec<$number>>() {
                        return Self::row(const { &PlainType::of::<$number>() });
                    }
                )*
                None
            }
        }

        /// The shape of an array of numbers.
        fn shape_of_numbers(id: TypeId) -> Option<u64> {
            static ARRAYS: &[(u64, [TypeId; LENGTHS])] = &[$((<$number as Plain>::SHAPE, arrays!($number))),*];
            ARRAYS.iter().find_map(|(number, arrays)| {
                let at = arrays.iter().position(|array| *array == id)?;
                Some(shape::array(*number, at + 1))
            })
        }
    };
}

/// As many as serde knows.
const LENGTHS: usize = 32;

macro_rules! arrays {
    ($number:ident) => {
        arrays!($number 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32)
    };
    ($number:ident $($length:literal)*) => { [$(TypeId::of::<[$number; $length]>()),*] };
}

numbers! { u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 }

#[cfg(test)]
mod tests {
    use super::Plainly;

    crate::plain! {
        #[derive(Debug, PartialEq)]
        struct Point { x: f64, id: u64 }

        #[derive(Debug, PartialEq)]
        struct Swapped { id: u64, x: f64 }

        struct Twin { x: f64, id: u64 }

        #[derive(Debug, PartialEq)]
        struct Path { points: [Point; 2], length: usize }

        #[derive(Debug, PartialEq)]
        struct Nothing {}
    }

    fn comes_back<T: PartialEq + std::fmt::Debug>(value: &T, length: usize) -> u64 {
        let plainly = Plainly::<T>::find().expect("it is plain");
        let bytes = plainly.bytes(value).to_vec();
        assert_eq!(bytes.len(), length);
        assert_eq!(plainly.value(&bytes).as_ref(), Some(value));
        // From where nothing is aligned.
        let shifted = [&[0], &bytes[..]].concat();
        assert_eq!(plainly.value(&shifted[1..]).as_ref(), Some(value));
        assert_eq!(plainly.value(&shifted), None);
        plainly.shape()
    }

    #[test]
    fn what_was_declared_is_in_the_table() {
        let point = Point { x: 0.5, id: 7 };
        let mut shapes = [
            comes_back(&point, 16),
            comes_back(&Swapped { x: 0.5, id: 7 }, 16),
            comes_back(&vec![point; 3], 48),
            comes_back(&Vec::<Swapped>::new(), 0),
            comes_back(&Path { points: [point; 2], length: 1 }, 40),
            comes_back(&Nothing {}, 0),
            comes_back(&[point.id; 2], 16),
        ];
        let twin = Plainly::<Twin>::find().expect("it is plain");
        let Twin { x, id } = twin.value(twin.bytes(&Twin { x: 0.5, id: 7 })).unwrap();
        assert_eq!((x, id, twin.shape()), (0.5, 7, shapes[0]), "of the same fields");
        shapes.sort_unstable();
        assert!(shapes.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn what_was_not_is_not() {
        assert!(Plainly::<bool>::find().is_none() && Plainly::<Option<Point>>::find().is_none());
        assert!(Plainly::<[Point; 2]>::find().is_none() && Plainly::<&Point>::find().is_none());
        // Its bytes say nothing of how many there are.
        assert!(Plainly::<Vec<Nothing>>::find().is_none());
    }

    #[test]
    fn the_compiler_knows_numbers_as_the_table_does() {
        assert_eq!(Plainly::<u8>::number().unwrap().shape(), Plainly::<u8>::find().unwrap().shape());
        assert_eq!(
            Plainly::<Vec<u8>>::number().unwrap().shape(),
            Plainly::<Vec<u8>>::find().unwrap().shape()
        );
        assert!(Plainly::<usize>::number().is_none() && Plainly::<Point>::number().is_none());
    }
}
