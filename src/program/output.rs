//! What a program writes, on its way to us.

use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use super::event::OutputStream;

/// As much as is read at one look, more than a pipe holds: a program that writes without end holds up nobody else.
const SHARE: usize = 1 << 20;
/// As much as one pipe holds, usually.
const PIECE: usize = 1 << 16;

/// One of a program's two streams.
#[derive(Debug)]
pub(super) struct Output {
    /// `None`: it is at its end.
    pipe: Option<OwnedFd>,
    pub(super) stream: OutputStream,
    bytes: Vec<u8>,
    /// Bytes that are known to hold no line feed.
    searched: usize,
    is_in_lines: bool,
}

impl Output {
    pub(super) fn new(pipe: Option<OwnedFd>, stream: OutputStream, is_in_lines: bool) -> Self {
        Self { pipe, stream, bytes: Vec::new(), searched: 0, is_in_lines }
    }

    pub(super) fn pipe(&self) -> Option<&OwnedFd> {
        self.pipe.as_ref()
    }

    pub(super) fn is_over(&self) -> bool {
        self.pipe.is_none()
    }

    /// The program has ended, and a look since then has read what it wrote, which a pipe holds whole. Who else holds the pipe may
    /// write for ever.
    pub(super) fn close(&mut self) {
        self.pipe = None;
    }

    /// Reads what is there. True: there may be more than its share.
    pub(super) fn look(&mut self) -> bool {
        let mut count = 0;
        while count < SHARE {
            let Some(pipe) = &self.pipe else { return false };
            self.bytes.reserve(PIECE);
            match rustix::io::read(pipe, spare_capacity(&mut self.bytes)) {
                Ok(0) => self.pipe = None,
                Ok(read) => count += read,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return false,
                // Nothing that a pipe of ours can answer; nothing will come of it any more.
                Err(_) => self.pipe = None,
            }
        }
        true
    }

    /// Takes out the lines that are whole, and at its end the rest.
    pub(super) fn lines(&mut self, mut take: impl FnMut(Vec<u8>)) {
        if !self.is_in_lines {
            return;
        }
        let mut begin = 0;
        while let Some(length) = self.bytes[self.searched..].iter().position(|&byte| byte == b'\n') {
            let end = self.searched + length;
            take(self.bytes[begin..end].to_vec());
            begin = end + 1;
            self.searched = begin;
        }
        self.bytes.drain(..begin);
        self.searched = self.bytes.len();
        if self.is_over() && !self.bytes.is_empty() {
            take(std::mem::take(&mut self.bytes));
            self.searched = 0;
        }
    }

    /// All that was written and not taken as lines.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}
