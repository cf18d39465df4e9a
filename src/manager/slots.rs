//! The questions of a session that are under way, and their answers as they come. Nothing here waits or receives.
//!
//! A question's slot: open (its answer is not here), answered, taken away. It is taken away with its answer, or when its asker is gone.

use std::collections::HashMap;
use std::io;
use std::task::Waker;

use parking_lot::Mutex;

use super::error::ManagerError;
use super::message::Answer;
use crate::pipe::RecvError;

#[derive(Default)]
pub(super) struct Slots(Mutex<Table>);

#[derive(Default)]
struct Table {
    next: u64,
    slots: HashMap<u64, Slot>,
    /// How many of them are open.
    open: usize,
    /// Why nothing comes any more.
    end: Option<End>,
}

#[derive(Default)]
struct Slot {
    answer: Option<Answer>,
    /// Why there is none, for this question alone.
    refusal: Option<ManagerError>,
    /// Of whoever waits for it.
    waker: Option<Waker>,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Gone,
    /// The system refused.
    Io(io::ErrorKind, Option<i32>),
    NoDescriptors,
    Nonsense,
    /// It is the manager's own.
    Within,
}

impl End {
    pub(super) fn error(self) -> ManagerError {
        match self {
            Self::Gone => ManagerError::Gone,
            Self::Io(kind, number) => {
                let error = number.map_or_else(|| kind.into(), io::Error::from_raw_os_error);
                ManagerError::Answer(RecvError::Io(error))
            }
            Self::NoDescriptors => ManagerError::Answer(RecvError::NoDescriptors),
            Self::Nonsense => ManagerError::NotAManager,
            Self::Within => ManagerError::Within,
        }
    }
}

/// What an answer was when it came.
pub(super) struct Delivered {
    /// Of whoever waits for it, to be woken.
    pub(super) waker: Option<Waker>,
    /// Nobody asked, or nobody waits any more. What it holds is closed with it, outside of the lock.
    pub(super) left: Option<Answer>,
    /// How many others are still to come.
    pub(super) open: usize,
}

/// What nobody waits for any more.
pub(super) struct Untaken {
    /// If it has come. What it holds is closed with it, outside of the lock.
    pub(super) answer: Option<Answer>,
}

impl Slots {
    /// A slot for a new question, by its number.
    pub(super) fn open(&self) -> Result<u64, ManagerError> {
        let mut table = self.0.lock();
        if let Some(end) = table.end {
            return Err(end.error());
        }
        let id = table.next;
        table.next += 1;
        table.slots.insert(id, Slot::default());
        table.open += 1;
        Ok(id)
    }

    /// Nobody waits for that answer any more. `None`: it was taken.
    pub(super) fn close(&self, id: u64) -> Option<Untaken> {
        let mut table = self.0.lock();
        let slot = table.slots.remove(&id)?;
        table.open -= usize::from(slot.answer.is_none());
        Some(Untaken { answer: slot.answer })
    }

    /// The answer, if it is here; otherwise whom to wake when it is.
    pub(super) fn take(&self, id: u64, waker: Option<&Waker>) -> Option<Result<Answer, ManagerError>> {
        let mut table = self.0.lock();
        let end = table.end;
        let slot = table.slots.get_mut(&id)?;
        match (slot.answer.take(), slot.refusal.take().or(end.map(End::error)), waker) {
            (Some(answer), _, _) => {
                table.slots.remove(&id);
                return Some(Ok(answer));
            }
            (None, Some(error), _) => return Some(Err(error)),
            (None, None, Some(waker)) => slot.waker.get_or_insert_with(|| waker.clone()).clone_from(waker),
            (None, None, None) => {}
        }
        None
    }

    /// One question gets no answer, whoever waits for it; the others go on.
    pub(super) fn refuse(&self, id: u64, why: ManagerError) {
        let waker = self.0.lock().slots.get_mut(&id).and_then(|slot| {
            slot.refusal = Some(why);
            slot.waker.take()
        });
        waker.into_iter().for_each(Waker::wake);
    }

    /// How many answers are still to come.
    pub(super) fn open_ones(&self) -> usize {
        self.0.lock().open
    }

    pub(super) fn deliver(&self, id: u64, answer: Answer) -> Delivered {
        let mut table = self.0.lock();
        let Table { slots, open, .. } = &mut *table;
        let (waker, left) = match slots.get_mut(&id) {
            Some(slot) => {
                let before = slot.answer.replace(answer);
                *open -= usize::from(before.is_none());
                (slot.waker.take(), before)
            }
            None => (None, Some(answer)),
        };
        Delivered { waker, left, open: *open }
    }

    /// Nothing comes any more, for the first reason that is given.
    pub(super) fn end(&self, end: End) {
        self.0.lock().end.get_or_insert(end);
        self.wake_all();
    }

    /// Has everybody who waits look again.
    pub(super) fn wake_all(&self) {
        let wakers: Vec<Waker> =
            self.0.lock().slots.values_mut().filter_map(|slot| slot.waker.take()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.lock().end.is_some()
    }

    /// Whether a proxy may have it: it is not over, or its calls say why they are refused.
    pub(super) fn is_of_use(&self) -> bool {
        matches!(self.0.lock().end, None | Some(End::Within))
    }

    /// How many questions are under way.
    pub(super) fn len(&self) -> usize {
        self.0.lock().slots.len()
    }
}
