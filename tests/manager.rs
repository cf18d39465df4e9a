//! The registry of managers: cases 156, 159, 160 and 162, D17, in both faces.

mod kit;

use std::process::Command;
use std::time::Duration;

use aioprocessing::{
    AcquireError, Address, AioArray, AioBarrier, AioBoundedSemaphore, AioCondition, AioConnection, AioEvent,
    AioJoinableQueue, AioLeaseQueue, AioLock, AioManager, AioMutex, AioPipe, AioProcess, AioQueue, AioRLock,
    AioRwLock, AioSemaphore, AioSimpleQueue, AioValue, AuthKey, GetHandleError, ManagerError, ProxyError,
    RegisterError, SharedMemory,
};
use kit::Watchdog;
use kit::either::either;
use kit::sides::{Side, each, start};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

aioprocessing::test_support!();

fn get<T: DeserializeOwned>(side: Side, manager: &AioManager, name: &str) -> Result<T, GetHandleError> {
    either!(side, manager.get(name), manager.coro_get(name))
}

fn register<T: Serialize>(
    side: Side,
    manager: &AioManager,
    name: &str,
    handle: &T,
) -> Result<(), RegisterError> {
    either!(side, manager.register(name, handle), manager.coro_register(name, handle))
}

fn connect(side: Side, address: &Address, key: &AuthKey) -> Result<AioManager, ManagerError> {
    either!(side, AioManager::connect(address, key), AioManager::coro_connect(address, key))
}

fn names(side: Side, manager: &AioManager) -> Result<Vec<String>, ManagerError> {
    either!(side, manager.names(), manager.coro_names())
}

type Job = (u64, String);

fn work(side: Side, address: Address, key: AuthKey) -> u64 {
    let manager = connect(side, &address, &key).unwrap();
    let jobs: AioQueue<Job> = get(side, &manager, "jobs").unwrap();
    let results: AioQueue<u64> = get(side, &manager, "results").unwrap();
    while let Ok((n, text)) = either!(side, jobs.get(), jobs.coro_get()) {
        results.put(n + text.len() as u64).unwrap();
    }
    results.len() as u64
}

#[test]
fn a_queue_by_its_name() {
    each("a_queue_by_its_name", |side, place, _| {
        let manager = AioManager::start().unwrap();
        let (jobs, results) = (AioQueue::<Job>::bounded(4).unwrap(), AioQueue::<u64>::unbounded().unwrap());
        register(side, &manager, "jobs", &jobs).unwrap();
        register(side, &manager, "results", &results).unwrap();
        assert_eq!(names(side, &manager).unwrap(), ["jobs", "results"]);
        let (address, key) = (manager.address().clone(), manager.authkey().clone());
        let worker = start!(place, work, (side, address, key));
        for n in 0..100 {
            jobs.put((n, "abc".to_owned())).unwrap();
        }
        let got: Vec<u64> = (0..100).map(|_| results.get().unwrap()).collect();
        assert_eq!(got, (3..103).collect::<Vec<_>>());
        jobs.close();
        assert_eq!(worker.join(), 0);
    });
}

/// Not a child, nor anything else that this program knows: what `an_unrelated_program` runs.
#[test]
#[ignore = "it is the other program"]
fn the_other_program() {
    let Ok(address) = std::env::var("MANAGER_OF_A_TEST") else { return };
    let manager = AioManager::connect(address, b"of this test").unwrap();
    let jobs: AioQueue<Job> = manager.get("jobs").unwrap();
    let done: AioEvent = manager.get("done").unwrap();
    let total: AioValue<u64> = manager.get("total").unwrap();
    // From here on the manager is ended by the one who asks.
    manager.get::<AioEvent>("got").unwrap().set();
    while let Ok((n, _)) = jobs.get() {
        total.fetch_add(n);
    }
    done.set();
}

#[test]
fn an_unrelated_program_goes_on_without_the_manager() {
    let watchdog = Watchdog::new("an_unrelated_program_goes_on_without_the_manager");
    let manager = AioManager::builder().authkey(b"of this test").name("Names").start().unwrap();
    let jobs = AioQueue::<Job>::unbounded().unwrap();
    let (done, got) = (AioEvent::new().unwrap(), AioEvent::new().unwrap());
    let total = AioValue::new(0_u64).unwrap();
    manager.register("jobs", &jobs).unwrap();
    manager.register("done", &done).unwrap();
    manager.register("got", &got).unwrap();
    manager.register("total", &total).unwrap();
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_other_program", "--ignored"])
        .env("MANAGER_OF_A_TEST", manager.address().to_string())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    watchdog.step("the other program gets its handles");
    got.wait().unwrap();
    let pid = manager.pid().unwrap();
    manager.shutdown().unwrap();
    assert!(kit::is_dead(pid));
    for n in 1..=100 {
        jobs.put((n, String::new())).unwrap();
    }
    jobs.close();
    watchdog.step("the other program works");
    done.wait().unwrap();
    assert_eq!(total.get(), 5050);
    assert!(other.wait().unwrap().success());
    assert!(manager.names().unwrap_err().is_closed());
}

/// A program's own type: not a handle, but full of them.
#[derive(Serialize, Deserialize)]
struct Shared {
    rlock: AioRLock,
    mutex: AioMutex<u64>,
    rwlock: AioRwLock,
    permits: AioSemaphore,
    bounded: AioBoundedSemaphore,
    condition: AioCondition,
    barrier: AioBarrier,
    array: AioArray<i32>,
    joinable: AioJoinableQueue<String>,
    simple: AioSimpleQueue<u8>,
    lease: AioLeaseQueue<u16>,
    memory: SharedMemory,
}

fn use_all(address: Address, key: AuthKey) {
    let manager = AioManager::connect(address, key).unwrap();
    let shared: Shared = manager.get("all").unwrap();
    let _again = shared.rlock.acquire().unwrap();
    *shared.mutex.lock().unwrap() += 1;
    drop(shared.rwlock.write().unwrap());
    shared.permits.acquire().unwrap().forget();
    assert!(shared.bounded.try_acquire().is_ok());
    shared.array.set(1, 7).unwrap();
    shared.simple.put(3).unwrap();
    assert_eq!(shared.joinable.get().unwrap(), "task");
    shared.joinable.task_done().unwrap();
    assert_eq!(shared.lease.get().unwrap().attempts(), 1);
    assert_eq!(shared.memory.size(), 4096);
    drop(shared.condition.lock().unwrap());
    shared.barrier.wait().unwrap();
}

#[test]
fn case_155_handles_of_all_kinds() {
    each("case_155_handles_of_all_kinds", |_, place, _| {
        let manager = AioManager::start().unwrap();
        let shared = Shared {
            rlock: AioRLock::new().unwrap(),
            mutex: AioMutex::new(1).unwrap(),
            rwlock: AioRwLock::new().unwrap(),
            permits: AioSemaphore::new(2).unwrap(),
            bounded: AioBoundedSemaphore::new(1).unwrap(),
            condition: AioCondition::new().unwrap(),
            barrier: AioBarrier::new(2).unwrap(),
            array: AioArray::zeroed(3).unwrap(),
            joinable: AioJoinableQueue::unbounded().unwrap(),
            simple: AioSimpleQueue::new().unwrap(),
            lease: AioQueue::builder().lease(3).build::<u16>().unwrap(),
            memory: SharedMemory::create_anonymous(4096).unwrap(),
        };
        manager.register("all", &shared).unwrap();
        shared.joinable.put("task".to_owned()).unwrap();
        shared.lease.put(5).unwrap();
        let other = start!(place, use_all, (manager.address(), manager.authkey()));
        shared.barrier.wait().unwrap();
        other.join();
        assert_eq!(*shared.mutex.lock().unwrap(), 2);
        assert_eq!(shared.permits.permits(), 1);
        assert_eq!(shared.array.get(1), Some(7));
        assert_eq!(shared.simple.get().unwrap(), 3);
        shared.joinable.join().unwrap();
    });
}

#[test]
fn what_is_asked_for_must_be_what_is_there() {
    for &side in Side::ALL {
        let manager = AioManager::start().unwrap();
        let queue = AioQueue::<u64>::unbounded().unwrap();
        register(side, &manager, "jobs", &queue).unwrap();

        let error = get::<AioEvent>(side, &manager, "jobs").unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, GetHandleError::WrongKind { .. }), "{text}");
        assert!(text.contains("AioQueue<u64>") && text.contains("AioEvent"), "{text}");
        let error = get::<AioJoinableQueue<u64>>(side, &manager, "jobs").unwrap_err();
        assert!(matches!(error, GetHandleError::WrongKind { .. }), "{error}");
        let error = get::<AioQueue<u64>>(side, &manager, "job").unwrap_err();
        assert!(error.is_not_found() && error.to_string().contains("\"job\""), "{error}");

        // Another item is seen when one is got.
        let wrong: AioQueue<String> = get(side, &manager, "jobs").unwrap();
        queue.put(7).unwrap();
        assert!(wrong.get().unwrap_err().to_string().contains("String"));

        // Another layout.
        register(side, &manager, "value", &AioValue::new(1_u64).unwrap()).unwrap();
        let error = get::<AioValue<[u64; 4]>>(side, &manager, "value").unwrap_err();
        assert!(matches!(error, GetHandleError::Decode { .. }), "{error}");

        // Plain messages may be registered as well.
        register(side, &manager, "limits", &(3_u32, "three".to_owned())).unwrap();
        assert_eq!(get::<(u32, String)>(side, &manager, "limits").unwrap(), (3, "three".to_owned()));
        assert!(matches!(
            get::<Vec<String>>(side, &manager, "limits").unwrap_err(),
            GetHandleError::Decode { .. }
        ));
    }
}

#[cfg(feature = "bincode")]
#[test]
fn a_queue_of_another_codec_is_an_error() {
    let manager = AioManager::start().unwrap();
    let queue = AioQueue::builder().codec::<aioprocessing::Bincode>().build::<Job>().unwrap();
    manager.register("jobs", &queue).unwrap();
    let error = manager.get::<AioQueue<Job>>("jobs").unwrap_err();
    assert!(matches!(error, GetHandleError::Decode { .. }), "{error}");
    manager.get::<AioQueue<Job, aioprocessing::Bincode>>("jobs").unwrap();
}

#[test]
fn a_name_is_taken_replaced_and_forgotten() {
    for &side in Side::ALL {
        let manager = AioManager::start().unwrap();
        let (one, other) = (AioValue::new(1_u8).unwrap(), AioValue::new(2_u8).unwrap());
        register(side, &manager, "value", &one).unwrap();
        let error = register(side, &manager, "value", &other).unwrap_err();
        assert!(
            matches!(&error, RegisterError::Taken { name, kind } if name == "value" && kind == "AioValue<u8>")
        );
        assert_eq!(get::<AioValue<u8>>(side, &manager, "value").unwrap().get(), 1);
        either!(side, manager.replace("value", &other), manager.coro_replace("value", &other)).unwrap();
        assert_eq!(get::<AioValue<u8>>(side, &manager, "value").unwrap().get(), 2);
        assert!(either!(side, manager.unregister("value"), manager.coro_unregister("value")).unwrap());
        assert!(!either!(side, manager.unregister("value"), manager.coro_unregister("value")).unwrap());
        assert!(get::<AioValue<u8>>(side, &manager, "value").unwrap_err().is_not_found());
        assert!(names(side, &manager).unwrap().is_empty());
    }
}

/// In a process of its own: it must be the only one that opens anything.
fn get_in_want(side: Side, manager: AioManager) {
    #[cfg(feature = "tokio")]
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let get = || match side {
        #[cfg(feature = "tokio")]
        Side::Coro => runtime.block_on(manager.coro_get("value")),
        _ => manager.get::<AioValue<u8>>("value"),
    };
    let texts = manager.dict::<u8, String>().unwrap();
    texts.insert(&1, &"one".to_owned()).unwrap();
    // Whatever the first question needs is there from now on.
    assert_eq!(get().unwrap().get(), 5);
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..before }).unwrap();
    let file = std::fs::File::open("/dev/null").unwrap();
    let mut open: Vec<_> = std::iter::from_fn(|| file.try_clone().ok()).collect();
    // One is for the wait itself.
    open.pop();
    let error = get().unwrap_err();
    assert!(error.to_string().contains("descriptor"), "{error}");
    drop(open);
    setrlimit(Resource::Nofile, before).unwrap();
    assert_eq!(get().unwrap().get(), 5);
    assert_eq!(texts.get(&1).unwrap().as_deref(), Some("one"), "what had begun before goes on");
}

#[test]
fn a_client_short_of_descriptors_goes_on_later() {
    let watchdog = Watchdog::new("a_client_short_of_descriptors");
    for &side in Side::ALL {
        watchdog.step(format!("{side:?}"));
        let manager = AioManager::start().unwrap();
        register(side, &manager, "value", &AioValue::new(5_u8).unwrap()).unwrap();
        AioProcess::spawn(get_in_want, (side, manager.clone())).unwrap().join().unwrap();
    }
}

/// A long answer is a file. Without a descriptor for it who asked is told, and nobody's connection ends.
#[test]
fn a_manager_short_of_descriptors_says_so() {
    let watchdog = Watchdog::new("a_manager_short_of_descriptors");
    for &side in Side::ALL {
        watchdog.step(format!("{side:?}"));
        let manager = AioManager::start().unwrap();
        let (long, short) = (manager.value(&"x".repeat(1 << 20)).unwrap(), manager.value(&5_u8).unwrap());
        let get = || either!(side, long.get(), long.coro_get());
        assert_eq!(get().unwrap().len(), 1 << 20);

        let pid = Pid::from_raw(manager.pid().unwrap().cast_signed());
        let none = Rlimit { current: Some(0), ..getrlimit(Resource::Nofile) };
        let before = prlimit(pid, Resource::Nofile, none).unwrap();
        let error = get().unwrap_err();
        assert!(matches!(error, ProxyError::Manager(ManagerError::Refused { .. })), "{error:?}");
        assert!(error.to_string().contains("os error 24"), "{error}");
        assert_eq!(short.get().unwrap(), 5);
        prlimit(pid, Resource::Nofile, before).unwrap();
        assert_eq!(get().unwrap().len(), 1 << 20);
    }
}

/// The end of a pipe goes to the manager, and from there to whoever gets it.
#[test]
fn an_end_of_a_pipe_by_its_name() {
    let _watchdog = Watchdog::new("an_end_of_a_pipe_by_its_name");
    let manager = AioManager::start().unwrap();
    let (ours, theirs) = AioPipe::<String, u32>::duplex().unwrap();
    let kept = AioPipe::<u8, u8>::duplex().unwrap();
    manager.register("end", &theirs).unwrap();
    assert!(theirs.send(&1).unwrap_err().is_moved());
    // Refused, it stays.
    manager.register("end", &kept.0).unwrap_err();
    kept.0.send(&1).unwrap();
    let child = AioProcess::spawn(
        |manager: AioManager| {
            let end: AioConnection<u32, String> = manager.get("end").unwrap();
            end.send(&(end.recv().unwrap().len() as u32)).unwrap();
        },
        (manager.clone(),),
    );
    ours.send(&"four".to_owned()).unwrap();
    assert_eq!(ours.recv().unwrap(), 4);
    child.unwrap().join().unwrap();
    assert!(manager.unregister("end").unwrap());
    assert!(ours.recv().unwrap_err().is_closed());
}

fn hold_and_tell(manager: AioManager, held: AioEvent) {
    let lock: AioLock = manager.get("lock").unwrap();
    let _guard = lock.acquire().unwrap();
    held.set();
    kit::sleep_for_ever();
}

/// Case 159, for a lock in shared memory: every process that got it is one of its own.
#[test]
fn case_159_a_client_is_killed_with_the_lock() {
    for &side in Side::ALL {
        let watchdog = Watchdog::new("case_159_a_client_is_killed_with_the_lock");
        let manager = AioManager::start().unwrap();
        // Not a holder itself, so that the two children meet by the registry alone.
        let maker = AioProcess::spawn(
            |manager: AioManager| manager.register("lock", &AioLock::new().unwrap()).unwrap(),
            (manager.clone(),),
        );
        maker.unwrap().join().unwrap();
        let held = AioEvent::new().unwrap();
        let child = AioProcess::builder().daemon(true);
        let child = child.spawn(hold_and_tell, (manager.clone(), held.clone())).unwrap();
        held.wait().unwrap();
        let lock: AioLock = get(side, &manager, "lock").unwrap();
        assert_eq!(lock.owner().unwrap().pid, child.pid());
        assert!(lock.try_acquire().is_err());
        child.kill().unwrap();
        watchdog.step("the lock of the dead");
        let taken = either!(side, lock.acquire(), lock.coro_acquire());
        assert!(matches!(taken, Err(AcquireError::OwnerDied(_))));
    }
}

/// Case 162: what A made reaches B after A has ended.
#[test]
fn case_162_made_by_a_child_that_has_ended() {
    let _watchdog = Watchdog::new("case_162_made_by_a_child_that_has_ended");
    let manager = AioManager::start().unwrap();
    let make = |manager: AioManager| {
        let queue = AioQueue::<String>::unbounded().unwrap();
        manager.register("queue", &queue).unwrap();
        queue.put("left behind".to_owned()).unwrap();
    };
    AioProcess::spawn(make, (manager.clone(),)).unwrap().join().unwrap();
    let take = |manager: AioManager| manager.get::<AioQueue<String>>("queue").unwrap().get().unwrap();
    let taken = AioProcess::spawn(take, (manager.clone(),)).unwrap().join().unwrap();
    assert_eq!(taken, "left behind");
}

#[test]
fn case_156_over_tcp_with_a_key() {
    for &side in Side::ALL {
        let _watchdog = Watchdog::new("case_156_over_tcp_with_a_key");
        let start = |address: String| AioManager::builder().address(address).authkey(b"right").start();
        let manager = start("tcp:127.0.0.1:0".to_owned()).unwrap();
        let address = manager.address().clone();
        let error = connect(side, &address, &AuthKey::from(b"wrong")).unwrap_err();
        assert!(matches!(error, ManagerError::Connect(_)), "{error}");
        assert!(start(address.to_string()).unwrap_err().is_in_use());

        let client = connect(side, &address, &AuthKey::from(b"right")).unwrap();
        register(side, &client, "greeting", &"hello".to_owned()).unwrap();
        assert_eq!(get::<String>(side, &client, "greeting").unwrap(), "hello");
        // Shared memory does not leave the machine.
        let queue = AioQueue::<u8>::unbounded().unwrap();
        let error = register(side, &client, "queue", &queue).unwrap_err();
        assert!(matches!(error, RegisterError::Encode(_)), "{error}");

        // Another one at the same port, at once.
        manager.shutdown().unwrap();
        assert!(names(side, &client).unwrap_err().is_closed());
        let again = start(address.to_string()).unwrap();
        assert_eq!(names(side, &client).unwrap(), [""; 0]);
        drop(again);
    }
    let error = AioManager::builder().address("tcp:127.0.0.1:0").authkey(AuthKey::none()).start();
    assert!(error.unwrap_err().to_string().contains("needs a key"));
}

#[test]
fn what_is_kept_here_does_not_go_over_tcp() {
    // The address is one of TCP, and what is registered has come by the pipe of nobody: a plain value goes, a handle says why not.
    let manager = AioManager::builder().address("tcp:127.0.0.1:0").authkey(b"key").start().unwrap();
    let error = manager.register("event", &AioEvent::new().unwrap()).unwrap_err();
    assert!(error.to_string().contains("TCP"), "{error}");
}

/// Case 160.
#[test]
fn case_160_a_manager_is_killed() {
    for &side in Side::ALL {
        let watchdog = Watchdog::new("case_160_a_manager_is_killed");
        for address in ["tcp:127.0.0.1:0".to_owned(), Address::private().unwrap().to_string()] {
            let manager = AioManager::builder().address(address).authkey(b"key").start().unwrap();
            let pid = manager.pid().unwrap();
            let client = connect(side, manager.address(), &AuthKey::from(b"key")).unwrap();
            names(side, &client).unwrap();
            kit::signal(pid, rustix::process::Signal::STOP);
            let asking = std::thread::spawn({
                let client = client.clone();
                move || names(side, &client)
            });
            let begun = Duration::from_millis(20);
            // It may be asked before or after: an end is an end.
            std::thread::sleep(begun);
            kit::kill(pid);
            watchdog.step("a question to a dead manager");
            let error = asking.join().unwrap().unwrap_err();
            assert!(error.is_closed(), "{error:?}");
            let error = get::<u8>(side, &client, "x").unwrap_err();
            assert!(error.is_closed(), "{error:?}");
            assert!(register(side, &client, "x", &1).unwrap_err().is_closed());
            assert!(connect(side, manager.address(), &AuthKey::from(b"key")).unwrap_err().is_closed());
        }
    }
}

#[test]
fn a_stopped_manager_costs_the_time_that_was_given() {
    let _watchdog = Watchdog::new("a_stopped_manager_costs_the_time_that_was_given");
    let manager = AioManager::start().unwrap();
    manager.register("one", &1_u8).unwrap();
    let pid = manager.pid().unwrap();
    kit::signal(pid, rustix::process::Signal::STOP);
    let time = Duration::from_millis(30);
    assert!(manager.get_timeout::<u8>("one", time).unwrap_err().is_timeout());
    assert!(manager.register_timeout("two", &2_u8, time).unwrap_err().is_timeout());
    let error = AioManager::connect_timeout(manager.address(), manager.authkey(), time).unwrap_err();
    assert!(error.is_timeout());
    kit::signal(pid, rustix::process::Signal::CONT);
    assert_eq!(manager.get::<u8>("one").unwrap(), 1);
}

#[cfg(feature = "tokio")]
#[test]
fn a_question_that_is_dropped_takes_nobodys_answer() {
    let _watchdog = Watchdog::new("a_question_that_is_dropped_takes_nobodys_answer");
    let manager = AioManager::start().unwrap();
    for n in 0..20_u32 {
        manager.register(&n.to_string(), &n).unwrap();
    }
    kit::runtime().block_on(async {
        for n in 0..20_u32 {
            // Sent, and dropped with the answer under way.
            let mut dropped = Box::pin(manager.coro_get::<u32>("7"));
            std::future::poll_fn(|cx| {
                let _ = dropped.as_mut().poll(cx);
                std::task::Poll::Ready(())
            })
            .await;
            drop(dropped);
            assert_eq!(manager.coro_get::<u32>(&n.to_string()).await.unwrap(), n);
        }
        let manager = &manager;
        let all = (0..20_u32).map(|n| async move { manager.coro_get::<u32>(&n.to_string()).await.unwrap() });
        let mut all: Vec<_> = all.map(Box::pin).collect();
        let mut got = Vec::new();
        for one in &mut all {
            got.push(one.await);
        }
        assert_eq!(got, (0..20).collect::<Vec<_>>());
    });
}

/// D17: whichever way its parent dies.
#[test]
fn d17_a_manager_dies_with_its_parent() {
    let _watchdog = Watchdog::new("d17_a_manager_dies_with_its_parent");
    let numbers = AioQueue::<u32>::unbounded().unwrap();
    let child = AioProcess::spawn(
        |numbers: AioQueue<u32>| {
            let manager = AioManager::start().unwrap();
            numbers.put(manager.pid().unwrap()).unwrap();
            kit::sleep_for_ever();
        },
        (numbers.clone(),),
    )
    .unwrap();
    let server = numbers.get().unwrap();
    assert!(!kit::is_dead(server));
    child.kill().unwrap();
    kit::until("the end of the manager", || kit::is_dead(server));
    // And with its last handle, and not before.
    let manager = AioManager::start().unwrap();
    let (clone, server) = (manager.clone(), manager.pid().unwrap());
    drop(manager);
    clone.names().unwrap();
    drop(clone);
    kit::until("the end of the manager", || kit::is_dead(server));
}

#[test]
fn who_is_no_manager_is_told_apart() {
    let _watchdog = Watchdog::new("who_is_no_manager_is_told_apart");
    let listener =
        aioprocessing::AioListener::<u64, Vec<u8>>::bind(Address::private().unwrap(), b"key").unwrap();
    let address = listener.address().clone();
    let listening = std::thread::spawn(move || {
        let connection = listener.accept().unwrap();
        connection.recv_bytes().unwrap();
        connection.send(&7).unwrap();
        assert!(connection.recv_bytes().unwrap_err().is_closed());
    });
    let error = AioManager::connect(address, b"key").unwrap_err();
    assert!(matches!(error, ManagerError::NotAManager), "{error}");
    listening.join().unwrap();
}
