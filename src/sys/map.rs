//! `mmap(2)` of shared memory, as a stretch of bytes that other processes write to at any time.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::AsFd;
use std::ptr::NonNull;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A shared mapping. It gives out raw pointers only: whoever makes more of them answers for it.
#[derive(Debug)]
pub(crate) struct Map {
    base: NonNull<u8>,
    length: usize,
}

// SAFETY: a mapping is plain address space; it belongs to the process and not to a thread.
unsafe impl Send for Map {}
// SAFETY: as above; all that is done through `&self` is handing out the address.
unsafe impl Sync for Map {}

impl Map {
    /// Maps the first `length` bytes. More than the file has may be mapped, but not touched.
    pub(crate) fn shared(fd: impl AsFd, length: usize) -> io::Result<Self> {
        let prot = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses an address that nothing else uses.
        let base = unsafe {
            mmap(std::ptr::null_mut(), length, prot, MapFlags::SHARED | MapFlags::NORESERVE, fd, 0)
        }?;
        let base = NonNull::new(base.cast()).ok_or(rustix::io::Errno::NOMEM)?;
        Ok(Self { base, length })
    }

    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    pub(crate) fn length(&self) -> usize {
        self.length
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `shared` made, and nothing borrowed from `self` is left.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.length) };
    }
}
