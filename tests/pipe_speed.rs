//! A round trip over a pipe beside one over the bare socket. Run by hand: it asserts no times.
//!
//! `cargo test --release --test pipe_speed -- --ignored --nocapture`
// Both faces in one body.
#![cfg(feature = "tokio")]

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use aioprocessing::{AioConnection, AioPipe, AioProcess, Passed};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};
use rustix::thread::{CpuSet, sched_setaffinity};

aioprocessing::test_support!();

const ROUNDS: u32 = 5_000;
const REPEATS: usize = 7;

fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).unwrap();
}

fn median(mut measure: impl FnMut() -> Duration) -> f64 {
    let mut all: Vec<Duration> = (0..REPEATS).map(|_| measure()).collect();
    all.sort();
    all[REPEATS / 2].as_secs_f64() * 1e6 / f64::from(ROUNDS)
}

fn bare_echo(socket: Passed<OwnedFd>, cpu: usize) {
    pin(cpu);
    let mut buffer = [0; 65_600];
    while let Ok((_, length @ 1..)) = recv(&*socket, &mut buffer, RecvFlags::empty()) {
        send(&*socket, &buffer[..length], SendFlags::NOSIGNAL).unwrap();
    }
}

fn pipe_echo(pipe: AioConnection<(), ()>, cpu: usize) {
    pin(cpu);
    while let Ok(bytes) = pipe.recv_bytes() {
        pipe.send_bytes(&bytes).unwrap();
    }
}

async fn coro_echo(pipe: AioConnection<(), ()>, cpu: usize) {
    pin(cpu);
    while let Ok(bytes) = pipe.coro_recv_bytes().await {
        pipe.coro_send_bytes(&bytes).await.unwrap();
    }
}

async fn coro_bare_echo(socket: Passed<std::os::unix::net::UnixStream>, cpu: usize) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    pin(cpu);
    let socket = socket.into_inner();
    socket.set_nonblocking(true).unwrap();
    let mut socket = tokio::net::UnixStream::from_std(socket).unwrap();
    // A length, and as many bytes, as codecs on streams do.
    while let Ok(length) = socket.read_u32().await {
        let mut bytes = vec![0; length as usize];
        socket.read_exact(&mut bytes).await.unwrap();
        let mut answer = length.to_be_bytes().to_vec();
        answer.extend(bytes);
        socket.write_all(&answer).await.unwrap();
    }
}

#[test]
#[ignore = "a measurement"]
fn round_trips() {
    for (mode, cpu) in [("same", 0), ("cross", 1)] {
        pin(0);
        for length in [64, 1024, 60_000] {
            let bytes = vec![1_u8; length];

            let (here, there) =
                socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
            let child = AioProcess::spawn(bare_echo, (Passed::new(there), cpu)).unwrap();
            let mut buffer = [0; 65_600];
            let bare = median(|| {
                let begun = Instant::now();
                for _ in 0..ROUNDS {
                    send(&here, &bytes, SendFlags::NOSIGNAL).unwrap();
                    recv(&here, &mut buffer, RecvFlags::empty()).unwrap();
                }
                begun.elapsed()
            });
            drop(here);
            child.join().unwrap();

            let (here, there) = AioPipe::<(), ()>::duplex().unwrap();
            let child = AioProcess::spawn(pipe_echo, (there, cpu)).unwrap();
            let blocking = median(|| {
                let begun = Instant::now();
                for _ in 0..ROUNDS {
                    here.send_bytes(&bytes).unwrap();
                    here.recv_bytes().unwrap();
                }
                begun.elapsed()
            });
            drop(here);
            child.join().unwrap();

            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let (here, there) = AioPipe::<(), ()>::duplex().unwrap();
            let child = AioProcess::spawn_async(coro_echo, (there, cpu)).unwrap();
            let coro = median(|| {
                runtime.block_on(async {
                    let begun = Instant::now();
                    for _ in 0..ROUNDS {
                        here.coro_send_bytes(&bytes).await.unwrap();
                        here.coro_recv_bytes().await.unwrap();
                    }
                    begun.elapsed()
                })
            });
            drop(here);
            child.join().unwrap();

            let (here, there) = std::os::unix::net::UnixStream::pair().unwrap();
            let child = AioProcess::spawn_async(coro_bare_echo, (Passed::new(there), cpu)).unwrap();
            here.set_nonblocking(true).unwrap();
            let mut here = {
                let _inside = runtime.enter();
                tokio::net::UnixStream::from_std(here).unwrap()
            };
            let codec = median(|| {
                runtime.block_on(async {
                    use tokio::io::{AsyncReadExt, AsyncWriteExt};
                    let begun = Instant::now();
                    for _ in 0..ROUNDS {
                        let mut frame = (length as u32).to_be_bytes().to_vec();
                        frame.extend(&bytes);
                        here.write_all(&frame).await.unwrap();
                        let length = here.read_u32().await.unwrap();
                        let mut answer = vec![0; length as usize];
                        here.read_exact(&mut answer).await.unwrap();
                    }
                    begun.elapsed()
                })
            });
            drop(here);
            child.join().unwrap();
            println!(
                "{mode:5} {length:6} B, µs: bare socket {bare:.2}, pipe {blocking:.2} ({:.2}); tokio codec {codec:.2}, coro {coro:.2} ({:.2})",
                blocking / bare,
                coro / codec
            );
        }
    }
}
