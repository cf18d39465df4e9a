//! What the kernel offers: a Unix stream and a pipe as std has them.

use std::fs::File;
use std::io::{PipeReader, Read, Write};
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;

use super::shared::Shared;
use super::{Measure, Peer, fork_off, fork_off_three, given, here};
use crate::board::{self, Board};
use crate::measure::{Setting, bounce, consume, message, number, produce};

const NAME_STREAM: &str = "std UnixStream";
const NAME_PIPE: &str = "std pipe";

pub const STREAM: Peer = Peer {
    name: NAME_STREAM,
    check: here,
    measures: &[
        ("throughput", throughput as Measure),
        ("round_trip", round_trip as Measure),
        ("pipe_round_trip", round_trip as Measure),
    ],
    except: &[],
    child: Some(other_side),
};

pub const PIPE: Peer = Peer {
    name: NAME_PIPE,
    check: here,
    measures: &[("throughput", pipe_throughput as Measure), ("two_to_two", two_to_two as Measure)],
    except: &[],
    child: Some(|setting| match setting.case {
        "throughput" => produce_into(File::from(given()), setting),
        _ => one_of_three(setting),
    }),
};

/// A message with its length before it, in one write.
pub fn send(to: &mut impl Write, message: &[u8], frame: &mut Vec<u8>) -> std::io::Result<()> {
    frame.clear();
    frame.extend_from_slice(&(message.len() as u32).to_le_bytes());
    frame.extend_from_slice(message);
    to.write_all(frame)
}

pub fn receive(from: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut message = vec![0; u32::from_le_bytes(length) as usize];
    from.read_exact(&mut message)?;
    Ok(message)
}

pub fn produce_into(mut to: impl Write, setting: &Setting) {
    let mut frame = Vec::new();
    produce(setting, |message| send(&mut to, &message, &mut frame).is_ok());
}

pub fn consume_from(from: impl Read, setting: &Setting) -> f64 {
    let mut from = std::io::BufReader::with_capacity(64 << 10, from);
    consume(setting, || receive(&mut from).unwrap())
}

pub fn echo(mut stream: impl Read + Write) {
    let mut frame = Vec::new();
    while let Ok(message) = receive(&mut stream) {
        send(&mut stream, &message, &mut frame).unwrap();
    }
}

pub fn bounce_over(mut stream: impl Read + Write, setting: &Setting) -> f64 {
    let mut frame = Vec::new();
    bounce(setting, |ball| {
        send(&mut stream, &ball, &mut frame).unwrap();
        receive(&mut stream).unwrap()
    })
}

fn other_side(setting: &Setting) {
    let socket = UnixStream::from(given());
    if setting.case == "throughput" { produce_into(socket, setting) } else { echo(socket) }
}

fn throughput(setting: &Setting) -> f64 {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let _other = fork_off(NAME_STREAM, setting, &theirs);
    consume_from(ours, setting)
}

fn round_trip(setting: &Setting) -> f64 {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let _other = fork_off(NAME_STREAM, setting, &theirs);
    bounce_over(ours, setting)
}

fn pipe_throughput(setting: &Setting) -> f64 {
    let (ours, theirs): (PipeReader, _) = std::io::pipe().unwrap();
    let _other = fork_off(NAME_PIPE, setting, &theirs);
    consume_from(ours, setting)
}

/// A message of a length that both sides know: a pipe writes and reads so few bytes at once.
fn take(pipe: &mut File, length: usize) -> u64 {
    let mut message = vec![0; length];
    assert_eq!(pipe.read(&mut message).unwrap(), length, "a pipe cut a message in two");
    number(&message, length)
}

fn one_of_three(setting: &Setting) {
    let shared = Shared::of_parent(board::LENGTH);
    let board = Board::on(&shared);
    let [mut from, mut to] = [0, 1].map(|index| {
        let raw = board.numbers[index].load(Ordering::Acquire) as i32;
        // SAFETY: inherited under this number, and open for as long as this process lives.
        let pipe = unsafe { BorrowedFd::borrow_raw(raw) };
        File::from(pipe.try_clone_to_owned().unwrap())
    });
    if setting.role == board::CONSUMER {
        board::consume(board, setting.role, setting.time, || take(&mut from, setting.payload));
        return;
    }
    for number in board.numbers(setting.role) {
        to.write_all(&message(number, setting.payload)).unwrap();
    }
}

fn two_to_two(setting: &Setting) -> f64 {
    assert!(setting.payload <= libc::PIPE_BUF, "a pipe would cut it in two");
    let shared = Shared::create(board::LENGTH);
    let board = Board::on(&shared);
    let (from, to) = std::io::pipe().unwrap();
    let ends: [OwnedFd; 2] = [from.into(), to.into()];
    for (number, end) in board.numbers.iter().zip(&ends) {
        // SAFETY: takes plain numbers; the children are to inherit it.
        assert_eq!(unsafe { libc::fcntl(end.as_raw_fd(), libc::F_SETFD, 0) }, 0);
        number.store(end.as_raw_fd() as u64, Ordering::Release);
    }
    let _others = fork_off_three(NAME_PIPE, setting, shared.fd());
    let mut from = File::from(ends[0].try_clone().unwrap());
    board::consume(board, 0, setting.time, || take(&mut from, setting.payload))
}
