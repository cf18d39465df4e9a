//! Clients of managers that are slow, busy, killed at any point, or talk nonsense: cases 159 and 160. Others are served meanwhile.

mod kit;

use std::fmt::Debug;
use std::fs::File;
use std::time::Duration;

use aioprocessing::{
    Address, AioClient, AioConnection, AioDict, AioEvent, AioList, AioManagedLock, AioManagedQueue,
    AioManager, AioProcess, AioValue, Passed,
};
use kit::Watchdog;
#[cfg(feature = "tokio")]
use kit::either::either;
#[cfg(feature = "tokio")]
use kit::sides::Side;
#[cfg(feature = "tokio")]
use rustix::process::Signal;
use serde::Serialize;

aioprocessing::test_support!();

const KEY: &[u8] = b"key";
const MAGIC: [u8; 8] = *b"aiomanag";

fn managers() -> [AioManager; 2] {
    let start = |address: Address| AioManager::builder().address(address).authkey(KEY).start().unwrap();
    [Address::private().unwrap(), "tcp:127.0.0.1:0".parse().unwrap()].map(start)
}

/// What a client says, as one that misbehaves can say it.
#[derive(Serialize)]
#[allow(dead_code, reason = "their numbers count")]
enum Ask {
    Hello([u8; 8], u32),
    Register { name: String, kind: (String, Option<String>), value: Kept, replaces: bool },
    Get,
    Unregister,
    Names,
}

#[derive(Serialize)]
struct Kept {
    bytes: Vec<u8>,
    descriptors: Vec<Passed<File>>,
    references: Vec<(u64, Option<Passed<File>>)>,
}

type Client = AioConnection<(u64, Ask), ()>;

fn client(manager: &AioManager) -> Client {
    AioClient::connect(manager.address(), KEY).unwrap()
}

fn greeted(manager: &AioManager) -> Client {
    let client = client(manager);
    client.send(&(0, Ask::Hello(MAGIC, 1))).unwrap();
    client.recv_bytes().unwrap();
    client
}

/// Puts bytes into its socket that no connection of this crate would.
#[allow(unsafe_code, reason = "a connection gives nobody its descriptor")]
fn send_raw(client: &impl Debug, bytes: &[u8]) {
    let text = format!("{client:?}");
    let digits = text.split("fd: ").nth(1).and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    let fd: i32 = digits.unwrap().parse().unwrap();
    // SAFETY: the bytes are valid for their length, and the descriptor is the client's, which lives.
    let sent = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
    assert_eq!(sent, bytes.len().cast_signed());
}

/// That manager serves others.
struct Witness(AioManager, AioDict<u8, String>);

impl Witness {
    fn of(manager: &AioManager) -> Self {
        let dict = manager.dict().unwrap();
        dict.insert(&1, &"kept".to_owned()).unwrap();
        Self(manager.clone(), dict)
    }

    fn asks(&self) {
        self.0.names().unwrap();
        assert_eq!(self.1.get(&1).unwrap().as_deref(), Some("kept"));
        assert!(!kit::is_dead(self.0.pid().unwrap()));
    }
}

/// Case 160: one that takes no answers holds up nobody else.
#[test]
fn case_160_a_slow_client_does_not_block_others() {
    let watchdog = Watchdog::new("case_160_a_slow_client_does_not_block_others");
    for manager in managers() {
        // Answers of some size fill the way back soon.
        for n in 0..100 {
            manager.register(&format!("{n}{}", "n".repeat(500)), &n).unwrap();
        }
        let slow = client(&manager);
        slow.send(&(0, Ask::Hello(MAGIC, 1))).unwrap();
        while slow.try_send(&(1, Ask::Names)).is_ok() {}
        watchdog.step("beside one that takes no answers");
        for _ in 0..10 {
            assert_eq!(manager.names().unwrap().len(), 100);
        }
        // It is served on, as soon as it takes some.
        slow.recv_bytes().unwrap();
        for _ in 0..100 {
            assert!(slow.recv_bytes().unwrap().len() > 50_000);
        }
        drop(slow);
        assert_eq!(manager.names().unwrap().len(), 100);
    }
}

#[test]
fn who_talks_nonsense_is_sent_away() {
    let watchdog = Watchdog::new("who_talks_nonsense_is_sent_away");
    for manager in managers() {
        let witness = Witness::of(&manager);
        let talk = |words: &[&[u8]]| {
            let client = client(&manager);
            for word in words {
                // It may be gone by the second.
                let _ = client.send_bytes(word);
            }
            client.recv_bytes()
        };
        watchdog.step("no question; one before the greeting; a greeting of something else; two greetings");
        assert!(talk(&[&[0, 200, 1, 2]]).unwrap_err().is_closed());
        assert!(talk(&[&[0, 4]]).unwrap_err().is_closed());
        assert!(talk(&[&[0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 1]]).unwrap_err().is_closed());
        let twice = greeted(&manager);
        twice.send(&(0, Ask::Hello(MAGIC, 1))).unwrap();
        assert!(twice.recv_bytes().unwrap_err().is_closed());
        witness.asks();
    }
}

/// Lengths that are lies, ends in the middle, and packets of no known form, in the place of a frame.
#[test]
fn frames_that_are_none() {
    let watchdog = Watchdog::new("frames_that_are_none");
    let [local, remote] = managers();
    let (of_local, of_remote) = (Witness::of(&local), Witness::of(&remote));
    let mut lying = Vec::new();
    // A frame over TCP: its length in four bytes, or -1 and eight. Too long; negative; of which nothing comes; of which half does.
    let headers: [&[u8]; 5] = [
        &[0x7F, 0xFF, 0xFF, 0xFF],
        &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0x80, 0, 0, 0],
        &[0x3F, 0xFF, 0xFF, 0xFF],
        &[0, 0, 0, 50, 1, 2, 3],
    ];
    for header in headers {
        watchdog.step(format!("{header:?}"));
        let client = greeted(&remote);
        send_raw(&client, header);
        of_remote.asks();
        lying.push(client);
    }
    // A packet: flags that there are not, a file that is not there, a header that is cut off, nothing at all.
    let packets: [&[u8]; 5] =
        [&[0xFF, 1, 2, 3], &[3, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 1, 0, 0, 0], &[2, 1, 2], &[0], &[3]];
    for packet in packets {
        watchdog.step(format!("{packet:?}"));
        let client = greeted(&local);
        send_raw(&client, packet);
        assert!(client.recv_bytes().unwrap_err().is_closed());
        of_local.asks();
    }
    drop(lying);
    of_remote.asks();
}

/// Objects that were never made, and descriptors that are not theirs.
#[test]
fn references_that_are_forged() {
    let _watchdog = Watchdog::new("references_that_are_forged");
    let [local, remote] = managers();
    let witness = Witness::of(&local);
    let file = |path: &str| Passed::new(File::open(path).unwrap());
    let register = |descriptors, references| Ask::Register {
        name: "forged".to_owned(),
        kind: ("AioDict".to_owned(), Some("AioDict".to_owned())),
        value: Kept { bytes: Vec::new(), descriptors, references },
        replaces: true,
    };
    let forged = |object: u64, token: Option<&str>| register(Vec::new(), vec![(object, token.map(file))]);
    // The form is right: a descriptor that says nothing of objects is kept like any other.
    let client = greeted(&local);
    client.send(&(1, register(vec![file("/dev/null")], Vec::new()))).unwrap();
    client.recv_bytes().unwrap();
    assert!(local.unregister("forged").unwrap());
    for ask in [forged(0, None), forged(0, Some("/dev/null")), forged(u64::MAX, Some("/"))] {
        let client = greeted(&local);
        client.send(&(1, ask)).unwrap();
        assert!(client.recv_bytes().unwrap_err().is_closed());
    }
    let client = greeted(&remote);
    client.send(&(1, forged(0, None))).unwrap();
    assert!(client.recv_bytes().unwrap_err().is_closed());
    assert!(local.names().unwrap().is_empty() && remote.names().unwrap().is_empty());
    witness.asks();
}

/// Questions of all kinds with any of their bytes changed, cut off or doubled.
#[test]
fn questions_that_were_damaged() {
    let watchdog = Watchdog::new("questions_that_were_damaged");
    let questions: [&[u8]; 26] = [
        &[1, 4],                                     // names
        &[2, 2, 1, b'x', 1, b'T', 0],                // get
        &[3, 1, 1, b'x', 1, b'T', 0, 1, 7, 0, 0, 0], // register
        &[4, 3, 1, b'x'],                            // unregister
        &[5, 5, 0, 1, 1, 9, 1, 7, 0, 0],             // a map, a list, and the others
        &[6, 5, 1, 2, 1, 7, 0, 0, 1, 8, 0, 0],
        &[7, 5, 2, 18, 5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 9, 1, 7, 0, 0],
        &[8, 5, 3],
        &[9, 5, 5, 2],
        &[10, 6, 0, 0, 1, 1, 1, 9, 1, 7, 0, 0, 0], // calls of a map
        &[11, 6, 0, 0, 0, 1, 1, 9],
        &[12, 6, 0, 0, 8, 1, 9, 1, 1, 7, 1, 1, 8, 0, 0],
        &[13, 6, 2, 1, 7, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], // of a list
        &[14, 6, 2, 1, 1, 1, 1, 1, 5, 0, 0],
        &[15, 6, 2, 1, 3, 1, 1, 5, 0, 0],
        &[16, 6, 1, 2, 1, b'f', 1, 7, 0, 0], // of an object
        &[17, 6, 3, 3, 0],                   // of a lock
        &[18, 6, 4, 5, 0, 1, 7, 0, 0],       // of a queue
        &[19, 7, 3],                         // what is not answered
        &[20, 8, 3, 17, 1],
        &[21, 9, 2, 2, 1, 4, 2, 2, 4], // several
        &[22, 5, 7, 3, 4],             // a semaphore, a barrier and a joinable queue
        &[23, 5, 8, 2],
        &[24, 5, 6, 2],
        &[25, 6, 5, 6, 0, 2], // their calls
        &[26, 6, 6, 7, 0],
    ];
    for manager in managers() {
        // What they name: this, and what they make, which lives on in answers that nobody takes. Undamaged they make sense.
        let _first = manager.dict::<u8, u8>().unwrap();
        let model = greeted(&manager);
        questions.iter().for_each(|question| model.send_bytes(question).unwrap());
        for _ in 0..2 {
            manager.names().unwrap();
        }
        // Objects of numbers that none of them comes upon by damage, for what is done to an object is no harm.
        for _ in 0..300 {
            drop(manager.list::<u8>([]).unwrap());
        }
        let witness = Witness::of(&manager);
        model.send_bytes(questions[0]).unwrap();
        let mut state = 7_u64;
        let mut dice = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for round in 0..150 {
            watchdog.step(format!("{manager:?}, round {round}"));
            let client = greeted(&manager);
            for _ in 0..20 {
                let mut question = questions[dice(questions.len())].to_vec();
                for _ in 0..dice(3) {
                    let at = dice(question.len());
                    match dice(4) {
                        0 => question[at] = dice(256) as u8,
                        1 => question[at] ^= 1 << dice(8),
                        2 => question.truncate(at + 1),
                        _ => question.extend_from_within(at..),
                    }
                }
                // Until it is sent away.
                if client.try_send_bytes(&question).is_err() {
                    break;
                }
            }
            drop(client);
            witness.asks();
        }
    }
}

/// Clients that are killed with half of a frame out, while a method of theirs runs, and at any point.
#[test]
fn case_159_clients_are_killed_in_the_middle_of_calls() {
    let watchdog = Watchdog::new("case_159_clients_are_killed_in_the_middle_of_calls");
    for manager in managers() {
        let (lock, queue) = (manager.lock().unwrap(), manager.queue::<u32>(4).unwrap());
        let list = manager.list([0_u32]).unwrap();
        manager.register("lock", &lock).unwrap();
        manager.register("queue", &queue).unwrap();
        manager.register("list", &list).unwrap();
        let descriptors = || {
            manager.names().unwrap();
            std::fs::read_dir(format!("/proc/{}/fd", manager.pid().unwrap())).unwrap().count()
        };
        let before = descriptors();
        for round in 0..20 {
            watchdog.step(format!("{manager:?}, round {round}"));
            let begun = AioEvent::new().unwrap();
            let child = AioProcess::builder().daemon(true);
            let child = child.spawn(call_for_ever, (manager.clone(), begun.clone())).unwrap();
            begun.wait().unwrap();
            std::thread::sleep(Duration::from_micros(300 * round));
            child.kill().unwrap();
            drop(lock.acquire().unwrap());
            list.update(0, |n| n + 1).unwrap();
            while queue.try_get().unwrap().is_some() {}
            queue.put(&1).unwrap();
            assert_eq!(queue.get().unwrap(), 1);
        }
        assert!(list.get(0).unwrap() >= 20);
        kit::until("the end of what the dead had", || descriptors() == before);
    }
}

fn call_for_ever(manager: AioManager, begun: AioEvent) {
    let lock: AioManagedLock = manager.get("lock").unwrap();
    let queue: AioManagedQueue<u32> = manager.get("queue").unwrap();
    let list: AioList<u32> = manager.get("list").unwrap();
    let call = || loop {
        let _guard = lock.acquire().unwrap();
        let dict = manager.dict::<u32, Vec<u8>>().unwrap();
        begun.set();
        dict.insert(&1, &vec![1; 100_000]).unwrap();
        queue.put(&7).unwrap();
        list.update(0, |n| n + 1).unwrap();
        queue.try_get().unwrap();
    };
    std::thread::scope(|scope| {
        scope.spawn(call);
        scope.spawn(call);
    });
}

/// Half of a frame, and then nobody: what was begun is gone with its sender.
#[test]
fn case_159_a_client_is_gone_with_half_of_a_frame_out() {
    let _watchdog = Watchdog::new("case_159_a_client_is_gone_with_half_of_a_frame_out");
    let [_, manager] = managers();
    let witness = Witness::of(&manager);
    for length in 1..10 {
        let client = greeted(&manager);
        send_raw(&client, &[0, 0, 0, 6, 9, 3, 1, b'x', 1, b'T'][..length]);
        drop(client);
        witness.asks();
    }
}

/// One that asks without end is served in its turn.
#[cfg(feature = "tokio")]
#[test]
fn case_160_a_busy_client_does_not_block_others() {
    const MANY: usize = 200;
    let watchdog = Watchdog::new("case_160_a_busy_client_does_not_block_others");
    for manager in managers() {
        let list = manager.list::<u32>([]).unwrap();
        manager.register("list", &list).unwrap();
        let [ready, go, sent] = [0; 3].map(|_| AioEvent::new().unwrap());
        let busy = |manager: AioManager, ready: AioEvent, go: AioEvent, sent: AioEvent| {
            let list: AioList<u32> = manager.get("list").unwrap();
            ready.set();
            go.wait().unwrap();
            kit::runtime().block_on(async {
                let mut pushes: Vec<_> = (0..MANY).map(|_| Box::pin(list.coro_push(&0))).collect();
                std::future::poll_fn(|cx| {
                    // Each is sent, and none is answered.
                    assert!(pushes.iter_mut().all(|push| push.as_mut().poll(cx).is_pending()));
                    std::task::Poll::Ready(())
                })
                .await;
                sent.set();
                for push in pushes {
                    push.await.unwrap();
                }
            });
        };
        let child = AioProcess::builder().daemon(true);
        let args = (manager.clone(), ready.clone(), go.clone(), sent.clone());
        let child = child.spawn(busy, args).unwrap();
        ready.wait().unwrap();
        let pid = manager.pid().unwrap();
        kit::signal(pid, Signal::STOP);
        go.set();
        sent.wait().unwrap();
        kit::runtime().block_on(async {
            let mut push = Box::pin(list.coro_push(&1));
            std::future::poll_fn(|cx| {
                assert!(push.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            // Both have asked, the busy one first.
            kit::signal(pid, Signal::CONT);
            watchdog.step("beside a busy one");
            push.await.unwrap();
        });
        child.join().unwrap();
        let all = list.to_vec().unwrap();
        assert_eq!(all.len(), MANY + 1);
        let at = all.iter().position(|&n| n == 1).unwrap();
        assert!(at < MANY, "all {MANY} of the busy one came first");
    }
}

/// What is only told, such as the end of a guard, goes out though the socket was full, and though nobody here asks anything more.
#[cfg(feature = "tokio")]
#[test]
fn what_there_was_no_room_for_is_told_later() {
    let watchdog = Watchdog::new("what_there_was_no_room_for_is_told_later");
    let [manager, _] = managers();
    for &side in Side::ALL {
        let lock = manager.lock().unwrap();
        let guard = lock.acquire().unwrap();
        let runtime = kit::runtime();
        // Each of them is cancelled when it is dropped: more than a socket holds.
        let mut cancelled: Vec<_> = (0..2_000).map(|_| Box::pin(lock.coro_acquire())).collect();
        runtime.block_on(async {
            for some in cancelled.chunks_mut(50) {
                std::future::poll_fn(|cx| {
                    assert!(some.iter_mut().all(|one| one.as_mut().poll(cx).is_pending()));
                    std::task::Poll::Ready(())
                })
                .await;
                manager.coro_names().await.unwrap();
            }
        });
        let waiter = std::thread::spawn({
            let lock = lock.clone();
            move || either!(side, lock.acquire(), lock.coro_acquire()).map(drop)
        });
        kit::until("the waiter's question", || format!("{lock:?}").contains("under_way: 2001"));
        let pid = manager.pid().unwrap();
        kit::signal(pid, Signal::STOP);
        drop(cancelled);
        drop(guard);
        kit::signal(pid, Signal::CONT);
        watchdog.step(format!("{side:?}: the lock that was let go"));
        waiter.join().unwrap().unwrap();
    }
}

#[test]
fn many_clients_at_once() {
    let _watchdog = Watchdog::new("many_clients_at_once");
    let manager = AioManager::start().unwrap();
    let total = AioValue::new(0_u64).unwrap();
    manager.register("total", &total).unwrap();
    let count = |manager: AioManager| {
        let total: AioValue<u64> = manager.get("total").unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (manager, total) = (&manager, &total);
                scope.spawn(move || {
                    for n in 0..50 {
                        let name = format!("{}-{thread}-{n}", std::process::id());
                        manager.register(&name, total).unwrap();
                        manager.get::<AioValue<u64>>(&name).unwrap().fetch_add(1);
                        assert!(manager.unregister(&name).unwrap());
                    }
                });
            }
        });
    };
    let children: Vec<_> = (0..4).map(|_| AioProcess::spawn(count, (manager.clone(),)).unwrap()).collect();
    for child in children {
        child.join().unwrap();
    }
    assert_eq!(total.get(), 800);
    assert_eq!(manager.names().unwrap(), ["total"]);
}
