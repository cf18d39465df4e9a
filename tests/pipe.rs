//! Pipes: cases 101 to 110 and 113, in both faces, between threads and between processes.
// Both faces in one body.
#![cfg(feature = "tokio")]

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use aioprocessing::{
    AioConnection, AioEvent, AioPipe, AioProcess, AioReceiver, AioSender, PollError, RecvError, SendError,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

mod kit;

aioprocessing::test_support!();

/// In which way a body is run: it is written once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Face {
    Blocking,
    Async,
}

impl Face {
    fn both(body: impl AsyncFn(Self)) {
        for face in [Self::Blocking, Self::Async] {
            face.run(body(face));
        }
    }

    fn run<T>(self, body: impl Future<Output = T>) -> T {
        match self {
            // Without any runtime: the body never has to wait for anything but its own blocking calls.
            Self::Blocking => match pin!(body).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(out) => out,
                Poll::Pending => panic!("a blocking call was pending"),
            },
            Self::Async => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(body)
            }
        }
    }
}

/// What an end does, in either face.
macro_rules! faced {
    ($($name:ident / $coro:ident ( $($arg:ident : $type:ty),* ) -> $out:ty;)*) => { $(
        async fn $name<S: Serialize, R: DeserializeOwned>(
            face: Face,
            end: &AioConnection<S, R>
            $(, $arg: $type)*
        ) -> $out {
            match face {
                Face::Blocking => end.$name($($arg),*),
                Face::Async => end.$coro($($arg),*).await,
            }
        }
    )* };
}

faced! {
    send/coro_send(value: &S) -> Result<(), SendError>;
    recv/coro_recv() -> Result<R, RecvError>;
    send_bytes/coro_send_bytes(bytes: &[u8]) -> Result<(), SendError>;
    recv_bytes/coro_recv_bytes() -> Result<Vec<u8>, RecvError>;
    recv_bytes_into/coro_recv_bytes_into(buffer: &mut [u8]) -> Result<usize, RecvError>;
}

async fn poll<S, R: DeserializeOwned>(face: Face, end: &AioConnection<S, R>) -> Result<bool, PollError> {
    match face {
        Face::Blocking => end.poll(None),
        Face::Async => end.coro_poll().await.map(|()| true),
    }
}

fn pattern(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| next()).collect();
    bytes.truncate(length);
    bytes
}

type Mixed = (i64, String, Option<Vec<f64>>, HashMap<String, u8>);

fn echo(face: Face, pipe: AioConnection<Mixed, Mixed>) {
    face.run(async {
        loop {
            match recv(face, &pipe).await {
                Ok(value) => send(face, &pipe, &value).await.unwrap(),
                Err(error) if error.is_closed() => return,
                Err(error) => panic!("{error}"),
            }
        }
    });
}

fn echo_bytes(face: Face, pipe: AioConnection<(), ()>) {
    face.run(async {
        while let Ok(bytes) = recv_bytes(face, &pipe).await {
            send_bytes(face, &pipe, &bytes).await.unwrap();
        }
    });
}

#[test]
fn case_101_round_trip_of_values() {
    Face::both(async |face| {
        let (here, there) = AioPipe::<Mixed, Mixed>::duplex().unwrap();
        let child = AioProcess::spawn(echo, (face, there)).unwrap();
        let map = HashMap::from([("a".to_owned(), 1), ("ü".to_owned(), 255)]);
        for value in [
            (0, String::new(), None, HashMap::new()),
            (-5, "text ü".to_owned(), Some(vec![1.5, -0.0, f64::MAX]), map),
        ] {
            send(face, &here, &value).await.unwrap();
            assert_eq!(recv(face, &here).await.unwrap(), value);
        }
        drop(here);
        child.join().unwrap();
    });
}

#[test]
fn case_101_bytes_of_every_size() {
    Face::both(async |face| {
        let (here, there) = AioPipe::<(), ()>::duplex().unwrap();
        let child = AioProcess::spawn(echo_bytes, (face, there)).unwrap();
        // Around each border: a header, 64 KiB where the file begins, and far beyond any socket buffer.
        for length in [0, 1, 2, 4095, 4096, 65_535, 65_536, 65_537, 212_992, 1 << 20, 16 << 20] {
            let bytes = pattern(length, length as u64);
            send_bytes(face, &here, &bytes).await.unwrap();
            assert!(recv_bytes(face, &here).await.unwrap() == bytes, "{length} bytes came back different");
        }
        drop(here);
        child.join().unwrap();
    });
}

#[test]
fn case_101_a_part_of_a_buffer() {
    Face::both(async |face| {
        let (a, b) = AioPipe::<(), ()>::duplex().unwrap();
        let bytes = b"abcdef";
        for part in [&bytes[1..], &bytes[..3], &bytes[2..4], &bytes[6..]] {
            send_bytes(face, &a, part).await.unwrap();
            assert_eq!(recv_bytes(face, &b).await.unwrap(), part);
        }
    });
}

#[test]
fn case_101_values_larger_than_a_packet() {
    Face::both(async |face| {
        let (a, b) = AioPipe::<String, ()>::duplex().unwrap();
        let text = "x".repeat(5_000_000);
        send(face, &a, &text).await.unwrap();
        assert!(recv(face, &b).await.unwrap() == text);
    });
}

#[test]
fn case_102_into_a_buffer() {
    Face::both(async |face| {
        let (a, b) = AioPipe::<(), ()>::duplex().unwrap();
        let mut buffer = [9; 10];
        send_bytes(face, &a, b"abc").await.unwrap();
        assert_eq!(recv_bytes_into(face, &b, &mut buffer[4..]).await.unwrap(), 3);
        assert_eq!(&buffer, b"\x09\x09\x09\x09abc\x09\x09\x09");

        for length in [11, 100_000] {
            let long = pattern(length, 3);
            send_bytes(face, &a, &long).await.unwrap();
            send_bytes(face, &a, b"next").await.unwrap();
            let error = recv_bytes_into(face, &b, &mut buffer).await.unwrap_err();
            assert!(matches!(error, RecvError::BufferTooSmall { .. }));
            assert!(error.to_string().contains(&length.to_string()));
            assert_eq!(error.into_bytes().unwrap(), long);
            assert_eq!(recv_bytes_into(face, &b, &mut buffer).await.unwrap(), 4);
            assert_eq!(&buffer[..4], b"next");
        }
        assert_eq!(a.try_recv_bytes_into(&mut buffer).unwrap_err().to_string(), "no message is there");
        assert!(a.recv_bytes_into_timeout(&mut buffer, Duration::ZERO).unwrap_err().is_timeout());
    });
}

#[test]
fn case_103_maximum_length() {
    Face::both(async |face| {
        for max in [100, 100_000] {
            let (a, b) = AioPipe::builder().max_length(max).duplex::<(), ()>().unwrap();
            let fits = pattern(usize::try_from(max).unwrap(), 1);
            let too_long = pattern(fits.len() + 1, 1);
            let error = send_bytes(face, &a, &too_long).await.unwrap_err();
            assert!(
                matches!(error, SendError::TooLong { length, limit } if length == max + 1 && limit == max)
            );
            send_bytes(face, &a, &fits).await.unwrap();
            assert_eq!(recv_bytes(face, &b).await.unwrap(), fits);
        }
    });
}

#[test]
fn case_103_a_sender_that_does_not_keep_to_it() {
    Face::both(async |face| {
        let (wide, narrow) = AioPipe::<(), ()>::duplex().unwrap();
        narrow.set_max_length(100);
        assert_eq!(narrow.max_length(), 100);
        for length in [101_usize, 70_000] {
            send_bytes(face, &wide, &pattern(length, 1)).await.unwrap();
            send_bytes(face, &wide, b"next").await.unwrap();
            let error = recv_bytes(face, &narrow).await.unwrap_err();
            assert!(
                matches!(error, RecvError::TooLong { length: is, limit: 100 } if is == length as u64),
                "{error}"
            );
            // Not out of step.
            assert_eq!(recv_bytes(face, &narrow).await.unwrap(), b"next");
        }
    });
}

#[test]
fn case_104_poll() {
    Face::both(async |face| {
        let (a, b) = AioPipe::<u8, u8>::duplex().unwrap();
        assert!(!b.poll(Duration::ZERO).unwrap());
        let (asked, time) = (Instant::now(), Duration::from_millis(50));
        assert!(!b.poll(time).unwrap());
        assert!(asked.elapsed() >= time);
        // An empty message is one, too.
        send_bytes(face, &a, b"").await.unwrap();
        send_bytes(face, &a, b"two").await.unwrap();
        for expected in [&b""[..], b"two"] {
            for _ in 0..3 {
                assert!(poll(face, &b).await.unwrap());
                assert!(b.poll(Duration::ZERO).unwrap());
            }
            assert_eq!(recv_bytes(face, &b).await.unwrap(), expected);
        }
        assert!(!b.poll(Duration::ZERO).unwrap());
        drop(a);
        assert!(poll(face, &b).await.unwrap(), "the end can be received without waiting");
        assert!(recv(face, &b).await.unwrap_err().is_closed());
    });
}

#[test]
fn case_104_poll_is_woken() {
    Face::both(async |face| {
        let (a, b) = AioPipe::<u8, u8>::duplex().unwrap();
        let child = AioProcess::spawn(
            |b: AioConnection<u8, u8>| {
                assert_eq!(b.recv().unwrap(), 1);
                b.send(&2).unwrap();
            },
            (b,),
        );
        let child = child.unwrap();
        send(face, &a, &1).await.unwrap();
        assert!(poll(face, &a).await.unwrap());
        assert_eq!(a.try_recv().unwrap(), 2);
        child.join().unwrap();
    });
}

#[test]
fn case_105_empty_messages_are_counted() {
    Face::both(async |face| {
        let (a, b) = AioPipe::<(), ()>::duplex().unwrap();
        for _ in 0..3 {
            send_bytes(face, &a, b"").await.unwrap();
        }
        // A value of no bytes.
        send(face, &a, &()).await.unwrap();
        drop(a);
        for _ in 0..3 {
            assert_eq!(recv_bytes(face, &b).await.unwrap(), b"");
        }
        recv(face, &b).await.unwrap();
        assert!(recv_bytes(face, &b).await.unwrap_err().is_closed());
        assert!(recv_bytes(face, &b).await.unwrap_err().is_closed(), "and so it stays");
    });
}

#[test]
fn case_106_closed_by_the_peer() {
    Face::both(async |face| {
        // With and without something left unread, which makes the kernel answer differently.
        for (unread, is_received_first) in [(false, false), (true, false), (false, true), (true, true)] {
            let (a, b) = AioPipe::<u8, u8>::duplex().unwrap();
            send(face, &b, &7).await.unwrap();
            if unread {
                send(face, &a, &1).await.unwrap();
            }
            drop(b);
            // The first operation on such an end may be either.
            if is_received_first {
                assert_eq!(recv(face, &a).await.unwrap(), 7, "what was sent before");
            }
            assert!(send(face, &a, &2).await.unwrap_err().is_closed());
            assert!(send_bytes(face, &a, &[0; 100_000]).await.unwrap_err().is_closed());
            assert!(a.try_send(&2).unwrap_err().is_closed());
            assert!(a.send_timeout(&2, Duration::ZERO).unwrap_err().is_closed());
            if !is_received_first {
                assert_eq!(recv(face, &a).await.unwrap(), 7, "what was sent before");
            }
            assert!(recv(face, &a).await.unwrap_err().is_closed());
            assert!(a.try_recv().unwrap_err().is_closed());
            assert!(a.recv_timeout(Duration::MAX).unwrap_err().is_closed());
        }
    });
}

#[test]
fn case_106_no_signal() {
    #[allow(unsafe_code)]
    fn send_to_nobody(a: AioConnection<u8, u8>) -> bool {
        // SAFETY: sets an action and nothing else. `test_support!` had it ignored, as std does.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        a.send(&1).unwrap_err().is_closed() && a.send_bytes(&[0; 100_000]).unwrap_err().is_closed()
    }
    let (a, b) = AioPipe::<u8, u8>::duplex().unwrap();
    drop(b);
    assert!(AioProcess::spawn(send_to_nobody, (a,)).unwrap().join().unwrap());
}

#[test]
fn case_107_a_killed_peer_ends_the_pipe_although_siblings_live() {
    Face::both(async |face| {
        let go_on = AioEvent::new().unwrap();
        // All pipes first: each child is then started while this process holds the ends of those to come.
        let made = [(); 4].map(|()| AioPipe::<u8, u8>::duplex().unwrap());
        let (mut pipes, mut children) = (Vec::new(), Vec::new());
        for (here, there) in made {
            let child = AioProcess::spawn(
                |pipe: AioConnection<u8, u8>, go_on: AioEvent| {
                    pipe.send(&1).unwrap();
                    go_on.wait().unwrap();
                },
                (there, go_on.clone()),
            );
            children.push(child.unwrap());
            pipes.push(here);
        }
        for pipe in &pipes {
            assert_eq!(recv(face, pipe).await.unwrap(), 1);
        }
        children[1].kill().unwrap();
        assert!(recv(face, &pipes[1]).await.unwrap_err().is_closed());
        assert!(send(face, &pipes[1], &1).await.unwrap_err().is_closed());
        assert!(!pipes[0].poll(Duration::ZERO).unwrap() && !pipes[2].poll(Duration::ZERO).unwrap());
        go_on.set();
        for child in [&children[0], &children[2], &children[3]] {
            child.join().unwrap();
        }
    });
}

/// A packet wakes one of those who block in `recv(2)`. If that one dies before it takes it, the others must not sleep on.
#[test]
fn case_107_a_killed_receiver_keeps_no_message_from_another() {
    let watchdog = kit::Watchdog::new("a killed receiver");
    let (rx, tx) = AioPipe::<u8>::simplex().unwrap();
    let (twin, probe) = (rx.try_clone().unwrap(), rx.try_clone().unwrap());
    let begun = AioEvent::new().unwrap();
    let receive = |rx: AioReceiver<u8>, begun: AioEvent| {
        begun.set();
        rx.recv().map_err(|error| error.to_string())
    };
    let child = AioProcess::builder().daemon(true).spawn(receive, (twin, begun.clone())).unwrap();
    begun.wait().unwrap();
    let waits = [libc::SYS_poll, libc::SYS_ppoll, libc::SYS_recvfrom].map(|call| format!("{call} "));
    let is_in_one = |call: &str| {
        let call = std::fs::read_to_string(call).unwrap();
        waits.iter().any(|wait| call.starts_with(wait))
    };
    let call = format!("/proc/{}/syscall", child.pid());
    kit::until("the child waits, and is the first to be woken", || is_in_one(&call));
    let (tell, told) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        tell.send(rustix::thread::gettid()).unwrap();
        rx.recv()
    });
    let call = format!("/proc/self/task/{}/syscall", told.recv().unwrap());
    kit::until("this process waits, too", || is_in_one(&call) || other.is_finished());
    watchdog.step("a message is sent, and the child killed");
    tx.send(&7).unwrap();
    child.kill().unwrap();
    let _ = child.join();
    if !probe.poll(Duration::ZERO).unwrap() {
        // One of the two has taken it. If it was the child, it is lost with it, and the next is for the other.
        tx.send(&8).unwrap();
    }
    assert!(matches!(other.join().unwrap(), Ok(7 | 8)));
}

#[test]
fn case_107_killed_while_it_waits_to_send() {
    Face::both(async |face| {
        let (here, there) = AioPipe::<(), ()>::duplex().unwrap();
        let full = AioEvent::new().unwrap();
        let child = AioProcess::spawn(
            |pipe: AioConnection<(), ()>, full: AioEvent| {
                while pipe.try_send_bytes(&[3; 1000]).is_ok() {}
                full.set();
                pipe.send_bytes(&[4; 60_000]).unwrap();
            },
            (there, full.clone()),
        )
        .unwrap();
        full.wait().unwrap();
        child.kill().unwrap();
        assert!(child.join().is_err());
        let mut received = 0;
        loop {
            match recv_bytes(face, &here).await {
                // What was sent is whole, and the last message is there or is not.
                Ok(bytes) => assert!(bytes == [3; 1000] || bytes == [4; 60_000]),
                Err(error) if error.is_closed() => break,
                Err(error) => panic!("{error}"),
            }
            received += 1;
        }
        assert!(received > 10);
    });
}

#[test]
fn case_109_messages_of_many_writers_stay_whole() {
    const EACH: u64 = 300;
    fn write(face: Face, pipe: AioConnection<(), ()>, seed: u64) {
        face.run(async {
            for n in 0..EACH {
                // Most in the packet, some by way of a file.
                let length = if n % 50 == 7 { 100_000 } else { 8 + (n as usize * 997) % 30_000 };
                let mut bytes = pattern(length, seed * 1000 + n);
                bytes[..8].copy_from_slice(&(seed * 1000 + n).to_le_bytes());
                send_bytes(face, &pipe, &bytes).await.unwrap();
            }
        });
    }
    Face::both(async |face| {
        let (reading, writing) = AioPipe::<(), ()>::duplex().unwrap();
        let children: Vec<_> = (1..=2)
            .map(|seed| AioProcess::spawn(write, (face, writing.try_clone().unwrap(), seed)).unwrap())
            .collect();
        let threads: Vec<_> = (3..=4)
            .map(|seed| {
                let pipe = writing.try_clone().unwrap();
                std::thread::spawn(move || write(face, pipe, seed))
            })
            .collect();
        drop(writing);
        let mut next = [0; 5];
        loop {
            let bytes = match recv_bytes(face, &reading).await {
                Ok(bytes) => bytes,
                Err(error) if error.is_closed() => break,
                Err(error) => panic!("{error}"),
            };
            let name = u64::from_le_bytes(*bytes.first_chunk().unwrap());
            let mut expected = pattern(bytes.len(), name);
            expected[..8].copy_from_slice(&name.to_le_bytes());
            assert!(bytes == expected, "message {name} is mixed up");
            let writer = usize::try_from(name / 1000).unwrap();
            assert_eq!(name % 1000, next[writer], "out of order");
            next[writer] += 1;
        }
        assert_eq!(next[1..], [EACH; 4]);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        for child in children {
            child.join().unwrap();
        }
    });
}

/// Each message goes to one of several receivers.
#[test]
fn case_109_messages_to_many_readers_arrive_once() {
    const ALL: u64 = 4000;
    fn read(face: Face, pipe: AioReceiver<u64>) -> Vec<u64> {
        face.run(async {
            let mut got = Vec::new();
            loop {
                let next = match face {
                    Face::Blocking => pipe.recv(),
                    Face::Async => pipe.coro_recv().await,
                };
                match next {
                    Ok(n) => got.push(n),
                    Err(error) if error.is_closed() => return got,
                    Err(error) => panic!("{error}"),
                }
            }
        })
    }
    Face::both(async |face| {
        let (reading, writing) = AioPipe::<u64>::simplex().unwrap();
        let children: Vec<_> =
            (0..2).map(|_| AioProcess::spawn(read, (face, reading.try_clone().unwrap())).unwrap()).collect();
        let pipe = std::sync::Arc::new(reading);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let pipe = pipe.try_clone().unwrap();
                std::thread::spawn(move || read(face, pipe))
            })
            .collect();
        drop(pipe);
        (0..ALL).for_each(|n| writing.send(&n).unwrap());
        drop(writing);
        let mut all: Vec<u64> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        all.extend(children.iter().flat_map(|child| child.join().unwrap()));
        all.sort_unstable();
        assert_eq!(all, (0..ALL).collect::<Vec<_>>());
    });
}

/// Receives that are dropped while a message is on its way, by a timer and by a task that is always ready.
#[test]
fn case_110_a_cancelled_receive_takes_nothing() {
    const MESSAGES: u32 = 3000;
    let (receiving, sending) = AioPipe::<(u32, Vec<u8>)>::simplex().unwrap();
    let child = AioProcess::spawn(
        |sending: AioSender<(u32, Vec<u8>)>| {
            for n in 0..MESSAGES {
                let length = if n % 100 == 99 { 1 << 20 } else { 10 };
                sending.send(&(n, vec![n as u8; length])).unwrap();
            }
        },
        (sending,),
    )
    .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let cancelled = runtime.block_on(async {
        let (mut next, mut cancelled, mut turn) = (0, 0_u64, 0_u64);
        while next < MESSAGES {
            turn += 1;
            tokio::select! {
                biased;
                message = receiving.coro_recv() => {
                    let (n, bytes) = message.unwrap();
                    assert_eq!(n, next, "a message was lost");
                    assert!(bytes.iter().all(|&byte| byte == n as u8));
                    next += 1;
                }
                // At its first wait, or at its second, in turn: whether or not a message is there already.
                () = async { if turn % 2 == 0 { tokio::task::yield_now().await } } => {
                    cancelled += 1;
                    tokio::task::yield_now().await;
                }
            }
        }
        cancelled
    });
    child.join().unwrap();
    assert!(cancelled > 0, "nothing was put to the test");
}

#[test]
fn case_110_a_cancelled_send_leaves_nothing() {
    let (receiving, sending) = AioPipe::<Vec<u8>>::simplex().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut sent = 0_u32;
        while sending.try_send(&vec![1; 1000]).is_ok() {
            sent += 1;
        }
        for _ in 0..100 {
            let time = tokio::time::timeout(Duration::ZERO, sending.coro_send(&vec![2; 1000])).await;
            assert!(time.is_err());
        }
        // Never polled: nothing happens either.
        drop(sending.coro_send(&vec![3; 10]));
        drop(sending);
        for _ in 0..sent {
            assert_eq!(receiving.coro_recv().await.unwrap(), vec![1; 1000]);
        }
        assert!(receiving.coro_recv().await.unwrap_err().is_closed());
    });
}

#[test]
fn case_113_an_end_that_was_moved_is_closed_here() {
    Face::both(async |face| {
        let (here, there) = AioPipe::<u8, u8>::duplex().unwrap();
        let child = AioProcess::spawn(|pipe: AioConnection<u8, u8>| drop(pipe), (there,)).unwrap();
        assert!(recv(face, &here).await.unwrap_err().is_closed());
        child.join().unwrap();
    });
}

#[test]
fn full_and_timeout() {
    Face::both(async |face| {
        let (a, b) = AioPipe::<Vec<u8>, ()>::duplex().unwrap();
        assert!(b.try_recv().unwrap_err().is_empty());
        let (asked, time) = (Instant::now(), Duration::from_millis(30));
        assert!(b.recv_timeout(time).unwrap_err().is_timeout());
        assert!(asked.elapsed() >= time);
        let message = vec![1; 5000];
        let mut count = 0;
        while let Ok(()) = a.try_send(&message) {
            count += 1;
        }
        assert!(a.try_send(&message).unwrap_err().is_full());
        let asked = Instant::now();
        assert!(a.send_timeout(&message, time).unwrap_err().is_timeout());
        assert!(asked.elapsed() >= time);
        // A sender that waits is woken by a receive.
        let waiting = std::thread::spawn({
            let (a, message) = (a.try_clone().unwrap(), message.clone());
            move || face.run(async { send(face, &a, &message).await })
        });
        for _ in 0..=count {
            assert_eq!(recv(face, &b).await.unwrap(), message);
        }
        waiting.join().unwrap().unwrap();
    });
}

/// One message each way, in many tasks, on one end and from two runtimes.
#[test]
fn one_end_in_two_runtimes() {
    let (a, b) = AioPipe::<u32, u32>::duplex().unwrap();
    let a = std::sync::Arc::new(a);
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let a = a.clone();
            std::thread::spawn(move || {
                Face::Async.run(async move {
                    let tasks: Vec<_> = (0..10)
                        .map(|_| {
                            let a = a.clone();
                            tokio::spawn(async move { a.coro_recv().await.unwrap() })
                        })
                        .collect();
                    let mut sum = 0;
                    for task in tasks {
                        sum += task.await.unwrap();
                    }
                    sum
                })
            })
        })
        .collect();
    (0..20).for_each(|n| b.send(&n).unwrap());
    let sum: u32 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(sum, 190);
    // And from a third, after those are gone.
    b.send(&20).unwrap();
    assert_eq!(Face::Async.run(a.coro_recv()).unwrap(), 20);
}

#[test]
fn a_value_of_another_type_is_an_error_with_its_bytes() {
    Face::both(async |face| {
        let (a, b) = AioPipe::<u8, bool>::duplex().unwrap();
        send_bytes(face, &b, &[7]).await.unwrap();
        send(face, &b, &true).await.unwrap();
        let other: AioConnection<u8, bool> = a;
        assert_eq!(recv(face, &other).await.unwrap_err().into_bytes().unwrap(), [7]);
        assert!(recv(face, &other).await.unwrap());
    });
}

aioprocessing::plain! {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Point { x: f64, weights: [f32; 3], id: u32 }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Swapped { x: f64, id: u32, weights: [f32; 3] }
}

fn point(id: u32) -> Point {
    Point { x: 0.5, weights: [1.0, -0.0, f32::MAX], id }
}

fn echo_points(face: Face, one: AioConnection<Point, Point>, rows: AioConnection<Vec<Point>, Vec<Point>>) {
    face.run(async {
        while let Ok(point) = recv(face, &one).await {
            send(face, &one, &point).await.unwrap();
        }
        while let Ok(row) = recv(face, &rows).await {
            send(face, &rows, &row).await.unwrap();
        }
    });
}

#[test]
fn case_101_plain_values_without_the_codec() {
    Face::both(async |face| {
        let (one, their_one) = AioPipe::<Point, Point>::duplex().unwrap();
        let (rows, their_rows) = AioPipe::<Vec<Point>, Vec<Point>>::duplex().unwrap();
        let child =
            AioProcess::builder().daemon(true).spawn(echo_points, (face, their_one, their_rows)).unwrap();
        for id in 0..100 {
            send(face, &one, &point(id)).await.unwrap();
            assert_eq!(recv(face, &one).await.unwrap(), point(id));
        }
        drop(one);
        // In a packet, and in a file.
        for length in [0, 1, 100, 10_000] {
            let row: Vec<Point> = (0..length).map(point).collect();
            send(face, &rows, &row).await.unwrap();
            assert_eq!(recv(face, &rows).await.unwrap(), row);
        }
        drop(rows);
        child.join().unwrap();
    });
}

/// How many bytes a value is on its way.
fn length_of<T: Serialize + DeserializeOwned>(value: &T) -> usize {
    let (receiver, sender) = AioPipe::<T>::simplex().unwrap();
    sender.send(value).unwrap();
    receiver.recv_bytes().unwrap().len()
}

#[test]
fn case_101_what_is_its_own_bytes_is_sent_as_they_are() {
    assert_eq!(length_of(&point(1)), 24);
    assert_eq!(length_of(&vec![point(1), point(2)]), 48);
    assert_eq!(length_of(&vec![7_u8; 4096]), 4096);
    assert_eq!(length_of(&"text".to_owned()), 4);
    assert_eq!(length_of(&vec![0_u64; 3]), 24);
    assert_eq!(length_of(&[0.5_f32; 3]), 12);
    assert_eq!(length_of(&String::new()), 0);
    let (receiver, sender) = AioPipe::<String>::simplex().unwrap();
    for text in ["", "text", &"long ".repeat(50_000)] {
        sender.send(&text.to_owned()).unwrap();
        assert_eq!(receiver.recv().unwrap(), text);
    }
    sender.send_bytes(&[4, b't', b'e', b'x', b't']).unwrap();
    assert_eq!(receiver.recv().unwrap(), "text", "the codec's bytes by hand");
}

/// A receiver of `A` that arrives as one of `B`, as it does in a program that is mistaken about the type.
struct Turned<A, B>(Option<AioReceiver<A>>, Option<AioReceiver<B>>);

impl<A, B> Serialize for Turned<A, B> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

impl<'de, A, B> Deserialize<'de> for Turned<A, B> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Deserialize::deserialize(from).map(|arrived| Self(None, arrived))
    }
}

#[test]
fn plain_values_of_another_type_are_errors_and_no_other_values() {
    fn mistaken<A, B>(value: &A, length: usize)
    where
        A: Serialize + DeserializeOwned + 'static,
        B: DeserializeOwned + std::fmt::Debug + 'static,
    {
        let (receiver, sender) = AioPipe::<A>::simplex().unwrap();
        sender.send(value).unwrap();
        let (arrives, leaves) = AioPipe::<Turned<A, B>>::simplex().unwrap();
        leaves.send(&Turned(Some(receiver), None)).unwrap();
        match arrives.recv().unwrap().1.unwrap().recv() {
            Err(RecvError::Decode { bytes, .. }) => assert_eq!(bytes.len(), length),
            other => panic!("{other:?}"),
        }
    }
    mistaken::<Point, Swapped>(&point(1), 24);
    mistaken::<Point, Vec<Point>>(&point(1), 24);
    mistaken::<Point, (f64, u64, u64)>(&point(1), 24);
    mistaken::<u64, f64>(&1, 8);
    mistaken::<u64, (u64,)>(&1, 8);
    mistaken::<Vec<f64>, Vec<u8>>(&vec![0.5], 8);
    mistaken::<Vec<u8>, String>(&vec![0xFF], 1);
}

#[test]
fn futures_are_send_and_ends_too() {
    fn is_send<T: Send>(_: &T) {}
    fn is_send_sync<T: Send + Sync + std::fmt::Debug>() {}
    is_send_sync::<AioConnection<std::rc::Rc<u8>, *const u8>>();
    is_send_sync::<AioReceiver<std::cell::Cell<u8>>>();
    is_send_sync::<AioSender<std::cell::Cell<u8>>>();
    let (a, b) = AioPipe::<std::cell::Cell<u8>, u8>::duplex().unwrap();
    let value = std::cell::Cell::new(5);
    let future = a.coro_send(&value);
    is_send(&future);
    is_send(&b.coro_recv());
    is_send(&b.coro_poll());
    is_send(&b.coro_recv_bytes_into(&mut []));
    is_send(&b.coro_send_bytes(&[]));
    Face::Async.run(future).unwrap();
    assert_eq!(b.recv().unwrap().get(), 5);
}
