//! Items that need no codec: bytes, texts, numbers, and rows of numbers, which travel as the bytes that they are.
//!
//! Rust has no way to ask whether a type is [`Plain`](crate::Plain); these are the types that can be asked for by name.

use std::any::{Any, TypeId};

use crate::raw::queue::Flags;

/// The item as a `U`, if that is what it is.
pub(super) fn cast<T: 'static, U: 'static>(item: T) -> Result<U, T> {
    let mut item = Some(item);
    if let Some(same) = (&mut item as &mut dyn Any).downcast_mut::<Option<U>>()
        && let Some(same) = same.take()
    {
        return Ok(same);
    }
    item.ok_or_else(|| unreachable!("it is taken out as the type that it is, or not at all")).and_then(Err)
}

fn is<T: 'static, U: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<U>()
}

/// Whether items of this type become the message, and the message the item, without a copy.
pub(super) fn is_moved<T: 'static>() -> bool {
    #[cfg(feature = "bytes")]
    if is::<T, bytes::Bytes>() {
        return true;
    }
    is::<T, Vec<u8>>() || is::<T, String>()
}

/// Kinds of bare messages. They stand in shared memory, so a number once given keeps its meaning.
const BYTES: u8 = 0;
/// Added to the kind of a number: a row of them.
const ROW: u8 = 0x80;

/// In the order of their kinds, which begin with 1. Not `usize`: two programs may differ in it.
macro_rules! numbers {
    ($($kind:literal $number:ident)*) => {
        /// What a message of such items is marked with. `None`: they go through the codec.
        pub(super) fn marks<T: 'static>() -> Option<Flags> {
            if is_moved::<T>() {
                return Some(Flags::bare(BYTES));
            }
            $(
                if is::<T, $number>() {
                    return Some(Flags::bare($kind));
                }
                if is::<T, Vec<$number>>() {
                    return Some(Flags::bare(ROW | $kind));
                }
            )*
            None
        }

        /// Appends the bytes of a number or a row; nothing of anything else.
        pub(super) fn write<T: 'static>(item: &T, into: &mut Vec<u8>) {
            let item: &dyn Any = item;
            $(
                if is::<T, $number>() && let Some(number) = item.downcast_ref::<$number>() {
                    into.extend_from_slice(&number.to_ne_bytes());
                    return;
                }
                if is::<T, Vec<$number>>() && let Some(row) = item.downcast_ref::<Vec<$number>>() {
                    let start = into.len();
                    into.resize(start + size_of_val(&row[..]), 0);
                    let (places, _) = into[start..].as_chunks_mut();
                    for (place, number) in places.iter_mut().zip(row) {
                        *place = number.to_ne_bytes();
                    }
                    return;
                }
            )*
        }

        /// The number or the row that has these bytes. `None`: they are too few or too many.
        pub(super) fn read<T: 'static>(bytes: &[u8]) -> Option<T> {
            $(
                if is::<T, $number>() {
                    return cast($number::from_ne_bytes(bytes.try_into().ok()?)).ok();
                }
                if is::<T, Vec<$number>>() {
                    let (numbers, []) = bytes.as_chunks() else { return None };
                    let row: Vec<$number> = numbers.iter().map(|bytes| $number::from_ne_bytes(*bytes)).collect();
                    return cast(row).ok();
                }
            )*
            None
        }
    };
}

numbers! {
    1 u8 2 u16 3 u32 4 u64 5 u128
    6 i8 7 i16 8 i32 9 i64 10 i128
    11 f32 12 f64
}
