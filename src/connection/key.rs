use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::AddressError;
use super::address::random_name;

/// What a listener and its clients both know: Python's `authkey`.
///
/// Both prove that they hold it, and it is never sent. Bytes of any number are a key, none at all too;
/// [`none`](Self::none) is no key: it admits processes of the same user only, which the kernel vouches for.
/// `Debug` does not show it.
///
/// # Examples
///
/// ```
/// use aioprocessing::AuthKey;
///
/// let key = AuthKey::from(b"secret");
/// assert_eq!(format!("{key:?}"), "AuthKey(..)");
/// ```
#[derive(Clone, Serialize, Deserialize)]
pub struct AuthKey(Option<Vec<u8>>);

impl AuthKey {
    /// A key of these bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Some(bytes.into()))
    }

    /// No key: who runs as the same user is admitted. Refused on TCP, where nobody knows the user.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// A new key that nobody can guess, to be handed to children: an argument of [`spawn`](crate::AioProcess::spawn).
    ///
    /// # Errors
    ///
    /// [`AddressError::NoRandom`] if the system gives no random bytes.
    pub fn random() -> Result<Self, AddressError> {
        Ok(Self::new(random_name()? + &random_name()?))
    }

    /// Whether it is [`none`](Self::none).
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }

    pub(super) fn sha256(&self, parts: &[&[u8]]) -> Proof {
        Proof::Sha256(hashed(self.bytes(), parts))
    }

    pub(super) fn md5(&self, parts: &[&[u8]]) -> Proof {
        Proof::Md5(hashed(self.bytes(), parts))
    }
}

fn hashed<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Option<M> {
    // An HMAC takes a key of any length: this never fails, and if it did nobody would be admitted.
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    parts.iter().for_each(|part| mac.update(part));
    Some(mac)
}

/// A message authentication code, to be sent or to be compared with one that came.
pub(super) enum Proof {
    Sha256(Option<Hmac<Sha256>>),
    Md5(Option<Hmac<Md5>>),
}

impl Proof {
    /// Whether what came is the same; the time that takes says nothing of where it differs.
    pub(super) fn is(self, came: &[u8]) -> bool {
        match self {
            Self::Sha256(mac) => mac.is_some_and(|mac| mac.verify_slice(came).is_ok()),
            Self::Md5(mac) => mac.is_some_and(|mac| mac.verify_slice(came).is_ok()),
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Sha256(mac) => mac.map_or(Vec::new(), |mac| mac.finalize().into_bytes().to_vec()),
            Self::Md5(mac) => mac.map_or(Vec::new(), |mac| mac.finalize().into_bytes().to_vec()),
        }
    }
}

impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_none() { "AuthKey::none()" } else { "AuthKey(..)" })
    }
}

macro_rules! from_bytes {
    ($($type:ty $(, $n:ident)?;)*) => { $(
        impl$(<const $n: usize>)? From<$type> for AuthKey {
            fn from(bytes: $type) -> Self {
                Self::new(bytes)
            }
        }
    )* };
}

from_bytes! {
    &[u8];
    Vec<u8>;
    &str;
    String;
    [u8; N], N;
    &[u8; N], N;
}

impl From<&AuthKey> for AuthKey {
    fn from(key: &AuthKey) -> Self {
        key.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::AuthKey;

    /// RFC 4231, test case 2, and RFC 2202, test case 2.
    #[test]
    fn known_answers() {
        let (key, text) = (AuthKey::from("Jefe"), b"what do ya want for nothing?");
        let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let sha256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex(key.sha256(&[&text[..4], &text[4..]]).into_bytes()), sha256);
        assert_eq!(hex(key.md5(&[text]).into_bytes()), "750c783e6ab0b503eaa86e310a5db738");
        assert!(key.md5(&[text]).is(&key.md5(&[text]).into_bytes()));
        assert!(!key.md5(&[text]).is(&key.md5(&[b"other"]).into_bytes()));
        assert!(!key.md5(&[text]).is(&[]));
    }
}
