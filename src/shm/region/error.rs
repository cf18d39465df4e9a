use std::io;

use super::header::LAYOUT;
use crate::shm::SLOTS;

/// Why a region can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum AttachError {
    #[error("what was received is no region of this crate: {0}")]
    NotARegion(&'static str),
    #[error(
        "the region was made by a version of this crate with another layout ({theirs}, this is {LAYOUT}); build both programs with the same version"
    )]
    OtherLayout { theirs: u64 },
    #[error("{SLOTS} processes hold this object already; let one of them go first")]
    TooManyProcesses,
    #[error("can't map the shared memory: {0}")]
    Io(#[from] io::Error),
}
