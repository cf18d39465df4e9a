//! Bytes too many for a packet travel in a `memfd_create(2)` of their own, whose descriptor is sent in their place.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{SealFlags, fcntl_add_seals, fcntl_get_seals, fstat};
use rustix::io::{pread, retry_on_intr, write};

use super::memfd;

/// Not against writing: the bytes are copied out once, so who writes later changes nothing, and the kernel refuses that seal while it
/// moves one of the pages (`EBUSY`).
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// A sealed file with these bytes, one part behind the other.
pub(crate) fn store(parts: &[&[u8]]) -> io::Result<OwnedFd> {
    memfd::within_limit(parts.iter().map(|part| part.len() as u64).sum())?;
    let file = memfd::empty("aioprocessing-message")?;
    for &part in parts {
        let mut bytes = part;
        while !bytes.is_empty() {
            let written = retry_on_intr(|| write(&file, bytes))?;
            bytes = bytes.get(written..).unwrap_or_default();
        }
    }
    fcntl_add_seals(&file, SEALS)?;
    Ok(file)
}

/// All bytes of a file that must be `length` long and sealed: only memory is, whose reading never waits for anybody. It is
/// read and never mapped: whoever sent it can't make that fatal.
pub(crate) fn fetch(file: impl AsFd, length: u64) -> io::Result<Vec<u8>> {
    if !fcntl_get_seals(&file).is_ok_and(|seals| seals.contains(SEALS)) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let size = fstat(&file)?.st_size;
    if u64::try_from(size) != Ok(length) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let length = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
    while bytes.len() < length {
        let offset = bytes.len() as u64;
        match retry_on_intr(|| pread(&file, rustix::buffer::spare_capacity(&mut bytes), offset))? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ if bytes.len() > length => bytes.truncate(length),
            _ => {}
        }
    }
    Ok(bytes)
}
