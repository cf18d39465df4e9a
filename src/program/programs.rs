use super::description::Program;
#[cfg(feature = "tokio")]
use super::run::ProgramStream;
use super::run::{ProgramEvents, ProgramResults};

/// Runs external programs, so many at a time.
///
/// Nothing runs by itself: programs are started, read from and written to, and killed when their time is over, by whoever is
/// inside of a call on what [`run`](Self::run) gives: `next`, or the task that polls it. A program that is taken care of late
/// waits, with its pipe full, and loses nothing. There are no threads and no signal handlers.
///
/// Python: a queue of commands, `max_parallel` tasks, and `asyncio.create_subprocess_exec` with `communicate` in each.
///
/// # If a process dies
///
/// A program that dies, by a signal too, is a result as any other. Programs outlive this process if it is killed.
///
/// # Examples
///
/// ```
/// use aioprocessing::{Program, Programs};
///
/// let words = ["one", "two", "three", "four"];
/// let mut printed = Vec::new();
/// for done in Programs::new(2).run(words.map(|word| Program::new("echo").arg(word))) {
///     let done = done?; // as each ends
///     assert_eq!(done.stdout, format!("{}\n", words[done.index]).as_bytes());
///     printed.push(done.index);
/// }
/// printed.sort();
/// assert_eq!(printed, [0, 1, 2, 3]);
/// # Ok::<(), aioprocessing::ProgramError>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "subprocess")]
pub struct Programs {
    max_parallel: usize,
}

impl Programs {
    /// At most `max_parallel` programs at a time, and at least one.
    #[must_use]
    pub fn new(max_parallel: usize) -> Self {
        Self { max_parallel }
    }

    /// Runs these programs and gives what became of each, as each ends: an `Iterator`, and with feature `tokio` a `Stream`.
    ///
    /// The next program is taken from `programs` when there is room for it and not before. Nothing happens before the first call
    /// for a result. Dropped, it kills what still runs, and what that has started, and waits for their end.
    pub fn run<'a, I>(&self, programs: I) -> ProgramResults<'a>
    where
        I: IntoIterator<Item: Into<Program> + 'a, IntoIter: Send + 'a>,
    {
        ProgramResults::of(self.max_parallel, programs)
    }

    /// As [`run`](Self::run), and tells of each start, too, and of each line of those programs whose
    /// [`lines`](crate::Program::lines) are wanted.
    pub fn events<'a, I>(&self, programs: I) -> ProgramEvents<'a>
    where
        I: IntoIterator<Item: Into<Program> + 'a, IntoIter: Send + 'a>,
    {
        ProgramEvents::of(self.max_parallel, programs)
    }

    /// As [`run`](Self::run), for programs that come from a stream; gives a `Stream`. A program starts as soon as it
    /// has come and there is room.
    #[cfg(feature = "tokio")]
    pub fn run_stream<'a, S>(&self, programs: S) -> ProgramStream<'a>
    where
        S: futures_core::Stream<Item: Into<Program> + 'a> + Send + 'a,
    {
        ProgramStream::of(self.max_parallel, programs)
    }
}
