//! Objects of managers behind proxies: cases 155, 156, 158, 160 and 162, P19, in both faces.

mod kit;

use std::time::Duration;

use aioprocessing::{
    Address, AioDict, AioEvent, AioList, AioManagedValue, AioManager, AioProcess, AioQueue, ProxyError,
};
use kit::Watchdog;
use kit::either::either;
use kit::sides::{Side, each, start};

aioprocessing::test_support!();

fn dict<K, V>(side: Side, manager: &AioManager) -> AioDict<K, V> {
    either!(side, manager.dict(), manager.coro_dict()).unwrap()
}

/// A manager that is reached by a local socket, and one by TCP.
fn managers() -> [AioManager; 2] {
    let start = |address: Address| AioManager::builder().address(address).authkey(b"key").start().unwrap();
    [Address::private().unwrap(), "tcp:127.0.0.1:0".parse().unwrap()].map(start)
}

fn count(side: Side, manager: AioManager, times: u64) -> u64 {
    let counts: AioDict<String, u64> = manager.get("counts").unwrap();
    for _ in 0..times {
        let add = |count: Option<u64>| Some(count.unwrap_or(0) + 1);
        let key = "all".to_owned();
        either!(side, counts.update(&key, add), counts.coro_update(&key, add)).unwrap();
    }
    counts.insert(&std::process::id().to_string(), &times).unwrap();
    times
}

#[test]
fn case_155_a_dict_of_several_processes() {
    each("case_155_a_dict_of_several_processes", |side, place, watchdog| {
        for manager in managers() {
            watchdog.step(format!("{side:?} {place:?} {manager:?}"));
            let counts = dict::<String, u64>(side, &manager);
            manager.register("counts", &counts).unwrap();
            let others: Vec<_> = (0..3).map(|_| start!(place, count, (side, manager, 50_u64))).collect();
            for other in others {
                assert_eq!(other.join(), 50);
            }
            assert_eq!(counts.get(&"all".to_owned()).unwrap(), Some(150));
        }
    });
}

type Outer = AioDict<String, AioDict<String, u32>>;

/// P19: a value within a value is changed in its place, by whoever holds it.
#[test]
fn a_dict_in_a_dict() {
    for &side in Side::ALL {
        for manager in managers() {
            let outer = dict::<String, AioDict<String, u32>>(side, &manager);
            let inner = dict::<String, u32>(side, &manager);
            let (name, one) = ("inner".to_owned(), "one".to_owned());
            outer.insert(&name, &inner).unwrap();
            outer.get(&name).unwrap().unwrap().insert(&one, &1).unwrap();
            assert_eq!(inner.get(&one).unwrap(), Some(1));
            // The outer one keeps it.
            drop(inner);
            assert_eq!(outer.get(&name).unwrap().unwrap().get(&one).unwrap(), Some(1));
            let twice = outer.clone();
            manager.register("outer", &(outer, twice)).unwrap();
            let (outer, twice): (Outer, Outer) = manager.get("outer").unwrap();
            assert_eq!(twice.get(&name).unwrap().unwrap().len().unwrap(), 1);
            outer.clear().unwrap();
            assert_eq!(twice.len().unwrap(), 0);
        }
    }
}

/// Values may hold handles; they are shared memory for whoever gets them.
#[test]
fn handles_as_values() {
    let _watchdog = Watchdog::new("handles_as_values");
    let manager = AioManager::start().unwrap();
    let queues = manager.dict::<String, AioQueue<u32>>().unwrap();
    queues.insert(&"a".to_owned(), &AioQueue::unbounded().unwrap()).unwrap();
    let child = AioProcess::spawn(
        |queues: AioDict<String, AioQueue<u32>>| {
            queues.get(&"a".to_owned()).unwrap().unwrap().put(7).unwrap()
        },
        (queues.clone(),),
    );
    child.unwrap().join().unwrap();
    assert_eq!(queues.get(&"a".to_owned()).unwrap().unwrap().get().unwrap(), 7);
    let keys = manager.dict::<AioEvent, u8>().unwrap();
    let error = keys.insert(&AioEvent::new().unwrap(), &1).unwrap_err();
    assert!(matches!(error, ProxyError::Encode(_)), "{error}");
    // And not over TCP.
    let remote = &managers()[1];
    let events = remote.dict::<u8, AioEvent>().unwrap();
    let error = events.insert(&1, &AioEvent::new().unwrap()).unwrap_err();
    assert!(matches!(error, ProxyError::Encode(_)), "{error}");
    assert_eq!(events.len().unwrap(), 0);
}

/// Case 162: made in A, sent to B over a queue that the manager knows nothing of, after A has ended.
#[test]
fn case_162_a_proxy_made_by_a_child_that_has_ended() {
    let _watchdog = Watchdog::new("case_162_a_proxy_made_by_a_child_that_has_ended");
    let manager = AioManager::start().unwrap();
    let proxies = AioQueue::<AioDict<u8, String>>::unbounded().unwrap();
    let make = |manager: AioManager, proxies: AioQueue<AioDict<u8, String>>| {
        let dict = manager.dict().unwrap();
        dict.insert(&1, &"left behind".to_owned()).unwrap();
        proxies.put(dict).unwrap();
    };
    AioProcess::spawn(make, (manager.clone(), proxies.clone())).unwrap().join().unwrap();
    // The handle of the manager does not travel with it: the proxy is enough.
    let take = |proxies: AioQueue<AioDict<u8, String>>| proxies.get().unwrap().get(&1).unwrap().unwrap();
    let taken = AioProcess::spawn(take, (proxies.clone(),)).unwrap().join().unwrap();
    assert_eq!(taken, "left behind");
}

/// How many descriptors the server has: each object is one or more.
fn descriptors_of(manager: &AioManager) -> usize {
    // Once it answers this, what it has sent before is closed there.
    manager.names().unwrap();
    std::fs::read_dir(format!("/proc/{}/fd", manager.pid().unwrap())).unwrap().count()
}

/// Case 158: an object goes with the last who holds it, killed ones included.
#[test]
fn case_158_an_object_goes_with_its_last_holder() {
    let watchdog = Watchdog::new("case_158_an_object_goes_with_its_last_holder");
    for manager in managers() {
        let before = descriptors_of(&manager);
        let dict = manager.dict::<u8, u8>().unwrap();
        let clone = dict.clone();
        drop(dict);
        assert!(descriptors_of(&manager) > before);
        clone.insert(&1, &1).unwrap();
        drop(clone);
        kit::until("the end of the object", || descriptors_of(&manager) == before);

        watchdog.step("a holder that is killed");
        let ready = AioEvent::new().unwrap();
        let child = AioProcess::builder().daemon(true).spawn(
            |manager: AioManager, ready: AioEvent| {
                let dicts: Vec<AioDict<u8, u8>> = (0..10).map(|_| manager.dict().unwrap()).collect();
                dicts[0].insert(&1, &1).unwrap();
                ready.set();
                kit::sleep_for_ever();
            },
            (manager.clone(), ready.clone()),
        );
        ready.wait().unwrap();
        assert!(descriptors_of(&manager) >= before + 10);
        child.unwrap().kill().unwrap();
        kit::until("the end of the objects of the dead", || descriptors_of(&manager) == before);

        watchdog.step("in other objects");
        let outer = manager.dict::<u8, AioDict<u8, u8>>().unwrap();
        let with_outer = descriptors_of(&manager);
        outer.insert(&1, &manager.dict().unwrap()).unwrap();
        assert!(descriptors_of(&manager) > with_outer);
        assert_eq!(outer.get(&1).unwrap().unwrap().len().unwrap(), 0);
        outer.remove(&1).unwrap().unwrap();
        kit::until("the end of the inner one", || descriptors_of(&manager) == with_outer);

        watchdog.step("with what it was in");
        outer.insert(&1, &manager.dict().unwrap()).unwrap();
        drop(outer);
        kit::until("the end of both", || descriptors_of(&manager) == before);
    }
}

/// Case 160.
#[test]
fn case_160_a_manager_is_killed_under_its_proxies() {
    for &side in Side::ALL {
        let watchdog = Watchdog::new("case_160_a_manager_is_killed_under_its_proxies");
        for manager in managers() {
            let dict = dict::<u8, u8>(side, &manager);
            let pid = manager.pid().unwrap();
            kit::signal(pid, rustix::process::Signal::STOP);
            assert!(matches!(
                dict.len_timeout(Duration::from_millis(20)).unwrap_err(),
                aioprocessing::ProxyTimeoutError::Timeout
            ));
            let asking: Vec<_> = (0..4)
                .map(|_| {
                    let dict = dict.clone();
                    std::thread::spawn(move || either!(side, dict.len(), dict.coro_len()))
                })
                .collect();
            std::thread::sleep(Duration::from_millis(20));
            kit::kill(pid);
            watchdog.step("questions to a dead manager");
            for asking in asking {
                assert!(asking.join().unwrap().unwrap_err().is_closed());
            }
            assert!(dict.get(&1).unwrap_err().is_closed());
            let error = manager.dict::<u8, u8>().unwrap_err();
            assert!(error.is_closed(), "{error}");
        }
    }
}

/// Answers find those who asked, threads and tasks of several runtimes at once over one connection.
#[cfg(feature = "tokio")]
#[test]
fn d4_threads_and_tasks_over_one_connection() {
    let _watchdog = Watchdog::new("d4_threads_and_tasks_over_one_connection");
    for manager in managers() {
        let dict = manager.dict::<u64, u64>().unwrap();
        let before = descriptors_of(&manager);
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let dict = &dict;
                scope.spawn(move || {
                    for n in 0..200 {
                        let key = thread * 1000 + n;
                        dict.insert(&key, &(key * 2)).unwrap();
                        assert_eq!(dict.get(&key).unwrap(), Some(key * 2));
                    }
                });
                scope.spawn(move || {
                    kit::runtime().block_on(async {
                        let mut tasks = tokio::task::JoinSet::new();
                        for task in 0..50_u64 {
                            let dict = dict.clone();
                            tasks.spawn(async move {
                                for n in 0..10 {
                                    let key = 1_000_000 * (thread + 1) + task * 1000 + n;
                                    dict.coro_insert(&key, &(key * 3)).await.unwrap();
                                    assert_eq!(dict.coro_get(&key).await.unwrap(), Some(key * 3));
                                }
                            });
                        }
                        while let Some(done) = tasks.join_next().await {
                            done.unwrap();
                        }
                    });
                });
            }
        });
        assert_eq!(dict.len().unwrap(), 4 * 200 + 4 * 500);
        assert_eq!(descriptors_of(&manager), before);
    }
}

/// A future that nobody polls holds up nobody else, and one that is dropped takes nobody's answer.
#[cfg(feature = "tokio")]
#[test]
fn d4_a_task_that_is_left_lying() {
    let _watchdog = Watchdog::new("d4_a_task_that_is_left_lying");
    for manager in managers() {
        let dict = manager.dict::<u32, u32>().unwrap();
        dict.insert(&1, &1).unwrap();
        kit::runtime().block_on(async {
            let mut left: Vec<_> = (0..100).map(|_| Box::pin(dict.coro_get(&1))).collect();
            std::future::poll_fn(|cx| {
                left.retain_mut(|one| one.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            let thread = std::thread::spawn({
                let dict = dict.clone();
                move || dict.get(&1).unwrap()
            });
            for n in 0..100 {
                assert_eq!(dict.coro_insert(&2, &n).await.unwrap(), n.checked_sub(1));
            }
            assert_eq!(thread.join().unwrap(), Some(1));
            let rest = left.split_off(left.len() / 2);
            drop(left);
            for one in rest {
                assert_eq!(one.await.unwrap(), Some(1));
            }
        });
    }
}

/// Answers that nobody waits for any more are taken by whoever asks next: the manager takes no questions from who takes no answers.
#[cfg(feature = "tokio")]
#[test]
fn d4_answers_that_nobody_waits_for() {
    for &side in Side::ALL {
        let _watchdog = Watchdog::new("d4_answers_that_nobody_waits_for");
        for manager in managers() {
            let dict = manager.dict::<u32, String>().unwrap();
            dict.insert(&1, &"long".repeat(10_000)).unwrap();
            // It reads nothing meanwhile, so on a local socket there is no room left for questions, and more are read than
            // there is room for answers.
            let pid = manager.pid().unwrap();
            kit::signal(pid, rustix::process::Signal::STOP);
            kit::runtime().block_on(async {
                for _ in 0..1_000 {
                    let mut left = Box::pin(dict.coro_get(&1));
                    std::future::poll_fn(|cx| {
                        let _ = left.as_mut().poll(cx);
                        std::task::Poll::Ready(())
                    })
                    .await;
                }
            });
            kit::signal(pid, rustix::process::Signal::CONT);
            let large = "large".repeat(10_000);
            either!(side, dict.insert(&2, &large), dict.coro_insert(&2, &large)).unwrap();
            assert_eq!(either!(side, dict.len(), dict.coro_len()).unwrap(), 2);
        }
    }
}

/// Who sends without end takes what comes meanwhile: neither side waits for the other.
#[cfg(feature = "tokio")]
#[test]
fn many_large_calls_at_once() {
    let _watchdog = Watchdog::new("many_large_calls_at_once");
    for manager in managers() {
        let dict = manager.dict::<u32, Vec<u8>>().unwrap();
        let large = vec![7; 40_000];
        kit::runtime().block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for n in 0..60_u32 {
                let (dict, large) = (dict.clone(), large.clone());
                tasks.spawn(async move {
                    dict.coro_insert(&(n % 3), &large).await.unwrap();
                    assert_eq!(dict.coro_get(&(n % 3)).await.unwrap().unwrap(), large);
                });
            }
            while let Some(done) = tasks.join_next().await {
                done.unwrap();
            }
        });
        // One of a size that goes by a file.
        let huge = vec![1; 1 << 20];
        dict.insert(&9, &huge).unwrap();
        assert_eq!(dict.get(&9).unwrap().unwrap(), huge);
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let _watchdog = Watchdog::new("what_does_not_fit_is_an_error");
    let manager = AioManager::start().unwrap();
    let dict = manager.dict::<u8, u8>().unwrap();
    manager.register("dict", &dict).unwrap();
    // Another value type is seen when a value is got.
    let wrong: AioDict<u8, String> = manager.get("dict").unwrap();
    dict.insert(&1, &200).unwrap();
    assert!(matches!(wrong.get(&1).unwrap_err(), ProxyError::Decode(_)));
    let error = manager.get::<AioEvent>("dict").unwrap_err();
    assert!(error.to_string().contains("AioDict"), "{error}");
    // A proxy over TCP is its manager's.
    let remote = &managers()[1];
    let far = remote.dict::<u8, u8>().unwrap();
    let queue = AioQueue::unbounded().unwrap();
    let error = queue.put(far).unwrap_err();
    assert!(error.to_string().contains("TCP"), "{error}");
    // One manager's proxy as a value in another's dictionary.
    let other = AioManager::start().unwrap();
    let of_other = other.dict::<u8, AioDict<u8, u8>>().unwrap();
    of_other.insert(&1, &dict).unwrap();
    assert_eq!(of_other.get(&1).unwrap().unwrap().get(&1).unwrap(), Some(200));
}

fn add_to_all(side: Side, manager: AioManager) {
    let list: AioList<u64> = manager.get("list").unwrap();
    let value: AioManagedValue<u64> = manager.get("value").unwrap();
    for _ in 0..30 {
        either!(side, list.update(0, |n| n + 1), list.coro_update(0, |n| n + 1)).unwrap();
        either!(side, value.update(|n| n + 1), value.coro_update(|n| n + 1)).unwrap();
        list.update_all(|all| all.push(1)).unwrap();
    }
}

/// P19: what is changed in one step is not lost.
#[test]
fn case_155_no_change_is_lost() {
    each("case_155_no_change_is_lost", |side, place, _| {
        let manager = AioManager::start().unwrap();
        let list = manager.list([0_u64]).unwrap();
        let value = manager.value(&0_u64).unwrap();
        manager.register("list", &list).unwrap();
        manager.register("value", &value).unwrap();
        let others: Vec<_> = (0..3).map(|_| start!(place, add_to_all, (side, manager))).collect();
        others.into_iter().for_each(|other| other.join());
        assert_eq!((list.get(0).unwrap(), list.len().unwrap(), value.get().unwrap()), (90, 91, 90));
        assert_eq!(list.to_vec().unwrap()[1..].iter().sum::<u64>(), 90);
    });
}

/// Polls it once; what it has by then is let go.
#[cfg(feature = "tokio")]
async fn once<F: Future>(future: &mut std::pin::Pin<Box<F>>) {
    std::future::poll_fn(|cx| {
        drop(future.as_mut().poll(cx));
        std::task::Poll::Ready(())
    })
    .await;
}

/// Of futures that are dropped when the answer is on its way, or here: nobody holds the objects in it.
#[cfg(feature = "tokio")]
#[test]
fn an_object_that_nobody_got_is_gone() {
    let watchdog = Watchdog::new("an_object_that_nobody_got_is_gone");
    for manager in managers() {
        let queue = manager.queue::<AioDict<u8, u8>>(0).unwrap();
        let before = descriptors_of(&manager);
        for is_here in [false, true] {
            watchdog.step(format!("{manager:?}, the answers are here: {is_here}"));
            for _ in 0..20 {
                kit::runtime().block_on(async {
                    let item = manager.dict().unwrap();
                    let mut got = Box::pin(queue.coro_get());
                    once(&mut got).await;
                    let mut put = Box::pin(queue.coro_put(&item));
                    // It lets others run before it is sent.
                    once(&mut put).await;
                    once(&mut put).await;
                    if is_here {
                        manager.names().unwrap();
                    }
                    drop(got);
                    // Done at the second look, maybe.
                    drop(put);
                    let mut made = Box::pin(manager.coro_dict::<u8, u8>());
                    once(&mut made).await;
                    if is_here {
                        manager.names().unwrap();
                    }
                    drop(made);
                    // It has come back.
                    drop(queue.get().unwrap());
                });
            }
            watchdog.step(format!("{manager:?}, the answers were here: {is_here}"));
            kit::until("the end of all objects", || descriptors_of(&manager) <= before);
        }
    }
}
