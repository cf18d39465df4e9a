//! The contract of what users may put into shared memory: data that is nothing but its bits.

#![allow(unsafe_code)]

use super::shape;

/// Data that can stand in memory which several processes map: integers, floats, arrays of them, and structs of them made with
/// [`plain!`](crate::plain).
///
/// # Safety
///
/// Every pattern of bits is a valid value, there is no padding, and the layout is the same in every program that shares the
/// value. [`plain!`](crate::plain) checks all of it at compile time; an implementation by hand promises it. Of a field whose type is
/// plain by hand two programs compare only size and alignment.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't stand in shared memory",
    label = "not plain data",
    note = "plain are integers, floats, arrays of them, and structs of them that `aioprocessing::plain! {{ … }}` defines"
)]
pub unsafe trait Plain: Copy + Send + Sync + 'static {
    /// The same for types with the same fields, in every program.
    #[doc(hidden)]
    const SHAPE: u64 = shape::unknown(size_of::<Self>(), align_of::<Self>());
}

macro_rules! plain_numbers {
    ($($number:ty)*) => { $(
        // SAFETY: any bits are a number, and a number has no padding.
        unsafe impl Plain for $number {
            const SHAPE: u64 = shape::number(stringify!($number), size_of::<Self>());
        }
    )* };
}

plain_numbers!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64);

// SAFETY: an array is its elements one behind the other, with nothing between.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {
    const SHAPE: u64 = shape::array(T::SHAPE, N);
}

/// Defines structs of [plain data](crate::Plain), which can stand in an [`AioMutex`](crate::AioMutex), an
/// [`AioValue`](crate::AioValue) or an [`AioArray`](crate::AioArray).
///
/// With `Serialize` and `Deserialize` among their derives they are items of queues and messages of pipes, alone and in a `Vec`, and
/// travel as the bytes that they are: without the codec, and with every field, whatever an attribute of serde says of it. Two
/// programs must agree in the names, types and order of the fields; where they don't, it is an error of decoding. Elsewhere, in
/// arguments, tasks of pools, managers and the connections of listeners and clients, they go through the codec like any other value.
///
/// The structs become `#[repr(C)]`, `Clone` and `Copy`; further derives may be given. A field that is not plain, or padding
/// between two fields, is an error at compile time: put the larger fields first, or name the gap as a field of bytes. Works
/// in a crate that forbids unsafe code.
///
/// # Examples
///
/// ```
/// aioprocessing::plain! {
///     /// A point in the plane.
///     #[derive(Debug, PartialEq)]
///     pub struct Point { pub x: f64, pub y: f64 }
/// }
///
/// let point = aioprocessing::AioMutex::new(Point { x: 1.0, y: 2.0 })?;
/// point.lock()?.x += 1.0;
/// assert_eq!(*point.lock()?, Point { x: 2.0, y: 2.0 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// ```compile_fail
/// aioprocessing::plain! { struct HasPadding { small: u8, large: u32 } }
/// ```
///
/// ```compile_fail
/// aioprocessing::plain! { struct NotPlain { flag: bool } }
/// ```
#[macro_export]
macro_rules! plain {
    () => {};
    // Attributes are taken one by one: `Clone` and `Copy` leave the lists of derives, since they are given anyway.
    (@attributes [[derive($($derives:tt)*)] $($more:tt)*] $kept:tt $($item:tt)*) => {
        $crate::plain! { @derives [$($derives)*] () [$($more)*] $kept $($item)* }
    };
    (@attributes [[$($attribute:tt)*] $($more:tt)*] [$($kept:tt)*] $($item:tt)*) => {
        $crate::plain! { @attributes [$($more)*] [$($kept)* [$($attribute)*]] $($item)* }
    };
    (@derives [Clone $(, $($derives:tt)*)?] $($rest:tt)*) => {
        $crate::plain! { @derives [$($($derives)*)?] $($rest)* }
    };
    (@derives [Copy $(, $($derives:tt)*)?] $($rest:tt)*) => {
        $crate::plain! { @derives [$($($derives)*)?] $($rest)* }
    };
    (@derives [$derive:tt $($derives:tt)*] ($($others:tt)*) $($rest:tt)*) => {
        $crate::plain! { @derives [$($derives)*] ($($others)* $derive) $($rest)* }
    };
    (@derives [] $others:tt $more:tt [$($kept:tt)*] $($item:tt)*) => {
        $crate::plain! { @attributes $more [$($kept)* [derive $others]] $($item)* }
    };
    (@attributes [] [$([$($attribute:tt)*])*] ($vis:vis) $name:ident {
        $( $(#[$($field_attribute:tt)*])* $field_vis:vis $field:ident: $type:ty ),* $(,)?
    }) => {
        $(#[$($attribute)*])*
        #[repr(C)]
        #[derive(Clone, Copy)]
        $vis struct $name {
            $( $(#[$($field_attribute)*])* $field_vis $field: $type ),*
        }

        const _: () = {
            #[allow(dead_code)]
            const fn is_plain<T: $crate::Plain>() {}
            $( is_plain::<$type>(); )*
            // These are the fields, all of them and of these types, whatever an attribute made of the struct.
            let _ = |whole: $name| {
                let $name { $($field),* } = whole;
                $( let _: $type = $field; )*
            };
            ::core::assert!(
                ::core::mem::size_of::<$name>() == 0 $( + ::core::mem::size_of::<$type>() )*,
                "a plain struct has padding between its fields: put the larger ones first, or name the gap"
            );
        };

        // SAFETY: all fields are plain, and `repr(C)` leaves no padding between them (both checked above).
        unsafe impl $crate::Plain for $name {
            const SHAPE: u64 = $crate::shape_of_fields(&[
                $( (::core::stringify!($field), <$type as $crate::Plain>::SHAPE) ),*
            ]);
        }

        const _: () = {
            #[used]
            #[unsafe(link_section = "aioprocessing_plain_1")]
            static TYPE: $crate::PlainType = $crate::PlainType::of::<$name>();
        };
    };
    ($(#[$($attribute:tt)*])* $vis:vis struct $name:ident { $($fields:tt)* } $($more:tt)*) => {
        $crate::plain! { @attributes [$([$($attribute)*])*] [] ($vis) $name { $($fields)* } }
        $crate::plain! { $($more)* }
    };
}
