//! Listeners and clients: cases 114 to 119, P16, P17 and P26, in both faces.
// Both faces in one body.
#![cfg(feature = "tokio")]

mod kit;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use aioprocessing::{
    AcceptError, Address, AddressError, AioClient, AioConnection, AioEvent, AioListener, AioProcess,
    AioQueue, AuthKey, BindError, ConnectError, HandshakeError, Passed, Waitable, coro_wait_any, wait_any,
};
use kit::either::either;
use kit::sides::{Side, each};
use kit::{LONG, Watchdog};

aioprocessing::test_support!();

type Mixed = (i64, Option<String>, Vec<f64>, HashMap<String, u8>);

fn accept<S, R>(side: Side, listener: &AioListener<S, R>) -> Result<AioConnection<S, R>, AcceptError> {
    either!(side, listener.accept(), listener.coro_accept())
}

fn connect<S, R>(side: Side, address: &Address, key: &AuthKey) -> Result<AioConnection<S, R>, ConnectError> {
    either!(side, AioClient::connect(address, key), AioClient::coro_connect(address, key))
}

fn handshake(error: ConnectError) -> HandshakeError {
    match error {
        ConnectError::Handshake { error, .. } => error,
        other => panic!("{other}"),
    }
}

fn mixed() -> Mixed {
    (-5, Some("ü".to_owned()), vec![0.5, f64::MAX], HashMap::from([("a".to_owned(), 1)]))
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("listener.sock");
    (folder, path)
}

fn client(side: Side, address: Address, key: AuthKey) -> u32 {
    let connection = connect::<Mixed, Mixed>(side, &address, &key).unwrap();
    let value = connection.recv().unwrap();
    connection.send(&value).unwrap();
    assert_eq!(connection.recv_bytes().unwrap(), b"bytes");
    let mut numbers = [0; 8];
    assert_eq!(connection.recv_bytes_into(&mut numbers).unwrap(), 5);
    connection.send_bytes(&numbers[..5]).unwrap();
    assert!(connection.recv_bytes().unwrap_err().is_closed());
    connection.peer().pid
}

#[test]
fn case_114_each_family() {
    let (_folder, path) = folder();
    each("case_114_each_family", |side, place, watchdog| {
        let addresses: [Address; 4] = [
            format!("unix:{}", path.display()).parse().unwrap(),
            format!("abstract:case-114-{}", std::process::id()).parse().unwrap(),
            "tcp:127.0.0.1:0".parse().unwrap(),
            Address::private().unwrap(),
        ];
        for address in addresses {
            watchdog.step(format!("{side:?} {place:?} {address}"));
            let key = AuthKey::from(b"secret");
            let listener = AioListener::<Mixed, Mixed>::bind(&address, &key).unwrap();
            let address = listener.address().clone();
            assert_ne!(address.tcp().map(|address| address.port()), Some(0));
            let other = kit::sides::start!(place, client, (side, address, key));
            let connection = accept(side, &listener).unwrap();
            connection.send(&mixed()).unwrap();
            assert_eq!(connection.recv().unwrap(), mixed());
            connection.send_bytes(b"bytes").unwrap();
            connection.send_bytes(&[1, 2, 3, 4, 5]).unwrap();
            assert_eq!(connection.recv_bytes().unwrap(), [1, 2, 3, 4, 5]);
            drop(connection);
            let seen = other.join();
            assert_eq!(seen, if address.tcp().is_some() { 0 } else { std::process::id() });
        }
    });
}

#[test]
fn case_114_a_second_bind_is_an_error() {
    let (_folder, path) = folder();
    let first = AioListener::<u8, u8>::bind(&path, AuthKey::none()).unwrap();
    let error = AioListener::<u8, u8>::bind(&path, AuthKey::none()).unwrap_err();
    assert!(error.is_in_use(), "{error}");
    let private = AioListener::<u8, u8>::bind(Address::private().unwrap(), AuthKey::none()).unwrap();
    assert!(AioListener::<u8, u8>::bind(private.address(), b"key").unwrap_err().is_in_use());
    let tcp = AioListener::<u8, u8>::bind("tcp:127.0.0.1:0", b"key").unwrap();
    assert!(AioListener::<u8, u8>::bind(tcp.address().tcp().unwrap(), b"key").unwrap_err().is_in_use());
    // The first one is as it was, and once it is gone its place is free.
    assert!(first.try_accept().unwrap_err().is_empty());
    drop((first, private));
    AioListener::<u8, u8>::bind(&path, AuthKey::none()).unwrap();
}

#[test]
fn case_114_the_file_is_this_user_s_and_goes_with_its_listener() {
    let (folder, path) = folder();
    let listener = AioListener::<u8, u8>::bind(&path, AuthKey::none()).unwrap();
    let file = std::fs::symlink_metadata(&path).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let clone = listener.clone();
    drop(listener);
    assert!(path.exists());
    drop(clone);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    // What somebody else has put in its place is not its own.
    let listener = AioListener::<u8, u8>::bind(&path, AuthKey::none()).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "mine").unwrap();
    drop(listener);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    // And no file that is no socket is replaced.
    assert!(AioListener::<u8, u8>::bind(&path, AuthKey::none()).unwrap_err().is_in_use());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn case_114_a_dead_listener_s_file_is_replaced() {
    let _watchdog = Watchdog::new("case_114_a_dead_listener_s_file_is_replaced");
    let (folder, path) = folder();
    let bound = AioEvent::new().unwrap();
    let child = AioProcess::builder().daemon(true).spawn(
        |path: PathBuf, bound: AioEvent| {
            let _listener = AioListener::<u8, u8>::bind(&path, AuthKey::none()).unwrap();
            bound.set();
            kit::sleep_for_ever();
        },
        (path.clone(), bound.clone()),
    );
    let child = child.unwrap();
    bound.wait().unwrap();
    assert!(AioListener::<u8, u8>::bind(&path, AuthKey::none()).unwrap_err().is_in_use());
    child.kill().unwrap();
    let _ = child.join();
    assert!(path.exists());
    assert!(AioClient::connect::<u8, u8>(&path, AuthKey::none()).unwrap_err().is_nobody_listens());
    let winner = AioListener::<u8, u8>::bind(&path, AuthKey::none()).unwrap();
    let connected = std::thread::spawn({
        let path = path.clone();
        move || AioClient::connect::<u8, u8>(&path, AuthKey::none()).unwrap()
    });
    winner.accept().unwrap().send(&1).unwrap();
    assert_eq!(connected.join().unwrap().recv().unwrap(), 1);
    drop(winner);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn case_114_of_several_that_find_it_dead_one_wins() {
    let _watchdog = Watchdog::new("case_114_of_several_that_find_it_dead_one_wins");
    for _ in 0..50 {
        let (folder, path) = folder();
        drop(UnixListener::bind(&path).unwrap());
        let barrier = std::sync::Barrier::new(4);
        let listeners: Vec<_> = std::thread::scope(|scope| {
            let bind = || {
                barrier.wait();
                AioListener::<u8, u8>::bind(&path, AuthKey::none())
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(bind)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let (winners, losers): (Vec<_>, Vec<_>) = listeners.into_iter().partition(Result::is_ok);
        assert_eq!(winners.len(), 1);
        assert!(losers.iter().all(|lost| matches!(lost, Err(BindError::InUse { .. }))), "{losers:?}");
        // And the file is the winner's: it goes with it, and nothing else is left.
        drop(winners);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

/// P26: a path that `sockaddr_un` has no room for.
#[test]
fn case_114_a_long_path() {
    let _watchdog = Watchdog::new("case_114_a_long_path");
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("d".repeat(100)).join("e".repeat(200));
    std::fs::create_dir_all(&deep).unwrap();
    let path = deep.join("s".repeat(200));
    let listener = AioListener::<u8, u8>::bind(&path, AuthKey::none()).unwrap();
    let error = AioListener::<u8, u8>::bind(&path, AuthKey::none()).unwrap_err();
    assert!(error.is_in_use(), "{error}");
    let connected = std::thread::spawn({
        let path = path.clone();
        move || AioClient::connect::<u8, u8>(&path, AuthKey::none()).unwrap()
    });
    listener.accept().unwrap().send(&7).unwrap();
    assert_eq!(connected.join().unwrap().recv().unwrap(), 7);
}

#[test]
fn addresses() {
    for text in ["", "nothing", "unix:", "abstract:", "tcp:localhost:1", "tcp:1.2.3.4", "http://x"] {
        let parsed: Result<Address, AddressError> = text.parse();
        assert!(parsed.is_err(), "{text}");
        assert!(matches!(AioListener::<u8, u8>::bind(text, b"key"), Err(BindError::Address(_))));
    }
    assert_eq!("abstract:a\0b".parse::<Address>(), Err(AddressError::Nul));
    assert_eq!("unix:/a\0b".parse::<Address>(), Err(AddressError::Nul));
    let long = format!("abstract:{}", "a".repeat(108));
    assert_eq!(long.parse::<Address>(), Err(AddressError::TooLong { length: 108 }));
    for text in ["unix:/tmp/x y", "abstract:ü", "tcp:127.0.0.1:80", "tcp:[::1]:80"] {
        assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
    }
    let nowhere = "unix:/does/not/exist";
    assert!(matches!(AioListener::<u8, u8>::bind(nowhere, b"key"), Err(BindError::Io { .. })));
    assert!(AioClient::connect::<u8, u8>(nowhere, b"key").unwrap_err().is_nobody_listens());
    assert!(matches!(
        AioListener::<u8, u8>::bind("tcp:127.0.0.1:0", AuthKey::none()),
        Err(BindError::KeyNeeded)
    ));
    let error = AioClient::connect::<u8, u8>("tcp:127.0.0.1:9", AuthKey::none()).unwrap_err();
    assert!(matches!(error, ConnectError::KeyNeeded));
}

fn families() -> [Address; 2] {
    ["tcp:127.0.0.1:0".parse().unwrap(), Address::private().unwrap()]
}

#[test]
fn case_115_a_wrong_key() {
    each("case_115_a_wrong_key", |side, place, _| {
        for address in families() {
            let builder = AioListener::builder().report_refusals(true);
            let listener = builder.bind::<u8, u8>(address, b"right").unwrap();
            let address = listener.address().clone();
            let wrong = kit::sides::start!(
                place,
                |side: Side, address: Address| {
                    let error = connect::<u8, u8>(side, &address, &AuthKey::from(b"wrong")).unwrap_err();
                    assert!(error.is_authentication(), "{error}");
                    matches!(handshake(error), HandshakeError::WrongKey)
                },
                (side, address)
            );
            let error = accept(side, &listener).unwrap_err();
            assert!(error.is_authentication(), "{error}");
            assert!(wrong.join());
            let right = kit::sides::start!(
                place,
                |side: Side, address: Address| {
                    connect::<u8, u8>(side, &address, &AuthKey::from(b"right")).unwrap().recv().unwrap()
                },
                (side, address)
            );
            accept(side, &listener).unwrap().send(&5).unwrap();
            assert_eq!(right.join(), 5);
            assert_eq!(listener.refused(), 1);
        }
    });
}

/// A loop of `accept` that nobody has asked to be told of refusals goes on.
#[test]
fn case_115_refusals_are_counted() {
    let _watchdog = Watchdog::new("case_115_refusals_are_counted");
    let listener = AioListener::<u8, u8>::bind(Address::private().unwrap(), b"right").unwrap();
    let address = listener.address().clone();
    let clients = std::thread::spawn(move || {
        for _ in 0..3 {
            let error = AioClient::connect::<u8, u8>(&address, b"wrong").unwrap_err();
            assert!(error.is_authentication(), "{error}");
        }
        AioClient::connect::<u8, u8>(&address, b"right").unwrap().recv().unwrap()
    });
    listener.accept().unwrap().send(&1).unwrap();
    assert_eq!(clients.join().unwrap(), 1);
    assert_eq!(listener.refused(), 3);
    let refusals = listener.take_refusals();
    assert_eq!(refusals.len(), 3);
    for refusal in refusals {
        assert_eq!(refusal.peer.pid, std::process::id());
        assert!(matches!(refusal.error, HandshakeError::WrongKey), "{refusal}");
    }
    assert!(listener.take_refusals().is_empty());
}

#[test]
fn case_116_a_silent_client_holds_nobody_up() {
    each("case_116_a_silent_client_holds_nobody_up", |side, place, _| {
        for address in families() {
            let listener = AioListener::<u8, u8>::bind(address, b"").unwrap();
            let address = listener.address().clone();
            let begun = std::time::Instant::now();
            // It was first, and says nothing.
            let mut silent: Box<dyn Read + Send> = match (address.tcp(), address.abstract_name()) {
                (Some(to), _) => Box::new(std::net::TcpStream::connect(to).unwrap()),
                (_, Some(name)) => {
                    use std::os::linux::net::SocketAddrExt;
                    let to = std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap();
                    Box::new(UnixStream::connect_addr(&to).unwrap())
                }
                _ => unreachable!(),
            };
            let good = kit::sides::start!(
                place,
                |side: Side, address: Address| {
                    connect::<u8, u8>(side, &address, &AuthKey::from(b"")).unwrap().recv().unwrap()
                },
                (side, address)
            );
            accept(side, &listener).unwrap().send(&9).unwrap();
            assert_eq!(good.join(), 9);
            // The silent one is sent away in time, by whoever is in an accept then.
            kit::until("the end of patience", || {
                assert!(listener.accept_timeout(Duration::from_millis(50)).unwrap_err().is_timeout());
                listener.refused() == 1
            });
            assert!(begun.elapsed() >= Duration::from_secs(2));
            assert!(matches!(listener.take_refusals()[0].error, HandshakeError::TooSlow));
            let mut greeting = Vec::new();
            let _ = silent.read_to_end(&mut greeting);
            assert!(!greeting.is_empty());
        }
    });
}

#[test]
fn case_117_a_key_on_one_side() {
    each("case_117_a_key_on_one_side", |side, place, _| {
        for (ours, theirs) in
            [(AuthKey::from(b"key"), AuthKey::none()), (AuthKey::none(), AuthKey::from(b"key"))]
        {
            let address = Address::private().unwrap();
            let listener =
                AioListener::builder().report_refusals(true).bind::<u8, u8>(address, ours).unwrap();
            let other = kit::sides::start!(
                place,
                |side: Side, address: Address, key: AuthKey| {
                    let error = connect::<u8, u8>(side, &address, &key).unwrap_err();
                    matches!(handshake(error), HandshakeError::OneKey)
                },
                (side, listener.address(), theirs)
            );
            let error = accept(side, &listener).unwrap_err();
            assert!(error.is_authentication(), "{error}");
            assert!(other.join());
        }
    });
}

#[test]
fn case_118_close_wakes_every_accept() {
    for &side in Side::ALL {
        let watchdog = Watchdog::new("case_118_close_wakes_every_accept");
        watchdog.step(format!("{side:?}"));
        let listener = AioListener::<u8, u8>::bind(Address::private().unwrap(), AuthKey::none()).unwrap();
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let listener = listener.clone();
                std::thread::spawn(move || accept(side, &listener).unwrap_err().is_closed())
            })
            .collect();
        let asleep = || {
            let tasks = std::fs::read_dir("/proc/self/task").unwrap();
            tasks
                .filter(|task| {
                    let path = task.as_ref().unwrap().path().join("wchan");
                    std::fs::read_to_string(path).is_ok_and(|at| at.contains("poll"))
                })
                .count()
                >= 3
        };
        // They need not be asleep for this to be right.
        for _ in 0..200 {
            if asleep() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        listener.close();
        assert!(waiting.into_iter().all(|thread| thread.join().unwrap()));
        assert!(listener.is_closed());
        assert!(listener.accept().unwrap_err().is_closed());
        assert!(matches!(listener.try_accept(), Err(aioprocessing::TryAcceptError::Closed)));
        assert_eq!(wait_any(&[&listener], None).unwrap(), [0]);
        assert!(
            AioClient::connect::<u8, u8>(listener.address(), AuthKey::none())
                .unwrap_err()
                .is_nobody_listens()
        );
        listener.close();
    }
}

#[test]
fn case_119_signals_during_accept_and_a_large_transfer() {
    let _watchdog = Watchdog::new("case_119_signals_during_accept_and_a_large_transfer");
    kit::handle_sigusr1();
    for address in families() {
        let listener = AioListener::<Vec<u8>, u8>::bind(address, b"key").unwrap();
        let address = listener.address().clone();
        let (tell, told) = std::sync::mpsc::channel();
        let server = std::thread::spawn(move || {
            tell.send(kit::this_thread()).unwrap();
            let connection = listener.accept().unwrap();
            connection.send(&vec![7; 16 << 20]).unwrap();
            assert_eq!(connection.recv().unwrap(), 1);
        });
        let thread = told.recv().unwrap();
        let before = kit::sigusr1_seen();
        kit::until("signals", || {
            kit::interrupt_thread(thread);
            kit::sigusr1_seen() > before + 10
        });
        let connection = AioClient::connect::<u8, Vec<u8>>(&address, b"key").unwrap();
        for _ in 0..50 {
            kit::interrupt_thread(thread);
        }
        assert_eq!(connection.recv().unwrap(), vec![7; 16 << 20]);
        connection.send(&1).unwrap();
        server.join().unwrap();
    }
}

#[test]
fn peers_are_known() {
    let _watchdog = Watchdog::new("peers_are_known");
    let listener = AioListener::<u8, u8>::bind(Address::private().unwrap(), b"key").unwrap();
    let child = AioProcess::spawn(
        |address: Address| {
            let connection = AioClient::connect::<u8, u8>(address, b"key").unwrap();
            connection.recv().unwrap();
            (connection.peer().pid, connection.peer().uid)
        },
        (listener.address().clone(),),
    )
    .unwrap();
    let connection = listener.accept().unwrap();
    let peer = connection.peer();
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    assert_eq!((peer.pid, peer.uid, peer.gid), (child.pid(), uid, gid));
    assert!(peer.is_known());
    connection.send(&1).unwrap();
    assert_eq!(child.join().unwrap(), (std::process::id(), uid));
}

/// P16: the end of a killed peer is seen at once, though it has siblings that were born while it was connected.
#[test]
fn case_107_a_killed_peer() {
    for &side in Side::ALL {
        let _watchdog = Watchdog::new("case_107_a_killed_peer");
        for address in families() {
            let listener = AioListener::<u8, u8>::bind(address, b"key").unwrap();
            let child = AioProcess::builder().daemon(true).spawn(
                |address: Address| {
                    let connection = AioClient::connect::<u8, u8>(address, b"key").unwrap();
                    connection.send(&1).unwrap();
                    kit::sleep_for_ever();
                },
                (listener.address().clone(),),
            );
            let child = child.unwrap();
            let connection = accept(side, &listener).unwrap();
            let stop = AioEvent::new().unwrap();
            let sibling = AioProcess::builder()
                .daemon(true)
                .spawn(|stop: AioEvent| stop.wait().unwrap(), (stop.clone(),));
            assert_eq!(connection.recv().unwrap(), 1);
            child.kill().unwrap();
            let error = either!(side, connection.recv(), connection.coro_recv()).unwrap_err();
            assert!(error.is_closed(), "{error}");
            stop.set();
            sibling.unwrap().join().unwrap();
        }
    }
}

/// Case 112, and as many descriptors as a message takes.
/// Who connects may name another type than who listens, as long as the codec writes both alike.
#[test]
fn types_that_the_codec_writes_alike() {
    let _watchdog = Watchdog::new("types_that_the_codec_writes_alike");
    let listener = AioListener::<Vec<u64>, String>::bind(Address::private().unwrap(), b"key").unwrap();
    let child = AioProcess::spawn(
        |address: Address| {
            let connection = AioClient::connect::<&'static str, Box<[u64]>>(address, b"key").unwrap();
            connection.send(&"text").unwrap();
            connection.recv().unwrap().iter().sum::<u64>()
        },
        (listener.address().clone(),),
    )
    .unwrap();
    let connection = listener.accept().unwrap();
    assert_eq!(connection.recv().unwrap(), "text");
    connection.send(&vec![1, 2, 300]).unwrap();
    assert_eq!(child.join().unwrap(), 303);
}

#[test]
fn descriptors_travel_on_local_connections() {
    let _watchdog = Watchdog::new("descriptors_travel_on_local_connections");
    type Many = (Vec<Passed<OwnedFd>>, Vec<u8>);
    let listener = AioListener::<Many, u8>::bind(Address::private().unwrap(), b"key").unwrap();
    let child = AioProcess::spawn(
        |address: Address| {
            let connection = AioClient::connect::<u8, Many>(address, b"key").unwrap();
            for (count, length) in [(1, 10), (253, 10), (252, 1 << 20)] {
                let (descriptors, bytes) = connection.recv().unwrap();
                assert_eq!((descriptors.len(), bytes.len()), (count, length));
                for passed in descriptors {
                    std::fs::File::from(passed.into_inner()).write_all(b"x").unwrap();
                }
            }
        },
        (listener.address().clone(),),
    )
    .unwrap();
    let connection = listener.accept().unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let many = |count: usize, length: usize| {
        let copies = (0..count).map(|_| Passed::new(OwnedFd::from(writer.try_clone().unwrap())));
        (copies.collect::<Vec<_>>(), vec![0; length])
    };
    connection.send(&many(1, 10)).unwrap();
    connection.send(&many(253, 10)).unwrap();
    assert!(connection.send(&many(254, 10)).is_err());
    connection.send(&many(252, 1 << 20)).unwrap();
    child.join().unwrap();
    drop(writer);
    let mut came = Vec::new();
    reader.read_to_end(&mut came).unwrap();
    assert_eq!(came.len(), 1 + 253 + 252);
}

#[test]
fn a_gibibyte_arrives() {
    const LENGTH: usize = 1 << 30;
    let _watchdog = Watchdog::new("a_gibibyte_arrives");
    let listener = AioListener::<u8, u8>::bind(Address::private().unwrap(), b"key").unwrap();
    let send = |address: Address| {
        let connection = AioClient::connect::<u8, u8>(address, b"key").unwrap();
        let mut bytes = vec![0; LENGTH];
        (bytes[LENGTH / 2], bytes[LENGTH - 1]) = (1, 2);
        connection.send_bytes(&bytes).unwrap();
    };
    let child = AioProcess::builder().daemon(true).spawn(send, (listener.address().clone(),)).unwrap();
    let connection = listener.accept().unwrap();
    let came = connection.recv_bytes().unwrap();
    assert_eq!((came.len(), came[0], came[LENGTH / 2], came[LENGTH - 1]), (LENGTH, 0, 1, 2));
    drop(came);
    child.join().unwrap();
}

/// Without a descriptor nobody is accepted, and nobody lost.
#[test]
fn a_shortage_of_descriptors() {
    let _watchdog = Watchdog::new("a_shortage_of_descriptors");
    let (bound, address) = (AioEvent::new().unwrap(), Address::private().unwrap());
    let serve = |address: Address, bound: AioEvent| {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let listener = AioListener::<u8, u8>::bind(&address, b"key").unwrap();
        bound.set();
        assert!(matches!(wait_any(&[&bound], None).as_deref(), Ok([0])));
        let limit = Rlimit { current: Some(100), ..getrlimit(Resource::Nofile) };
        setrlimit(Resource::Nofile, limit).unwrap();
        let held: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        assert!(!held.is_empty());
        match listener.accept() {
            Err(AcceptError::Io(error)) => assert_eq!(error.raw_os_error(), Some(24)),
            other => panic!("{other:?}"),
        }
        drop(held);
        listener.accept().unwrap().send(&1).unwrap();
    };
    let child = AioProcess::builder().daemon(true).spawn(serve, (address.clone(), bound.clone())).unwrap();
    bound.wait().unwrap();
    assert_eq!(AioClient::connect::<u8, u8>(&address, b"key").unwrap().recv().unwrap(), 1);
    child.join().unwrap();
}

/// Case 111: all kinds together.
#[test]
fn case_111_listeners_connections_processes_events_and_queues() {
    for &side in Side::ALL {
        let _watchdog = Watchdog::new("case_111_listeners_connections_processes_events_and_queues");
        let wait =
            |things: &[&dyn Waitable]| either!(side, wait_any(things, None), coro_wait_any(things)).unwrap();
        let listener = AioListener::<u8, u8>::bind("tcp:127.0.0.1:0", b"key").unwrap();
        let (event, queue) = (AioEvent::new().unwrap(), AioQueue::<u8>::unbounded().unwrap());
        let talk = |address: Address, queue: AioQueue<u8>, event: AioEvent| {
            let connection = AioClient::connect::<u8, u8>(address, b"key").unwrap();
            connection.send(&connection.recv().unwrap()).unwrap();
            queue.put(connection.recv().unwrap()).unwrap();
            event.wait().unwrap();
        };
        let arguments = (listener.address().clone(), queue.clone(), event.clone());
        let child = AioProcess::builder().daemon(true).spawn(talk, arguments).unwrap();
        let sentinel = child.sentinel();
        assert_eq!(wait(&[&event, &queue, &child, &sentinel, &listener]), [4]);
        let connection = listener.accept().unwrap();
        connection.send(&5).unwrap();
        let things: [&dyn Waitable; 6] = [&event, &queue, &child, &sentinel, &listener, &connection];
        assert_eq!(wait(&things), [5]);
        assert_eq!(connection.recv().unwrap(), 5);
        connection.send(&6).unwrap();
        assert_eq!(wait(&things), [1]);
        assert_eq!(queue.get().unwrap(), 6);
        event.set();
        assert_eq!(wait(&things)[0], 0);
        child.join().unwrap();
        assert_eq!(wait(&things), [0, 2, 3, 5]);
        listener.close();
        assert_eq!(wait(&things), [0, 2, 3, 4, 5]);
    }
}

/// Case 111: a listener among others.
#[test]
fn case_111_a_listener_is_waited_for() {
    each("case_111_a_listener_is_waited_for", |side, place, _| {
        let listener = AioListener::<u8, u8>::bind(Address::private().unwrap(), b"key").unwrap();
        let event = AioEvent::new().unwrap();
        assert_eq!(wait_any(&[&event, &listener], Some(Duration::ZERO)).unwrap(), []);
        let other = kit::sides::start!(
            place,
            |address: Address| AioClient::connect::<u8, u8>(address, b"key").unwrap().recv().unwrap(),
            (listener.address())
        );
        let wait =
            || either!(side, wait_any(&[&event, &listener], None), coro_wait_any(&[&event, &listener]));
        assert_eq!(wait().unwrap(), [1]);
        // It stays true until somebody accepts.
        assert_eq!(wait().unwrap(), [1]);
        let connection = listener.try_accept().unwrap();
        assert_eq!(wait_any(&[&event, &listener, &connection], Some(Duration::ZERO)).unwrap(), []);
        connection.send(&3).unwrap();
        assert_eq!(other.join(), 3);
    });
}

#[test]
fn several_accept_at_once() {
    const CLIENTS: usize = 40;
    let _watchdog = Watchdog::new("several_accept_at_once");
    let listener = AioListener::<u32, u32>::bind(Address::private().unwrap(), b"key").unwrap();
    let served: Vec<_> = (0..4)
        .map(|server| {
            let listener = listener.clone();
            std::thread::spawn(move || {
                let side = Side::ALL[server % Side::ALL.len()];
                let mut served = 0;
                while let Ok(connection) = accept(side, &listener) {
                    connection.send(&(connection.recv().unwrap() + 1)).unwrap();
                    served += 1;
                }
                served
            })
        })
        .collect();
    let address = listener.address().clone();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let address = address.clone();
            std::thread::spawn(move || {
                let side = Side::ALL[client % Side::ALL.len()];
                let connection = connect::<u32, u32>(side, &address, &AuthKey::from(b"key")).unwrap();
                connection.send(&5).unwrap();
                assert_eq!(connection.recv().unwrap(), 6);
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    listener.close();
    let served: usize = served.into_iter().map(|server| server.join().unwrap()).sum();
    assert_eq!(served, CLIENTS);
}

/// Two are ready at once, and two wait: what the first of them leaves is the second one's.
#[test]
fn what_one_accept_leaves_is_another_s() {
    let watchdog = Watchdog::new("what_one_accept_leaves_is_another_s");
    for round in 0..50 {
        watchdog.step(format!("round {round}"));
        let listener = AioListener::<u8, u8>::bind(Address::private().unwrap(), AuthKey::none()).unwrap();
        let start = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    start.wait();
                    AioClient::connect::<u8, u8>(listener.address(), AuthKey::none()).unwrap();
                });
                scope.spawn(|| {
                    start.wait();
                    listener.accept().unwrap();
                });
            }
        });
    }
}

/// The same, step by step: one waits, and another picks both up.
#[test]
fn what_one_accept_leaves_wakes_who_waits() {
    let _watchdog = Watchdog::new("what_one_accept_leaves_wakes_who_waits");
    let (_folder, path) = folder();
    kit::runtime().block_on(async {
        // Without a key, a Python is a client as soon as it is picked up.
        let builder = AioListener::builder().python_compatible();
        let listener = builder.bind::<u8, u8>(&path, AuthKey::none()).unwrap();
        let waiting = tokio::spawn({
            let listener = listener.clone();
            async move { listener.coro_accept().await.unwrap() }
        });
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        let _clients = [UnixStream::connect(&path).unwrap(), UnixStream::connect(&path).unwrap()];
        let _first = listener.try_accept().unwrap();
        let _second = waiting.await.unwrap();
    });
}

#[test]
fn a_dropped_accept_has_taken_nobody() {
    let _watchdog = Watchdog::new("a_dropped_accept_has_taken_nobody");
    kit::runtime().block_on(async {
        let listener = AioListener::<u8, u8>::bind(Address::private().unwrap(), b"key").unwrap();
        for _ in 0..20 {
            let dropped = tokio::time::timeout(Duration::ZERO, listener.coro_accept()).await;
            assert!(dropped.is_err());
            // Dropped in the middle of its greeting as well.
            let connecting = AioClient::coro_connect::<u8, u8>(listener.address().clone(), b"key");
            let client = tokio::spawn(connecting);
            while tokio::time::timeout(Duration::from_micros(1), listener.coro_accept()).await.is_err() {}
            client.await.unwrap().unwrap();
        }
    });
}

#[test]
fn forms_that_do_not_wait_for_ever() {
    let _watchdog = Watchdog::new("forms_that_do_not_wait_for_ever");
    let listener = AioListener::<u8, u8>::bind(Address::private().unwrap(), b"key").unwrap();
    let time = Duration::from_millis(30);
    let begun = std::time::Instant::now();
    assert!(listener.accept_timeout(time).unwrap_err().is_timeout());
    // Nobody is in an accept.
    let error = AioClient::connect_timeout::<u8, u8>(listener.address(), b"key", time).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(begun.elapsed() >= 2 * time);
    assert!(listener.try_accept().unwrap_err().is_empty());
    assert!(AioClient::try_connect::<u8, u8>(listener.address(), b"key").unwrap_err().is_not_ready());
    let gone = Address::private().unwrap();
    assert!(AioClient::try_connect::<u8, u8>(&gone, b"key").unwrap_err().is_nobody_listens());
    assert!(AioClient::connect_timeout::<u8, u8>(&gone, b"key", LONG).unwrap_err().is_nobody_listens());
}

/// Somebody in between who passes everything on is no client, whatever it forwards.
#[test]
fn nobody_stands_between() {
    let _watchdog = Watchdog::new("nobody_stands_between");
    let (_folder, path) = folder();
    let relay = UnixListener::bind(&path).unwrap();
    let builder = AioListener::builder().report_refusals(true);
    let listener = builder.bind::<u8, u8>(_folder.path().join("real"), b"key").unwrap();
    let real = listener.address().path().unwrap().to_owned();
    std::thread::spawn(move || {
        let victim = relay.accept().unwrap().0;
        let server = UnixStream::connect(real).unwrap();
        let (mut from, mut to) = (server.try_clone().unwrap(), victim.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        let (mut from, mut to) = (victim, server);
        let _ = std::io::copy(&mut from, &mut to);
    });
    let victim = std::thread::spawn(move || AioClient::connect::<u8, u8>(&path, b"key").unwrap_err());
    assert!(listener.accept().unwrap_err().is_authentication());
    assert!(victim.join().unwrap().is_authentication());
}

#[test]
fn debug_shows_the_state() {
    let listener = AioListener::<u8, u8>::bind("tcp:127.0.0.1:0", b"secret").unwrap();
    let shown = format!("{listener:?}");
    assert!(shown.contains("tcp:127.0.0.1:") && shown.contains("refused: 0"), "{shown}");
    assert!(!format!("{:?}", AuthKey::from(b"secret")).contains("secret"));
}

#[test]
fn futures_are_send_and_handles_are_sync() {
    fn send<T: Send>(it: T) -> T {
        it
    }
    fn sync<T: Sync + Send + std::fmt::Debug>(_: &T) {}
    let _watchdog = Watchdog::new("futures_are_send_and_handles_are_sync");
    let listener = AioListener::<u8, u8>::bind(Address::private().unwrap(), b"key").unwrap();
    sync(&listener);
    kit::runtime().block_on(async {
        let connecting = send(AioClient::coro_connect::<u8, u8>(listener.address(), b"key"));
        let (accepted, connected) = tokio::join!(send(listener.coro_accept()), connecting);
        sync(&connected.unwrap());
        send(accepted.unwrap().coro_recv()).await.unwrap_err();
    });
}
