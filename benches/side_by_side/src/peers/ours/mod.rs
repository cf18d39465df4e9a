//! This crate: its blocking face, and the other on a runtime of one thread and of two.

mod death;
mod pipe;
mod pool;
mod queue;
mod spawn;
mod sync;
mod waiting;

use aioprocessing::{AioProcess, ProcessFn};

use super::{Measure, Peer, here, manager};
use crate::measure::{Setting, on_one_thread, on_threads};

pub use pool::burn;

pub const BLOCKING: Peer = Peer {
    name: "aioprocessing",
    check: here,
    measures: &[
        ("throughput", queue::throughput as Measure),
        ("batches", queue::batches as Measure),
        ("two_to_two", queue::two_to_two as Measure),
        ("round_trip", queue::round_trip as Measure),
        ("pipe_round_trip", pipe::round_trip as Measure),
        ("lock_free", sync::lock_free as Measure),
        ("lock_contended", sync::lock_contended as Measure),
        ("event", sync::event as Measure),
        ("spawn", spawn::spawn as Measure),
        ("pool_tiny", |setting| pool::map(setting, None)),
        ("pool_one_by_one", |setting| pool::map(setting, Some(1))),
        ("pool_10us", pool::short as Measure),
        ("pool_1ms", pool::milliseconds as Measure),
        ("holder_killed_p50", death::holder_killed as Measure),
        ("holder_killed_p99", death::holder_killed as Measure),
        ("idle_waiter", waiting::idle_waiter as Measure),
        ("manager_dict", manager::trips as Measure),
        ("manager_calls", manager::one_by_one as Measure),
        ("registry_queue", manager::by_name as Measure),
    ],
    except: &[],
    child: None,
};

pub const ASYNC: Peer = Peer {
    name: "aioprocessing async",
    check: here,
    measures: &[
        ("throughput", |setting| queue::coro_throughput(setting, &on_one_thread())),
        ("batches", |setting| queue::coro_batches(setting, &on_one_thread())),
        ("two_to_two", |setting| queue::coro_two_to_two(setting, &on_one_thread())),
        ("round_trip", |setting| queue::coro_round_trip(setting, &on_one_thread())),
        ("pipe_round_trip", |setting| pipe::coro_round_trip(setting, &on_one_thread())),
        ("lock_free", |setting| sync::coro_lock_free(setting, &on_one_thread())),
        ("lock_contended", |setting| sync::coro_lock_contended(setting, &on_one_thread())),
        ("event", |setting| sync::coro_event(setting, &on_one_thread())),
        ("spawn", |setting| spawn::coro_spawn(setting, &on_one_thread())),
        ("pool_tiny", |setting| pool::coro_map(setting, None, &on_one_thread())),
        ("pool_one_by_one", |setting| pool::coro_map(setting, Some(1), &on_one_thread())),
        ("pool_10us", |setting| pool::coro_short(setting, &on_one_thread())),
        ("pool_1ms", |_| pool::coro_milliseconds(&on_one_thread())),
        ("holder_killed_p50", death::coro_holder_killed as Measure),
        ("holder_killed_p99", death::coro_holder_killed as Measure),
        ("idle_waiter", waiting::coro_idle_waiter as Measure),
        ("manager_dict", manager::coro_trips as Measure),
        ("manager_calls", manager::coro_many as Measure),
    ],
    except: &[],
    child: None,
};

pub const ASYNC_THREADS: Peer = Peer {
    name: "aioprocessing async, two threads",
    check: here,
    measures: &[
        ("throughput", |setting| queue::coro_throughput(setting, &on_threads())),
        ("two_to_two", |setting| queue::coro_two_to_two(setting, &on_threads())),
        ("round_trip", |setting| queue::coro_round_trip(setting, &on_threads())),
        ("pipe_round_trip", |setting| pipe::coro_round_trip(setting, &on_threads())),
        ("lock_free", |setting| sync::coro_lock_free(setting, &on_threads())),
        ("lock_contended", |setting| sync::coro_lock_contended(setting, &on_threads())),
        ("event", |setting| sync::coro_event(setting, &on_threads())),
        ("pool_tiny", |setting| pool::coro_map(setting, None, &on_threads())),
        ("pool_one_by_one", |setting| pool::coro_map(setting, Some(1), &on_threads())),
        ("pool_10us", |setting| pool::coro_short(setting, &on_threads())),
        ("pool_1ms", |_| pool::coro_milliseconds(&on_threads())),
    ],
    except: &[],
    child: None,
};

/// The part of a spawn that is left where a child waits already.
pub const RESERVE: Peer = Peer {
    name: "aioprocessing, a waiting child",
    check: here,
    measures: &[("spawn", spawn::wake as Measure)],
    except: &[],
    child: None,
};

/// What a child needs to know of where it is: its mode, the length of messages, its role.
type Place = (String, usize, usize);

fn place(setting: &Setting, role: usize) -> Place {
    (setting.mode.name().to_owned(), setting.payload, role)
}

/// A child that ends with the process that measures.
pub fn beside<A>(f: impl ProcessFn<A, Output = ()>, args: A) -> AioProcess<()>
where
    A: serde::Serialize + serde::de::DeserializeOwned + 'static,
{
    AioProcess::builder().daemon(true).kill_on_drop(true).spawn(f, args).unwrap()
}

/// Takes the child's place and says what it is to do.
fn arrived((mode, payload, role): Place) -> Setting {
    let mode = crate::place::Mode::of(&mode);
    mode.take_place(role <= crate::board::CONSUMER);
    Setting { case: "", payload, mode, time: std::time::Duration::MAX, role }
}
