//! P17: two hundred clients that are silent, slow, early to leave, wrong in their key or sending noise, while good ones are served.
// Both faces in one body.
#![cfg(feature = "tokio")]

mod kit;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aioprocessing::{Address, AioClient, AioConnection, AioListener, AioProcess, AuthKey, HandshakeError};
use kit::Watchdog;
use kit::either::either;
use kit::sides::Side;

aioprocessing::test_support!();

const HOSTILE: u64 = 200;
const GOOD: u64 = 40;

/// A socket of either family.
trait Bare: Read + Write + Send {
    fn half_close(&self);
}

impl Bare for TcpStream {
    fn half_close(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Bare for UnixStream {
    fn half_close(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

fn bare(address: &Address) -> Box<dyn Bare> {
    match (address.tcp(), address.abstract_name()) {
        (Some(to), _) => Box::new(TcpStream::connect(to).unwrap()),
        (_, Some(name)) => {
            let to = std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap();
            Box::new(UnixStream::connect_addr(&to).unwrap())
        }
        _ => unreachable!(),
    }
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_le_bytes()[5]
    };
    (0..length).map(|_| byte()).collect()
}

/// One hostile client, until it has had its way or the listener has had enough of it.
fn harass(address: &Address, number: u64, is_over: &AtomicBool) {
    let till_the_end = |mut socket: Box<dyn Bare>| while socket.read(&mut [0; 512]).is_ok_and(|n| n > 0) {};
    match number % 8 {
        // Silent.
        0 => till_the_end(bare(address)),
        // Slow: one byte at a time of what could become a greeting.
        1 => {
            let mut socket = bare(address);
            let greeting = [&[0, 0, 0, 108, 2][..], b"aioprocessing\x01\x01", &noise(number, 92)].concat();
            for byte in greeting.iter().cycle() {
                if is_over.load(Ordering::Relaxed) || socket.write_all(&[*byte]).is_err() {
                    return;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
        // Gone at once, and gone in the middle.
        2 => drop(bare(address)),
        3 => {
            let mut socket = bare(address);
            let _ = socket.write_all(&[0, 0, 0, 100, 2, b'a']);
            socket.half_close();
        }
        // Of another opinion about the key, or about there being one.
        4 => {
            let error = AioClient::connect::<u64, u64>(address, b"wrong").unwrap_err();
            assert!(error.is_authentication(), "{error}");
        }
        5 if address.tcp().is_none() => {
            let error = AioClient::connect::<u64, u64>(address, AuthKey::none()).unwrap_err();
            assert!(error.is_authentication(), "{error}");
        }
        // Noise, with a likely length before it or without one.
        6 => {
            let mut socket = bare(address);
            let _ = socket.write_all(&[&[0, 0, 0, 200][..], &noise(number, 100_000)].concat());
            till_the_end(socket);
        }
        _ => {
            let mut socket = bare(address);
            let _ = socket.write_all(&noise(number, 5000));
            till_the_end(socket);
        }
    }
}

fn serve(side: Side, listener: &AioListener<u64, u64>) -> u64 {
    let mut served = 0;
    loop {
        match either!(side, listener.accept(), listener.coro_accept()) {
            Ok(connection) => {
                let connection: AioConnection<u64, u64> = connection;
                connection.send(&(connection.recv().unwrap() + 1)).unwrap();
                served += 1;
            }
            Err(error) if error.is_closed() => return served,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn hostile_clients_hold_nobody_up() {
    for &side in Side::ALL {
        for (family, python) in [("tcp:127.0.0.1:0", false), ("private", false), ("tcp:127.0.0.1:0", true)] {
            let watchdog = Watchdog::new("hostile_clients_hold_nobody_up");
            watchdog.step(format!("{side:?} {family} {python}"));
            let address =
                if family == "private" { Address::private().unwrap() } else { family.parse().unwrap() };
            let builder = AioListener::builder();
            let builder = if python { builder.python_compatible() } else { builder };
            let listener = builder.bind::<u64, u64>(address, b"right").unwrap();
            let address = listener.address().clone();
            let server = std::thread::spawn({
                let listener = listener.clone();
                move || serve(side, &listener)
            });
            let (is_over, hostile) = (AtomicBool::new(false), AtomicU64::new(0));
            std::thread::scope(|scope| {
                for number in 0..HOSTILE {
                    let (address, is_over, hostile) = (&address, &is_over, &hostile);
                    scope.spawn(move || {
                        hostile.fetch_add(1, Ordering::Relaxed);
                        if !python || number % 8 != 4 && number % 8 != 5 {
                            harass(address, number, is_over);
                        }
                    });
                }
                kit::until("all of them", || hostile.load(Ordering::Relaxed) == HOSTILE);
                for n in 0..GOOD {
                    let builder = AioClient::builder();
                    let builder = if python { builder.python_compatible() } else { builder };
                    let connection = builder.connect::<u64, u64>(&address, b"right").unwrap();
                    connection.send(&n).unwrap();
                    assert_eq!(connection.recv().unwrap(), n + 1);
                }
                is_over.store(true, Ordering::Relaxed);
                // Whoever is still silent is sent away by the accept that goes on.
            });
            listener.close();
            assert_eq!(server.join().unwrap(), GOOD);
            assert!(listener.refused() > HOSTILE / 2, "{}", listener.refused());
            assert!(
                listener
                    .take_refusals()
                    .iter()
                    .all(|refusal| !matches!(refusal.error, HandshakeError::Io(_)))
            );
        }
    }
}

/// Good clients in processes of their own, and more hostile ones than may greet at once.
#[test]
fn more_than_may_greet_at_once() {
    let _watchdog = Watchdog::new("more_than_may_greet_at_once");
    let builder = AioListener::builder().max_pending(4);
    let listener = builder.bind::<u64, u64>(Address::private().unwrap(), b"right").unwrap();
    let silent: Vec<_> = (0..6).map(|_| bare(listener.address())).collect();
    let children: Vec<_> = (0..3)
        .map(|n| {
            let work = |address: Address, n: u64| {
                let connection = AioClient::connect::<u64, u64>(address, b"right").unwrap();
                connection.send(&n).unwrap();
                connection.recv().unwrap()
            };
            AioProcess::builder().daemon(true).spawn(work, (listener.address().clone(), n)).unwrap()
        })
        .collect();
    for _ in 0..3 {
        let connection = listener.accept().unwrap();
        connection.send(&(connection.recv().unwrap() + 1)).unwrap();
    }
    for (n, child) in (0..).zip(children) {
        assert_eq!(child.join().unwrap(), n + 1);
    }
    assert!(listener.refused() >= 4);
    drop(silent);
}

/// It is known by its length, and nothing of it is waited for.
#[test]
fn a_greeting_that_is_too_long() {
    let _watchdog = Watchdog::new("a_greeting_that_is_too_long");
    let builder = AioListener::builder().report_refusals(true);
    let listener = builder.bind::<u64, u64>(Address::private().unwrap(), b"right").unwrap();
    for length in [[0, 0, 1, 1], [0x7f, 0xff, 0xff, 0xff], [0xff; 4]] {
        let mut socket = bare(listener.address());
        socket.write_all(&length).unwrap();
        match listener.accept() {
            Err(aioprocessing::AcceptError::Refused(refusal)) => {
                assert!(matches!(refusal.error, HandshakeError::Protocol(_)), "{refusal}");
            }
            other => panic!("{other:?}"),
        }
    }
}
