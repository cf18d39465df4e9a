//! Bytes that strangers map as well, and write at any time: no reference to a plain `u8` ever covers them.
//!
//! In this program they are reached through atomics of one byte, all of one size, so that threads of it never race. Larger
//! copies are made by the kernel, which to this program is one more stranger; it is faster, too.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::process::{Resource, getrlimit};

use crate::sys::map::Map;

/// From this length on the kernel copies faster, its call included.
const BY_KERNEL: usize = 2048;

/// A file of memory, mapped.
#[derive(Debug)]
pub(crate) struct Bytes {
    map: Map,
    file: OwnedFd,
}

impl Bytes {
    /// Maps the first `size` bytes of a file, all of which must be had by now.
    pub(crate) fn map(file: OwnedFd, size: usize) -> io::Result<Self> {
        Ok(Self { map: Map::shared(&file, size)?, file })
    }

    pub(crate) fn size(&self) -> usize {
        self.map.length()
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.map.base().as_ptr()
    }

    pub(crate) fn atomics(&self) -> &[AtomicU8] {
        // SAFETY: so many bytes are mapped, for as long as `self`; an atomic byte is laid out as a byte, needs no alignment,
        // and takes any bits; and this program reaches them through atomic bytes alone: who makes anything else of
        // `as_ptr` promises to see to it that nobody writes meanwhile.
        unsafe { std::slice::from_raw_parts(self.map.base().as_ptr().cast(), self.size()) }
    }

    /// Copies out what stands from `at` on. `false`, and nothing copied, if so many bytes don't stand there.
    #[must_use]
    pub(crate) fn copy_out(&self, at: usize, into: &mut [u8]) -> bool {
        let Some(bytes) = self.part(at, into.len()) else { return false };
        let mut done = 0;
        if into.len() >= BY_KERNEL {
            while let Some(left) = into.get_mut(done..).filter(|left| !left.is_empty()) {
                let from = (at + done) as u64;
                match rustix::io::retry_on_intr(|| rustix::io::pread(&self.file, &mut *left, from)) {
                    Ok(copied) if copied > 0 => done += copied,
                    _ => break,
                }
            }
        }
        let (bytes, into) = (bytes.get(done..).unwrap_or_default(), into.get_mut(done..).unwrap_or_default());
        for (byte, into) in bytes.iter().zip(into) {
            *into = byte.load(Ordering::Relaxed);
        }
        true
    }

    /// Copies these bytes in, from `at` on. `false`, and nothing copied, if so many don't stand there.
    #[must_use]
    pub(crate) fn copy_in(&self, at: usize, from: &[u8]) -> bool {
        let Some(bytes) = self.part(at, from.len()) else { return false };
        let mut done = 0;
        if from.len() >= BY_KERNEL && may_write_up_to((at + from.len()) as u64) {
            while let Some(left) = from.get(done..).filter(|left| !left.is_empty()) {
                let to = (at + done) as u64;
                match rustix::io::retry_on_intr(|| rustix::io::pwrite(&self.file, left, to)) {
                    Ok(copied) if copied > 0 => done += copied,
                    _ => break,
                }
            }
        }
        let (bytes, from) = (bytes.get(done..).unwrap_or_default(), from.get(done..).unwrap_or_default());
        for (byte, &from) in bytes.iter().zip(from) {
            byte.store(from, Ordering::Relaxed);
        }
        true
    }

    fn part(&self, at: usize, length: usize) -> Option<&[AtomicU8]> {
        self.atomics().get(at..at.checked_add(length)?)
    }
}

/// Beyond `RLIMIT_FSIZE` a write to the file is answered by a signal that kills; one to the mapping is not.
fn may_write_up_to(end: u64) -> bool {
    getrlimit(Resource::Fsize).current.is_none_or(|limit| end <= limit)
}
