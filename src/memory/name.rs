//! What a block may be called.

use std::hash::{BuildHasher, Hasher};

/// What is wrong with the name of a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryNameError {
    /// Nothing is left of it without its leading slashes, or it is `.` or `..`.
    #[error("a block needs a name other than \"\", \".\" and \"..\"; create_anonymous chooses one")]
    Empty,
    /// It contains a slash behind its beginning.
    #[error("the name {name:?} contains a slash: names of blocks are no paths")]
    #[non_exhaustive]
    Slash {
        /// The name.
        name: String,
    },
    /// It contains a zero byte.
    #[error("the name {name:?} contains a zero byte, where the system would cut it off")]
    #[non_exhaustive]
    Zero {
        /// The name.
        name: String,
    },
    /// It has more than 255 bytes.
    #[error("the name has {length} bytes, and may have {} at most", LONGEST)]
    #[non_exhaustive]
    TooLong {
        /// How many bytes it has.
        length: usize,
    },
}

/// `NAME_MAX`.
pub(super) const LONGEST: usize = 255;

/// The name without its leading slashes, which mean nothing, as for `shm_open(3)`.
pub(super) fn checked(name: &str) -> Result<&str, MemoryNameError> {
    let name = name.trim_start_matches('/');
    match name {
        "" | "." | ".." => Err(MemoryNameError::Empty),
        _ if name.contains('\0') => Err(MemoryNameError::Zero { name: name.to_owned() }),
        _ if name.contains('/') => Err(MemoryNameError::Slash { name: name.to_owned() }),
        _ if name.len() > LONGEST => Err(MemoryNameError::TooLong { length: name.len() }),
        _ => Ok(name),
    }
}

/// A name that nobody can foresee, with the prefix that Python gives its own.
pub(super) fn invented() -> String {
    // The keys are the system's random numbers and differ for each state.
    let random = std::hash::RandomState::new().build_hasher().finish();
    format!("psm_{random:016x}")
}
