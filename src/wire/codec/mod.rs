//! Values to bytes and back.

#[cfg(test)]
mod tests;

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
