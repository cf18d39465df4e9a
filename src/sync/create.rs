use crate::shm::AttachError;

/// Why a shared object could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The system refused shared memory, a descriptor or a mapping.
    #[error(
        "the system refused shared memory ({0}); free descriptors or memory, or raise the limit (`ulimit -n`, `ulimit -f`, the memory limit of the container)"
    )]
    Io(#[source] std::io::Error),
    /// A size or a count was out of range; the text says which.
    #[error("{0}")]
    Invalid(&'static str),
}

impl From<AttachError> for CreateError {
    fn from(error: AttachError) -> Self {
        match error {
            AttachError::Io(error) => Self::Io(error),
            other => Self::Io(std::io::Error::other(other)),
        }
    }
}

impl From<std::io::Error> for CreateError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}
