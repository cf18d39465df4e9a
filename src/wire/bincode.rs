use serde::Serialize;
use serde::de::DeserializeOwned;

use super::bounds::Within;
use super::codec::{Codec, DecodeError, EncodeError};
use super::strict::strictly;

/// A [`Codec`]: the format of the crate `bincode`, version 2, with its standard settings. Feature `bincode`.
///
/// What can't be read back is refused as by [`Postcard`](crate::Postcard), and so are messages that nest too deeply or claim too
/// many elements. Reading stops at a limit of 4 GiB, so that a message of a few bytes can't ask for all memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bincode;

const LIMIT: usize = 4 << 30;

fn settings() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<LIMIT>()
}

impl Codec for Bincode {
    const NAME: &'static str = "bincode";
    const IS_STRICT: bool = true;

    fn encode<T: Serialize + ?Sized>(value: &T, into: &mut Vec<u8>) -> Result<(), EncodeError> {
        strictly(value, false, |value| {
            let done = bincode::serde::encode_into_std_write(value, into, settings());
            done.map(drop).map_err(|error| EncodeError::Value { message: error.to_string() })
        })
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
        let seed = Within::<T>::of(bytes.len());
        match bincode::serde::seed_decode_from_slice(seed, bytes, settings()) {
            Ok((value, read)) if read == bytes.len() => Ok(value),
            Ok((_, read)) => Err(DecodeError::LeftOver { bytes: bytes.len() - read }),
            Err(error) => Err(DecodeError::Value { message: error.to_string() }),
        }
    }
}
