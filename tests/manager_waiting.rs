//! Locks, conditions, events and queues of managers: cases 155, 159, 160 and 161, D4 and D9, in both faces, locally and over TCP.

mod kit;

use std::fs::File;
use std::time::Duration;

use aioprocessing::{
    Address, AioEvent, AioManagedCondition, AioManagedEvent, AioManagedLock, AioManagedQueue,
    AioManagedValue, AioManager, AioProcess, ManagerError, Passed, ProxyError, ProxyTimeoutError,
};
use kit::Watchdog;
use kit::either::either;
use kit::sides::{Side, each, start};
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

aioprocessing::test_support!();

/// A manager that is reached by a local socket, and one by TCP.
fn managers() -> [AioManager; 2] {
    let start = |address: Address| AioManager::builder().address(address).authkey(b"key").start().unwrap();
    [Address::private().unwrap(), "tcp:127.0.0.1:0".parse().unwrap()].map(start)
}

fn add(side: Side, manager: AioManager) {
    let lock: AioManagedLock = manager.get("lock").unwrap();
    let value: AioManagedValue<u64> = manager.get("value").unwrap();
    for _ in 0..50 {
        let _guard = either!(side, lock.acquire(), lock.coro_acquire()).unwrap();
        // Two steps, which are one under the lock.
        let seen = value.get().unwrap();
        value.set(&(seen + 1)).unwrap();
    }
}

#[test]
fn case_155_a_lock_of_several_processes() {
    each("case_155_a_lock_of_several_processes", |side, place, watchdog| {
        for manager in managers() {
            watchdog.step(format!("{side:?} {place:?} {manager:?}"));
            let lock = either!(side, manager.lock(), manager.coro_lock()).unwrap();
            let value = manager.value(&0_u64).unwrap();
            manager.register("lock", &lock).unwrap();
            manager.register("value", &value).unwrap();
            let others: Vec<_> = (0..3).map(|_| start!(place, add, (side, manager))).collect();
            others.into_iter().for_each(|other| other.join());
            assert_eq!(value.get().unwrap(), 150);
            assert!(!lock.is_locked().unwrap());
        }
    });
}

/// D4: the tasks of one process, over its one connection.
#[cfg(feature = "tokio")]
#[test]
fn case_161_a_lock_of_two_tasks() {
    let _watchdog = Watchdog::new("case_161_a_lock_of_two_tasks");
    for manager in managers() {
        let lock = manager.lock().unwrap();
        kit::runtime().block_on(async {
            let value = manager.coro_value(&0_u64).await.unwrap();
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..10 {
                let (lock, value) = (lock.clone(), value.clone());
                tasks.spawn(async move {
                    for _ in 0..10 {
                        let guard = lock.coro_acquire().await.unwrap();
                        let seen = value.coro_get().await.unwrap();
                        tokio::task::yield_now().await;
                        value.coro_set(&(seen + 1)).await.unwrap();
                        drop(guard);
                    }
                });
            }
            while let Some(done) = tasks.join_next().await {
                done.unwrap();
            }
            assert_eq!(value.coro_get().await.unwrap(), 100);
        });
    }
}

/// D9: acquired in one place, waited for in another.
#[test]
fn case_161_a_condition_waits_and_is_notified() {
    for &side in Side::ALL {
        let _watchdog = Watchdog::new("case_161_a_condition_waits_and_is_notified");
        for manager in managers() {
            let condition = either!(side, manager.condition(), manager.coro_condition()).unwrap();
            let ready = manager.value(&false).unwrap();
            let other = start!(
                kit::sides::Place::Process,
                notify,
                (side, condition_of(&manager, &condition, &ready))
            );
            let mut guard = either!(side, condition.lock(), condition.coro_lock()).unwrap();
            while !ready.get().unwrap() {
                // By another thread than the one that locked.
                guard = std::thread::scope(|scope| {
                    let waiting =
                        scope.spawn(|| either!(side, condition.wait(guard), condition.coro_wait(guard)));
                    waiting.join().unwrap().unwrap()
                });
            }
            drop(guard);
            other.join();
            // Of another lock.
            let stranger = manager.condition().unwrap();
            let guard = stranger.lock().unwrap();
            assert!(matches!(condition.wait(guard).unwrap_err(), ProxyError::NotHeld));
            assert_eq!(condition.notify(3).unwrap(), 0);
        }
    }
}

fn condition_of(
    manager: &AioManager,
    condition: &AioManagedCondition,
    ready: &AioManagedValue<bool>,
) -> AioManager {
    manager.register("condition", condition).unwrap();
    manager.register("ready", ready).unwrap();
    manager.clone()
}

fn notify(side: Side, manager: AioManager) {
    let condition: AioManagedCondition = manager.get("condition").unwrap();
    let ready: AioManagedValue<bool> = manager.get("ready").unwrap();
    let guard = either!(side, condition.lock(), condition.coro_lock()).unwrap();
    ready.set(&true).unwrap();
    either!(side, condition.notify_all(), condition.coro_notify_all()).unwrap();
    drop(guard);
}

fn hold_and_wait(manager: AioManager, held: AioEvent) {
    let lock: AioManagedLock = manager.get("lock").unwrap();
    let queue: AioManagedQueue<u32> = manager.get("queue").unwrap();
    let _guard = lock.acquire().unwrap();
    held.set();
    let _ = queue.get();
}

/// Case 159: what the dead held and waited for is there for others.
#[test]
fn case_159_a_client_is_killed_with_a_managers_lock() {
    for &side in Side::ALL {
        let watchdog = Watchdog::new("case_159_a_client_is_killed_with_a_managers_lock");
        for manager in managers() {
            let (lock, queue) = (manager.lock().unwrap(), manager.queue::<u32>(0).unwrap());
            manager.register("lock", &lock).unwrap();
            manager.register("queue", &queue).unwrap();
            let held = AioEvent::new().unwrap();
            let child = AioProcess::builder().daemon(true);
            let child = child.spawn(hold_and_wait, (manager.clone(), held.clone())).unwrap();
            held.wait().unwrap();
            assert!(lock.is_locked().unwrap());
            assert!(lock.try_acquire().unwrap().is_none());
            let time = Duration::from_millis(20);
            assert!(matches!(lock.acquire_timeout(time).unwrap_err(), ProxyTimeoutError::Timeout));
            child.kill().unwrap();
            watchdog.step("the lock of the dead");
            drop(either!(side, lock.acquire(), lock.coro_acquire()).unwrap());
            watchdog.step("the place of the dead in the queue");
            queue.put(&1).unwrap();
            assert_eq!(either!(side, queue.get(), queue.coro_get()).unwrap(), 1);
        }
    }
}

#[test]
fn who_gives_up_has_taken_nothing() {
    let watchdog = Watchdog::new("who_gives_up_has_taken_nothing");
    for manager in managers() {
        let time = Duration::from_millis(10);
        let (lock, queue) = (manager.lock().unwrap(), manager.queue::<u32>(1).unwrap());
        let event = manager.event().unwrap();
        watchdog.step("times that end");
        let guard = lock.acquire().unwrap();
        assert!(matches!(lock.acquire_timeout(time).unwrap_err(), ProxyTimeoutError::Timeout));
        assert!(matches!(queue.get_timeout(time).unwrap_err(), ProxyTimeoutError::Timeout));
        assert!(matches!(event.wait_timeout(time).unwrap_err(), ProxyTimeoutError::Timeout));
        queue.put(&1).unwrap();
        assert!(matches!(queue.put_timeout(&2, time).unwrap_err(), ProxyTimeoutError::Timeout));
        assert!(!queue.try_put(&2).unwrap());
        assert_eq!(queue.get().unwrap(), 1);
        assert_eq!(queue.try_get().unwrap(), None);
        drop(guard);
        // Whoever gave up is not handed the lock.
        drop(lock.acquire().unwrap());
    }
}

/// A future that is dropped when the answer is on its way, or here already.
#[cfg(feature = "tokio")]
#[test]
fn a_future_that_is_dropped_gives_back_what_it_got() {
    let watchdog = Watchdog::new("a_future_that_is_dropped_gives_back_what_it_got");
    for manager in managers() {
        let (lock, queue) = (manager.lock().unwrap(), manager.queue::<u32>(0).unwrap());
        kit::runtime().block_on(async {
            for n in 0..200_u32 {
                watchdog.step(format!("{n} {manager:?}"));
                queue.coro_put(&n).await.unwrap();
                let mut got = Box::pin(queue.coro_get());
                let mut acquired = Box::pin(lock.coro_acquire());
                let mut is_early = None;
                std::future::poll_fn(|cx| {
                    if let std::task::Poll::Ready(item) = got.as_mut().poll(cx) {
                        is_early = Some(item.unwrap());
                    }
                    let _ = acquired.as_mut().poll(cx);
                    std::task::Poll::Ready(())
                })
                .await;
                if n % 2 == 0 {
                    // The answers come, and are received by another call.
                    manager.coro_names().await.unwrap();
                }
                drop((got, acquired));
                // It was quick, and the item is this one's.
                if is_early.is_some() {
                    continue;
                }
                drop(lock.coro_acquire().await.unwrap());
                assert_eq!(queue.coro_get().await.unwrap(), n);
            }
        });
    }
}

fn echo(side: Side, manager: AioManager) {
    let there: AioManagedQueue<String> = manager.get("there").unwrap();
    let back: AioManagedQueue<String> = manager.get("back").unwrap();
    let done: AioManagedEvent = manager.get("done").unwrap();
    loop {
        match either!(side, there.get(), there.coro_get()) {
            Ok(text) => either!(side, back.put(&text), back.coro_put(&text)).unwrap(),
            Err(ProxyError::QueueClosed) => break,
            Err(error) => panic!("{error}"),
        }
    }
    either!(side, done.set(), done.coro_set()).unwrap();
}

#[test]
fn case_155_queues_and_an_event() {
    each("case_155_queues_and_an_event", |side, place, watchdog| {
        for manager in managers() {
            watchdog.step(format!("{side:?} {place:?} {manager:?}"));
            let there = either!(side, manager.queue::<String>(3), manager.coro_queue::<String>(3)).unwrap();
            let back = manager.queue::<String>(0).unwrap();
            let done = either!(side, manager.event(), manager.coro_event()).unwrap();
            manager.register("there", &there).unwrap();
            manager.register("back", &back).unwrap();
            manager.register("done", &done).unwrap();
            let others: Vec<_> = (0..2).map(|_| start!(place, echo, (side, manager))).collect();
            for n in 0..50 {
                either!(side, there.put(&n.to_string()), there.coro_put(&n.to_string())).unwrap();
            }
            let mut got: Vec<u32> = (0..50).map(|_| back.get().unwrap().parse().unwrap()).collect();
            got.sort_unstable();
            assert_eq!(got, (0..50).collect::<Vec<_>>());
            assert!(!done.is_set().unwrap());
            there.close().unwrap();
            either!(side, done.wait(), done.coro_wait()).unwrap();
            others.into_iter().for_each(|other| other.join());
            assert!(matches!(there.put(&String::new()).unwrap_err(), ProxyError::QueueClosed));
            done.clear().unwrap();
            assert!(!done.is_set().unwrap());
            assert_eq!(back.len().unwrap(), 0);
        }
    });
}

/// Case 160: those who wait for something in it are told at once.
#[test]
fn case_160_a_manager_dies_under_those_who_wait() {
    for &side in Side::ALL {
        let _watchdog = Watchdog::new("case_160_a_manager_dies_under_those_who_wait");
        for manager in managers() {
            let (queue, event) = (manager.queue::<u8>(0).unwrap(), manager.event().unwrap());
            let getting = std::thread::spawn({
                let queue = queue.clone();
                move || either!(side, queue.get(), queue.coro_get()).map(drop)
            });
            let waiting = std::thread::spawn(move || either!(side, event.wait(), event.coro_wait()));
            std::thread::sleep(Duration::from_millis(10));
            kit::kill(manager.pid().unwrap());
            assert!(getting.join().unwrap().unwrap_err().is_closed());
            assert!(waiting.join().unwrap().unwrap_err().is_closed());
        }
    }
}

/// Longer than anything takes that is not lost.
#[cfg(feature = "tokio")]
const PATIENCE: Duration = Duration::from_secs(20);

/// Polls it once; it waits.
#[cfg(feature = "tokio")]
async fn once<F: Future>(future: &mut std::pin::Pin<Box<F>>) {
    std::future::poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
}

/// Dropped before its first poll, before it was sent, and after that: the lock is free each time.
#[cfg(feature = "tokio")]
#[test]
fn a_dropped_wait_has_given_up_the_lock() {
    let watchdog = Watchdog::new("a_dropped_wait_has_given_up_the_lock");
    for manager in managers() {
        let (condition, event) = (manager.condition().unwrap(), manager.event().unwrap());
        kit::runtime().block_on(async {
            watchdog.step("never polled");
            drop(condition.coro_wait(condition.coro_lock().await.unwrap()));
            drop(condition.lock_timeout(PATIENCE).unwrap());
            watchdog.step("sent");
            let mut wait = Box::pin(condition.coro_wait(condition.coro_lock().await.unwrap()));
            once(&mut wait).await;
            drop(wait);
            drop(condition.lock_timeout(PATIENCE).unwrap());
            watchdog.step("not sent");
            let mut other = Box::pin(event.coro_wait());
            once(&mut other).await;
            // Beside another call it lets others run before it sends.
            let mut wait = Box::pin(condition.coro_wait(condition.coro_lock().await.unwrap()));
            once(&mut wait).await;
            drop(wait);
            drop(condition.lock_timeout(PATIENCE).unwrap());
        });
        assert_eq!(condition.notify_all().unwrap(), 0);
    }
}

#[cfg(feature = "tokio")]
fn wait_for_a_notification(manager: AioManager, held: AioEvent) {
    let condition: AioManagedCondition = manager.get("condition").unwrap();
    let guard = condition.lock().unwrap();
    held.set();
    let _ = condition.wait(guard);
}

/// A notification for one that is gone is the next one's: of a future before and after it has the lock again, and of a process.
#[cfg(feature = "tokio")]
#[test]
fn a_notification_of_who_is_gone_goes_to_the_next() {
    let watchdog = Watchdog::new("a_notification_of_who_is_gone_goes_to_the_next");
    for manager in managers() {
        let condition = manager.condition().unwrap();
        manager.register("condition", &condition).unwrap();
        kit::runtime().block_on(async {
            for has_the_lock in [false, true] {
                watchdog.step(format!("{manager:?}, a future, {has_the_lock}"));
                let mut first = Box::pin(condition.coro_wait(condition.coro_lock().await.unwrap()));
                once(&mut first).await;
                let mut second = Box::pin(condition.coro_wait(condition.coro_lock().await.unwrap()));
                once(&mut second).await;
                let guard = condition.coro_lock().await.unwrap();
                assert_eq!(condition.coro_notify(1).await.unwrap(), 1);
                if has_the_lock {
                    drop(guard);
                    // Its answer comes, and is not taken.
                    manager.coro_names().await.unwrap();
                    drop(first);
                } else {
                    drop(first);
                    drop(guard);
                }
                drop(tokio::time::timeout(PATIENCE, second).await.expect("it was notified").unwrap());
            }
        });
        watchdog.step(format!("{manager:?}, a process"));
        let held = AioEvent::new().unwrap();
        let child = AioProcess::builder().daemon(true);
        let child = child.spawn(wait_for_a_notification, (manager.clone(), held.clone())).unwrap();
        held.wait().unwrap();
        let guard = condition.lock().unwrap();
        let second = std::thread::spawn({
            let condition = condition.clone();
            move || condition.wait_timeout(guard, PATIENCE).map(drop)
        });
        let guard = condition.lock().unwrap();
        assert_eq!(condition.notify(1).unwrap(), 1);
        child.kill().unwrap();
        drop(guard);
        second.join().unwrap().expect("it was notified");
    }
}

/// What comes back to a closed queue is there for others, who are not told before that nothing comes any more.
#[cfg(feature = "tokio")]
#[test]
fn an_item_that_comes_back_to_a_closed_queue_is_got() {
    let watchdog = Watchdog::new("an_item_that_comes_back_to_a_closed_queue_is_got");
    for manager in managers() {
        let queue = manager.joinable_queue::<u32>(0).unwrap();
        kit::runtime().block_on(async {
            let mut first = Box::pin(queue.coro_get());
            once(&mut first).await;
            queue.coro_put(&1).await.unwrap();
            queue.coro_close().await.unwrap();
            watchdog.step(format!("{manager:?}: while it is on its way"));
            assert_eq!(queue.coro_try_get().await.unwrap(), None);
            let mut others = [Box::pin(queue.coro_get()), Box::pin(queue.coro_get())];
            for other in &mut others {
                once(other).await;
            }
            assert_eq!(queue.coro_unfinished().await.unwrap(), 1);
            watchdog.step(format!("{manager:?}: it comes back"));
            drop(first);
            let [second, third] = others;
            assert_eq!(second.await.unwrap(), 1);
            watchdog.step(format!("{manager:?}: it has come, and was the last"));
            assert!(matches!(third.await.unwrap_err(), ProxyError::QueueClosed));
            assert!(matches!(queue.coro_try_get().await.unwrap_err(), ProxyError::QueueClosed));
            queue.coro_task_done().await.unwrap();
            queue.coro_join().await.unwrap();
        });
    }
}

/// An item that the manager has no descriptor left to send is not lost.
#[test]
fn an_item_that_could_not_be_sent_is_got_later() {
    let _watchdog = Watchdog::new("an_item_that_could_not_be_sent_is_got_later");
    let [manager, _] = managers();
    let queue = manager.queue::<Passed<File>>(0).unwrap();
    queue.put(&Passed::new(File::open("/proc/self/status").unwrap())).unwrap();
    let pid = manager.pid().unwrap();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let open: Vec<u64> = open.map(|fd| fd.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    // One is left: it makes the copy, and the message would need another.
    let second = (0..).filter(|fd| !open.contains(fd)).nth(1).unwrap();
    let limit = |current| {
        let pid = rustix::process::Pid::from_raw(pid.cast_signed());
        let limit = Rlimit { current: Some(current), ..getrlimit(Resource::Nofile) };
        prlimit(pid, Resource::Nofile, limit).unwrap()
    };
    let before = limit(second);
    let error = queue.get().unwrap_err();
    assert!(matches!(error, ProxyError::Manager(ManagerError::Refused { .. })), "{error:?}");
    limit(before.current.unwrap());
    let file = queue.get_timeout(Duration::from_secs(20)).unwrap().into_inner();
    assert!(file.metadata().unwrap().is_file());
}
