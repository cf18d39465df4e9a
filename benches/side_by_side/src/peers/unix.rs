//! What the kernel offers: a Unix stream and a pipe as std has them, and the stream in tokio.

use std::io::{PipeReader, Read, Write};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use super::{Measure, Peer, fork_off, here};
use crate::measure::{Meter, Setting, Trips, message, number, on_one_thread};

const NAME_STREAM: &str = "std UnixStream";
const NAME_PIPE: &str = "std pipe";
const NAME_TOKIO: &str = "tokio UnixStream, length before";

pub const STREAM: Peer = Peer {
    name: NAME_STREAM,
    check: here,
    measures: &[("throughput", throughput as Measure), ("round_trip", round_trip as Measure)],
    except: &[],
    child: Some(other_side),
};

pub const PIPE: Peer = Peer {
    name: NAME_PIPE,
    check: here,
    measures: &[("throughput", pipe_throughput as Measure)],
    except: &[],
    child: Some(|setting| {
        produce(std::fs::File::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap()), setting)
    }),
};

pub const TOKIO: Peer = Peer {
    name: NAME_TOKIO,
    check: here,
    measures: &[("throughput", tokio_throughput as Measure), ("round_trip", tokio_round_trip as Measure)],
    except: &[],
    child: Some(tokio_other_side),
};

/// A message with its length before it, in one write.
fn send(to: &mut impl Write, message: &[u8], frame: &mut Vec<u8>) -> std::io::Result<()> {
    frame.clear();
    frame.extend_from_slice(&(message.len() as u32).to_le_bytes());
    frame.extend_from_slice(message);
    to.write_all(frame)
}

fn receive(from: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut message = vec![0; u32::from_le_bytes(length) as usize];
    from.read_exact(&mut message)?;
    Ok(message)
}

fn produce(mut to: impl Write, setting: &Setting) {
    let mut frame = Vec::new();
    for sequence in 0.. {
        if send(&mut to, &message(sequence, setting.payload), &mut frame).is_err() {
            return;
        }
    }
}

fn consume(from: impl Read, setting: &Setting) -> f64 {
    let mut from = std::io::BufReader::with_capacity(64 << 10, from);
    let mut meter = Meter::new(setting.time, setting.payload);
    loop {
        if let Some(rate) = meter.take(number(&receive(&mut from).unwrap(), setting.payload)) {
            return rate;
        }
    }
}

fn socket() -> UnixStream {
    UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap())
}

fn other_side(setting: &Setting) {
    let mut socket = socket();
    if setting.case == "throughput" {
        return produce(socket, setting);
    }
    let mut frame = Vec::new();
    while let Ok(message) = receive(&mut socket) {
        send(&mut socket, &message, &mut frame).unwrap();
    }
}

fn throughput(setting: &Setting) -> f64 {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let _other = fork_off(NAME_STREAM, setting, &theirs);
    consume(ours, setting)
}

fn pipe_throughput(setting: &Setting) -> f64 {
    let (ours, theirs): (PipeReader, _) = std::io::pipe().unwrap();
    let _other = fork_off(NAME_PIPE, setting, &theirs);
    consume(ours, setting)
}

fn round_trip(setting: &Setting) -> f64 {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let _other = fork_off(NAME_STREAM, setting, &theirs);
    let (mut trips, mut frame) = (Trips::new(setting.time), Vec::new());
    for sequence in 0.. {
        send(&mut ours, &message(sequence, setting.payload), &mut frame).unwrap();
        assert_eq!(number(&receive(&mut ours).unwrap(), setting.payload), sequence);
        if let Some(median) = trips.end() {
            return median;
        }
    }
    unreachable!()
}

type Stream = BufReader<tokio::net::UnixStream>;

fn in_tokio(socket: UnixStream) -> Stream {
    socket.set_nonblocking(true).unwrap();
    BufReader::with_capacity(64 << 10, tokio::net::UnixStream::from_std(socket).unwrap())
}

async fn coro_send(to: &mut Stream, message: &[u8], frame: &mut Vec<u8>) -> std::io::Result<()> {
    frame.clear();
    frame.extend_from_slice(&(message.len() as u32).to_le_bytes());
    frame.extend_from_slice(message);
    to.get_mut().write_all(frame).await
}

async fn coro_receive(from: &mut Stream) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; from.read_u32_le().await? as usize];
    from.read_exact(&mut message).await?;
    Ok(message)
}

fn tokio_other_side(setting: &Setting) {
    on_one_thread().block_on(async {
        let (mut stream, mut frame) = (in_tokio(socket()), Vec::new());
        if setting.case == "throughput" {
            for sequence in 0.. {
                if coro_send(&mut stream, &message(sequence, setting.payload), &mut frame).await.is_err() {
                    return;
                }
            }
        }
        while let Ok(message) = coro_receive(&mut stream).await {
            coro_send(&mut stream, &message, &mut frame).await.unwrap();
        }
    });
}

fn tokio_throughput(setting: &Setting) -> f64 {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let _other = fork_off(NAME_TOKIO, setting, &theirs);
    let mut meter = Meter::new(setting.time, setting.payload);
    on_one_thread().block_on(async {
        let mut stream = in_tokio(ours);
        loop {
            let message = coro_receive(&mut stream).await.unwrap();
            if let Some(rate) = meter.take(number(&message, setting.payload)) {
                return rate;
            }
        }
    })
}

fn tokio_round_trip(setting: &Setting) -> f64 {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let _other = fork_off(NAME_TOKIO, setting, &theirs);
    on_one_thread().block_on(async {
        let (mut stream, mut frame, mut trips) = (in_tokio(ours), Vec::new(), Trips::new(setting.time));
        for sequence in 0.. {
            coro_send(&mut stream, &message(sequence, setting.payload), &mut frame).await.unwrap();
            assert_eq!(number(&coro_receive(&mut stream).await.unwrap(), setting.payload), sequence);
            if let Some(median) = trips.end() {
                return median;
            }
        }
        unreachable!()
    })
}
