//! What holds of every type of a kind, held by the compiler: a row that is missing here is missing in the crate.
#![cfg(feature = "tokio")]

use std::error::Error;
use std::fmt::Debug;
use std::time::Duration;

use aioprocessing::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

aioprocessing::test_support!();

fn handle<T: Clone + Send + Sync + Serialize + DeserializeOwned + Debug + 'static>() {}
fn moved<T: Send + Sync + Serialize + DeserializeOwned + Debug + 'static>() {}
fn error<T: Error + Send + Sync + 'static>() {}
fn guard<T: Send + Debug + 'static>() {}
fn future<F: Future + Send>(future: F) -> F {
    future
}

#[test]
fn every_handle_is_one() {
    handle::<AioLock>();
    handle::<AioRLock>();
    handle::<AioRwLock>();
    handle::<AioMutex<u64>>();
    handle::<AioSemaphore>();
    handle::<AioBoundedSemaphore>();
    handle::<AioEvent>();
    handle::<AioCondition>();
    handle::<AioBarrier>();
    handle::<AioValue<f64>>();
    handle::<AioArray<i32>>();
    handle::<AioOnce<u8>>();
    handle::<AioQueue<String>>();
    handle::<AioLeaseQueue<String>>();
    handle::<AioJoinableQueue<String>>();
    handle::<AioSimpleQueue<String>>();
    handle::<AioManager>();
    handle::<AioDict<u8, String>>();
    handle::<AioList<u8>>();
    handle::<AioSet<u8>>();
    handle::<AioNamespace>();
    handle::<AioManagedValue<String>>();
    handle::<AioManagedArray<f64>>();
    handle::<AioManagedLock>();
    handle::<AioManagedRLock>();
    handle::<AioManagedSemaphore>();
    handle::<AioManagedBarrier>();
    handle::<AioManagedJoinableQueue<String>>();
    handle::<AioManagedCondition>();
    handle::<AioManagedEvent>();
    handle::<AioManagedQueue<String>>();
    moved::<AioConnection<u8, String>>();
    moved::<AioSender<u8>>();
    moved::<AioReceiver<u8>>();
    moved::<SharedMemory>();
    moved::<ShareableList>();
}

#[test]
fn every_guard_goes_to_another_thread() {
    guard::<AioLockGuard>();
    guard::<AioMutexGuard<u64>>();
    guard::<AioRwLockReadGuard>();
    guard::<AioRwLockWriteGuard>();
    guard::<AioArrayGuard<u8>>();
    guard::<AioManagedLockGuard>();
    guard::<AioManagedPermit>();
    guard::<Permit>();
    guard::<Lease<String>>();
    guard::<AioRLockGuard>();
    guard::<AioConditionGuard>();
    guard::<AioListener<u8, u8>>();
    guard::<AioPool>();
    guard::<AioTask<u8>>();
    guard::<AioProcess<u8>>();
}

#[test]
fn every_error_is_one() {
    error::<SpawnError>();
    error::<JoinError>();
    error::<BootstrapError>();
    error::<SignalError>();
    error::<CreateError>();
    error::<AcquireError>();
    error::<AcquireTimeoutError>();
    error::<TryAcquireError>();
    error::<ReleaseError>();
    error::<AcquirePermitError>();
    error::<AcquirePermitTimeoutError>();
    error::<TryAcquirePermitError>();
    error::<ReleasePermitsError>();
    error::<WaitError>();
    error::<WaitTimeoutError>();
    error::<TryWaitError>();
    error::<ConditionWaitError>();
    error::<ConditionWaitTimeoutError>();
    error::<BarrierError>();
    error::<BarrierTimeoutError>();
    error::<TryBarrierError>();
    error::<UpdateError>();
    error::<UpdateTimeoutError>();
    error::<TryUpdateError>();
    error::<OnceError>();
    error::<OnceTimeoutError>();
    error::<TryOnceError>();
    error::<PutError<u8>>();
    error::<PutTimeoutError<u8>>();
    error::<TryPutError<u8>>();
    error::<PutManyError<u8>>();
    error::<PutManyTimeoutError<u8>>();
    error::<TryPutManyError<u8>>();
    error::<GetError>();
    error::<GetTimeoutError>();
    error::<TryGetError>();
    error::<GetManyError<u8>>();
    error::<GetManyTimeoutError<u8>>();
    error::<TryGetManyError<u8>>();
    error::<JoinQueueError>();
    error::<TaskDoneError>();
    error::<PipeError>();
    error::<SendError>();
    error::<SendTimeoutError>();
    error::<TrySendError>();
    error::<RecvError>();
    error::<RecvTimeoutError>();
    error::<TryRecvError>();
    error::<PollError>();
    error::<WaitAnyError>();
    error::<AddressError>();
    error::<BindError>();
    error::<AcceptError>();
    error::<AcceptTimeoutError>();
    error::<TryAcceptError>();
    error::<ConnectError>();
    error::<ConnectTimeoutError>();
    error::<TryConnectError>();
    error::<HandshakeError>();
    error::<BuildError>();
    error::<SubmitError>();
    error::<TaskError>();
    error::<SuperviseError>();
    error::<PreforkBindError>();
    error::<ServeError>();
    error::<ProgramError>();
    error::<CreateMemoryError>();
    error::<OpenMemoryError>();
    error::<StartError>();
    error::<ManagerError>();
    error::<ManagerTimeoutError>();
    error::<RegisterError>();
    error::<RegisterTimeoutError>();
    error::<GetHandleError>();
    error::<GetHandleTimeoutError>();
    error::<ProxyError>();
    error::<ProxyTimeoutError>();
    error::<EncodeError>();
    error::<DecodeError>();
    error::<ProcessWaitError>();
    error::<SetError<u8>>();
    error::<SetTimeoutError<u8>>();
    error::<TrySetError<u8>>();
    error::<MemoryNameError>();
    error::<UnlinkError>();
    error::<OutOfBoundsError>();
    error::<CreateListError>();
    error::<OpenListError>();
    error::<GetItemError>();
    error::<SetItemError>();
    #[cfg(feature = "shared_memory")]
    error::<ShmemError>();
    #[cfg(feature = "fixture")]
    error::<fixture::GroupError>();
    #[cfg(feature = "fixture")]
    error::<fixture::KillDuringError>();
}

/// Each row is one operation in its four forms, and its future is `Send`.
#[tokio::test]
async fn every_waiting_operation_has_four_forms() {
    const NOW: Duration = Duration::ZERO;

    let lock = AioLock::new().unwrap();
    assert!(lock.try_acquire().is_ok());
    assert!(lock.acquire().is_ok());
    assert!(lock.acquire_timeout(NOW).is_ok());
    drop(future(lock.coro_acquire()).await.unwrap());

    let rlock = AioRLock::new().unwrap();
    assert!(rlock.try_acquire().is_ok());
    assert!(rlock.acquire().is_ok());
    assert!(rlock.acquire_timeout(NOW).is_ok());
    drop(future(rlock.coro_acquire()).await.unwrap());

    let mutex = AioMutex::new(1_u64).unwrap();
    assert!(mutex.try_lock().is_ok());
    assert!(mutex.lock().is_ok());
    assert!(mutex.lock_timeout(NOW).is_ok());
    drop(future(mutex.coro_lock()).await.unwrap());

    let rw = AioRwLock::new().unwrap();
    assert!(rw.try_read().is_ok());
    assert!(rw.read().is_ok());
    assert!(rw.read_timeout(NOW).is_ok());
    drop(future(rw.coro_read()).await.unwrap());
    assert!(rw.try_write().is_ok());
    assert!(rw.write().is_ok());
    assert!(rw.write_timeout(NOW).is_ok());
    drop(future(rw.coro_write()).await.unwrap());

    let semaphore = AioSemaphore::new(1).unwrap();
    assert!(semaphore.try_acquire().is_ok());
    assert!(semaphore.acquire().is_ok());
    assert!(semaphore.acquire_timeout(NOW).is_ok());
    drop(future(semaphore.coro_acquire()).await.unwrap());

    let event = AioEvent::new().unwrap();
    event.set();
    assert!(event.try_wait().is_ok());
    assert!(event.wait().is_ok());
    assert!(event.wait_timeout(NOW).is_ok());
    future(event.coro_wait()).await.unwrap();

    let barrier = AioBarrier::new(1).unwrap();
    assert!(barrier.try_wait().is_ok());
    assert!(barrier.wait().is_ok());
    assert!(barrier.wait_timeout(NOW).is_ok());
    future(barrier.coro_wait()).await.unwrap();

    let condition = AioCondition::new().unwrap();
    let guard = condition.lock().unwrap();
    let error = condition.wait_timeout(guard, NOW).unwrap_err();
    assert!(error.is_timeout());
    drop(error);
    let guard = condition.lock().unwrap();
    drop(future(condition.coro_wait(guard)));

    let once = AioOnce::new().unwrap();
    assert!(once.try_get_or_init(|| 1_u8).is_ok());
    assert!(once.get_or_init(|| 2).is_ok());
    assert!(once.get_or_init_timeout(|| 3, NOW).is_ok());
    assert_eq!(future(once.coro_get_or_init(async || 4)).await, Ok(1));

    let queue = AioQueue::unbounded().unwrap();
    assert!(queue.try_put(1_u8).is_ok());
    assert!(queue.put(2).is_ok());
    assert!(queue.put_timeout(3, NOW).is_ok());
    future(queue.coro_put(4)).await.unwrap();
    assert!(queue.try_get().is_ok());
    assert!(queue.get().is_ok());
    assert!(queue.get_timeout(NOW).is_ok());
    assert_eq!(future(queue.coro_get()).await.unwrap(), 4);
    assert_eq!(queue.try_put_many([1, 2]).unwrap(), 2);
    assert_eq!(queue.put_many([3, 4]).unwrap(), 2);
    assert_eq!(queue.put_many_timeout([5, 6], NOW).unwrap(), 2);
    assert_eq!(future(queue.coro_put_many([7, 8])).await.unwrap(), 2);
    assert_eq!(queue.try_get_many(2).unwrap(), [1, 2]);
    assert_eq!(queue.get_many(2).unwrap(), [3, 4]);
    assert_eq!(queue.get_many_timeout(2, NOW).unwrap(), [5, 6]);
    assert_eq!(future(queue.coro_get_many(2)).await.unwrap(), [7, 8]);

    let (a, b) = AioPipe::<u8, u8>::duplex().unwrap();
    assert!(a.try_send(&1).is_ok());
    assert!(a.send(&2).is_ok());
    assert!(a.send_timeout(&3, NOW).is_ok());
    future(a.coro_send(&4)).await.unwrap();
    assert!(b.try_recv().is_ok());
    assert!(b.recv().is_ok());
    assert!(b.recv_timeout(NOW).is_ok());
    assert_eq!(future(b.coro_recv()).await.unwrap(), 4);

    let child = AioProcess::spawn(|| 5_u8, ()).unwrap();
    assert_eq!(future(child.coro_join()).await.unwrap(), 5);
    assert!(child.try_join().is_ok());
    assert!(child.join().is_ok());
    assert!(child.join_timeout(NOW).is_ok());

    let pool = AioPool::builder().workers(1).build().unwrap();
    assert!(pool.try_join().unwrap_err().is_timeout(), "its worker is there still");
    future(pool.coro_join()).await.unwrap();
    assert!(pool.try_join().is_ok());
    assert!(pool.join().is_ok());
    assert!(pool.join_timeout(NOW).is_ok());

    let tasks = AioJoinableQueue::unbounded().unwrap();
    tasks.put(1_u8).unwrap();
    assert!(tasks.try_join().unwrap_err().is_timeout());
    tasks.get().unwrap();
    tasks.task_done().unwrap();
    assert!(tasks.try_join().is_ok());
    assert!(tasks.join().is_ok());
    assert!(tasks.join_timeout(NOW).is_ok());
    future(tasks.coro_join()).await.unwrap();

    let leases = AioQueue::builder().lease(2).build::<u8>().unwrap();
    leases.put(1).unwrap();
    let lease = leases.get().unwrap();
    assert!(leases.try_join().unwrap_err().is_timeout());
    lease.ack();
    assert!(leases.try_join().is_ok());
    assert!(leases.join().is_ok());
    assert!(leases.join_timeout(NOW).is_ok());
    future(leases.coro_join()).await.unwrap();

    let simple = AioSimpleQueue::new().unwrap();
    (1..=4_u8).for_each(|item| simple.put(item).unwrap());
    assert_eq!(simple.try_get().unwrap(), 1);
    assert_eq!(simple.get().unwrap(), 2);
    assert_eq!(simple.get_timeout(NOW).unwrap(), 3);
    assert_eq!(future(simple.coro_get()).await.unwrap(), 4);
    assert!(simple.try_get().unwrap_err().is_empty());
    assert!(simple.get_timeout(NOW).unwrap_err().is_timeout());
}

/// The line of the caller, and not one of the crate's, stands in what a timeout says.
#[test]
fn a_timeout_names_the_line_of_the_holder() {
    let lock = AioLock::new().unwrap();
    let (_guard, line) = (lock.acquire().unwrap(), line!());
    let text = lock.try_acquire().unwrap_err().to_string();
    assert!(text.contains(&format!("tables.rs:{line}")), "{text}");
}

/// So does what a panic of the crate's own says: the standard library's line of the panic, and for a future the text.
#[test]
fn a_panic_names_the_line_of_the_caller() {
    static SAID: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
    let lock = AioRLock::new().unwrap();
    for _ in 0..32_767 {
        lock.acquire().unwrap().leak();
    }
    let before = std::panic::take_hook();
    let this = std::thread::current().id();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() == this {
            SAID.lock().unwrap().push(panic.to_string());
        } else {
            before(panic);
        }
    }));
    let again = std::panic::AssertUnwindSafe(|| drop(lock.acquire()));
    let line = line!() - 1;
    std::panic::catch_unwind(again).unwrap_err();
    let said = SAID.lock().unwrap().pop().unwrap();
    assert!(said.contains(&format!("tables.rs:{line}:")), "{said}");
}
