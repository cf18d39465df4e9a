use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::AioManager;
use super::calls::{calls, made, proxy};
use super::error::ManagerError;
use super::message::{Answer, Ask, Call, New};
use super::proxy::{Proxy, count, done};
use super::proxy_error::ProxyError;
use super::queue::{puts_and_gets, taken};
use super::waiting::QueueCall;

/// A queue in a manager whose items are finished after they are got, and that can be joined, for processes on several machines: Python's
/// `SyncManager().JoinableQueue()`. Made by [`AioManager::joinable_queue`].
///
/// The process that got an item says [`task_done`](Self::task_done) when it has finished it. All else is as for an
/// [`AioManagedQueue`](crate::AioManagedQueue); processes of one machine are better served by an [`AioJoinableQueue`](crate::AioJoinableQueue).
///
/// # If a process dies
///
/// What it had got and not finished is lost, and [`join`](Self::join) says so. An item that was on its way to it comes back to the front of the queue.
///
/// # Examples
///
/// ```
/// use aioprocessing::AioManager;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     aioprocessing::init();
///     let manager = AioManager::start()?;
///     let queue = manager.joinable_queue::<String>(0)?;
///     queue.put(&"work".to_owned())?;
///     queue.get()?;
///     queue.task_done()?;
///     queue.join()?;
///     Ok(())
/// }
/// ```
pub struct AioManagedJoinableQueue<T> {
    proxy: Arc<Proxy>,
    types: PhantomData<fn(T) -> T>,
}

proxy!(AioManagedJoinableQueue<T>, "joinable queue");
made! {
    /// Makes a joinable queue in which so many items may wait; 0 for as many as the manager has memory for.
    joinable_queue, coro_joinable_queue = fn<T>(max_items: usize) -> AioManagedJoinableQueue {
        |_manager| Ok(New::JoinableQueue(max_items as u64))
    }
}

impl<T> AioManagedJoinableQueue<T> {
    calls! {
        /// One of the items that this process got is finished. [`ProxyError::NoTask`](crate::ProxyError::NoTask) if it has none.
        task_done, task_done_timeout, coro_task_done = fn(&self) -> () {
            Ok::<_, ProxyError>(Call::Queue(QueueCall::TaskDone)) => |answer| match answer {
                Answer::Flag(true) => Ok(()),
                Answer::Flag(false) => Err(ProxyError::NoTask),
                _ => Err(ManagerError::NotAManager.into()),
            }
        }

        /// Waits until every item that was put is finished. [`ProxyError::WorkerLost`](crate::ProxyError::WorkerLost) if a process is gone with items that it had not
        /// finished.
        join, join_timeout, coro_join = fn(&self) -> () {
            Ok::<_, ProxyError>(Call::Queue(QueueCall::Join)) => |answer| match answer {
                Answer::Lost(items) => Err(ProxyError::WorkerLost { items }),
                answer => done(&answer),
            }
        }

        /// How many items were put and not finished.
        unfinished, unfinished_timeout, coro_unfinished = fn(&self) -> usize {
            Ok::<_, ProxyError>(Call::Queue(QueueCall::Unfinished)) => |answer| count(&answer)
        }
    }
}

impl<T: Serialize + DeserializeOwned> AioManagedJoinableQueue<T> {
    /// An item that can't be read was taken, and nobody else will finish it.
    fn item(&self, answer: Answer) -> Result<T, ProxyError> {
        self.proxy.unpack(taken(&self.proxy, answer)?).inspect_err(|_| {
            let call = Call::Queue(QueueCall::TaskDone);
            self.proxy.session().tell(Ask::Call { object: self.proxy.object(), call });
        })
    }

    puts_and_gets! {}
}
