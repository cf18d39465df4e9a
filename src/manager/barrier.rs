use std::marker::PhantomData;
use std::sync::Arc;

use super::AioManager;
use super::calls::{calls, made, proxy};
use super::error::ManagerError;
use super::message::{Answer, Call, New};
use super::proxy::{Proxy, count, done, flag};
use super::proxy_error::ProxyError;
use super::waiting::BarrierCall;
use crate::sync::Met;

/// A barrier in a manager, for processes on several machines: Python's `SyncManager().Barrier()`. Made by [`AioManager::barrier`].
///
/// Processes of one machine are better served by an [`AioBarrier`](crate::AioBarrier), which needs no server, and can have an action and a time of its own; it
/// can be registered under a name. Travelling, and what keeps it, is as for an [`AioDict`](crate::AioDict).
///
/// # If a process dies
///
/// If it, or its connection, ends while it waits, the barrier is broken for all.
///
/// # Examples
///
/// ```
/// use aioprocessing::AioManager;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     aioprocessing::init();
///     let manager = AioManager::start()?;
///     let barrier = manager.barrier(2)?;
///     let other = barrier.clone();
///     let thread = std::thread::spawn(move || other.wait().unwrap().index());
///     let mine = barrier.wait()?.index();
///     assert_eq!(mine + thread.join().unwrap(), 1);
///     Ok(())
/// }
/// ```
pub struct AioManagedBarrier {
    proxy: Arc<Proxy>,
    types: PhantomData<fn()>,
}

proxy! { AioManagedBarrier<>, "barrier" }
made! {
    /// Makes a barrier for so many parties, one at least.
    barrier, coro_barrier = fn<>(parties: usize) -> AioManagedBarrier { |_manager| new(parties) }
}

fn new(parties: usize) -> Result<New, ProxyError> {
    match parties {
        0 => Err(ManagerError::Refused { message: "a barrier has one party or more".to_owned() }.into()),
        parties => Ok(New::Barrier(parties as u64)),
    }
}

fn met(answer: &Answer) -> Result<Met, ProxyError> {
    if matches!(answer, Answer::Broken) { Err(ProxyError::BarrierBroken) } else { count(answer).map(Met::at) }
}

impl AioManagedBarrier {
    calls! {
        /// Waits until as many as the barrier has parties have called this. [`ProxyError::BarrierBroken`](crate::ProxyError::BarrierBroken) if it is broken, or breaks
        /// meanwhile. A future that is dropped before all have come has not come; a time that ends before breaks the barrier for all.
        wait, wait_timeout, coro_wait = fn(&self) -> Met {
            Ok::<_, ProxyError>(Call::Barrier(BarrierCall::Wait)) => |answer| met(&answer)
        }

        /// Meets the others if the caller is the last of them to come; `None` if others are still to come.
        try_wait, try_wait_timeout, coro_try_wait = fn(&self) -> Option<Met> {
            Ok::<_, ProxyError>(Call::Barrier(BarrierCall::TryWait)) => |answer| match answer {
                Answer::Missing => Ok(None),
                answer => met(&answer).map(Some),
            }
        }

        /// Breaks the barrier for those who wait and those who come, until it is [reset](Self::reset).
        abort, abort_timeout, coro_abort = fn(&self) -> () {
            Ok::<_, ProxyError>(Call::Barrier(BarrierCall::Abort)) => |answer| done(&answer)
        }

        /// Makes the barrier as new: for those who wait it is broken, those who come meet as before.
        reset, reset_timeout, coro_reset = fn(&self) -> () {
            Ok::<_, ProxyError>(Call::Barrier(BarrierCall::Reset)) => |answer| done(&answer)
        }

        /// How many parties it takes.
        parties, parties_timeout, coro_parties = fn(&self) -> usize {
            Ok::<_, ProxyError>(Call::Barrier(BarrierCall::Parties)) => |answer| count(&answer)
        }

        /// How many wait at this moment.
        n_waiting, n_waiting_timeout, coro_n_waiting = fn(&self) -> usize {
            Ok::<_, ProxyError>(Call::Barrier(BarrierCall::Waiting)) => |answer| count(&answer)
        }

        /// Whether it is broken.
        is_broken, is_broken_timeout, coro_is_broken = fn(&self) -> bool {
            Ok::<_, ProxyError>(Call::Barrier(BarrierCall::IsBroken)) => |answer| flag(&answer)
        }
    }
}
