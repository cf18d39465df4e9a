//! Objects of managers behind proxies: cases 155, 156, 158, 160 and 162, P19, in both faces.

mod kit;

use std::collections::BTreeMap;
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

#[test]
fn what_a_dict_can_do() {
    for &side in Side::ALL {
        for manager in managers() {
            let dict = dict::<u32, String>(side, &manager);
            let text = |n: u32| n.to_string();
            assert_eq!(
                either!(side, dict.insert(&1, &text(1)), dict.coro_insert(&1, &text(1))).unwrap(),
                None
            );
            assert_eq!(dict.insert(&1, &text(10)).unwrap(), Some(text(1)));
            assert_eq!(either!(side, dict.get(&1), dict.coro_get(&1)).unwrap(), Some(text(10)));
            assert_eq!(dict.get(&2).unwrap(), None);
            let items: Vec<_> = (0..100).rev().map(|n| (n, text(n))).collect();
            assert_eq!(either!(side, dict.extend(&items), dict.coro_extend(&items)).unwrap(), 1);
            assert_eq!(either!(side, dict.len(), dict.coro_len()).unwrap(), 100);
            // In the order in which they came.
            let keys = either!(side, dict.keys(), dict.coro_keys()).unwrap();
            assert_eq!((keys[0], keys[1], keys[99]), (1, 99, 0));
            let many = either!(side, dict.get_many(&[5, 500]), dict.coro_get_many(&[5, 500])).unwrap();
            assert_eq!(many, [Some(text(5)), None]);
            assert_eq!(either!(side, dict.remove(&5), dict.coro_remove(&5)).unwrap(), Some(text(5)));
            assert_eq!(dict.remove(&5).unwrap(), None);
            assert!(either!(side, dict.contains_key(&6), dict.coro_contains_key(&6)).unwrap());
            assert!(!dict.contains_key(&5).unwrap());
            let all: BTreeMap<_, _> =
                either!(side, dict.items(), dict.coro_items()).unwrap().into_iter().collect();
            assert_eq!(all.len(), 99);
            assert!(all.iter().all(|(n, value)| *value == text(*n)));
            dict.update(&7, |_| None).unwrap();
            dict.update(&5, |old| old.or(Some("new".to_owned()))).unwrap();
            assert_eq!(dict.get_many(&[5, 7]).unwrap(), [Some("new".to_owned()), None]);
            either!(side, dict.clear(), dict.coro_clear()).unwrap();
            assert_eq!(dict.len().unwrap(), 0);
        }
    }
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
            for n in 0..200_u32 {
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
        let huge = vec![1; 3 << 20];
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

#[test]
fn what_a_list_can_do() {
    for &side in Side::ALL {
        for manager in managers() {
            let list: AioList<String> =
                either!(side, manager.list(["b".to_owned()]), manager.coro_list(["b".to_owned()])).unwrap();
            let text = |text: &str| text.to_owned();
            either!(side, list.push(&text("c")), list.coro_push(&text("c"))).unwrap();
            either!(side, list.insert(0, &text("a")), list.coro_insert(0, &text("a"))).unwrap();
            list.extend(&[text("e"), text("d")]).unwrap();
            assert_eq!(either!(side, list.to_vec(), list.coro_to_vec()).unwrap(), ["a", "b", "c", "e", "d"]);
            let sort = |all: &mut Vec<String>| all.sort();
            either!(side, list.update_all(sort), list.coro_update_all(sort)).unwrap();
            assert_eq!(list.range(1..3).unwrap(), ["b", "c"]);
            assert_eq!(list.range(4..9).unwrap(), ["e"]);
            let twice = |one: String| one.repeat(2);
            either!(side, list.update(1, twice), list.coro_update(1, twice)).unwrap();
            assert_eq!(either!(side, list.get(1), list.coro_get(1)).unwrap(), "bb");
            list.set(1, &text("b")).unwrap();
            assert_eq!(either!(side, list.remove(0), list.coro_remove(0)).unwrap(), "a");
            assert_eq!(either!(side, list.pop(), list.coro_pop()).unwrap(), Some(text("e")));
            assert_eq!(list.len().unwrap(), 3);
            for error in [list.get(3).unwrap_err(), list.set(3, &text("")).unwrap_err()] {
                assert!(matches!(error, ProxyError::OutOfRange { length: 3 }), "{error}");
            }
            assert!(list.insert(4, &text("")).is_err() && list.remove(3).is_err());
            assert!(list.update(usize::MAX, |one| one).is_err());
            list.clear().unwrap();
            assert_eq!(list.pop().unwrap(), None);
            assert_eq!(list.range(7..9).unwrap(), [""; 0]);
        }
    }
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

#[test]
fn what_sets_namespaces_and_values_can_do() {
    for &side in Side::ALL {
        for manager in managers() {
            let set = either!(side, manager.set::<u32>(), manager.coro_set::<u32>()).unwrap();
            assert!(either!(side, set.insert(&1), set.coro_insert(&1)).unwrap());
            assert!(!set.insert(&1).unwrap());
            assert_eq!(set.extend(&[3, 1, 2]).unwrap(), 1);
            assert_eq!(either!(side, set.to_vec(), set.coro_to_vec()).unwrap(), [1, 3, 2]);
            assert!(set.contains(&3).unwrap() && !set.contains(&4).unwrap());
            assert!(set.remove(&3).unwrap() && !set.remove(&3).unwrap());
            assert_eq!(set.len().unwrap(), 2);
            set.clear().unwrap();
            assert_eq!(set.len().unwrap(), 0);

            let space = either!(side, manager.namespace(), manager.coro_namespace()).unwrap();
            assert!(!either!(side, space.set("n", &7_u8), space.coro_set("n", &7_u8)).unwrap());
            space.set("inner", &set).unwrap();
            let inner = either!(
                side,
                space.get::<aioprocessing::AioSet<u32>>("inner"),
                space.coro_get::<aioprocessing::AioSet<u32>>("inner")
            );
            inner.unwrap().unwrap().insert(&9).unwrap();
            assert_eq!(set.to_vec().unwrap(), [9]);
            assert_eq!(space.get::<u8>("n").unwrap(), Some(7));
            assert!(matches!(space.get::<String>("n").unwrap_err(), ProxyError::Decode(_)));
            assert_eq!(space.get::<u8>("m").unwrap(), None);
            assert_eq!(space.names().unwrap(), ["n", "inner"]);
            assert!(space.remove("n").unwrap());
            space.clear().unwrap();
            assert!(space.names().unwrap().is_empty());

            let value = either!(side, manager.value(&(1, "a")), manager.coro_value(&(1, "a"))).unwrap();
            manager.register("value", &value).unwrap();
            let value: AioManagedValue<(u8, String)> = manager.get("value").unwrap();
            either!(side, value.set(&(2, "b".to_owned())), value.coro_set(&(2, "b".to_owned()))).unwrap();
            value.update(|(n, text)| (n + 1, text + "c")).unwrap();
            assert_eq!(either!(side, value.get(), value.coro_get()).unwrap(), (3, "bc".to_owned()));
            // A proxy says what it is one of.
            let error = manager.get::<AioList<u8>>("value").unwrap_err();
            assert!(error.to_string().contains("AioManagedValue"), "{error}");
            space.set("value", &value).unwrap();
            let error = space.get::<AioList<u8>>("value").unwrap_err();
            assert!(error.to_string().contains("a proxy of a value"), "{error}");
        }
    }
}
