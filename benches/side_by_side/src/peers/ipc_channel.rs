//! Servo's ipc-channel: serde's `Vec<u8>` as most of its users send it, its channel of bare bytes, and the first in tokio, as a stream.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use ::ipc_channel::ipc::{
    IpcBytesReceiver, IpcBytesSender, IpcOneShotServer, IpcReceiver, IpcSender, bytes_channel, channel,
};
use futures_util::StreamExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Measure, Other, Peer, fork_off, given, here};
use crate::measure::{
    Setting, bounce, consume, coro_bounce, coro_consume, coro_produce, on_one_thread, produce,
};

const NAME: &str = "ipc-channel";
const NAME_BYTES: &str = "ipc-channel bytes";
const NAME_ASYNC: &str = "ipc-channel async";

pub const CHANNEL: Peer = Peer {
    name: NAME,
    check: here,
    measures: &[("throughput", throughput as Measure), ("round_trip", round_trip as Measure)],
    except: &[],
    child: Some(other_side),
};

pub const BYTES: Peer = Peer {
    name: NAME_BYTES,
    check: here,
    measures: &[("throughput", bytes_throughput as Measure), ("round_trip", bytes_round_trip as Measure)],
    except: &[],
    child: Some(bytes_other_side),
};

pub const ASYNC: Peer = Peer {
    name: NAME_ASYNC,
    check: here,
    measures: &[("throughput", coro_throughput as Measure), ("round_trip", coro_round_trip as Measure)],
    except: &[],
    child: Some(coro_other_side),
};

type Ends = (IpcSender<Vec<u8>>, IpcReceiver<Vec<u8>>);
type BytesEnds = (IpcBytesSender, IpcBytesReceiver);

/// Gives the ends to the process whose server's name comes on standard input.
fn hand_over<T: Serialize + DeserializeOwned>(ends: T) {
    let mut name = String::new();
    UnixStream::from(given()).read_to_string(&mut name).unwrap();
    IpcSender::connect(name).unwrap().send(ends).unwrap();
}

fn taken<T: Serialize + DeserializeOwned>(system: &str, setting: &Setting) -> (Other, T) {
    let (server, name) = IpcOneShotServer::<T>::new().unwrap();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.write_all(name.as_bytes()).unwrap();
    drop(ours);
    let other = fork_off(system, setting, &theirs);
    (other, server.accept().unwrap().1)
}

fn ends() -> Ends {
    let (our_sender, their_receiver) = channel().unwrap();
    let (their_sender, our_receiver) = channel().unwrap();
    hand_over::<Ends>((their_sender, their_receiver));
    (our_sender, our_receiver)
}

fn other_side(setting: &Setting) {
    let (sender, receiver) = ends();
    if setting.case == "throughput" {
        return produce(setting, |message| sender.send(message).is_ok());
    }
    while let Ok(ball) = receiver.recv() {
        sender.send(ball).unwrap();
    }
}

fn throughput(setting: &Setting) -> f64 {
    let (_other, (_, receiver)) = taken::<Ends>(NAME, setting);
    consume(setting, || receiver.recv().unwrap())
}

fn round_trip(setting: &Setting) -> f64 {
    let (_other, (sender, receiver)) = taken::<Ends>(NAME, setting);
    bounce(setting, |ball| {
        sender.send(ball).unwrap();
        receiver.recv().unwrap()
    })
}

fn bytes_other_side(setting: &Setting) {
    let (sender, their_receiver) = bytes_channel().unwrap();
    let (their_sender, receiver) = bytes_channel().unwrap();
    hand_over::<BytesEnds>((their_sender, their_receiver));
    if setting.case == "throughput" {
        return produce(setting, |message| sender.send(&message).is_ok());
    }
    while let Ok(ball) = receiver.recv() {
        sender.send(&ball).unwrap();
    }
}

fn bytes_throughput(setting: &Setting) -> f64 {
    let (_other, (_, receiver)) = taken::<BytesEnds>(NAME_BYTES, setting);
    consume(setting, || receiver.recv().unwrap())
}

fn bytes_round_trip(setting: &Setting) -> f64 {
    let (_other, (sender, receiver)) = taken::<BytesEnds>(NAME_BYTES, setting);
    bounce(setting, |ball| {
        sender.send(&ball).unwrap();
        receiver.recv().unwrap()
    })
}

/// It sends without waiting for anything, and its stream comes from a thread of its own.
fn coro_other_side(setting: &Setting) {
    let (sender, receiver) = ends();
    on_one_thread().block_on(async {
        if setting.case == "throughput" {
            return coro_produce(setting, async |message| sender.send(message).is_ok()).await;
        }
        let mut stream = receiver.to_stream();
        while let Some(Ok(ball)) = stream.next().await {
            sender.send(ball).unwrap();
        }
    });
}

fn coro_throughput(setting: &Setting) -> f64 {
    let (_other, (_, receiver)) = taken::<Ends>(NAME_ASYNC, setting);
    let mut stream = receiver.to_stream();
    on_one_thread().block_on(coro_consume(setting, async || stream.next().await.unwrap().unwrap()))
}

fn coro_round_trip(setting: &Setting) -> f64 {
    let (_other, (sender, receiver)) = taken::<Ends>(NAME_ASYNC, setting);
    let mut stream = receiver.to_stream();
    on_one_thread().block_on(coro_bounce(setting, async |ball| {
        sender.send(ball).unwrap();
        stream.next().await.unwrap().unwrap()
    }))
}
