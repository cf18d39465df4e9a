//! Prefork servers.
#![allow(missing_docs)]

mod kit;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::time::Duration;

use aioprocessing::{
    AioProcess, AioQueue, Prefork, PreforkBindError, PreforkBuilder, PreforkControl, ServeError, WorkerState,
};
use kit::Watchdog;
use kit::either::either;
use kit::sides::Side;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

aioprocessing::test_support!();

/// Answers each `p` with the pid and whether this is the last answer; does harm when asked to.
async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    while let Ok(word) = stream.read_u8().await {
        match word {
            b'p' => {
                Prefork::note_request();
                let mut answer = std::process::id().to_le_bytes().to_vec();
                answer.push(u8::from(Prefork::is_leaving()));
                if stream.write_all(&answer).await.is_err() || answer[4] != 0 {
                    return;
                }
            }
            b'x' => panic!("asked to"),
            b'h' => {
                let _ = stream.write_all(b"h").await;
                kit::sleep_for_ever();
            }
            b'l' => {
                Prefork::coro_leaving().await;
                let _ = stream.write_all(b"leave").await;
            }
            _ => return,
        }
    }
}

async fn tcp(stream: TcpStream) {
    talk(stream).await;
}

async fn unix(stream: UnixStream) {
    talk(stream).await;
}

struct Client(std::net::TcpStream);

impl Client {
    fn new(address: SocketAddr) -> Self {
        let stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(kit::LONG)).unwrap();
        Self(stream)
    }

    /// The pid, and whether it was the last answer.
    fn ask(&mut self) -> io::Result<(u32, bool)> {
        self.say(b'p')?;
        let mut answer = [0; 5];
        self.0.read_exact(&mut answer)?;
        Ok((u32::from_le_bytes(answer[..4].try_into().unwrap()), answer[4] != 0))
    }

    fn say(&mut self, word: u8) -> io::Result<()> {
        self.0.write_all(&[word])
    }
}

fn pid(address: SocketAddr) -> u32 {
    Client::new(address).ask().unwrap().0
}

/// Ends the server even if a test fails, so that nobody waits for it for ever.
struct Ends(PreforkControl);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.drain();
        if std::thread::panicking() {
            std::thread::sleep(Duration::from_millis(100));
            self.0.drain();
        }
    }
}

fn serve(side: Side, server: Prefork) -> Result<(), ServeError> {
    either!(side, server.serve(tcp), server.coro_serve(tcp))
}

/// Runs a server beside the body, and ends it.
fn beside(side: Side, builder: PreforkBuilder, body: impl FnOnce(SocketAddr, &PreforkControl)) {
    let server = builder.bind("127.0.0.1:0").signals(false).build().unwrap();
    let (address, control) = (server.local_addr().unwrap(), server.control());
    std::thread::scope(|scope| {
        let serving = scope.spawn(move || serve(side, server));
        let ends = Ends(control);
        body(address, &ends.0);
        let pids: Vec<_> = ends.0.workers().iter().map(|worker| worker.pid).collect();
        drop(ends);
        serving.join().unwrap().unwrap();
        assert!(pids.iter().all(|&pid| kit::is_dead(pid)), "all have ended with it");
    });
}

fn each(test: &str, mut body: impl FnMut(Side)) {
    for &side in Side::ALL {
        let watchdog = Watchdog::new(test);
        watchdog.step(format!("{side:?}"));
        body(side);
    }
}

fn serving(control: &PreforkControl) -> BTreeSet<u32> {
    let workers = control.workers().into_iter();
    workers.filter(|worker| worker.state == WorkerState::Serving).map(|worker| worker.pid).collect()
}

#[test]
fn workers_serve_in_each_design_and_end_with_it() {
    each("designs", |side| {
        let plain = || Prefork::builder().workers(3);
        for builder in [plain(), plain().reuse_port(true), plain().hand_over(true)] {
            let design = format!("{builder:?}");
            beside(side, builder, |address, control| {
                kit::until("the start of all", || serving(control).len() == 3);
                let mut clients: Vec<_> = (0..12).map(|_| Client::new(address)).collect();
                let asked: BTreeSet<_> = clients.iter_mut().map(|client| client.ask().unwrap().0).collect();
                assert!(asked.is_subset(&serving(control)), "{design}");
                if design.contains("hands_over: true") {
                    assert_eq!(asked.len(), 3, "each is handed as many as the others");
                }
                assert_eq!(control.started(), 3);
            });
        }
    });
}

#[test]
fn unix_sockets_are_served_and_their_file_goes_with_the_server() {
    let _watchdog = Watchdog::new("unix");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    // One that was killed has left its file.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    for hand_over in [false, true] {
        let builder = Prefork::builder().bind(&path).workers(1).hand_over(hand_over).signals(false);
        let server = builder.build().unwrap();
        let taken = Prefork::builder().bind(&path).build().unwrap_err();
        assert!(taken.is_in_use(), "{taken}");
        let ends = Ends(server.control());
        std::thread::scope(|scope| {
            let serving = scope.spawn(move || server.serve(unix));
            let mut client = StdUnixStream::connect(&path).unwrap();
            client.write_all(b"pp").unwrap();
            client.read_exact(&mut [0; 10]).unwrap();
            drop(client);
            drop(ends);
            serving.join().unwrap().unwrap();
        });
        assert!(!path.exists());
    }
}

#[test]
fn a_worker_is_replaced_after_its_number_of_requests() {
    each("requests", |side| {
        let builder = || Prefork::builder().workers(2).max_requests(5).max_requests_jitter(0);
        beside(side, builder(), |address, control| {
            let mut served = BTreeMap::<u32, u32>::new();
            for _ in 0..60 {
                *served.entry(pid(address)).or_default() += 1;
            }
            assert!(served.values().all(|&times| times <= 5), "{served:?}");
            kit::until("the right number", || serving(control).len() == 2);
        });
        // Handed ones that are under way are served, too, and none is lost.
        beside(side, builder().hand_over(true), |address, control| {
            let pids: BTreeSet<_> = (0..60).map(|_| pid(address)).collect();
            assert!(pids.len() > 5, "{pids:?}");
            kit::until("the right number", || serving(control).len() == 2);
        });
        // Requests of one connection, as its handler counts them.
        let builder = Prefork::builder().workers(1).max_requests(3).max_requests_jitter(2);
        beside(side, builder, |address, _| {
            let mut client = Client::new(address);
            let answers: Vec<_> = std::iter::from_fn(|| client.ask().ok()).collect();
            assert!((3..=5).contains(&answers.len()), "{answers:?}");
            assert!(answers.iter().rev().skip(1).all(|(_, is_last)| !is_last) && answers.last().unwrap().1);
            assert_ne!(pid(address), answers[0].0);
        });
    });
}

#[test]
fn a_killed_worker_is_replaced() {
    each("kill", |side| {
        for builder in [Prefork::builder().workers(2), Prefork::builder().workers(2).hand_over(true)] {
            beside(side, builder, |address, control| {
                for _ in 0..5 {
                    let victim = pid(address);
                    kit::kill(victim);
                    // Nobody is refused meanwhile, and nobody lost who was not being served.
                    assert_ne!(pid(address), victim);
                    kit::until("a new one", || {
                        let serving = serving(control);
                        serving.len() == 2 && !serving.contains(&victim)
                    });
                }
                assert!(control.last_failure().unwrap().contains("SIGKILL"));
                assert_eq!(control.started(), 7);
            });
        }
    });
}

#[test]
fn a_worker_that_stops_answering_is_replaced() {
    each("health", |side| {
        let builder = || Prefork::builder().workers(1).health(Duration::from_secs(1));
        for builder in [builder(), builder().hand_over(true)] {
            beside(side, builder, |address, _| {
                let mut client = Client::new(address);
                let victim = client.ask().unwrap().0;
                client.say(b'h').unwrap();
                client.0.read_exact(&mut [0]).unwrap();
                // It waits in the listener, or was handed to the victim, and then to its successor.
                assert_ne!(pid(address), victim);
                assert!(client.ask().is_err(), "its connection went with it");
            });
        }
    });
}

#[test]
fn a_handler_that_panics_loses_its_connection_alone() {
    each("panic", |side| {
        beside(side, Prefork::builder().workers(1), |address, _| {
            let (mut one, mut other) = (Client::new(address), Client::new(address));
            let (served, _) = one.ask().unwrap();
            other.say(b'x').unwrap();
            assert!(other.ask().is_err());
            assert_eq!(one.ask().unwrap().0, served);
            assert_eq!(pid(address), served);
        });
    });
}

#[test]
fn a_drain_finishes_what_is_open_and_what_has_connected() {
    each("drain", |side| {
        let plain = || Prefork::builder().workers(2);
        for builder in [plain(), plain().reuse_port(true), plain().hand_over(true)] {
            beside(side, builder, |address, control| {
                let mut open = Client::new(address);
                let (served, _) = open.ask().unwrap();
                let mut told = Client::new(address);
                told.say(b'l').unwrap();
                told.0.flush().unwrap();
                control.drain();
                let mut word = [0; 5];
                told.0.read_exact(&mut word).unwrap();
                assert_eq!(&word, b"leave");
                kit::until("a last answer", || {
                    let (by, is_last) = open.ask().unwrap();
                    assert_eq!(by, served);
                    is_last
                });
            });
        }
        // Those that nobody has accepted yet.
        beside(side, Prefork::builder().workers(1).max_connections(1), |address, control| {
            let mut one = Client::new(address);
            one.ask().unwrap();
            let mut waiting: Vec<_> = (0..3).map(|_| Client::new(address)).collect();
            control.drain();
            drop(one);
            assert!(waiting.iter_mut().all(|client| client.ask().is_ok()));
        });
    });
}

#[test]
fn a_worker_has_no_more_connections_than_it_may() {
    each("most", |side| {
        let builder = || Prefork::builder().workers(1).max_connections(2);
        for builder in [builder(), builder().hand_over(true)] {
            beside(side, builder, |address, _| {
                let (mut one, mut two) = (Client::new(address), Client::new(address));
                one.ask().unwrap();
                two.ask().unwrap();
                let mut three = Client::new(address);
                three.0.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
                assert!(three.ask().is_err(), "it waits");
                three.0.set_read_timeout(Some(kit::LONG)).unwrap();
                drop(one);
                three.0.read_exact(&mut [0; 5]).unwrap();
            });
        }
    });
}

#[test]
fn a_reload_replaces_all_and_refuses_nobody() {
    each("reload", |side| {
        let plain = || Prefork::builder().workers(3);
        for builder in [plain(), plain().reuse_port(true), plain().hand_over(true)] {
            beside(side, builder, |address, control| {
                kit::until("the start of all", || serving(control).len() == 3);
                let before = serving(control);
                let mut held = Client::new(address);
                let (old, _) = held.ask().unwrap();
                control.reload();
                kit::until("the change of all", || {
                    pid(address);
                    let now = serving(control);
                    now.len() == 3 && now.is_disjoint(&before)
                });
                kit::until("the turn of a new one", || !before.contains(&pid(address)));
                assert_eq!(held.ask().unwrap(), (old, true), "who has a connection keeps it");
                kit::until("the end of the old", || before.iter().all(|&pid| kit::is_dead(pid)));
                assert_eq!(control.started(), 6);
            });
        }
    });
}

/// A master of its own, for signals; puts its address and its pid.
fn master(said: AioQueue<(u16, u32)>) {
    kit::hear_hangups();
    let server = Prefork::builder().bind("127.0.0.1:0").workers(2).build().unwrap();
    said.put((server.local_addr().unwrap().port(), std::process::id())).unwrap();
    server.serve(tcp).unwrap();
}

fn start_master() -> (AioProcess<()>, SocketAddr, u32) {
    let said = AioQueue::unbounded().unwrap();
    let child = AioProcess::builder().daemon(true).kill_on_drop(true).spawn(master, (said.clone(),)).unwrap();
    let (port, number) = said.get_timeout(kit::LONG).unwrap();
    (child, SocketAddr::from(([127, 0, 0, 1], port)), number)
}

/// The children of a process that live.
fn children(number: u32) -> BTreeSet<u32> {
    let threads = std::fs::read_dir(format!("/proc/{number}/task")).unwrap();
    let lists =
        threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("children")).unwrap());
    let all: Vec<u32> = lists
        .flat_map(|list| list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>())
        .collect();
    all.into_iter().filter(|&pid| !kit::is_dead(pid)).collect()
}

#[test]
fn signals_reload_and_drain() {
    use rustix::process::Signal;
    let _watchdog = Watchdog::new("signals");
    for end in [Signal::TERM, Signal::INT] {
        let (child, address, number) = start_master();
        pid(address);
        let before = children(number);
        kit::signal(number, Signal::HUP);
        kit::until("the change of all", || {
            let now = children(number);
            now.len() == 2 && now.is_disjoint(&before)
        });
        // What a terminal sends to all.
        let mut held = Client::new(address);
        let (worker, _) = held.ask().unwrap();
        for ignored in [Signal::INT, Signal::HUP] {
            kit::signal(worker, ignored);
        }
        assert_eq!(held.ask().unwrap(), (worker, false));
        // One worker is asked to end: it is replaced.
        kit::signal(worker, Signal::TERM);
        kit::until("its leave", || held.ask().unwrap().1);
        kit::until("its end", || kit::is_dead(worker));
        let mut last = Client::new(address);
        last.ask().unwrap();
        kit::signal(number, end);
        kit::until("its leave", || last.ask().unwrap().1);
        child.join_timeout(kit::LONG).unwrap();
        assert!(std::net::TcpStream::connect(address).is_err());
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    use rustix::process::Signal;
    let _watchdog = Watchdog::new("twice");
    let (child, address, number) = start_master();
    let mut held = Client::new(address);
    held.ask().unwrap();
    kit::signal(number, Signal::TERM);
    kit::until("the drain", || std::net::TcpStream::connect(address).is_err());
    assert!(child.is_alive(), "it waits for us");
    kit::signal(number, Signal::TERM);
    child.join_timeout(kit::LONG).unwrap();
    assert!(held.ask().is_err());
}

#[test]
fn a_killed_master_leaves_no_workers() {
    let _watchdog = Watchdog::new("orphans");
    let (child, address, number) = start_master();
    let workers: BTreeSet<_> = (0..20).map(|_| pid(address)).collect();
    kit::kill(number);
    kit::until("the death of all", || workers.iter().all(|&pid| kit::is_dead(pid)));
    child.join().unwrap_err();
}

/// Can be sent, and not received.
#[derive(Clone, serde::Serialize)]
struct Refused;

impl<'de> serde::Deserialize<'de> for Refused {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("never"))
    }
}

#[test]
fn workers_that_cannot_begin_end_the_server() {
    let _watchdog = Watchdog::new("storm");
    let server = Prefork::builder().bind("127.0.0.1:0").workers(4).signals(false).build().unwrap();
    let error = server.serve_with(|_: TcpStream, _: Refused| async {}, Refused).unwrap_err();
    assert!(matches!(&error, ServeError::Workers { last, .. } if last.contains("cannot be read")), "{error}");
}

#[test]
fn an_argument_reaches_the_handler() {
    let _watchdog = Watchdog::new("argument");
    let seen = AioQueue::unbounded().unwrap();
    let server = Prefork::builder().bind("127.0.0.1:0").workers(1).signals(false).build().unwrap();
    let (address, ends) = (server.local_addr().unwrap(), Ends(server.control()));
    std::thread::scope(|scope| {
        let copy = seen.clone();
        let serving = scope.spawn(move || {
            server.serve_with(
                async |mut stream: TcpStream, seen: AioQueue<u8>| {
                    seen.coro_put(stream.read_u8().await.unwrap()).await.unwrap();
                },
                copy,
            )
        });
        Client::new(address).say(7).unwrap();
        assert_eq!(seen.get_timeout(kit::LONG).unwrap(), 7);
        drop(ends);
        serving.join().unwrap().unwrap();
    });
}

#[test]
fn what_makes_no_sense_is_refused() {
    let bound = |builder: PreforkBuilder| builder.build().unwrap_err();
    assert!(matches!(bound(Prefork::builder()), PreforkBindError::NoAddress));
    assert!(matches!(bound(Prefork::builder().bind("127.0.0.1:0").workers(0)), PreforkBindError::Invalid(_)));
    assert!(matches!(
        bound(Prefork::builder().bind("127.0.0.1:0").max_connections(0)),
        PreforkBindError::Invalid(_)
    ));
    assert!(matches!(bound(Prefork::builder().bind("nowhere")), PreforkBindError::Address { .. }));
    assert!(matches!(bound(Prefork::builder().bind("unix:/no/such/dir/s")), PreforkBindError::Listen { .. }));
    assert!(matches!(
        bound(Prefork::builder().bind("unix:/tmp/s").reuse_port(true)),
        PreforkBindError::ReusePort
    ));
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(bound(Prefork::builder().bind(held.local_addr().unwrap())).is_in_use());
    let error = Prefork::builder().bind(held).serve(unix).unwrap_err();
    assert!(matches!(error, ServeError::OtherStream { .. }), "{error}");
    assert!(Prefork::builder().bind("localhost:0").build().unwrap().local_addr().unwrap().port() > 0);
}

/// What `coro_serve` gives can be spawned on any runtime.
#[test]
fn its_future_is_send() {
    fn is_send<T: Send>(_: &T) {}
    let server = || Prefork::builder().bind("127.0.0.1:0").build().unwrap();
    is_send(&server().coro_serve(tcp));
    is_send(&server().coro_serve_with(async |_: TcpStream, _: u8| {}, 1));
    is_send(&Prefork::builder().coro_serve(unix));
}

fn serve_three_times() {
    let mut descriptors = Vec::new();
    for _ in 0..3 {
        for side in Side::ALL {
            let plain = Prefork::builder().workers(2).max_requests(2).max_requests_jitter(0);
            for builder in [plain.hand_over(true), Prefork::builder().workers(2).reuse_port(true)] {
                let server = builder.bind("127.0.0.1:0").build().unwrap();
                let (address, control) = (server.local_addr().unwrap(), server.control());
                std::thread::scope(|scope| {
                    let serving = scope.spawn(move || serve(*side, server));
                    let ends = Ends(control);
                    (0..10).for_each(|_| assert!(pid(address) > 0));
                    // One with a connection does not leave by itself meanwhile.
                    let (_held, victim) = std::iter::repeat_with(|| {
                        let mut client = Client::new(address);
                        let (victim, is_last) = client.ask().unwrap();
                        (!is_last).then_some((client, victim))
                    })
                    .find_map(|found| found)
                    .unwrap();
                    kit::kill(victim);
                    pid(address);
                    ends.0.reload();
                    pid(address);
                    drop(ends);
                    serving.join().unwrap().unwrap();
                });
            }
        }
        descriptors.push(kit::descriptors().len());
    }
    assert_eq!(descriptors[1], descriptors[2], "nothing but the first time leaves a descriptor");
    let zombies = rustix::process::waitpid(None, rustix::process::WaitOptions::NOHANG);
    assert!(zombies.is_err(), "no child, dead or alive, is left: {zombies:?}");
    // What stood there before is there again: it ends us.
    kit::signal(std::process::id(), rustix::process::Signal::TERM);
    kit::sleep_for_ever();
}

#[test]
fn nothing_is_left_when_it_has_ended() {
    let _watchdog = Watchdog::new("leaks");
    let child = AioProcess::builder().daemon(true).spawn(serve_three_times, ()).unwrap();
    let ended = child.join_timeout(kit::LONG).unwrap_err();
    assert!(matches!(ended, aioprocessing::JoinError::Signaled { signal: libc::SIGTERM, .. }), "{ended}");
}
