//! Packets that no sender of this crate sent: errors, and never a crash or a hang. `wire/fuzz.rs` says how to run it for long.

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::connection::{AioReceiver, AioSender};
use super::end::End;
use super::link::Link;
use super::passed::Passed;
use crate::sys::{socket, spill};
use crate::wire::frame;
use crate::wire::fuzz::{Dice, rounds};

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
                _ => spill::store(&self.bytes(100)).unwrap(),
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
                [dice.word().to_le_bytes()[1] & 3, 0, 0, 0, 0, 0, 0, 0, 1, 5, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0];
            let (packet, descriptors) = (dice.packet(&start), dice.descriptors());
            thrown += usize::from(throw(&raw, &packet, &descriptors));
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
