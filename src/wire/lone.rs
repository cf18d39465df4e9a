//! Lone numbers, as tiny tasks have for arguments and values: they hold no handle, can't nest, and leave out no field, so what
//! other values are asked for can be spared.
//!
//! The bytes are the codec's all the same, and may be read without knowing that.

use std::any::TypeId;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::Onto;

/// Whether it is a number or a tuple of one number, or of none.
fn is_lone<T: 'static>() -> bool {
    macro_rules! one_of {
        ($($number:ty)*) => {
            [$(TypeId::of::<$number>(), TypeId::of::<($number,)>(),)* TypeId::of::<()>()]
        };
    }
    one_of!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 bool char)
        .contains(&TypeId::of::<T>())
}

/// Appends the bytes that `Postcard` would, if it is a lone number.
pub(crate) fn put_lone<T: Serialize + 'static>(value: &T, into: &mut Vec<u8>) -> bool {
    is_lone::<T>() && postcard::to_extend(value, Onto(into)).is_ok()
}

/// The lone number of these bytes. `None`: the type is another, or the bytes are not one.
pub(crate) fn lone<T: DeserializeOwned + 'static>(bytes: &[u8]) -> Option<T> {
    if !is_lone::<T>() {
        return None;
    }
    let (number, rest) = postcard::take_from_bytes(bytes).ok()?;
    rest.is_empty().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::super::{Codec, Postcard};
    use super::*;

    fn same<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug + 'static>(value: &T) {
        let (mut bytes, mut others) = (vec![9], vec![9]);
        assert!(put_lone(value, &mut bytes));
        Postcard::encode(value, &mut others).unwrap();
        assert_eq!(bytes, others);
        assert_eq!(lone::<T>(&bytes[1..]).as_ref(), Some(value));
        assert_eq!(&Postcard::decode::<T>(&bytes[1..]).unwrap(), value);
        bytes.push(0);
        assert_eq!(lone::<T>(&bytes[1..]), None, "left over");
    }

    #[test]
    fn lone_numbers_are_as_the_codec_has_them() {
        same(&u64::MAX);
        same(&(300_u16,));
        same(&i128::MIN);
        same(&(-1.5_f32,));
        same(&'ä');
        same(&());
        let mut bytes = Vec::new();
        assert!(!put_lone(&(1_u8, 2_u8), &mut bytes) && !put_lone(&vec![1_u8], &mut bytes));
        assert!(bytes.is_empty());
        assert_eq!(lone::<String>(&[0]), None);
        assert_eq!(lone::<bool>(&[7]), None);
    }
}
