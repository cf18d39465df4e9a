//! The contract of what may stand in shared memory.

#![allow(unsafe_code)]

/// A type that may stand in memory which other processes map.
///
/// # Safety
///
/// Every byte pattern is a valid value, zeroed memory among them; all of it is reached through atomics; the layout is
/// `repr(C)` and the same in every build with the same layout number; nothing in it runs on drop.
pub(crate) unsafe trait Shared: Sync + 'static {}

// SAFETY: an atomic integer: any bits are a value, access is atomic, and its layout is the integer's.
unsafe impl Shared for super::atomic::AtomicU32 {}
// SAFETY: as above.
unsafe impl Shared for super::atomic::AtomicU64 {}
// SAFETY: an array has the layout and the validity of its elements.
unsafe impl<T: Shared, const N: usize> Shared for [T; N] {}

/// Something that a handle may point at: a [`Shared`] type with a number of its own in the region's directory.
pub(crate) trait Object: Shared {
    /// Distinct for every type, never used again for another.
    const KIND: u32;
}

/// Declares `repr(C)` structs of [`Shared`] fields, with their sizes held at compile time. In models the same structs
/// are made on the heap by `Default`.
macro_rules! shared {
    ($( $(#[$meta:meta])* $vis:vis struct $name:ident [$size:literal] { $( $(#[$fmeta:meta])* $fvis:vis $field:ident: $ty:ty ),* $(,)? } )*) => { $(
        $(#[$meta])*
        #[repr(C)]
        #[derive(Debug, Default)]
        $vis struct $name { $( $(#[$fmeta])* $fvis $field: $ty ),* }

        #[cfg(not(aioprocessing_loom))]
        const _: () = {
            const fn fields_are_shared<T: $crate::shm::Shared>() {}
            $( fields_are_shared::<$ty>(); )*
            assert!(size_of::<$name>() == $size, "the layout of a shared struct has changed");
            // No field may hide bytes between it and the next: what is not named is not shared.
            assert!(0 $( + size_of::<$ty>() )* == $size, "a shared struct has padding");
        };

        // SAFETY: all fields are `Shared` (checked above), `repr(C)` without padding (checked above), and atomics and
        // their arrays have no drop.
        #[allow(unsafe_code)]
        unsafe impl $crate::shm::Shared for $name {}
    )* };
}
pub(crate) use shared;
