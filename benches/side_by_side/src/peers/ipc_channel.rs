//! Servo's ipc-channel, with serde's `Vec<u8>` as most of its users send it.

use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use ::ipc_channel::ipc::{IpcOneShotServer, IpcReceiver, IpcSender, channel};

use super::{Measure, Other, Peer, fork_off, here};
use crate::measure::{Meter, Setting, Trips, message, number};

const NAME: &str = "ipc-channel";

pub const CHANNEL: Peer = Peer {
    name: NAME,
    check: here,
    measures: &[("throughput", throughput as Measure), ("round_trip", round_trip as Measure)],
    except: &[],
    child: Some(other_side),
};

type Ends = (IpcSender<Vec<u8>>, IpcReceiver<Vec<u8>>);

fn other_side(setting: &Setting) {
    let mut name = String::new();
    UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap())
        .read_to_string(&mut name)
        .unwrap();
    let (our_sender, their_receiver) = channel().unwrap();
    let (their_sender, our_receiver) = channel().unwrap();
    let ends: Ends = (their_sender, their_receiver);
    IpcSender::connect(name).unwrap().send(ends).unwrap();
    let (sender, receiver): Ends = (our_sender, our_receiver);
    if setting.case == "round_trip" {
        while let Ok(ball) = receiver.recv() {
            sender.send(ball).unwrap();
        }
    }
    for sequence in 0.. {
        if sender.send(message(sequence, setting.payload)).is_err() {
            return;
        }
    }
}

fn ends(setting: &Setting) -> (Other, Ends) {
    let (server, name) = IpcOneShotServer::<Ends>::new().unwrap();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.write_all(name.as_bytes()).unwrap();
    drop(ours);
    let other = fork_off(NAME, setting, &theirs);
    (other, server.accept().unwrap().1)
}

fn throughput(setting: &Setting) -> f64 {
    let (_other, (_, receiver)) = ends(setting);
    let mut meter = Meter::new(setting.time, setting.payload);
    loop {
        if let Some(rate) = meter.take(number(&receiver.recv().unwrap(), setting.payload)) {
            return rate;
        }
    }
}

fn round_trip(setting: &Setting) -> f64 {
    let (_other, (sender, receiver)) = ends(setting);
    let mut trips = Trips::new(setting.time);
    for sequence in 0.. {
        sender.send(message(sequence, setting.payload)).unwrap();
        assert_eq!(number(&receiver.recv().unwrap(), setting.payload), sequence);
        if let Some(median) = trips.end() {
            return median;
        }
    }
    unreachable!()
}
