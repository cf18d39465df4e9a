//! A piece of shared memory for peers that have none of their own.

use std::fs::File;
use std::os::fd::{AsFd, FromRawFd as _, OwnedFd};
use std::os::fd::{AsRawFd as _, BorrowedFd};

/// Mapped for as long as the process lives.
pub struct Shared {
    file: OwnedFd,
    base: *mut u8,
}

impl Shared {
    pub fn create(length: usize) -> Self {
        // SAFETY: the name ends with a zero.
        let raw = unsafe { libc::memfd_create(c"side_by_side".as_ptr(), libc::MFD_CLOEXEC) };
        assert!(raw >= 0, "memfd_create");
        // SAFETY: just made, and nobody else's.
        let file = File::from(unsafe { OwnedFd::from_raw_fd(raw) });
        file.set_len(length as u64).unwrap();
        Self::map(file.into(), length)
    }

    /// What this process was started with as its standard input.
    pub fn of_parent(length: usize) -> Self {
        Self::map(std::io::stdin().as_fd().try_clone_to_owned().unwrap(), length)
    }

    fn map(file: OwnedFd, length: usize) -> Self {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping, of a file of that length.
        let base = unsafe {
            libc::mmap(std::ptr::null_mut(), length, access, libc::MAP_SHARED, file.as_raw_fd(), 0)
        };
        assert_ne!(base, libc::MAP_FAILED, "mmap");
        Self { file, base: base.cast() }
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    pub fn base(&self) -> *mut u8 {
        self.base
    }

    /// An object for which zero bytes are valid, and which is changed in atomic steps alone.
    pub fn object<T>(&self, offset: usize) -> &'static T {
        // SAFETY: within the mapping, which stays; the callers' types are atomics, for which any bytes are valid.
        unsafe { &*self.base.add(offset).cast::<T>() }
    }
}

// SAFETY: it owns a descriptor and says where memory is mapped that stays; who dereferences that answers for it.
unsafe impl Send for Shared {}
