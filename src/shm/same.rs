//! Whether two types are one, and values of the one as the other.

#![allow(unsafe_code)]

use std::any::TypeId;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;

/// A type with no lifetime in it: whoever has its id is it.
///
/// # Safety
///
/// It has no lifetime in it.
pub(crate) unsafe trait Whole: Sized + 'static {}

// SAFETY: there is none.
unsafe impl Whole for Vec<u8> {}
// SAFETY: there is none.
unsafe impl Whole for String {}
// SAFETY: there is none.
#[cfg(feature = "bytes")]
unsafe impl Whole for bytes::Bytes {}

/// The id of a type, also of one that may hold references: each lifetime counts as `'static`.
#[inline]
pub(super) fn id_of<T>() -> TypeId {
    trait Named {
        fn id(&self) -> TypeId
        where
            Self: 'static;
    }
    impl<T> Named for PhantomData<T> {
        #[inline]
        fn id(&self) -> TypeId
        where
            Self: 'static,
        {
            TypeId::of::<T>()
        }
    }
    let named = PhantomData::<T>;
    // SAFETY: only the bound of the trait object changes, of a value of no bytes; its one method asks for no value of `T`.
    let named = unsafe { std::mem::transmute::<&dyn Named, &(dyn Named + 'static)>(&named) };
    named.id()
}

/// Whether the two are one type, but for lifetimes in the first.
#[inline]
pub(crate) fn is<T, U: 'static>() -> bool {
    id_of::<T>() == TypeId::of::<U>()
}

/// The value as a `U`, if that is what it is.
#[inline]
pub(crate) fn as_same<T, U: Whole>(value: &T) -> Option<&U> {
    // SAFETY: both are one type.
    is::<T, U>().then(|| unsafe { &*std::ptr::from_ref(value).cast::<U>() })
}

/// The value as a `T`, if that is what it is.
#[inline]
pub(crate) fn into_same<U: Whole, T>(value: U) -> Result<T, U> {
    if is::<T, U>() { Ok(exactly(value)) } else { Err(value) }
}

/// The value as the `T` that it is.
///
/// # Panics
///
/// If it is none; asked first, the compiler knows better.
#[inline(always)]
pub(crate) fn exactly<U: Whole, T>(value: U) -> T {
    assert!(is::<T, U>(), "a value was taken for one of another type: this is a bug in aioprocessing");
    let value = ManuallyDrop::new(value);
    // SAFETY: both are one type, and the value is not used again.
    unsafe { std::mem::transmute_copy::<ManuallyDrop<U>, T>(&value) }
}

#[cfg(test)]
mod tests {
    use super::{as_same, exactly, into_same, is};

    #[test]
    fn types_are_told_apart() {
        assert!(is::<u64, u64>() && is::<Vec<u8>, Vec<u8>>());
        assert!(!is::<u64, i64>() && !is::<Vec<u8>, Vec<i8>>() && !is::<[u8; 3], [u8; 4]>());
    }

    #[test]
    fn a_value_is_what_it_is() {
        let text = "text".to_owned();
        assert_eq!(as_same::<String, String>(&text), Some(&text));
        assert_eq!(as_same::<String, Vec<u8>>(&text), None);
        assert_eq!(into_same::<String, String>(text).unwrap(), "text");
        assert_eq!(into_same::<Vec<u8>, String>(vec![1]), Err(vec![1]));
        // A type with a lifetime that is not `'static` can be asked as well.
        fn of_a_borrower<'a>(text: &'a &'a str) -> Option<&'a String> {
            as_same::<&'a str, String>(text)
        }
        assert_eq!(of_a_borrower(&&*String::from("x")), None);
    }

    #[test]
    #[should_panic(expected = "of another type")]
    fn no_value_passes_for_one_of_another_type() {
        let _: [u8; 24] = exactly(vec![1_u8]);
    }
}
