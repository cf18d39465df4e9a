use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use rustix::pipe::{PipeFlags, pipe_with};

use crate::sys::inherit::clear_of_stdio;

/// What a child's standard stream is connected to. As `std::process::Stdio`, which can't be looked into.
///
/// # Examples
///
/// ```
/// use aioprocessing::{AioProcess, Stdio};
/// use std::io::Read;
///
/// fn main() {
///     aioprocessing::init();
///     let child = AioProcess::builder().stdout(Stdio::piped()).spawn(|| println!("hello"), ()).unwrap();
///     let mut text = String::new();
///     child.take_stdout().unwrap().read_to_string(&mut text).unwrap();
///     assert_eq!(text, "hello\n");
///     child.join().unwrap();
/// }
/// ```
#[derive(Debug)]
pub struct Stdio(Kind);

#[derive(Debug)]
enum Kind {
    Inherit,
    Null,
    Piped,
    Given(OwnedFd),
}

impl Stdio {
    /// The stream of this process. The default.
    #[must_use]
    pub fn inherit() -> Self {
        Self(Kind::Inherit)
    }

    /// `/dev/null`: nothing to read, and what is written is gone.
    #[must_use]
    pub fn null() -> Self {
        Self(Kind::Null)
    }

    /// A new pipe, whose other end is taken from the handle of the child.
    #[must_use]
    pub fn piped() -> Self {
        Self(Kind::Piped)
    }

    /// The same for a program that std starts. A pipe that nobody would hold the other end of is as good as nothing.
    pub(crate) fn into_std(self) -> std::process::Stdio {
        match self.0 {
            Kind::Inherit => std::process::Stdio::inherit(),
            Kind::Null | Kind::Piped => std::process::Stdio::null(),
            Kind::Given(descriptor) => descriptor.into(),
        }
    }
}

impl Default for Stdio {
    fn default() -> Self {
        Self::inherit()
    }
}

impl From<OwnedFd> for Stdio {
    fn from(descriptor: OwnedFd) -> Self {
        Self(Kind::Given(descriptor))
    }
}

impl From<File> for Stdio {
    fn from(file: File) -> Self {
        Self(Kind::Given(file.into()))
    }
}

/// One stream of a child about to be started.
#[derive(Debug)]
pub(super) struct Stream {
    number: RawFd,
    theirs: Option<OwnedFd>,
    ours: Option<OwnedFd>,
    is_null: bool,
}

impl Stream {
    /// Makes the pipe where one is wanted.
    pub(super) fn open(number: RawFd, stdio: Stdio) -> io::Result<Self> {
        let mut stream = Self { number, theirs: None, ours: None, is_null: false };
        match stdio.0 {
            Kind::Inherit => {}
            Kind::Null => stream.is_null = true,
            Kind::Given(descriptor) => stream.theirs = Some(clear_of_stdio(descriptor)?),
            Kind::Piped => {
                let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
                let (theirs, ours) = if number == 0 { (read, write) } else { (write, read) };
                (stream.theirs, stream.ours) = (Some(clear_of_stdio(theirs)?), Some(clear_of_stdio(ours)?));
            }
        }
        Ok(stream)
    }

    /// The child's descriptor and its number there.
    pub(super) fn given(&self) -> Option<(BorrowedFd<'_>, RawFd)> {
        Some((self.theirs.as_ref()?.as_fd(), self.number))
    }

    /// Its number, if the child is to find `/dev/null` there. An inherited stream that is closed here counts too: else the
    /// next file that the child opens would be taken for it.
    pub(super) fn null(&self, closed: &[RawFd]) -> Option<RawFd> {
        let is_closed = self.theirs.is_none() && closed.contains(&self.number);
        (self.is_null || is_closed).then_some(self.number)
    }

    /// This process's end of the pipe; the child's closes here.
    pub(super) fn into_ours<T: From<OwnedFd>>(self) -> Option<T> {
        self.ours.map(T::from)
    }
}
