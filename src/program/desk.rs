//! All programs of one run: what is to start, what runs, what there is to tell.

use std::collections::VecDeque;
use std::io;

use super::description::Program;
use super::error::ProgramError;
use super::event::ProgramEvent;
use super::running::{Running, Told};
use crate::sys::clock;
use crate::sys::gather::Gather;

/// Where programs come from.
pub(super) enum Supply<'a> {
    Iterator(Box<dyn Iterator<Item = Program> + Send + 'a>),
    /// They are handed in, by way of [`Desk::offer`].
    #[cfg(feature = "tokio")]
    Offered,
    Over,
}

pub(super) struct Desk<'a> {
    /// So many run at a time.
    parallel: usize,
    source: Supply<'a>,
    /// The place of the next one.
    index: usize,
    running: Vec<Running>,
    told: VecDeque<Told>,
    /// How many in `told` are ends. Of these there are no more than may run: results are not far ahead of who takes them.
    ends: usize,
    /// Whether starts and lines are told, too.
    pub(super) tells_all: bool,
    /// A look may find something though nothing has been reported.
    is_fresh: bool,
}

impl<'a> Desk<'a> {
    pub(super) fn new(parallel: usize, source: Supply<'a>, tells_all: bool) -> Self {
        let (running, told) = (Vec::new(), VecDeque::new());
        Self {
            parallel: parallel.max(1),
            source,
            index: 0,
            running,
            told,
            ends: 0,
            tells_all,
            is_fresh: true,
        }
    }

    /// There is nothing to wait on: that is all there is to tell.
    pub(super) fn fail(&mut self, error: io::Error) {
        self.source = Supply::Over;
        self.running.clear();
        self.tell(Err(ProgramError::Io(error)));
    }

    /// The next thing to tell, or the end; `None`: wait.
    pub(super) fn next(&mut self, gather: &Gather) -> Option<Option<Told>> {
        let news = gather.drain();
        if news || std::mem::take(&mut self.is_fresh) {
            self.look(gather);
        }
        if let Some(told) = self.next_told() {
            return Some(Some(told));
        }
        let is_over = self.running.is_empty() && matches!(self.source, Supply::Over);
        is_over.then_some(None)
    }

    /// The same, without a look.
    pub(super) fn next_told(&mut self) -> Option<Told> {
        let told = self.told.pop_front()?;
        if is_end(&told) {
            self.ends -= 1;
            // There may be room for another one.
            self.is_fresh = true;
        }
        Some(told)
    }

    fn look(&mut self, gather: &Gather) {
        let now = clock::now();
        let mut told = VecDeque::new();
        let mut is_more = false;
        let mut place = 0;
        while let Some(program) = self.running.get_mut(place) {
            is_more |= program.look(now, &mut told);
            if program.is_over(now) {
                self.running.remove(place).finish(&mut told);
            } else {
                place += 1;
            }
        }
        told.drain(..).for_each(|told| self.tell(told));
        while self.has_room()
            && let Supply::Iterator(programs) = &mut self.source
        {
            match programs.next() {
                Some(program) => self.start(program, gather),
                None => self.source = Supply::Over,
            }
        }
        let due = self.running.iter().filter_map(Running::due);
        let due = if is_more { Some(now) } else { due.min() };
        if let Err(error) = gather.wake_at(due) {
            self.fail(error);
        }
    }

    fn tell(&mut self, told: Told) {
        if is_end(&told) {
            self.ends += 1;
        } else if !self.tells_all {
            return;
        }
        self.told.push_back(told);
    }

    pub(super) fn has_room(&self) -> bool {
        self.running.len() < self.parallel && self.ends <= self.parallel
    }

    fn start(&mut self, program: Program, gather: &Gather) {
        let index = self.index;
        self.index += 1;
        match Running::start(program, index, gather) {
            Ok(program) => {
                self.tell(Ok(ProgramEvent::Started { index, pid: program.pid }));
                self.running.push(program);
                // It may have a limit, which the next look sets.
                self.is_fresh = true;
            }
            Err(error) => self.tell(Err(error)),
        }
    }

    /// Takes a program for which there is room, or hears that there are no more.
    #[cfg(feature = "tokio")]
    pub(super) fn offer(&mut self, program: Option<Program>, gather: &Gather) {
        match program {
            Some(program) => self.start(program, gather),
            None => self.source = Supply::Over,
        }
    }

    #[cfg(feature = "tokio")]
    pub(super) fn wants_more(&self) -> bool {
        matches!(self.source, Supply::Offered) && self.has_room()
    }

    pub(super) fn counts(&self) -> (usize, usize) {
        (self.index, self.running.len())
    }
}

fn is_end(told: &Told) -> bool {
    matches!(told, Ok(ProgramEvent::Ended(_)) | Err(_))
}

impl Drop for Desk<'_> {
    fn drop(&mut self) {
        // First all of them, and then each is waited for.
        self.running.iter().for_each(Running::kill);
    }
}
