//! Values to bytes and back.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::bounds::bounded;
use super::strict::strictly;

/// How values become bytes and bytes values.
///
/// A codec is a type without values: it is named as a type parameter of queues, pipes and pools. The default is
/// [`Postcard`]. Both sides of a connection must name the same one.
///
/// # Examples
///
/// ```
/// use aioprocessing::{Codec, Postcard};
///
/// let mut bytes = Vec::new();
/// Postcard::encode(&(1_u64, "two"), &mut bytes).unwrap();
/// let back: (u64, String) = Postcard::decode(&bytes).unwrap();
/// assert_eq!(back, (1, "two".to_owned()));
/// ```
pub trait Codec: Send + Sync + 'static {
    /// The name under which two processes compare their codecs.
    const NAME: &'static str;

    /// Whether a reader of the format can tell what comes next, as with JSON. Where it can't, values that leave fields out
    /// (`skip_serializing_if`, `flatten`) and types that ask (`untagged`) are refused when they are written.
    const SELF_DESCRIBING: bool = false;

    /// Whether every value goes through it, as for a codec that encrypts or compresses. Otherwise values that are nothing but their
    /// bytes (`Vec<u8>`, `String`, numbers and [plain](crate::plain) structs, and `Vec`s of these) spare it in queues and pipes.
    const FOR_ALL: bool = false;

    /// Whether `encode` itself refuses what could not be read back. If not, it is asked through what does.
    #[doc(hidden)]
    const IS_STRICT: bool = false;

    /// Appends the bytes of `value` to `into`.
    ///
    /// # Errors
    ///
    /// When the value can't be written in this format. `into` may then hold a part of it.
    fn encode<T: Serialize + ?Sized>(value: &T, into: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// Reads a value from exactly these bytes.
    ///
    /// # Errors
    ///
    /// When the bytes are not those of a `T`, or some are left over.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError>;
}

/// The default [`Codec`]: the compact binary format of the crate `postcard`.
///
/// It does not describe itself: a value with a field that `#[serde(skip_serializing_if)]` leaves out, or with `flatten`, is an
/// error when it is encoded, and one of an `untagged` type when it is decoded. Messages that nest deeper than 128 levels, or
/// claim a million elements more than they have bytes, are errors.
#[derive(Clone, Copy, Debug, Default)]
pub struct Postcard;

impl Codec for Postcard {
    const NAME: &'static str = "postcard";
    const IS_STRICT: bool = true;

    fn encode<T: Serialize + ?Sized>(value: &T, into: &mut Vec<u8>) -> Result<(), EncodeError> {
        strictly(value, false, |value| {
            postcard::to_extend(value, Onto(into))
                .map_err(|error| EncodeError::Value { message: error.to_string() })
        })?;
        Ok(())
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
        let mut reader = postcard::Deserializer::from_bytes(bytes);
        let value = bounded(&mut reader, bytes.len()).map_err(|message| DecodeError::Value { message })?;
        match reader.finalize() {
            Ok([]) => Ok(value),
            Ok(rest) => Err(DecodeError::LeftOver { bytes: rest.len() }),
            Err(error) => Err(DecodeError::Value { message: error.to_string() }),
        }
    }
}

/// A vector that is written to where it is, so that an error does not cost what stood in it.
pub(super) struct Onto<'a>(pub(super) &'a mut Vec<u8>);

impl Extend<u8> for Onto<'_> {
    #[inline]
    fn extend<I: IntoIterator<Item = u8>>(&mut self, bytes: I) {
        self.0.extend(bytes);
    }
}

/// A value could not become a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The codec, or the value's own `Serialize`, refused it.
    #[error("the value cannot be encoded: {message}")]
    Value {
        /// What the codec said.
        message: String,
    },
    /// A handle inside of the value could not be made ready to travel.
    #[error("a handle in the value cannot be sent: {message}")]
    Handle {
        /// What the handle said.
        message: String,
    },
    /// The value holds more handles than one message can carry.
    #[error(
        "the value holds {count} descriptors and a message carries {limit} at most: send the handles in several messages"
    )]
    TooManyDescriptors {
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
}

/// A message could not become a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes are not those of the type.
    #[error("the message cannot be decoded: {message}")]
    Value {
        /// What the codec said.
        message: String,
    },
    /// The message goes on behind the value: sender and receiver disagree about the type.
    #[error(
        "the message goes on for {bytes} bytes behind the value: sender and receiver must name the same type"
    )]
    LeftOver {
        /// How many bytes are left.
        bytes: usize,
    },
    /// A handle inside of the message could not be attached.
    #[error("a handle in the message cannot be used: {message}")]
    Handle {
        /// What the handle said.
        message: String,
    },
}

#[cfg(test)]
mod tests {
    use super::{Codec, DecodeError, EncodeError, Postcard};

    fn round_trip<T>(value: &T) -> T
    where
        T: serde::Serialize + serde::de::DeserializeOwned,
    {
        let mut bytes = Vec::new();
        Postcard::encode(value, &mut bytes).unwrap();
        Postcard::decode(&bytes).unwrap()
    }

    #[test]
    fn values_come_back() {
        assert_eq!(
            round_trip(&(1_u8, -5_i64, "ä".to_owned(), Some(vec![1.5_f64]))),
            (1, -5, "ä".to_owned(), Some(vec![1.5]))
        );
        round_trip(&());
    }

    #[test]
    fn bytes_are_appended() {
        let mut bytes = vec![9];
        Postcard::encode(&7_u8, &mut bytes).unwrap();
        assert_eq!(bytes, [9, 7]);
    }

    #[test]
    fn short_long_and_wrong_bytes_are_errors() {
        assert!(matches!(Postcard::decode::<String>(&[5, b'a']), Err(DecodeError::Value { .. })));
        assert_eq!(Postcard::decode::<u8>(&[1, 2]), Err(DecodeError::LeftOver { bytes: 1 }));
        assert!(matches!(Postcard::decode::<bool>(&[7]), Err(DecodeError::Value { .. })));
    }

    #[test]
    fn what_cannot_be_written_is_an_error() {
        struct Refuses;
        impl serde::Serialize for Refuses {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("no"))
            }
        }
        let error = Postcard::encode(&[Some(Refuses)], &mut Vec::new()).unwrap_err();
        assert_eq!(error, EncodeError::Value { message: "no".to_owned() });
    }

    #[test]
    fn a_message_cannot_ask_for_all_stack_or_all_time() {
        #[derive(Debug, serde::Serialize, serde::Deserialize)]
        enum List {
            End,
            Then(Box<List>),
        }
        let text = |error| match error {
            DecodeError::Value { message } => message,
            other => panic!("{other:?}"),
        };
        let deep = [1; 1 << 20];
        assert!(text(Postcard::decode::<List>(&deep).unwrap_err()).contains("nests"));
        assert!(text(Postcard::decode::<Vec<List>>(&deep).unwrap_err()).contains("nests"));
        #[cfg(feature = "bincode")]
        assert!(crate::Bincode::decode::<List>(&deep).is_err());
        let mut as_deep_as_written = [1; 129];
        as_deep_as_written[128] = 0;
        assert!(Postcard::decode::<List>(&as_deep_as_written).is_ok());

        let endless = [255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        assert!(text(Postcard::decode::<Vec<()>>(&endless).unwrap_err()).contains("elements"));
        #[cfg(feature = "bincode")]
        assert!(crate::Bincode::decode::<Vec<()>>(&[253, 0, 0, 0, 0, 0, 0, 0, 16]).is_err());
        assert_eq!(round_trip(&vec![(); 1 << 20]).len(), 1 << 20);
        assert_eq!(round_trip(&vec![vec![7_u8; 3]; 100_000]).len(), 100_000);
        let map: std::collections::BTreeMap<u32, Vec<()>> = (0..1000).map(|key| (key, Vec::new())).collect();
        assert_eq!(round_trip(&map), map);
    }

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Gap {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        first: Option<u8>,
        second: u8,
    }

    #[test]
    fn a_field_that_is_left_out_is_an_error_and_no_other_value() {
        let whole = Gap { first: Some(1), second: 2 };
        assert_eq!(round_trip(&whole), whole);
        let error =
            Postcard::encode(&vec![(0, Gap { first: None, second: 2 })], &mut Vec::new()).unwrap_err();
        assert!(
            matches!(&error, EncodeError::Value { message } if message.contains("field first")),
            "{error:?}"
        );
    }

    #[test]
    fn flattened_and_untagged_values_are_errors() {
        #[derive(Debug, serde::Serialize, serde::Deserialize)]
        struct Outer {
            a: u8,
            #[serde(flatten)]
            inner: Gap,
        }
        let outer = Outer { a: 1, inner: Gap { first: Some(1), second: 2 } };
        assert!(matches!(Postcard::encode(&outer, &mut Vec::new()), Err(EncodeError::Value { .. })));

        #[derive(Debug, serde::Serialize, serde::Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(u8),
            Text(String),
        }
        let mut bytes = Vec::new();
        Postcard::encode(&(Either::Number(1), Either::Text("x".to_owned())), &mut bytes).unwrap();
        assert!(matches!(Postcard::decode::<(Either, Either)>(&bytes), Err(DecodeError::Value { .. })));
    }

    #[test]
    fn every_kind_of_value_passes_the_guard() {
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        struct Unit;
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        struct New(i128);
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        struct Pair(char, u16);
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        enum All {
            Unit(Unit),
            Empty,
            New(New),
            Pair(Pair, f32),
            Named { map: std::collections::BTreeMap<String, Option<bool>>, address: std::net::IpAddr },
        }
        let map = [("a".to_owned(), None), ("b".to_owned(), Some(true))].into();
        let all = vec![
            All::Unit(Unit),
            All::Empty,
            All::New(New(i128::MIN)),
            All::Pair(Pair('ä', 7), 0.5),
            All::Named { map, address: std::net::Ipv4Addr::LOCALHOST.into() },
        ];
        assert_eq!(round_trip(&all), all);
    }
}
