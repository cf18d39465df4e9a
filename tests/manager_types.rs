//! What each kind of object of a manager can do, in both faces, locally and over TCP.

mod kit;

use std::collections::BTreeMap;
use std::time::Duration;

use aioprocessing::{Address, AioDict, AioList, AioManagedArray, AioManagedValue, AioManager, ProxyError};
use kit::either::either;
use kit::sides::Side;

aioprocessing::test_support!();

/// A manager that is reached by a local socket, and one by TCP.
fn managers() -> [AioManager; 2] {
    let start = |address: Address| AioManager::builder().address(address).authkey(b"key").start().unwrap();
    [Address::private().unwrap(), "tcp:127.0.0.1:0".parse().unwrap()].map(start)
}

#[test]
fn what_a_dict_can_do() {
    for &side in Side::ALL {
        for manager in managers() {
            let dict: AioDict<u32, String> = either!(side, manager.dict(), manager.coro_dict()).unwrap();
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
            let gone =
                either!(side, dict.remove_many(&[8, 5, 9]), dict.coro_remove_many(&[8, 5, 9])).unwrap();
            assert_eq!(gone, [Some(text(8)), None, Some(text(9))]);
            dict.update(&7, |_| None).unwrap();
            dict.update(&5, |old| old.or(Some("new".to_owned()))).unwrap();
            assert_eq!(dict.get_many(&[5, 7]).unwrap(), [Some("new".to_owned()), None]);
            either!(side, dict.clear(), dict.coro_clear()).unwrap();
            assert_eq!(dict.len().unwrap(), 0);
        }
    }
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
            list.update_all_timeout(sort, Duration::from_secs(60)).unwrap();
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

#[test]
fn what_an_array_can_do() {
    for &side in Side::ALL {
        for manager in managers() {
            let items = || (0..10).map(f64::from);
            let array = either!(side, manager.array(items()), manager.coro_array(items())).unwrap();
            manager.register("array", &array).unwrap();
            let array: AioManagedArray<f64> = manager.get("array").unwrap();
            assert_eq!(either!(side, array.get(3), array.coro_get(3)).unwrap(), 3.0);
            either!(side, array.set(3, &0.5), array.coro_set(3, &0.5)).unwrap();
            either!(side, array.update(3, |x| x * 2.0), array.coro_update(3, |x| x * 2.0)).unwrap();
            let some = [7.0, 8.0];
            either!(side, array.set_many(8, &some), array.coro_set_many(8, &some)).unwrap();
            assert_eq!(either!(side, array.range(7..99), array.coro_range(7..99)).unwrap(), [7.0, 7.0, 8.0]);
            // All or none: it keeps its length.
            let too_far = either!(side, array.set_many(9, &some), array.coro_set_many(9, &some)).unwrap_err();
            assert!(matches!(too_far, ProxyError::OutOfRange { length: 10 }), "{too_far}");
            assert!(array.set(10, &0.0).is_err() && array.get(usize::MAX).is_err());
            assert!(array.set_many(usize::MAX, &some).is_err());
            let all = either!(side, array.to_vec(), array.coro_to_vec()).unwrap();
            assert_eq!(all, [0.0, 1.0, 2.0, 1.0, 4.0, 5.0, 6.0, 7.0, 7.0, 8.0]);
            assert_eq!(either!(side, array.len(), array.coro_len()).unwrap(), 10);
            assert!(!array.is_empty().unwrap());
            let error = manager.get::<AioList<f64>>("array").unwrap_err();
            assert!(error.to_string().contains("AioManagedArray"), "{error}");
        }
    }
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
