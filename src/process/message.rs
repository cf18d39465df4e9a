//! What parent and child say to each other: one message there, one at most back.

use serde::{Deserialize, Serialize};

use crate::EncodeError;
use crate::sys::entry::Place;
use crate::wire::{Codec, Postcard};

// A child of another build says at least that it is one: these numbers stay.
/// To the child: its [`Setup`] and the arguments, whose descriptors the pipe of a daemon follows.
pub(super) const START: u8 = 1;
/// From the child: the return value.
pub(super) const RETURNED: u8 = 2;
/// From the child: [`Panic`].
pub(super) const PANICKED: u8 = 3;
/// From the child: [`Failure`].
pub(super) const FAILED: u8 = 4;

/// What a child is to be, encoded: {length of the place u32, length of the role u32}, the place, the role.
///
/// The place of the function stands apart: a child of another build can read nothing else.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Setup<'a> {
    /// A [`Place`].
    pub(super) place: &'a [u8],
    /// A [`Role`].
    pub(super) role: &'a [u8],
}

impl<'a> Setup<'a> {
    const LENGTHS: usize = 8;

    pub(super) fn encoded(place: &Place, role: &Role) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = vec![0; Self::LENGTHS];
        place.write(&mut bytes);
        let role_at = bytes.len();
        Postcard::encode(role, &mut bytes)?;
        let word = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        let lengths = [word(role_at - Self::LENGTHS), word(bytes.len() - role_at)];
        bytes[..Self::LENGTHS].copy_from_slice(lengths.as_flattened());
        Ok(bytes)
    }

    /// The setup with which a message begins, and the arguments behind it.
    pub(super) fn split(message: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (place, rest) = message.split_first_chunk()?;
        let (role, rest) = rest.split_first_chunk()?;
        let length = |word: &[u8; 4]| usize::try_from(u32::from_le_bytes(*word)).ok();
        let (place, rest) = rest.split_at_checked(length(place)?)?;
        let (role, args) = rest.split_at_checked(length(role)?)?;
        Some((Self { place, role }, args))
    }
}

/// Who a child is and how it lives.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Role {
    pub(super) name: String,
    /// The how manieth child of its parent it is, behind the same of the parent.
    pub(super) line: Vec<u32>,
    pub(super) parent: Relative,
    pub(super) is_daemon: bool,
    pub(super) settings: Settings,
}

/// Another process of the family.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Relative {
    pub(super) pid: u32,
    pub(super) name: String,
}

/// What `posix_spawn` can't set, and the child sets itself.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) memory_limit: Option<u64>,
    pub(super) nice: Option<i32>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) cpu_affinity: Option<Vec<usize>>,
}

/// A panic that ended the function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Panic {
    pub(crate) message: String,
    /// `file:line:column`, or empty if it is not known.
    pub(crate) location: String,
}

/// Why the function did not run, or its value did not arrive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Failure {
    /// The message did not come, or is damaged.
    Message(String),
    /// The child is another build of the program.
    OtherBuild,
    /// The function is not where the parent says.
    NoFunction,
    /// A setting of the builder, and the error of the system.
    Setting(String, i32),
    Arguments(String),
    Output(String),
}

#[cfg(test)]
mod tests {
    use super::Setup;

    #[test]
    fn a_setup_that_claims_more_than_there_is_is_none() {
        let message = [&[2, 0, 0, 0, 1, 0, 0, 0][..], b"ab", b"c", b"args"].concat();
        assert_eq!(Setup::split(&message), Some((Setup { place: b"ab", role: b"c" }, &b"args"[..])));
        assert_eq!(Setup::split(&message[..11]), Some((Setup { place: b"ab", role: b"c" }, &b""[..])));
        for cut in 0..11 {
            assert_eq!(Setup::split(&message[..cut]), None, "cut at {cut}");
        }
        for at in [3, 7] {
            let mut long = message.clone();
            long[at] = 255;
            assert_eq!(Setup::split(&long), None, "byte {at}");
        }
    }
}
