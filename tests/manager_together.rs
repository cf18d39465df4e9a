//! Many calls at once over one connection: what is asked together goes out together, and nobody depends on anybody else.

mod kit;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use aioprocessing::{
    Address, AioClient, AioConnection, AioDict, AioEvent, AioList, AioListener, AioManagedLock, AioManager,
    AioProcess, ManagerError,
};
use kit::Watchdog;
use serde::{Deserialize, Serialize};

aioprocessing::test_support!();

const KEY: &[u8] = b"key";
const MAGIC: [u8; 8] = *b"aiomanag";
/// Of what is only told.
const UNANSWERED: u64 = u64::MAX;

fn managers() -> [AioManager; 2] {
    let start = |address: Address| AioManager::builder().address(address).authkey(KEY).start().unwrap();
    [Address::private().unwrap(), "tcp:127.0.0.1:0".parse().unwrap()].map(start)
}

/// What a client says.
#[derive(Serialize, Deserialize)]
#[allow(dead_code, reason = "their numbers count")]
enum Ask {
    Hello([u8; 8], u32),
    Register,
    Get,
    Unregister,
    Names,
    Make,
    Call,
    Release,
    Cancel,
    Several(Vec<Vec<u8>>),
}

/// What a manager says.
#[derive(Serialize, Deserialize)]
#[allow(dead_code, reason = "their numbers count")]
enum Answer {
    Hello(([u8; 8], u32), u128),
    Done,
    Value,
    Names(Vec<String>),
    Missing,
    Taken,
    Stays,
    Refused,
    Made,
    Flag,
    Count,
    Values,
    Keys,
    Items,
    List,
    Failed,
    Granted,
    Item,
    Closed,
    OutOfRange,
    NoObject,
    Several(Vec<Vec<u8>>),
}

fn encoded<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap()
}

type Pretender = AioListener<(u64, Answer), (u64, Ask)>;

/// Somebody who speaks as a manager does, up to the first question.
fn pretender() -> (Pretender, Address) {
    let listener = AioListener::bind(Address::private().unwrap(), KEY).unwrap();
    let address = listener.address().clone();
    (listener, address)
}

fn greet(listener: &Pretender) -> AioConnection<(u64, Answer), (u64, Ask)> {
    let client = listener.accept().unwrap();
    let (id, hello) = client.recv().unwrap();
    assert!(matches!(hello, Ask::Hello(MAGIC, _)));
    client.send(&(id, Answer::Hello((MAGIC, 1), 7))).unwrap();
    client
}

/// Polls each of them once.
async fn once<F: Future>(futures: &mut [Pin<Box<F>>]) {
    poll_fn(|cx| {
        futures.iter_mut().for_each(|future| assert!(future.as_mut().poll(cx).is_pending()));
        Poll::Ready(())
    })
    .await;
}

#[test]
fn what_is_asked_together_goes_out_together() {
    const MANY: usize = 60;
    let _watchdog = Watchdog::new("what_is_asked_together_goes_out_together");
    let (listener, address) = pretender();
    let manager = std::thread::spawn(move || {
        let client = greet(&listener);
        let (mut ids, mut messages) = (Vec::new(), 0);
        while ids.len() < MANY {
            messages += 1;
            match client.recv().unwrap() {
                (id, Ask::Names) => ids.push(id),
                (UNANSWERED, Ask::Several(parts)) => {
                    assert!(parts.len() <= 64);
                    ids.extend(parts.iter().map(
                        |part| match postcard::from_bytes::<(u64, Ask)>(part).unwrap() {
                            (id, Ask::Names) => id,
                            _ => panic!("another question"),
                        },
                    ));
                }
                _ => panic!("another question"),
            }
        }
        // In another order, and to nobody as well.
        ids.push(1 << 40);
        let answer = |id: &u64| encoded(&(*id, Answer::Names(vec![id.to_string()])));
        let answers = ids.iter().rev().map(answer).collect();
        client.send(&(UNANSWERED, Answer::Several(answers))).unwrap();
        messages
    });
    let client = AioManager::connect(address, KEY).unwrap();
    kit::runtime().block_on(async {
        let mut asked: Vec<_> = (0..MANY).map(|_| Box::pin(client.coro_names())).collect();
        once(&mut asked).await;
        let mut names = Vec::new();
        for one in asked {
            names.extend(one.await.unwrap());
        }
        // Each has its own.
        names.sort_unstable_by_key(|name| name.parse::<u64>().unwrap());
        names.dedup();
        assert_eq!(names.len(), MANY);
    });
    let messages = manager.join().unwrap();
    // The first goes when nobody else has asked yet.
    assert_eq!(messages, 2, "{MANY} questions were {messages} messages");
}

/// Several answers that are none, or that are several again: all are told, and at once, though the answer to what they asked is there as well.
#[test]
fn several_answers_that_are_none() {
    let watchdog = Watchdog::new("several_answers_that_are_none");
    let again = |id: u64| encoded(&(id, Answer::Several(vec![encoded(&(id, Answer::Done))])));
    for parts in [vec![vec![0xFF; 3]], vec![vec![]], vec![again(0)], vec![again(UNANSWERED)]] {
        watchdog.step(format!("{parts:?}"));
        let (listener, address) = pretender();
        let manager = std::thread::spawn(move || {
            let client = greet(&listener);
            let (id, _) = client.recv().unwrap();
            let own = encoded(&(id, Answer::Names(Vec::new())));
            client.send(&(UNANSWERED, Answer::Several([parts, vec![own]].concat()))).unwrap();
            // Until it is gone.
            while client.recv().is_ok() {}
        });
        let client = AioManager::connect(address, KEY).unwrap();
        assert!(matches!(client.names().unwrap_err(), ManagerError::NotAManager));
        drop(client);
        manager.join().unwrap();
    }
}

/// Questions that are several, and too many of them, or several again, or none at all.
#[test]
fn several_questions_that_are_none() {
    let watchdog = Watchdog::new("several_questions_that_are_none");
    for manager in managers() {
        let names = || encoded(&(1_u64, Ask::Names));
        let greeted = || {
            let client: AioConnection<(u64, Ask), (u64, Answer)> =
                AioClient::connect(manager.address(), KEY).unwrap();
            client.send(&(0, Ask::Hello(MAGIC, 1))).unwrap();
            client.recv().unwrap();
            client
        };
        let several = |parts: Vec<Vec<u8>>| (UNANSWERED, Ask::Several(parts));
        watchdog.step("as many as there may be, and none at all");
        let client = greeted();
        client.send(&several(Vec::new())).unwrap();
        client.send(&several(vec![names(); 64])).unwrap();
        let (_, answers) = client.recv().unwrap();
        assert!(matches!(answers, Answer::Several(answers) if answers.len() == 64));
        let nested = encoded(&several(vec![names()]));
        for parts in [vec![names(); 65], vec![names(), nested], vec![vec![0xFF; 3]], vec![vec![]]] {
            watchdog.step(format!("{} parts", parts.len()));
            let client = greeted();
            client.send(&several(parts)).unwrap();
            while let Ok(answer) = client.recv_bytes() {
                assert!(answer.len() < 64, "it was answered");
            }
            manager.names().unwrap();
        }
        watchdog.step("before a greeting");
        let client: AioConnection<(u64, Ask), ()> = AioClient::connect(manager.address(), KEY).unwrap();
        client.send(&several(vec![names()])).unwrap();
        assert!(client.recv_bytes().unwrap_err().is_closed());
    }
}

/// One that was polled once and is never polled again holds nobody up; nor does one that is dropped.
#[test]
fn nobody_depends_on_who_asked_first() {
    let watchdog = Watchdog::new("nobody_depends_on_who_asked_first");
    for manager in managers() {
        let list = manager.list::<u32>([]).unwrap();
        kit::runtime().block_on(async {
            let numbers: Vec<u32> = (0..4).collect();
            let mut pushes: Vec<_> = numbers.iter().map(|n| Box::pin(list.coro_push(n))).collect();
            once(&mut pushes).await;
            let mut pushes = pushes.into_iter();
            let (first, left, dropped, last) = (
                pushes.next().unwrap(),
                pushes.next().unwrap(),
                pushes.next().unwrap(),
                pushes.next().unwrap(),
            );
            // It was not sent, and is not any more.
            drop(dropped);
            watchdog.step("the last");
            last.await.unwrap();
            watchdog.step("the first");
            first.await.unwrap();
            assert_eq!(list.coro_to_vec().await.unwrap(), [0, 1, 3]);
            left.await.unwrap();
        });
    }
}

/// Tasks and threads of one process, of which each sees what it alone has written.
#[test]
fn threads_and_tasks_ask_together() {
    let _watchdog = Watchdog::new("threads_and_tasks_ask_together");
    for manager in managers() {
        let dict = manager.dict::<u32, u32>().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4_u32 {
                let dict = dict.clone();
                scope.spawn(move || {
                    for n in 0..100 {
                        assert_eq!(dict.insert(&thread, &n).unwrap(), n.checked_sub(1));
                    }
                });
            }
            let dict = &dict;
            let tasks = async move {
                let mut tasks = tokio::task::JoinSet::new();
                for task in 100..164_u32 {
                    let dict: AioDict<u32, u32> = dict.clone();
                    tasks.spawn(async move {
                        for n in 0..20 {
                            let (before, now) =
                                tokio::join!(dict.coro_insert(&task, &n), dict.coro_get(&task));
                            assert_eq!((before.unwrap(), now.unwrap()), (n.checked_sub(1), Some(n)));
                        }
                    });
                }
                while let Some(done) = tasks.join_next().await {
                    done.unwrap();
                }
            };
            let several = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            several.unwrap().block_on(tasks);
        });
        assert_eq!(dict.len().unwrap(), 68);
    }
}

fn ask_for_ever(manager: AioManager, begun: AioEvent) {
    let lock: AioManagedLock = manager.get("lock").unwrap();
    let list: AioList<u32> = manager.get("list").unwrap();
    kit::runtime().block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..32 {
            let (lock, list, begun) = (lock.clone(), list.clone(), begun.clone());
            tasks.spawn(async move {
                loop {
                    let cancelled =
                        tokio::time::timeout(Duration::from_micros(50), lock.coro_acquire()).await;
                    list.coro_push(&n).await.unwrap();
                    let _ = list.coro_pop().await.unwrap();
                    drop(cancelled);
                    begun.set();
                }
            });
        }
        tasks.join_next().await;
    });
}

/// Case 159: killed at any point of many calls, and half of what it asked together in a socket.
#[test]
fn case_159_a_client_is_killed_with_many_calls_under_way() {
    let watchdog = Watchdog::new("case_159_a_client_is_killed_with_many_calls_under_way");
    for manager in managers() {
        let (lock, list) = (manager.lock().unwrap(), manager.list::<u32>([]).unwrap());
        manager.register("lock", &lock).unwrap();
        manager.register("list", &list).unwrap();
        for round in 0..10 {
            watchdog.step(format!("{manager:?}, round {round}"));
            let begun = AioEvent::new().unwrap();
            let child = AioProcess::builder().daemon(true);
            let child = child.spawn(ask_for_ever, (manager.clone(), begun.clone())).unwrap();
            begun.wait().unwrap();
            std::thread::sleep(Duration::from_micros(700 * round));
            child.kill().unwrap();
            drop(lock.acquire_timeout(Duration::from_secs(20)).unwrap());
            assert!(list.len().unwrap() <= 32 * (round as usize + 1));
        }
    }
}

/// Case 160: all who asked are told, and at once.
#[test]
fn case_160_a_manager_is_killed_with_many_calls_under_way() {
    let watchdog = Watchdog::new("case_160_a_manager_is_killed_with_many_calls_under_way");
    for manager in managers() {
        let list = manager.list::<u32>([]).unwrap();
        kit::runtime().block_on(async {
            let numbers: Vec<u32> = (0..64).collect();
            let mut pushes: Vec<_> = numbers.iter().map(|n| Box::pin(list.coro_push(n))).collect();
            once(&mut pushes).await;
            kit::kill(manager.pid().unwrap());
            for (at, push) in pushes.into_iter().enumerate() {
                watchdog.step(format!("call {at}"));
                // The first may have been answered before the end.
                if let Err(error) = push.await {
                    assert!(error.is_closed(), "{error}");
                } else {
                    assert_eq!(at, 0);
                }
            }
        });
    }
}

/// Short questions with long answers: no more of these are made than go out.
#[test]
fn long_answers_are_made_as_they_are_taken() {
    const LONG: usize = 4 << 20;
    const MANY: usize = 60;
    let watchdog = Watchdog::new("long_answers_are_made_as_they_are_taken");
    for manager in managers() {
        watchdog.step(format!("{manager:?}"));
        let value = manager.value(&"x".repeat(LONG)).unwrap();
        kit::runtime().block_on(async {
            let mut asked: Vec<_> = (0..MANY).map(|_| Box::pin(value.coro_get())).collect();
            once(&mut asked).await;
            for one in asked {
                assert_eq!(one.await.unwrap().len(), LONG);
            }
        });
        let status = std::fs::read_to_string(format!("/proc/{}/status", manager.pid().unwrap())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak: usize = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(peak * 1024 < LONG * MANY / 2, "the manager had {peak} KiB");
    }
}

/// How many files of long messages this process has.
fn files() -> usize {
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
    let names = descriptors.filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
    names.filter(|name| name.to_string_lossy().contains("memfd")).count()
}

fn send_long_values(manager: AioManager) {
    const MANY: usize = 8;
    let (list, event) = (manager.list::<String>([]).unwrap(), manager.event().unwrap());
    kit::runtime().block_on(async {
        let mut first = [Box::pin(event.coro_wait())];
        once(&mut first).await;
        let text = "x".repeat(1 << 20);
        let before = files();
        // Beside another call each lets others run before it sends.
        let mut pushes: Vec<_> = (0..MANY).map(|_| Box::pin(list.coro_push(&text))).collect();
        once(&mut pushes).await;
        assert_eq!(files() - before, MANY);
        for push in pushes {
            push.await.unwrap();
        }
        assert_eq!((files(), list.coro_len().await.unwrap()), (before, MANY));
        // Many more hold no descriptor each.
        let mut pushes: Vec<_> = (0..200).map(|_| Box::pin(list.coro_push(&text))).collect();
        once(&mut pushes).await;
        assert!(files() - before <= 64);
        for push in pushes {
            push.await.unwrap();
        }
    });
}

/// A long value is in its file before its turn to be sent comes, so that nobody waits behind the copying.
#[test]
fn long_values_are_copied_by_who_sends_them() {
    let _watchdog = Watchdog::new("long_values_are_copied_by_who_sends_them");
    let [manager, _] = managers();
    // Nobody else's files are in that process.
    let child = AioProcess::builder().daemon(true).spawn(send_long_values, (manager.clone(),)).unwrap();
    child.join().unwrap();
}
