use std::fs::File;
use std::os::fd::OwnedFd;

use rustix::io::Errno;

use crate::process::Stdio;

/// What a program reads as standard input: bytes, a file or another descriptor, or nothing, which is the default.
///
/// Made from `&str`, `String`, `Vec<u8>`, slices and arrays of bytes, [`Stdio`], `File` and `OwnedFd`.
#[derive(Debug, Default)]
pub struct ProgramInput(pub(super) Input);

#[derive(Debug, Default)]
pub(super) enum Input {
    #[default]
    Nothing,
    Bytes(Vec<u8>),
    Given(Stdio),
}

macro_rules! from {
    ($($type:ty => $from:expr,)*) => { $(
        impl From<$type> for ProgramInput {
            fn from(value: $type) -> Self {
                let from: fn($type) -> Input = $from;
                Self(from(value))
            }
        }
    )* };
}

from! {
    &str => |text| Input::Bytes(text.into()),
    String => |text| Input::Bytes(text.into()),
    &[u8] => |bytes| Input::Bytes(bytes.into()),
    Vec<u8> => Input::Bytes,
    Stdio => Input::Given,
    File => |file| Input::Given(file.into()),
    OwnedFd => |fd| Input::Given(fd.into()),
}

impl<const N: usize> From<&[u8; N]> for ProgramInput {
    fn from(bytes: &[u8; N]) -> Self {
        Self(Input::Bytes(bytes.to_vec()))
    }
}

/// Bytes on their way into a program. Closed when all are written, or when the program reads no more, which is its affair.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) pipe: OwnedFd,
    pub(super) bytes: Vec<u8>,
    pub(super) written: usize,
}

impl Feed {
    /// Writes what there is room for. True: there is nothing left to write.
    pub(super) fn look(&mut self) -> bool {
        loop {
            let left = &self.bytes[self.written..];
            if left.is_empty() {
                return true;
            }
            match rustix::io::write(&self.pipe, left) {
                Ok(count) => self.written += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return false,
                Err(_) => return true,
            }
        }
    }
}
