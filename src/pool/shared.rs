//! A pool, as all of its handles see it.

use std::sync::Arc;

use parking_lot::Mutex;

use super::desk::{Desk, Stage};
use super::error::{SubmitError, TaskError};
use super::task::Task;
use crate::process::caught;
use crate::raw::pool::Board;
use crate::wait::{self, Look, Step, Waiter};

pub(super) struct Shared {
    board: Board,
    desk: Mutex<Desk>,
}

impl Shared {
    pub(super) fn new(board: Board, desk: Desk) -> Self {
        Self { board, desk: Mutex::new(desk) }
    }

    /// Does something with the desk, and tells others who wait if that concerns them.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut Desk) -> R) -> R {
        let mut desk = self.desk.lock();
        let before = desk.events;
        let out = act(&mut desk);
        let has_news = desk.events != before;
        let callbacks = std::mem::take(&mut desk.callbacks);
        drop(desk);
        if has_news {
            self.board.results().notify_all();
        }
        for callback in callbacks {
            // It is the user's, and nobody else's business.
            let _ = caught(callback);
        }
        out
    }

    /// How many bytes of arguments shared memory may hold.
    pub(super) fn room_for_args(&self) -> u64 {
        self.board.room_for_args()
    }

    pub(super) fn submit(&self, task: &Arc<Task>) -> Result<(), SubmitError> {
        if !self.board.region().is_ours() {
            return Err(SubmitError::Forked);
        }
        self.with(|desk| desk.accept(task))
    }

    /// Waits until `found` finds what it looks for, and keeps the pool going meanwhile. It looks without the lock of the desk.
    pub(super) async fn until<W: Waiter, T>(
        &self,
        waiter: &mut W,
        mut found: impl FnMut() -> Option<T> + Send,
    ) -> Result<T, W::GaveUp> {
        wait::until(waiter, |look| {
            let waits = self.with(|desk| {
                desk.drive(look);
                desk.crew.waits()
            });
            // Nobody tells of the time at which workers may be started again.
            let spot = || self.board.results().for_at_most(waits);
            found().map_or_else(|| Step::Wait(spot()), Step::Done)
        })
        .await
    }

    /// Waits until the task is done.
    pub(super) async fn done<W: Waiter>(&self, waiter: &mut W, task: &Task) -> Result<(), W::GaveUp> {
        let is_done = || task.outcome.get().map(|_| ());
        if is_done().is_some() {
            return Ok(());
        }
        self.until(waiter, is_done).await
    }

    /// Looks once, without waiting.
    pub(super) fn drive(&self) {
        self.with(|desk| desk.drive(Look::Thorough));
    }

    /// Waits until all tasks are done and all workers have gone.
    pub(super) async fn gone<W: Waiter>(&self, waiter: &mut W) -> Result<(), W::GaveUp> {
        let is_gone = |desk: &mut Desk| desk.unfinished == 0 && desk.crew.workers.is_empty();
        self.until(waiter, || self.with(is_gone).then_some(())).await
    }

    pub(super) fn close(&self) {
        self.with(|desk| {
            if desk.stage == Stage::Open {
                desk.stage = Stage::Closed;
                desk.drive(Look::Glance);
            }
        });
    }

    /// Whether the pool has given up.
    pub(super) fn broken(&self) -> Result<(), TaskError> {
        match self.with(|desk| desk.stage.clone()) {
            Stage::Over(error @ TaskError::Broken { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) fn end(&self, error: TaskError) {
        if self.board.region().is_ours() {
            self.with(|desk| desk.end(error));
        }
    }
}
