//! `python_compatible` against real Pythons: both roles, both styles of challenge, right and wrong keys, bytes both ways.
//!
//! The machine's `python3` speaks its own style, and both others through `tests/python/connection_peer.py`; each further version
//! that is installed (`python3.8` to `python3.14`, or those in `AIOPROCESSING_PYTHONS`, separated by colons) speaks its own.
// Both faces in one body.
#![cfg(feature = "tokio")]

mod kit;

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use aioprocessing::{
    Address, AioClient, AioConnection, AioListener, AuthKey, ConnectError, HandshakeError, SendError,
};
use kit::Watchdog;
use kit::either::either;
use kit::sides::Side;

aioprocessing::test_support!();

/// The interpreters, with the styles that each is to speak.
fn pythons() -> Vec<(String, Vec<&'static str>)> {
    let mut found = vec![("python3".to_owned(), vec!["own", "old", "sha256", "md5"])];
    let more = std::env::var("AIOPROCESSING_PYTHONS").unwrap_or_default();
    let versions = (8..=14).map(|minor| format!("python3.{minor}"));
    for python in more.split(':').filter(|python| !python.is_empty()).map(str::to_owned).chain(versions) {
        let runs =
            Command::new(&python).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if runs.is_ok_and(|status| status.success()) {
            found.push((python, vec!["own"]));
        }
    }
    found
}

/// A Python that is ended with the test.
struct Peer {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Peer {
    fn start(python: &str, role: &str, address: &str, key: &str, style: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/connection_peer.py");
        let command = &mut Command::new(python);
        let command = command.args([script, role, address, key, style]).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().expect("this test needs python3");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    fn exit_code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address as each side writes it.
fn spelt(address: &Address) -> String {
    match (address.path(), address.abstract_name(), address.tcp()) {
        (Some(path), _, _) => path.to_str().unwrap().to_owned(),
        (_, Some(name), _) => format!("@{name}"),
        (_, _, Some(tcp)) => tcp.to_string(),
        _ => unreachable!(),
    }
}

fn families(folder: &tempfile::TempDir) -> [Address; 3] {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path = folder.path().join(number.to_string());
    [
        format!("unix:{}", path.display()).parse().unwrap(),
        Address::private().unwrap(),
        "tcp:127.0.0.1:0".parse().unwrap(),
    ]
}

fn connect(side: Side, address: &Address, key: &AuthKey) -> Result<AioConnection<u8, u8>, ConnectError> {
    let builder = || AioClient::builder().python_compatible();
    either!(side, builder().connect(address, key), builder().coro_connect(address, key))
}

fn accept(
    side: Side,
    listener: &AioListener<u8, u8>,
) -> Result<AioConnection<u8, u8>, aioprocessing::AcceptError> {
    either!(side, listener.accept(), listener.coro_accept())
}

/// Sends all kinds of lengths, and gets them back.
fn echoed(side: Side, connection: &AioConnection<u8, u8>) {
    for length in [0, 1, 5, 16_384, 16_385, 100_000, 1 << 20] {
        let bytes: Vec<u8> = (0..length).map(|n: u32| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                either!(side, connection.send_bytes(&bytes), connection.coro_send_bytes(&bytes)).unwrap()
            });
            let came = either!(side, connection.recv_bytes(), connection.coro_recv_bytes()).unwrap();
            assert!(came == bytes, "{length}");
        });
    }
    // One after the other without an answer in between.
    for n in 0..10 {
        connection.send_bytes(&[n; 3]).unwrap();
    }
    let mut buffer = [0; 3];
    for n in 0..10 {
        assert_eq!(connection.recv_bytes_into(&mut buffer).unwrap(), 3);
        assert_eq!(buffer, [n; 3]);
    }
}

fn each(test: &str, mut body: impl FnMut(Side, &str, &str, &Watchdog)) {
    for (python, styles) in pythons() {
        for style in styles {
            for &side in Side::ALL {
                let watchdog = Watchdog::new(test);
                watchdog.step(format!("{side:?} with {python}, {style}"));
                body(side, &python, style, &watchdog);
            }
        }
    }
}

#[test]
fn python_is_the_client() {
    let folder = tempfile::tempdir().unwrap();
    each("python_is_the_client", |side, python, style, _| {
        for address in families(&folder) {
            let listener =
                AioListener::builder().python_compatible().bind::<u8, u8>(&address, b"right").unwrap();
            let mut peer = Peer::start(python, "client", &spelt(listener.address()), "right", style);
            let connection = accept(side, &listener).unwrap();
            assert_eq!(peer.line(), "connected");
            if address.tcp().is_none() {
                assert_eq!(connection.peer().pid, peer.child.id());
            }
            echoed(side, &connection);
            drop(connection);
            assert_eq!(peer.exit_code(), Some(0));
        }
    });
}

#[test]
fn python_is_the_listener() {
    let folder = tempfile::tempdir().unwrap();
    each("python_is_the_listener", |side, python, style, _| {
        for address in families(&folder) {
            let mut peer = Peer::start(python, "listener", &spelt(&address), "right", style);
            let at = peer.line();
            let address = match address.tcp() {
                Some(_) => format!("tcp:{}", at.strip_prefix("at ").unwrap()).parse().unwrap(),
                None => address,
            };
            let connection = connect(side, &address, &AuthKey::from(b"right")).unwrap();
            assert_eq!(peer.line(), "connected");
            echoed(side, &connection);
            drop(connection);
            assert_eq!(peer.exit_code(), Some(0));
        }
    });
}

#[test]
fn case_115_wrong_keys() {
    let folder = tempfile::tempdir().unwrap();
    each("case_115_wrong_keys", |side, python, style, _| {
        let [address, other, _] = families(&folder);
        let builder = AioListener::builder().python_compatible().report_refusals(true);
        let listener = builder.bind::<u8, u8>(&address, b"right").unwrap();
        let peer = Peer::start(python, "client", &spelt(&address), "wrong", style);
        assert!(accept(side, &listener).unwrap_err().is_authentication());
        assert_eq!(peer.exit_code(), Some(3));
        // It goes on.
        let mut peer = Peer::start(python, "client", &spelt(&address), "right", style);
        let connection = accept(side, &listener).unwrap();
        assert_eq!(peer.line(), "connected");
        drop((connection, peer));

        let mut peer = Peer::start(python, "listener", &spelt(&other), "right", style);
        peer.line();
        let error = connect(side, &other, &AuthKey::from(b"wrong")).unwrap_err();
        assert!(error.is_authentication(), "{error}");
        assert_eq!(peer.exit_code(), Some(3));
    });
}

#[test]
fn case_117_a_key_on_one_side() {
    let folder = tempfile::tempdir().unwrap();
    let _watchdog = Watchdog::new("case_117_a_key_on_one_side");
    let [address, other, _] = families(&folder);
    // A Python without a key says nothing to a challenge.
    let listener = AioListener::builder().python_compatible().bind::<u8, u8>(&address, b"key").unwrap();
    let mut peer = Peer::start("python3", "client", &spelt(&address), "-", "own");
    kit::until("the refusal", || {
        assert!(listener.accept_timeout(Duration::from_millis(20)).unwrap_err().is_timeout());
        listener.refused() == 1
    });
    assert_eq!(peer.line(), "connected");
    drop(peer);
    // Nor does its listener challenge.
    let mut peer = Peer::start("python3", "listener", &spelt(&other), "-", "own");
    peer.line();
    let builder = AioClient::builder().python_compatible().patience(Duration::from_millis(200));
    match builder.connect::<u8, u8>(&other, b"key").unwrap_err() {
        ConnectError::Handshake { error: HandshakeError::TooSlow, .. } => {}
        error => panic!("{error}"),
    }
}

#[test]
fn case_116_keys_that_are_empty_and_no_keys() {
    let folder = tempfile::tempdir().unwrap();
    for (ours, theirs) in [(AuthKey::from(b""), ""), (AuthKey::none(), "-")] {
        let watchdog = Watchdog::new("case_116_keys_that_are_empty_and_no_keys");
        watchdog.step(format!("{ours:?}"));
        let [address, other, _] = families(&folder);
        let listener = AioListener::builder().python_compatible().bind::<u8, u8>(&address, &ours).unwrap();
        let peer = Peer::start("python3", "client", &spelt(&address), theirs, "own");
        echoed(Side::Blocking, &listener.accept().unwrap());
        assert_eq!(peer.exit_code(), Some(0));
        if theirs.is_empty() {
            // Older Pythons' listeners take an empty key for none; their clients do not.
            continue;
        }
        let mut peer = Peer::start("python3", "listener", &spelt(&other), theirs, "own");
        peer.line();
        echoed(Side::Blocking, &connect(Side::Blocking, &other, &ours).unwrap());
        assert_eq!(peer.exit_code(), Some(0));
    }
    let refused =
        AioListener::builder().python_compatible().bind::<u8, u8>("tcp:127.0.0.1:0", AuthKey::none());
    assert!(refused.is_err());
}

/// Each protocol takes the other for what it is.
#[test]
fn one_side_is_not_compatible() {
    let folder = tempfile::tempdir().unwrap();
    let _watchdog = Watchdog::new("one_side_is_not_compatible");
    let [address, other, _] = families(&folder);
    let listener = AioListener::builder().report_refusals(true).bind::<u8, u8>(&address, b"key").unwrap();
    let mut peer = Peer::start("python3", "client", &spelt(&address), "key", "own");
    assert!(!listener.accept().unwrap_err().is_closed());
    assert!(!peer.child.wait().unwrap().success());
    let mut peer = Peer::start("python3", "listener", &spelt(&other), "key", "own");
    peer.line();
    let error = AioClient::connect::<u8, u8>(&other, b"key").unwrap_err();
    assert!(error.to_string().contains("python_compatible"), "{error}");
}

#[test]
fn descriptors_are_refused() {
    let _watchdog = Watchdog::new("descriptors_are_refused");
    type File = aioprocessing::Passed<std::fs::File>;
    let folder = tempfile::tempdir().unwrap();
    let [address, ..] = families(&folder);
    let listener = AioListener::builder().python_compatible().bind::<File, u8>(&address, b"key").unwrap();
    let mut peer = Peer::start("python3", "client", &spelt(&address), "key", "own");
    let connection = listener.accept().unwrap();
    peer.line();
    let error = connection.send(&File::new(std::fs::File::open("/dev/null").unwrap())).unwrap_err();
    assert!(matches!(error, SendError::Encode(_)), "{error}");
    connection.send_bytes(b"usable").unwrap();
    assert_eq!(connection.recv_bytes().unwrap(), b"usable");
}
