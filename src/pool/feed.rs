//! The inputs of a map, on their way into tasks.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;

use super::error::{SubmitError, TaskError};
use super::function::{Function, Items};
use super::handle::Options;
use super::task::Task;
use crate::raw::pool::{Board, MOST_ITEMS};

/// No chunk that is chosen here has more items, or goes on behind so many bytes.
const MOST: usize = 4096;
const ENOUGH: usize = 256 * 1024;
/// A map is cut into so many chunks for each worker, as in Python.
const CHUNKS: usize = 4;

/// One step of a map.
pub(super) enum Fed {
    Task(Arc<Task>),
    /// An input that can't be sent.
    Failed(TaskError),
}

/// How many items travel together.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chunk {
    Of(usize),
    /// More and more, for inputs of which nobody knows how many there are.
    Growing {
        size: usize,
        made: usize,
        workers: usize,
    },
}

impl Chunk {
    /// For inputs that are wanted together.
    pub(super) fn share(hint: (usize, Option<usize>), workers: usize) -> Self {
        match hint {
            (low, Some(high)) if low == high => Self::Of(low.div_ceil(workers * CHUNKS).clamp(1, MOST)),
            _ => Self::Growing { size: 1, made: 0, workers },
        }
    }

    fn next(&mut self) -> usize {
        match self {
            Self::Of(size) => *size,
            Self::Growing { size, made, workers } => {
                *made += 1;
                if *made > *workers * CHUNKS {
                    (*size, *made) = ((*size * 2).min(MOST), 0);
                }
                *size
            }
        }
    }
}

pub(super) struct Feed<I, A> {
    inputs: I,
    function: Function,
    options: Options,
    chunk: Chunk,
    /// So many bytes of arguments may stand in shared memory.
    room: u64,
    /// An input that has to travel alone.
    held: Option<Result<Items, TaskError>>,
    args: PhantomData<fn() -> A>,
}

impl<I, A> Feed<I, A>
where
    I: Iterator<Item = A>,
    A: Serialize,
{
    pub(super) fn new(inputs: I, function: Function, options: Options, chunk: Chunk, room: u64) -> Self {
        let chunk = options.chunk.map_or(chunk, Chunk::Of);
        Self { inputs, function, options, chunk, room, held: None, args: PhantomData }
    }

    /// The next task, of so many items at the most.
    pub(super) fn next(&mut self, most: usize) -> Option<Fed> {
        let size = self.chunk.next().min(most).min(MOST_ITEMS as usize - 1);
        let mut items = match self.next_input()? {
            Err(error) => return Some(Fed::Failed(error)),
            Ok(first) => first,
        };
        // Descriptors travel with the one item that they belong to.
        while items.luggage.is_empty() && (items.count as usize) < size && items.bytes.len() < ENOUGH {
            match self.next_input() {
                None => break,
                Some(Ok(next)) if next.luggage.is_empty() && self.has_room(&items, &next) => {
                    items.append(&next)
                }
                other => {
                    self.held = other;
                    break;
                }
            }
        }
        Some(Fed::Task(Task::new(&self.options, self.function, items)))
    }

    fn has_room(&self, items: &Items, next: &Items) -> bool {
        Board::cost(items.bytes.len() + next.bytes.len()) <= self.room
    }

    fn next_input(&mut self) -> Option<Result<Items, TaskError>> {
        if self.held.is_some() {
            return self.held.take();
        }
        Some(Items::one(&self.inputs.next()?).map_err(TaskError::from))
    }
}

/// Inputs that could not even be begun with.
pub(super) fn refused(error: SubmitError) -> impl FnMut(usize) -> Option<Fed> + Send {
    let mut error = Some(error);
    move |_| error.take().map(|error| Fed::Failed(error.into()))
}
