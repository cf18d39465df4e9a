//! Packets that no sender of this crate sent: errors, and never a crash or a hang. `wire/fuzz.rs` says how to run it for long.

use std::io::{IoSlice, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::connection::{AioReceiver, AioSender};
use super::end::End;
use super::frames::{self, UnderWay};
use super::link::Link;
use super::packet::is_warning;
use super::passed::Passed;
use crate::sys::{socket, spill};
use crate::wire::dice::{Dice, rounds};
use crate::wire::frame;

impl Dice {
    /// Bytes that look like a beginning, mostly.
    fn packet(&mut self, start: &[u8]) -> Vec<u8> {
        let mut packet = if self.below(4) == 0 { Vec::new() } else { start.to_vec() };
        for _ in 0..self.below(4) {
            let (at, byte) = (self.below(20), self.word().to_le_bytes()[2]);
            if let Some(place) = packet.get_mut(at) {
                *place = byte;
            }
        }
        packet.truncate(self.below(30).max(1));
        let most = if self.below(50) == 0 { 100_000 } else { 40 };
        packet.extend(self.bytes(most));
        // A packet of nothing can't be told from the end of the pipe, and is taken for it.
        if packet.is_empty() {
            packet.push(0);
        }
        packet
    }

    fn descriptors(&mut self) -> Vec<OwnedFd> {
        (0..self.below(6).saturating_sub(2))
            .map(|_| match self.below(4) {
                0 => std::fs::File::open("/dev/null").unwrap().into(),
                1 => std::io::pipe().unwrap().0.into(),
                2 => socket::pair().unwrap().0,
                _ => spill::store(&[&self.bytes(100)]).unwrap(),
            })
            .collect()
    }
}

fn throw(socket: &OwnedFd, packet: &[u8], descriptors: &[OwnedFd]) -> bool {
    let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
    socket::send(socket, &[IoSlice::new(packet)], &borrowed).is_ok()
}

#[test]
fn packets_of_a_pipe() {
    type Item = (Vec<AioSender<u8>>, Option<Passed<OwnedFd>>, String);
    rounds(|dice| {
        let (raw, ours) = socket::pair().unwrap();
        let receiver = AioReceiver::<Item>::new(End::new(Link::packets(ours, 100_000, None)));
        let mut thrown = 0;
        for _ in 0..dice.below(8) + 1 {
            let start =
                [dice.word().to_le_bytes()[1] & 7, 0, 0, 0, 0, 0, 0, 0, 1, 5, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0];
            let (packet, descriptors) = (dice.packet(&start), dice.descriptors());
            // A warning is no message.
            let is_message = packet.first().is_some_and(|&flags| !is_warning(flags));
            thrown += usize::from(throw(&raw, &packet, &descriptors) && is_message);
        }
        for _ in 0..thrown {
            // One for one: whatever a packet holds, it is taken away whole.
            let came = match dice.below(3) {
                0 => receiver.try_recv_bytes().map(drop),
                1 => receiver.try_recv_bytes_into(&mut [0; 8]).map(drop),
                _ => receiver.try_recv().map(drop),
            };
            if let Err(error) = came {
                assert!(!error.is_empty() && !error.is_closed() && !error.is_no_descriptors(), "{error}");
            }
        }
        assert!(receiver.try_recv().unwrap_err().is_empty());
        drop(raw);
        assert!(receiver.recv().unwrap_err().is_closed());
    });
}

#[test]
fn packets_of_a_child() {
    rounds(|dice| {
        let (raw, ours) = socket::pair().unwrap();
        let start = [
            b'a',
            b'i',
            b'o',
            b'p',
            1,
            dice.word().to_le_bytes()[1] & 1,
            0,
            0,
            5,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            1,
            0,
            0,
            0,
        ];
        for _ in 0..dice.below(8) + 1 {
            let (packet, descriptors) = (dice.packet(&start), dice.descriptors());
            throw(&raw, &packet, &descriptors);
        }
        drop(raw);
        // Each takes at least one packet, so that this ends.
        while !matches!(frame::receive(&ours), Ok(None)) {}
    });
}

/// Frames of a stream: in portions of any size, with lengths that are true, too long, negative or cut off.
#[test]
fn frames_of_a_stream() {
    rounds(|dice| {
        let (mut raw, ours) = std::os::unix::net::UnixStream::pair().unwrap();
        let end = End::new(Link::frames(ours.into(), 1000, None, UnderWay::default()));
        let receiver = AioReceiver::<String>::new(end);
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for _ in 0..dice.below(10) {
            let message = dice.bytes(1200);
            let length = message.len() as u64;
            match dice.below(8) {
                0 => bytes.extend([&[0xff; 4][..], &length.to_be_bytes()].concat()),
                _ => bytes.extend(frames::header(length)),
            }
            bytes.extend(&message);
            expected.push(if length > 1000 { None } else { Some(message) });
        }
        let whole = expected.len();
        match dice.below(4) {
            0 => bytes.extend([0xff, 0xff, 0xff, 0xfe]),
            1 => bytes.extend([&[0xff; 12][..], &dice.bytes(50)].concat()),
            2 => bytes.extend([&[0, 0, 1, 0][..], &dice.bytes(255)].concat()),
            _ => {}
        }
        let mut came = Vec::new();
        let take = |came: &mut Vec<_>| {
            came.push(match receiver.try_recv_bytes() {
                Ok(message) => Some(message),
                Err(crate::TryRecvError::TooLong { limit: 1000, .. }) => None,
                Err(error) => return Err(error),
            });
            Ok(())
        };
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (part, left) = rest.split_at(1 + dice.below(rest.len()));
            rest = left;
            raw.write_all(part).unwrap();
            while take(&mut came).is_ok() {}
        }
        drop(raw);
        let last = loop {
            if let Err(error) = take(&mut came) {
                break error;
            }
        };
        assert!(last.is_closed() || matches!(last, crate::TryRecvError::Damaged(_)), "{last}");
        came.truncate(whole);
        assert!(came == expected);
        assert!(receiver.try_recv_bytes().unwrap_err().is_closed());
    });
}
