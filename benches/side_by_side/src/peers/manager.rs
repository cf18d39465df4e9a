//! This crate's managers: what `ours` measures with them, and the two ways that have no peer's name of their own.

use aioprocessing::{AioDict, AioManager, AioQueue, AuthKey};
use tokio::task::JoinSet;

use super::ours::beside;
use super::{Measure, Peer, here};
use crate::cases::manager_calls::AT_ONCE;
use crate::measure::{Setting, Trips, consume, message, number, on_one_thread, produce, rate};
use crate::place::Mode;

/// All that would be under way at once as one call.
pub const MANY: Peer = Peer {
    name: "aioprocessing, many in one call",
    check: here,
    measures: &[("manager_calls", in_one_call as Measure)],
    except: &[],
    child: None,
};

/// A queue that has nothing to do with a manager.
pub const HANDED_OVER: Peer = Peer {
    name: "aioprocessing, handed over",
    check: here,
    measures: &[("registry_queue", handed_over as Measure)],
    except: &[],
    child: None,
};

const KEY: &[u8] = b"side by side";

/// A manager in its place, and this process in its own.
fn manager(mode: Mode) -> AioManager {
    mode.take_place(false);
    let manager = AioManager::builder().authkey(KEY).start().unwrap();
    mode.take_place(true);
    manager
}

type Dict = AioDict<u64, Vec<u8>>;

/// Its manager stays for as long as the process.
fn dict(setting: &Setting) -> Dict {
    let manager = manager(setting.mode);
    let dict = manager.dict().unwrap();
    std::mem::forget(manager);
    dict
}

/// What the call before has left, as that number.
fn check(value: Option<Vec<u8>>, setting: &Setting, expected: Option<u64>) {
    assert_eq!(value.map(|value| number(&value, setting.payload)), expected);
}

pub fn trips(setting: &Setting) -> f64 {
    let (dict, mut trips) = (dict(setting), Trips::new(setting.time));
    for turn in 0_u64.. {
        let last = turn.checked_sub(1).map(|last| last & !1);
        if turn % 2 == 0 {
            let before = dict.insert(&1, &message(turn, setting.payload)).unwrap();
            check(before, setting, last);
        } else {
            check(dict.get(&1).unwrap(), setting, last);
        }
        if let Some(median) = trips.end() {
            return median;
        }
    }
    unreachable!()
}

pub fn coro_trips(setting: &Setting) -> f64 {
    let (dict, mut trips) = (dict(setting), Trips::new(setting.time));
    on_one_thread().block_on(async {
        for turn in 0_u64.. {
            let last = turn.checked_sub(1).map(|last| last & !1);
            if turn % 2 == 0 {
                let before = dict.coro_insert(&1, &message(turn, setting.payload)).await.unwrap();
                check(before, setting, last);
            } else {
                check(dict.coro_get(&1).await.unwrap(), setting, last);
            }
            if let Some(median) = trips.end() {
                return median;
            }
        }
        unreachable!()
    })
}

pub fn one_by_one(setting: &Setting) -> f64 {
    let dict = dict(setting);
    let turn = || {
        for key in 0..AT_ONCE as u64 / 2 {
            dict.insert(&key, &message(key, setting.payload)).unwrap();
            check(dict.get(&key).unwrap(), setting, Some(key));
        }
    };
    rate(setting.time, 1, turn) * AT_ONCE as f64
}

pub fn coro_many(setting: &Setting) -> f64 {
    let (dict, runtime, setting) = (dict(setting), on_one_thread(), *setting);
    let turn = || {
        runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for key in 0..AT_ONCE as u64 / 2 {
                let dict = dict.clone();
                tasks.spawn(async move {
                    let value = message(key, setting.payload);
                    // It follows the other over the one connection.
                    let (_, got) = tokio::join!(dict.coro_insert(&key, &value), dict.coro_get(&key));
                    check(got.unwrap(), &setting, Some(key));
                });
            }
            tasks.join_all().await;
        });
    };
    rate(setting.time, 1, turn) * AT_ONCE as f64
}

fn in_one_call(setting: &Setting) -> f64 {
    let dict = dict(setting);
    let keys: Vec<u64> = (0..AT_ONCE as u64 / 2).collect();
    let turn = || {
        let items: Vec<_> = keys.iter().map(|&key| (key, message(key, setting.payload))).collect();
        dict.extend(&items).unwrap();
        for (key, value) in dict.get_many(&keys).unwrap().into_iter().enumerate() {
            check(value, setting, Some(key as u64));
        }
    };
    rate(setting.time, 1, turn) * AT_ONCE as f64
}

type Messages = AioQueue<Vec<u8>>;

fn queue() -> Messages {
    AioQueue::bounded(1024).unwrap()
}

fn put_all(mode: String, payload: usize, queue: Messages) {
    let mode = Mode::of(&mode);
    mode.take_place(false);
    let setting = Setting { case: "", payload, mode, time: std::time::Duration::MAX, role: 1 };
    produce(&setting, |message| queue.put(message).is_ok());
}

fn put_all_by_name(mode: String, payload: usize, address: String) {
    let manager = AioManager::connect(address, AuthKey::from(KEY)).unwrap();
    put_all(mode, payload, manager.get("queue").unwrap());
}

pub fn by_name(setting: &Setting) -> f64 {
    let manager = manager(setting.mode);
    manager.register("queue", &queue()).unwrap();
    let queue: Messages = manager.get("queue").unwrap();
    let args = (setting.mode.name().to_owned(), setting.payload, manager.address().to_string());
    let _producer = beside(put_all_by_name, args);
    consume(setting, || queue.get().unwrap())
}

fn handed_over(setting: &Setting) -> f64 {
    // As far from its manager as the other is near.
    let _manager = manager(setting.mode);
    let queue = queue();
    let _producer = beside(put_all, (setting.mode.name().to_owned(), setting.payload, queue.clone()));
    consume(setting, || queue.get().unwrap())
}
