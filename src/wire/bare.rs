//! Values that need no codec: bytes, texts, and plain data with rows of it, which travel as the bytes that they are.
//!
//! A message says by a mark whether and of what it is the bytes. The mark is the same in every program and build.

use std::sync::OnceLock;

use super::codec::Codec;
use crate::shm::{Plainly, as_same, exactly, into_same, is};

/// Whether values of this type become the message, and the message the value, without a copy.
#[inline]
pub(crate) fn is_moved<T>() -> bool {
    #[cfg(feature = "bytes")]
    if is::<T, bytes::Bytes>() {
        return true;
    }
    is::<T, Vec<u8>>() || is::<T, String>()
}

/// The mark of any kind of bytes.
const BYTES: u64 = 1;

/// That a `T` travels as its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bare<T> {
    /// `None`: it is one of those that are moved.
    plainly: Option<Plainly<T>>,
}

/// How values of a type travel: looked up once for each handle, and by the compiler for numbers and bytes.
#[derive(Debug)]
pub(crate) struct Form<T>(OnceLock<Option<Plainly<T>>>);

impl<T> Form<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// `None`: they go through the codec.
    #[inline]
    pub(crate) fn bare<C: Codec>(&self) -> Option<Bare<T>> {
        if C::FOR_ALL {
            return None;
        }
        if is_moved::<T>() {
            return Some(Bare { plainly: None });
        }
        let plainly = match Plainly::number() {
            None => (*self.0.get_or_init(Plainly::find))?,
            Some(plainly) => plainly,
        };
        Some(Bare { plainly: Some(plainly) })
    }
}

impl<T> Clone for Form<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Bare<T> {
    #[inline]
    pub(crate) fn mark(&self) -> u64 {
        self.plainly.as_ref().map_or(BYTES, Plainly::shape)
    }

    #[inline]
    pub(crate) fn bytes<'a>(&self, value: &'a T) -> &'a [u8] {
        if let Some(plainly) = &self.plainly {
            return plainly.bytes(value);
        }
        if let Some(bytes) = as_same::<T, Vec<u8>>(value) {
            return bytes;
        }
        #[cfg(feature = "bytes")]
        if let Some(bytes) = as_same::<T, bytes::Bytes>(value) {
            return bytes;
        }
        as_same::<T, String>(value).map_or(&[], String::as_bytes)
    }

    /// The value that has these bytes, which are left alone unless they become it; or why there is none.
    #[inline]
    pub(crate) fn value(&self, bytes: &mut Vec<u8>) -> Result<T, String> {
        let Some(plainly) = &self.plainly else { return moved(bytes) };
        plainly
            .value(bytes)
            .ok_or_else(|| format!("{} bytes are no {}", bytes.len(), std::any::type_name::<T>()))
    }

    /// The same for who has made sure that the message is of this type, where no more than its length is to be looked at. `None`: whether
    /// and why is to be [asked](Self::value).
    #[inline(always)]
    pub(crate) fn value_at_once(&self, bytes: &[u8]) -> Option<T> {
        self.plainly.as_ref().and_then(|plainly| plainly.value(bytes))
    }
}

/// Whether any bytes are a value of this type, as they are.
#[inline(always)]
pub(crate) fn is_bytes<T>() -> bool {
    is::<T, Vec<u8>>()
}

/// Bytes as a value of a type that [is](is_bytes) just that.
#[inline(always)]
pub(crate) fn bytes_as_they_are<T>(bytes: Vec<u8>) -> T {
    exactly(bytes)
}

/// These bytes as the value itself.
fn moved<T>(bytes: &mut Vec<u8>) -> Result<T, String> {
    let taken = std::mem::take(bytes);
    #[cfg(feature = "bytes")]
    let taken = if is::<T, bytes::Bytes>() {
        match into_same::<bytes::Bytes, T>(taken.into()) {
            Ok(value) => return Ok(value),
            Err(same) => same.into(),
        }
    } else {
        taken
    };
    let taken = match into_same(taken) {
        Ok(value) => return Ok(value),
        Err(taken) => taken,
    };
    match String::from_utf8(taken).map(into_same) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(text)) => {
            *bytes = text.into_bytes();
            Err(format!("bytes are no {}", std::any::type_name::<T>()))
        }
        Err(error) => {
            let why = error.to_string();
            *bytes = error.into_bytes();
            Err(why)
        }
    }
}

/// What is said of a message whose mark is not that of a `T`.
pub(crate) fn of_another_type<T>() -> String {
    format!(
        "its sender's messages are not of the type {}: both sides must name the same type, with the same fields",
        std::any::type_name::<T>()
    )
}

#[cfg(test)]
mod tests {
    use super::super::{Codec, DecodeError, EncodeError, Postcard};
    use super::{Form, is_moved};

    fn comes_back<T: PartialEq + std::fmt::Debug>(value: T, length: usize) -> u64 {
        let bare = Form::<T>::new().bare::<Postcard>().expect("it is plain");
        let mut bytes = bare.bytes(&value).to_vec();
        assert_eq!(bytes.len(), length);
        assert_eq!(bare.value(&mut bytes), Ok(value));
        assert_eq!(bytes.is_empty(), is_moved::<T>() || length == 0);
        bare.mark()
    }

    #[test]
    fn plain_values_come_back() {
        let mut marks = [
            comes_back([1_u16; 3], 6),
            comes_back([0.5_f32; 32], 128),
            comes_back(vec![7_i64, -7], 16),
            comes_back(-7_i64, 8),
            comes_back(7_u64, 8),
            comes_back(Vec::<u64>::new(), 0),
            comes_back([1_u8; 2], 2),
            comes_back([1_i8; 2], 2),
            comes_back(vec![1_u8; 2], 2),
        ];
        assert_eq!(marks[8], comes_back("text".to_owned(), 4), "bytes are bytes");
        marks.sort_unstable();
        assert!(marks.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn others_go_through_the_codec() {
        fn is_coded<T>() -> bool {
            Form::<T>::new().bare::<Postcard>().is_none()
        }
        assert!(
            is_coded::<(u64,)>() && is_coded::<bool>() && is_coded::<Option<u64>>() && is_coded::<&str>()
        );
        // Programs may differ in these.
        assert!(is_coded::<usize>() && is_coded::<Vec<usize>>() && is_coded::<[usize; 2]>());
        assert!(is_coded::<[u8; 33]>() && is_coded::<Box<u64>>() && is_coded::<Box<[u8]>>());
    }

    #[test]
    fn wrong_bytes_are_no_value() {
        let bare = Form::<[u32; 4]>::new().bare::<Postcard>().unwrap();
        assert!(bare.value(&mut vec![0; 15]).is_err() && bare.value(&mut vec![0; 17]).is_err());
        let bare = Form::<Vec<u64>>::new().bare::<Postcard>().unwrap();
        let mut bytes = vec![3; 41];
        assert!(bare.value(&mut bytes).unwrap_err().contains("41 bytes"));
        assert_eq!(bytes, [3; 41], "they are there still");
        let bare = Form::<String>::new().bare::<Postcard>().unwrap();
        let mut bytes = vec![0xFF, 1];
        assert!(bare.value(&mut bytes).is_err());
        assert_eq!(bytes, [0xFF, 1]);
    }

    #[test]
    fn a_codec_may_want_them_all() {
        struct Sealed;
        impl Codec for Sealed {
            const NAME: &'static str = "sealed";
            const FOR_ALL: bool = true;
            fn encode<T: serde::Serialize + ?Sized>(
                value: &T,
                into: &mut Vec<u8>,
            ) -> Result<(), EncodeError> {
                Postcard::encode(value, into)
            }
            fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
                Postcard::decode(bytes)
            }
        }
        assert!(Form::<[u8; 4]>::new().bare::<Sealed>().is_none());
        assert!(Form::<Vec<u8>>::new().bare::<Sealed>().is_none());
        assert!(Form::<u64>::new().bare::<Sealed>().is_none());
    }
}
