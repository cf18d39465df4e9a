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
    A: Serialize + 'static,
{
    pub(super) fn new(inputs: I, function: Function, options: Options, chunk: Chunk, room: u64) -> Self {
        let chunk = options.chunk.map_or(chunk, Chunk::Of);
        Self { inputs, function, options, chunk, room, held: None, args: PhantomData }
    }

    /// The next task, of so many items at the most.
    pub(super) fn next(&mut self, most: usize) -> Option<Fed> {
        let size = self.chunk.next().min(most).min(MOST_ITEMS as usize - 1);
        let mut items = match self.held.take() {
            None => Items::default(),
            Some(Ok(items)) => items,
            Some(Err(error)) => return Some(Fed::Failed(error)),
        };
        // Descriptors travel with the one item that they belong to.
        while items.luggage.is_empty() && (items.count as usize) < size && items.bytes.len() < ENOUGH {
            let Some(input) = self.inputs.next() else { break };
            let start = items.bytes.len();
            match items.push(&input) {
                Err(error) if items.count == 0 => return Some(Fed::Failed(error.into())),
                Err(error) => {
                    self.held = Some(Err(error.into()));
                    break;
                }
                // The others will be about as long.
                Ok(()) if items.count == 1 => {
                    items.bytes.reserve((items.bytes.len() * (size - 1)).min(ENOUGH));
                }
                Ok(()) if items.luggage.is_empty() && Board::cost(items.bytes.len()) <= self.room => {}
                Ok(()) => {
                    self.held = Some(Ok(items.split_last(start)));
                    break;
                }
            }
        }
        (items.count > 0).then(|| Fed::Task(Task::new(&self.options, self.function, items)))
    }
}

/// Inputs that could not even be begun with.
pub(super) fn refused(error: SubmitError) -> impl FnMut(usize) -> Option<Fed> + Send {
    let mut error = Some(error);
    move |_| error.take().map(|error| Fed::Failed(error.into()))
}
