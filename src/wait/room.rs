//! Whether a task may spin, or leave its CPU. It holds a thread of its runtime meanwhile, and tokio does not say who else is ready:
//! tasks of a `LocalSet` and the branches of a `join!` are not even counted. So a task that spins gives way again and again, and
//! stops as soon as somebody has used that. One that leaves the CPU to its peer does so only where no other task is alive, and less
//! and less often where it gets it back late: somebody else is at work on that CPU then.

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

/// After so many looks the others are let run; the first few take a microsecond together.
const YIELD_EVERY: u32 = 8;
/// A runtime that takes so long to come back to a task has other things to do.
const BUSY: Duration = Duration::from_micros(3);

/// Where nobody but the caller is alive: all others would have to wait with it while its thread leaves the CPU.
pub(super) fn is_nobody_else_alive() -> bool {
    Handle::try_current().is_ok_and(|runtime| runtime.metrics().num_alive_tasks() == 0)
}

/// On a thread that runs several tasks, and where nobody but the caller is alive. A worker of several would have to wake another
/// one to give way, which costs more than the spinning gains.
pub(super) fn is_there_any() -> bool {
    let Ok(runtime) = Handle::try_current() else { return false };
    runtime.runtime_flavor() == RuntimeFlavor::CurrentThread || runtime.metrics().num_alive_tasks() == 0
}

pub(super) fn is_yield_due(turn: u32) -> bool {
    turn > 0 && turn.is_multiple_of(YIELD_EVERY)
}

/// Gives way once. False: the time was used.
pub(super) async fn let_others_run() -> bool {
    let begun = Instant::now();
    let mut is_first = true;
    poll_fn(|cx| {
        if std::mem::take(&mut is_first) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
    begun.elapsed() < BUSY
}

#[cfg(all(test, not(aioprocessing_loom)))]
mod tests {
    use std::cell::Cell;
    use std::future::pending;

    use tokio::runtime::Builder;
    use tokio::task::LocalSet;

    use super::*;

    #[test]
    fn tasks_spin_on_one_thread_and_where_they_are_alone() {
        let one = Builder::new_current_thread().build().unwrap();
        assert!(one.block_on(async { is_there_any() }));
        assert!(one.block_on(async { tokio::spawn(async { is_there_any() }).await.unwrap() }));
        let two = Builder::new_multi_thread().worker_threads(2).build().unwrap();
        assert!(two.block_on(async { is_there_any() }));
        assert!(!two.block_on(async { tokio::spawn(async { is_there_any() }).await.unwrap() }));
        let other = two.spawn(pending::<()>());
        assert!(!two.block_on(async { is_there_any() }));
        other.abort();
        assert!(!is_there_any(), "outside of a runtime");
    }

    /// Ready all the time, and at work for longer than an idle runtime would be.
    async fn work(turns: &Cell<u32>) {
        for _ in 0..3 {
            turns.set(turns.get() + 1);
            std::thread::sleep(2 * BUSY);
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn who_is_alone_may_leave_the_cpu() {
        let runtime = Builder::new_current_thread().build().unwrap();
        assert!(runtime.block_on(async { is_nobody_else_alive() }));
        let other = runtime.spawn(pending::<()>());
        assert!(!runtime.block_on(async { is_nobody_else_alive() }), "others would have to wait, too");
        other.abort();
        assert!(!is_nobody_else_alive(), "outside of a runtime");
    }

    #[test]
    fn who_spins_gives_way_to_branches_and_to_tasks_of_a_local_set() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let turns = Cell::new(0);
        let (went_on, ()) = runtime.block_on(async { tokio::join!(let_others_run(), work(&turns)) });
        assert!(!went_on);
        let local = LocalSet::new();
        let went_on = local.block_on(&runtime, async {
            tokio::task::spawn_local(async {
                let turns = Cell::new(0);
                work(&turns).await;
            });
            let_others_run().await
        });
        assert!(!went_on);
    }
}
