//! Connections over a byte stream: cases 102 to 105, 109 and 110, and what is left of a frame whose sender is gone.
// Both faces in one body.
#![cfg(feature = "tokio")]

mod kit;

use std::io::{Read, Write};
use std::time::Duration;

use aioprocessing::{
    AioClient, AioConnection, AioListener, AioPipe, AioProcess, Passed, RecvError, SendError,
    SendTimeoutError, coro_wait_any, wait_any,
};
use kit::Watchdog;
use kit::either::either;
use kit::sides::Side;

aioprocessing::test_support!();

/// Both ends of a connection over TCP.
fn pair<S: Send + 'static, R: Send + 'static>() -> (AioConnection<S, R>, AioConnection<R, S>) {
    let listener = AioListener::<S, R>::bind("tcp:127.0.0.1:0", b"key").unwrap();
    let address = listener.address().clone();
    let client = std::thread::spawn(move || AioClient::connect(address, b"key").unwrap());
    (listener.accept().unwrap(), client.join().unwrap())
}

/// An end of Python's framing without a key, and the bare socket at the other end.
fn half() -> (AioConnection<u32, u32>, std::os::unix::net::UnixStream, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let builder = AioListener::builder().python_compatible().max_length(1000);
    let listener = builder.bind::<u32, u32>(&path, aioprocessing::AuthKey::none()).unwrap();
    let bare = std::os::unix::net::UnixStream::connect(&path).unwrap();
    (listener.accept().unwrap(), bare, folder)
}

fn frame(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

#[test]
fn case_105_empty_messages() {
    let (a, b) = pair::<u8, u8>();
    for _ in 0..3 {
        a.send_bytes(b"").unwrap();
    }
    a.send_bytes(b"x").unwrap();
    for _ in 0..3 {
        assert_eq!(b.recv_bytes().unwrap(), b"");
    }
    assert_eq!(b.recv_bytes().unwrap(), b"x");
    assert!(b.try_recv_bytes().unwrap_err().is_empty());
}

#[test]
fn case_103_too_long_and_usable_still() {
    for &side in Side::ALL {
        let (end, mut bare, _folder) = half();
        let recv = || either!(side, end.recv_bytes(), end.coro_recv_bytes());
        bare.write_all(&[frame(&[1; 1001]), frame(&[2; 1000])].concat()).unwrap();
        assert!(matches!(recv(), Err(RecvError::TooLong { length: 1001, limit: 1000 })));
        assert_eq!(recv().unwrap(), [2; 1000]);
        assert!(matches!(end.send_bytes(&[0; 1001]), Err(SendError::TooLong { length: 1001, limit: 1000 })));
        end.send_bytes(&[3; 1000]).unwrap();
        let mut came = vec![0; 1004];
        bare.read_exact(&mut came).unwrap();
        assert_eq!(came, frame(&[3; 1000]));
        // The long form of a length, for a short message and for one that will never come.
        bare.write_all(&[&[0xff; 4][..], &[0, 0, 0, 0, 0, 0, 0, 2], b"ab", &[0xff; 12]].concat()).unwrap();
        assert_eq!(recv().unwrap(), b"ab");
        assert!(matches!(recv(), Err(RecvError::TooLong { length: u64::MAX, .. })));
        assert!(end.try_recv_bytes().unwrap_err().is_empty());
        drop(bare);
        assert!(recv().unwrap_err().is_closed());
        assert!(recv().unwrap_err().is_closed());
    }
}

#[test]
fn a_negative_length() {
    let (end, mut bare, _folder) = half();
    bare.write_all(&[0xff, 0xff, 0xff, 0xfe, 1, 2, 3]).unwrap();
    assert!(matches!(end.recv_bytes(), Err(RecvError::Damaged(_))));
    assert!(end.recv_bytes().unwrap_err().is_closed());
}

#[test]
fn case_102_a_buffer_that_is_too_small() {
    let (a, b) = pair::<u8, u8>();
    a.send_bytes(b"12345").unwrap();
    let mut buffer = [0; 8];
    let error = b.recv_bytes_into(&mut buffer[..4]).unwrap_err();
    assert_eq!(error.into_bytes().unwrap(), b"12345");
    a.send_bytes(b"12345").unwrap();
    assert_eq!(b.recv_bytes_into(&mut buffer[3..]).unwrap(), 5);
    assert_eq!(&buffer, b"\0\0\x0012345");
}

/// A message is there when all of it is, and stays until it is taken.
#[test]
fn case_104_poll() {
    for &side in Side::ALL {
        let watchdog = Watchdog::new("case_104_poll");
        watchdog.step(format!("{side:?}"));
        let (end, mut bare, _folder) = half();
        assert!(!end.poll(Duration::ZERO).unwrap());
        let whole = frame(b"12345678");
        for byte in &whole[..11] {
            bare.write_all(&[*byte]).unwrap();
            assert!(!end.poll(Duration::ZERO).unwrap());
            assert_eq!(wait_any(&[&end], Some(Duration::ZERO)).unwrap(), []);
        }
        let last = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(5));
            bare.write_all(&whole[11..]).unwrap();
            bare
        });
        assert_eq!(either!(side, wait_any(&[&end], None), coro_wait_any(&[&end])).unwrap(), [0]);
        for _ in 0..3 {
            assert!(end.poll(Duration::ZERO).unwrap());
        }
        assert_eq!(end.recv_bytes().unwrap(), b"12345678");
        assert!(!end.poll(Duration::from_millis(1)).unwrap());
        drop(last.join().unwrap());
        assert!(end.poll(None).unwrap());
        assert!(end.recv_bytes().unwrap_err().is_closed());
    }
}

#[test]
fn case_109_writers_do_not_interleave() {
    const EACH: u32 = 100;
    let _watchdog = Watchdog::new("case_109_writers_do_not_interleave");
    let (a, b) = pair::<Vec<u32>, Vec<u32>>();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let end = a.try_clone().unwrap();
            std::thread::spawn(move || {
                let side = Side::ALL[writer as usize % Side::ALL.len()];
                for n in 0..EACH {
                    // Some of them are long enough to fill the socket's buffer between them.
                    let message = vec![writer * EACH + n; if n % 20 == 0 { 1 << 18 } else { 1 << 8 }];
                    either!(side, end.send(&message), end.coro_send(&message)).unwrap();
                }
            })
        })
        .collect();
    drop(a);
    let mut seen = [0; 4];
    while let Ok(message) = b.recv() {
        let first = message[0];
        assert!(message.iter().all(|&n| n == first));
        let writer = (first / EACH) as usize;
        assert_eq!(seen[writer], first % EACH);
        seen[writer] += 1;
    }
    assert_eq!(seen, [EACH; 4]);
    writers.into_iter().for_each(|writer| writer.join().unwrap());
}

#[test]
fn case_110_a_receiver_leaves_in_the_middle() {
    let _watchdog = Watchdog::new("case_110_a_receiver_leaves_in_the_middle");
    let (end, mut bare, _folder) = half();
    kit::runtime().block_on(async {
        let whole = frame(&(0..=255).collect::<Vec<u8>>());
        for round in 0..3 {
            for part in whole.chunks(7) {
                bare.write_all(part).unwrap();
                if part.len() == 7 {
                    assert!(
                        tokio::time::timeout(Duration::from_millis(1), end.coro_recv_bytes()).await.is_err()
                    );
                    assert!(end.recv_bytes_timeout(Duration::ZERO).unwrap_err().is_timeout());
                }
            }
            assert_eq!(end.coro_recv_bytes().await.unwrap(), &whole[4..], "round {round}");
        }
    });
}

/// What is left of a frame whose sender is gone goes out before the next frame.
#[test]
fn a_sender_leaves_in_the_middle() {
    let watchdog = Watchdog::new("a_sender_leaves_in_the_middle");
    for round in 0..3 {
        let (a, b) = pair::<Vec<u8>, u8>();
        let long = vec![1; 14 << 20];
        match round {
            0 => {
                watchdog.step("a timeout");
                let error = a.send_timeout(&long, Duration::from_millis(20)).unwrap_err();
                assert!(matches!(error, SendTimeoutError::Timeout));
            }
            1 => {
                watchdog.step("a dropped future");
                let send = kit::runtime().block_on(async {
                    tokio::time::timeout(Duration::from_millis(20), a.coro_send(&long)).await
                });
                assert!(send.is_err());
            }
            _ => {
                watchdog.step("a borrowed buffer");
                assert!(a.send_bytes_timeout(&long, Duration::from_millis(20)).unwrap_err().is_timeout());
            }
        }
        let rest = std::thread::spawn(move || {
            a.send(&vec![2, 3]).unwrap();
            a
        });
        let first = b.recv_bytes().unwrap();
        assert!(first.len() >= 14 << 20 && first[100..].iter().all(|&byte| byte == 1));
        assert_eq!(b.recv().unwrap(), [2, 3]);
        rest.join().unwrap();
    }
}

/// Who has sent and goes on to receive sends what is left meanwhile.
#[test]
fn the_rest_goes_out_while_one_receives() {
    for &side in Side::ALL {
        let watchdog = Watchdog::new("the_rest_goes_out_while_one_receives");
        watchdog.step(format!("{side:?}"));
        let (a, b) = pair::<Vec<u8>, u8>();
        assert!(a.send_timeout(&vec![1; 14 << 20], Duration::from_millis(10)).unwrap_err().is_timeout());
        let peer = std::thread::spawn(move || {
            assert_eq!(b.recv().unwrap().len(), 14 << 20);
            b.send(&5).unwrap();
        });
        assert_eq!(either!(side, a.recv(), a.coro_recv()).unwrap(), 5);
        peer.join().unwrap();
    }
}

#[test]
fn now_or_never() {
    let (a, b) = pair::<Vec<u8>, u8>();
    let message = vec![7; 100_000];
    let mut sent = 0;
    let full = loop {
        match a.try_send(&message) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    assert!(full.is_full());
    // A part of the last one may be out: it counts as under way.
    let reader = std::thread::spawn(move || {
        let mut came = 0;
        while let Ok(message) = b.recv() {
            if message == [1] {
                break;
            }
            came += 1;
        }
        came
    });
    a.send(&vec![1]).unwrap();
    let came = reader.join().unwrap();
    assert!(came == sent || came == sent + 1, "{sent} {came}");
}

#[test]
fn descriptors_are_refused() {
    let (a, b) = pair::<Passed<std::fs::File>, u8>();
    let file = Passed::new(std::fs::File::open("/dev/null").unwrap());
    let error = a.send(&file).unwrap_err();
    assert!(matches!(error, SendError::Encode(_)), "{error}");
    a.send_bytes(b"usable").unwrap();
    assert_eq!(b.recv_bytes().unwrap(), b"usable");
}

/// It moves with what is half received.
#[test]
fn a_connection_moves_to_another_process() {
    let _watchdog = Watchdog::new("a_connection_moves_to_another_process");
    let (end, mut bare, _folder) = half();
    let whole = [frame(b"one"), frame(b"two")].concat();
    bare.write_all(&whole[..9]).unwrap();
    assert!(end.poll(None).unwrap());
    let clone = end.try_clone().unwrap();
    let (_rx, tx) = AioPipe::<AioConnection<u32, u32>>::simplex().unwrap();
    let error = tx.send(&end).unwrap_err();
    assert!(error.to_string().contains("used by somebody else"), "{error}");
    drop(clone);
    let child = AioProcess::spawn(
        |end: AioConnection<u32, u32>| {
            assert_eq!(end.recv_bytes().unwrap(), b"one");
            assert_eq!(end.recv_bytes().unwrap(), b"two");
            end.send_bytes(&end.peer().pid.to_be_bytes()).unwrap();
        },
        (end,),
    )
    .unwrap();
    bare.write_all(&whole[9..]).unwrap();
    let mut answer = [0; 8];
    bare.read_exact(&mut answer).unwrap();
    assert_eq!(&answer[4..], std::process::id().to_be_bytes());
    child.join().unwrap();
}
