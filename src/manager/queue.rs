use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::AioManager;
use super::calls::{calls, made, proxy};
use super::error::ManagerError;
use super::kept::Kept;
use super::message::{Answer, Ask, Call, New};
use super::proxy::{Proxy, count, done};
use super::proxy_error::ProxyError;
use super::waiting::QueueCall;

/// A queue in a manager, for processes on several machines: Python's `SyncManager().Queue()`. Made by [`AioManager::queue`].
///
/// Processes of one machine are better served by an [`AioQueue`](crate::AioQueue), which is shared memory; it can be registered under a name. Travelling, and what
/// keeps it, is as for an [`AioDict`](crate::AioDict).
///
/// Items are got in the order in which they were put, and those who wait are served in the order in which they came.
///
/// # If a process dies
///
/// An item that was on its way to a process that died, or to a future that was dropped, comes back to the front of the queue.
///
/// # Examples
///
/// ```
/// use aioprocessing::AioManager;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     aioprocessing::init();
///     let manager = AioManager::start()?;
///     let queue = manager.queue::<String>(10)?;
///     queue.put(&"first".to_owned())?;
///     assert_eq!(queue.get()?, "first");
///     assert_eq!(queue.try_get()?, None);
///     Ok(())
/// }
/// ```
pub struct AioManagedQueue<T> {
    proxy: Arc<Proxy>,
    types: PhantomData<fn(T) -> T>,
}

proxy!(AioManagedQueue<T>, "queue");
made! {
    /// Makes a queue in which so many items may wait; 0 for as many as the manager has memory for.
    queue, coro_queue = fn<T>(max_items: usize) -> AioManagedQueue { |_manager| Ok(New::Queue(max_items as u64)) }
}

/// What an item is, of those that a queue gives: the manager hears first that it has come.
pub(super) fn taken(proxy: &Proxy, answer: Answer) -> Result<Kept, ProxyError> {
    match answer {
        Answer::Item(question, kept) => {
            let call = Call::Queue(QueueCall::Taken(question));
            proxy.session().tell(Ask::Call { object: proxy.object(), call });
            Ok(kept)
        }
        Answer::Closed => Err(ProxyError::QueueClosed),
        _ => Err(ManagerError::NotAManager.into()),
    }
}

/// What the two kinds of queues have in common; `item` reads one that was given.
macro_rules! puts_and_gets {
    () => {
        fn put_done(answer: &Answer) -> Result<(), ProxyError> {
            if matches!(answer, Answer::Closed) { Err(ProxyError::QueueClosed) } else { done(answer) }
        }

        calls! {
            /// Puts an item at the end, and waits as long as the queue is full.
            put, put_timeout, coro_put = fn(&self, item: &T) -> () {
                self.proxy.pack(item).map(|item| Call::Queue(QueueCall::Put(item))) => |answer| Self::put_done(&answer)
            }

            /// Puts an item at the end if there is room; whether there was.
            try_put, try_put_timeout, coro_try_put = fn(&self, item: &T) -> bool {
                self.proxy.pack(item).map(|item| Call::Queue(QueueCall::TryPut(item))) => |answer| match answer {
                    Answer::Missing => Ok(false),
                    answer => Self::put_done(&answer).map(|()| true),
                }
            }

            /// Waits for an item and takes it. A future or a time that ends before has taken none.
            get, get_timeout, coro_get = fn(&self) -> T {
                Ok::<_, ProxyError>(Call::Queue(QueueCall::Get)) => |answer| self.item(answer)
            }

            /// Takes an item, if one is there.
            try_get, try_get_timeout, coro_try_get = fn(&self) -> Option<T> {
                Ok::<_, ProxyError>(Call::Queue(QueueCall::TryGet)) => |answer| match answer {
                    Answer::Missing => Ok(None),
                    answer => self.item(answer).map(Some),
                }
            }

            /// How many items wait.
            len, len_timeout, coro_len = fn(&self) -> usize {
                Ok::<_, ProxyError>(Call::Queue(QueueCall::Len)) => |answer| count(&answer)
            }

            /// Whether there are none.
            is_empty, is_empty_timeout, coro_is_empty = fn(&self) -> bool {
                Ok::<_, ProxyError>(Call::Queue(QueueCall::Len)) => |answer| count(&answer).map(|count| count == 0)
            }

            /// Closes it: puts fail from now on, gets drain what is left and then fail.
            close, close_timeout, coro_close = fn(&self) -> () {
                Ok::<_, ProxyError>(Call::Queue(QueueCall::Close)) => |answer| done(&answer)
            }
        }
    };
}

pub(super) use puts_and_gets;

impl<T: Serialize + DeserializeOwned> AioManagedQueue<T> {
    fn item(&self, answer: Answer) -> Result<T, ProxyError> {
        self.proxy.unpack(taken(&self.proxy, answer)?)
    }

    puts_and_gets! {}
}
