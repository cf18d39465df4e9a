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

/// Somebody waits here, for as long as this is kept.
struct Stay<'a> {
    shared: &'a Shared,
    is_patient: bool,
}

impl<'a> Stay<'a> {
    fn begin(shared: &'a Shared, is_patient: bool) -> Self {
        shared.desk.lock().stay(is_patient, 1);
        Self { shared, is_patient }
    }
}

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        self.shared.desk.lock().stay(self.is_patient, -1);
    }
}

impl Shared {
    pub(super) fn new(board: Board, desk: Desk) -> Self {
        Self { board, desk: Mutex::new(desk) }
    }

    /// Does something with the desk, and tells others who wait if that concerns them.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut Desk) -> R) -> R {
        self.with_listed(0, act)
    }

    /// The same for a caller who is listed itself, if `me` is 1.
    fn with_listed<R>(&self, me: u64, act: impl FnOnce(&mut Desk) -> R) -> R {
        let mut desk = self.desk.lock();
        let before = desk.events;
        let out = act(&mut desk);
        let has_news = desk.events != before;
        let callbacks = std::mem::take(&mut desk.callbacks);
        drop(desk);
        // Who is listed later looks at the desk after that, and so after this.
        if has_news && self.board.results().words().waiters() > me {
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
        found: impl FnMut() -> Option<T> + Send,
    ) -> Result<T, W::GaveUp> {
        self.wait(waiter, false, found).await
    }

    /// The same for somebody who wants many results, and need not be woken for each of them.
    pub(super) async fn until_many<W: Waiter, T>(
        &self,
        waiter: &mut W,
        found: impl FnMut() -> Option<T> + Send,
    ) -> Result<T, W::GaveUp> {
        self.wait(waiter, true, found).await
    }

    async fn wait<W: Waiter, T>(
        &self,
        waiter: &mut W,
        is_patient: bool,
        mut found: impl FnMut() -> Option<T> + Send,
    ) -> Result<T, W::GaveUp> {
        let _stay = Stay::begin(self, is_patient);
        wait::until(waiter, |look| {
            let waits = self.with_listed(u64::from(look.is_listed()), |desk| {
                desk.drive(look);
                desk.waits()
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
