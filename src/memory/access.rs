//! Reading and writing a block, while others write to it at any time.

use std::sync::atomic::AtomicU8;

use super::error::OutOfBoundsError;
use super::handle::SharedMemory;
use crate::shm::{Bits, Plain};

impl SharedMemory {
    /// Copies the bytes from `offset` on into a buffer. Python: `buffer[:] = memory.buf[offset:end]`.
    ///
    /// What another writes meanwhile is in the copy or not, byte for byte.
    ///
    /// # Errors
    ///
    /// If the block has not so many bytes there; nothing is copied.
    #[doc(alias = "buf")]
    pub fn copy_out(&self, offset: usize, into: &mut [u8]) -> Result<(), OutOfBoundsError> {
        let length = into.len();
        self.within(self.block().bytes.copy_out(offset, into), offset, length)
    }

    /// Copies a buffer into the block, from `offset` on. Python: `memory.buf[offset:end] = buffer`.
    ///
    /// What another writes meanwhile replaces it or is replaced, byte for byte.
    ///
    /// # Errors
    ///
    /// If the block has not so many bytes there; nothing is copied.
    pub fn copy_in(&self, offset: usize, from: &[u8]) -> Result<(), OutOfBoundsError> {
        self.within(self.block().bytes.copy_in(offset, from), offset, from.len())
    }

    /// A copy of the [plain data](Plain) that stands at `offset`, which need not be aligned. Python: `struct.unpack_from`, with the
    /// `=` of native byte order.
    ///
    /// # Errors
    ///
    /// If the block has not so many bytes there.
    pub fn get<T: Plain>(&self, offset: usize) -> Result<T, OutOfBoundsError> {
        let mut bits = Bits::<T>::empty();
        self.copy_out(offset, bits.bytes_mut())?;
        Ok(bits.value())
    }

    /// Writes [plain data](Plain) at `offset`, which need not be aligned. Python: `struct.pack_into`, with the `=` of native byte
    /// order.
    ///
    /// # Errors
    ///
    /// If the block has not so many bytes there; nothing is written.
    pub fn set<T: Plain>(&self, offset: usize, value: T) -> Result<(), OutOfBoundsError> {
        self.copy_in(offset, Bits::of(value).bytes())
    }

    /// The bytes in place. Python: `buf`.
    ///
    /// They are atomics since other processes write to them at any time. The borrow checker sees to it that no view outlives
    /// the block's mapping:
    ///
    /// ```compile_fail
    /// # use aioprocessing::SharedMemory;
    /// let view = {
    ///     let memory = SharedMemory::open("block").unwrap();
    ///     memory.bytes()
    /// };
    /// println!("{view:?}");
    /// ```
    #[must_use]
    pub fn bytes(&self) -> &[AtomicU8] {
        self.block().bytes.atomics()
    }

    /// The address of the first of [`size`](Self::size) bytes, which stand there for as long as any handle that is a clone of this one
    /// exists.
    ///
    /// For those who know that nobody else writes, or that nobody else reads: what is made of it, a slice with
    /// [`slice::from_raw_parts`](std::slice::from_raw_parts) for example, is their promise.
    #[must_use]
    pub fn as_ptr(&self) -> *mut u8 {
        self.block().bytes.as_ptr()
    }

    fn within(&self, done: bool, offset: usize, length: usize) -> Result<(), OutOfBoundsError> {
        if done { Ok(()) } else { Err(OutOfBoundsError { offset, length, size: self.size() }) }
    }
}
